"""What holds between all resources of a project: names are there once, numbers stay bearable, little is in vain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource, NetworkResource, VolumeResource
from reconciler.spec.scope import Scope

MAX_INSTANCES = 2000
#: Ranges are counted out port by port: a line of text must not become a million of them.
MAX_PORTS = 2 * 65_536

_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")


def is_bearable(scope: Scope) -> bool:
    """Whether the project asks for few enough instances and ports; complains if not."""
    instances = ports = 0
    for name, table in scope.tables(Kind.CONTAINER).items():
        instances += table.get("scale", 1)
        ports += sum(_width(item) for option in ("ports", "expose") for item in table.get(option, ()))
        if instances > MAX_INSTANCES or ports > MAX_PORTS:
            counted = f"{MAX_INSTANCES} containers" if instances > MAX_INSTANCES else f"{MAX_PORTS} ports"
            scope.problems.at(
                (Kind.CONTAINER.value, name), f"from here on the project has more than {counted}", "split the project"
            )
            return False
    return True


def _width(item: object) -> int:
    text = " ".join(map(str, item.values())) if isinstance(item, Mapping) else str(item)
    return 1 + sum(max(int(last) - int(first), 0) for first, last in _RANGE.findall(text))


def check_names(scope: Scope, resources: Iterable[ContainerResource | NetworkResource | VolumeResource]) -> None:
    """Complain of resources of one kind that would be the same object on the engine."""
    owners: dict[str, Address] = {}
    for resource in resources:
        other = owners.setdefault(resource.name, resource.address)
        if other != resource.address:
            kind, name, _ = resource.address
            message = f"{other} is called {resource.name!r} on the engine too"
            scope.problems.at((kind.value, name), message, "give one of them another name")


def warnings(containers: list[ContainerResource], networks: Mapping[str, NetworkResource]) -> tuple[str, ...]:
    """What works, but hardly as it was meant."""
    internal = {network.name for network in networks.values() if network.config.get("internal")}
    found = []
    for container in containers:
        if container.address.instance > 1 or not container.config.get("ports"):
            continue
        address = container.address.whole
        if container.networks and internal.issuperset(container.networks):
            found.append(f"{address} publishes ports, but all its networks are internal: nothing outside reaches them")
        elif container.config.get("network_mode") in ("host", "none"):
            found.append(
                f'{address} publishes ports, which network_mode = "{container.config["network_mode"]}" ignores'
            )
    return tuple(found)
