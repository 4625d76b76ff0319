"""What holds between resources: no cycles, no name or port twice; and what an engine would refuse anyway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource, NetworkResource, VolumeResource
from reconciler.model.structures import PORTS
from reconciler.spec.problems import Keys
from reconciler.spec.scope import Scope, entry_of

_WILDCARDS = {"": ".:", "0.0.0.0": ".", "::": ":"}  # noqa: S104 - nothing is bound here


def check(
    scope: Scope, containers: list[ContainerResource], networks: list[NetworkResource], volumes: list[VolumeResource]
) -> None:
    """Complain of what contradicts itself between the resources of a project."""
    _check_cycles(scope, containers)
    _check_names(scope, containers)
    _check_names(scope, networks)
    _check_names(scope, volumes)
    _check_ports(scope, containers)
    _check_addresses(scope, containers)


def _check_names(scope: Scope, resources: Iterable[ContainerResource | NetworkResource | VolumeResource]) -> None:
    owners: dict[str, Address] = {}
    for resource in resources:
        other = owners.setdefault(resource.name, resource.address)
        if other != resource.address:
            kind, name, _ = resource.address
            message = f"{other} is called {resource.name!r} on the engine too"
            scope.problems.at((kind.value, name), message, "give one of them another name")


def _check_cycles(scope: Scope, containers: list[ContainerResource]) -> None:
    """Each cycle once, from the container that comes first in it. Not recursive: a chain may be long."""
    graph = {c.address.name: [dependency.address.name for dependency in c.depends_on] for c in containers}
    done: set[str] = set()
    for start in sorted(graph):
        path: list[str] = []
        steps = [iter([start])]
        while steps:
            name = next(steps[-1], None)
            if name is None:
                steps.pop()
                if path:
                    done.add(path.pop())
            elif name in path:
                _report_cycle(scope, path[path.index(name) :])
            elif name not in done and name in graph:
                path.append(name)
                steps.append(iter(graph[name]))


def _report_cycle(scope: Scope, cycle: list[str]) -> None:
    first = cycle.index(min(cycle))
    cycle = cycle[first:] + cycle[:first]
    table = scope.tables(Kind.CONTAINER)[cycle[0]]
    keys: Keys = (Kind.CONTAINER.value, cycle[0])
    if "depends_on" in table:
        keys = (*keys, "depends_on")
    scope.problems.at(
        keys, f"containers wait for each other: {' → '.join([*cycle, cycle[0]])}", "take one of these dependencies out"
    )


def _check_ports(scope: Scope, containers: list[ContainerResource]) -> None:
    """No place on the host is published twice; a port of all addresses takes that of each address."""
    taken: dict[tuple[str, str], list[tuple[str, ContainerResource]]] = {}
    for container in containers:
        ports = container.config.get("ports")
        for port, places in ports.items() if isinstance(ports, Mapping) else ():
            for place in places if isinstance(places, tuple) else ():
                address, _, host_port = str(place).rpartition(":")
                if not host_port.isdigit():
                    continue
                if container.address.index == 1:
                    _complain_of_port(
                        scope,
                        container,
                        port,
                        f"{host_port} cannot be published by every instance",
                        "leave the host port out",
                    )
                if container.address.index:
                    continue
                others = taken.setdefault((host_port, port.partition("/")[2]), [])
                clash = next((other for bound, other in others if _overlap(bound, address)), None)
                if clash is not None:
                    shown = f"{address + ':' if address else ''}{host_port}/{port.partition('/')[2]}"
                    message = (
                        f"{clash.address} publishes {shown} too"
                        if clash is not container
                        else f"it publishes {shown} twice"
                    )
                    _complain_of_port(scope, container, port, message, "publish one of them elsewhere")
                others.append((address, container))


def _complain_of_port(scope: Scope, container: ContainerResource, port: str, message: str, hint: str) -> None:
    keys: Keys = (Kind.CONTAINER.value, container.address.name, "ports")
    raw = scope.tables(Kind.CONTAINER)[container.address.name]["ports"]
    scope.problems.at(entry_of(PORTS, raw, port, keys), message, hint)


def _overlap(one: str, other: str) -> bool:
    if one == other:
        return True
    return any(
        wild in _WILDCARDS and (not bound or any(mark in bound for mark in _WILDCARDS[wild]))
        for wild, bound in ((one, other), (other, one))
    )


def _check_addresses(scope: Scope, containers: list[ContainerResource]) -> None:
    """A fixed address belongs to one container of a network, and to one instance."""
    taken: dict[tuple[str, Any], Address] = {}
    for container in containers:
        endpoints = container.config.get("networks")
        for network, endpoint in endpoints.items() if isinstance(endpoints, Mapping) else ():
            for option in ("ipv4_address", "ipv6_address", "mac_address"):
                value = endpoint.get(option) if isinstance(endpoint, Mapping) else None
                if value is None or container.address.index > 1:
                    continue
                keys: Keys = (Kind.CONTAINER.value, container.address.name, "networks")
                other = taken.setdefault((network, value), container.address)
                if container.address.index:
                    scope.problems.at(
                        keys, f"{value} cannot be the address of every instance", "leave the address or scale out"
                    )
                elif other != container.address:
                    scope.problems.at(keys, f"{other} has the address {value} too", "give one of them another address")


def warnings(containers: list[ContainerResource], networks: Mapping[str, NetworkResource]) -> tuple[str, ...]:
    """What works, but hardly as it was meant."""
    internal = {network.name for network in networks.values() if network.config.get("internal")}
    found = []
    for container in containers:
        if container.address.index > 1 or not container.config.get("ports"):
            continue
        address = container.address.whole
        if container.networks and internal.issuperset(container.networks):
            found.append(f"{address} publishes ports, but all its networks are internal: nothing outside reaches them")
        elif container.config.get("network_mode") in ("host", "none"):
            found.append(
                f'{address} publishes ports, which network_mode = "{container.config["network_mode"]}" ignores'
            )
    return tuple(found)
