"""What a container is attached to: its networks in order, or the network of something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.address import Address, Kind
from reconciler.model.desired import NetworkResource
from reconciler.model.structures import declare_endpoint
from reconciler.model.values import Value
from reconciler.spec.keys import Keys
from reconciler.spec.naming import is_predefined
from reconciler.spec.scope import Scope, Table
from reconciler.spec.storage import DEFAULT

_MODES = ("host", "none", "bridge")
# With the network of another container these would have to be said there; the engine refuses them here.
_NOT_SHARED = ("ports", "expose", "hostname", "dns", "dns_search", "dns_opt", "extra_hosts")


class Attachment(NamedTuple):
    """`config` is the canonical option `networks`, None under a network mode; `order` the engine's names of them."""

    config: dict[str, Value] | None
    order: tuple[str, ...] = ()
    needs: frozenset[Address] = frozenset()


def attach(scope: Scope, name: str, table: Table, networks: Mapping[str, NetworkResource]) -> Attachment:
    """The networks of a container in Compose's order of attachment: highest priority first, then by name."""
    keys: Keys = (Kind.CONTAINER.value, name)
    if "network_mode" in table:
        _check_mode(scope, keys, table)
        return Attachment(None)
    raw = table.get("networks") or [DEFAULT]
    wanted: dict[str, Any] = {network: {} for network in raw} if isinstance(raw, list) else raw
    endpoints: dict[str, Value] = {}
    order: list[tuple[int, str, str]] = []
    needs = set()
    for at, (network, settings) in enumerate(wanted.items()):
        place: Keys = (*keys, "networks", network if isinstance(raw, dict) else at)
        resource = networks.get(network)
        if resource is None:
            scope.unknown(Kind.NETWORK, network, place)
            continue
        needs.add(resource.address)
        order.append((-settings.get("priority", 0), network, resource.name))
        endpoints[resource.name] = _endpoint(scope, place, settings, resource)
    return Attachment(endpoints, tuple(engine_name for _, _, engine_name in sorted(order)), frozenset(needs))


def _endpoint(scope: Scope, keys: Keys, settings: Table, network: NetworkResource) -> dict[str, Value]:
    """The canonical settings, the container's name (`keys[1]`) among the aliases."""
    try:
        endpoint = declare_endpoint(settings)
    except ValueError as error:
        scope.problems.refused(keys, error)
        return {}
    declared = settings.get("aliases", [])
    if network.external and is_predefined(network.name):
        if declared:
            message = f"the engine's own network '{network.name}' has no aliases"
            scope.problems.at((*keys, "aliases"), message, "use a network of the project")
        return endpoint
    return {**endpoint, "aliases": tuple(sorted({str(keys[1]), *declared}))}


def _check_mode(scope: Scope, keys: Keys, table: Table) -> None:
    mode: str = table["network_mode"]
    place = (*keys, "network_mode")
    if table.get("networks"):
        scope.problems.at(place, "network_mode and networks exclude each other", "keep one of the two")
    shares = mode.startswith(("service:", "container:"))
    if not shares and mode not in _MODES:
        hint = f'write host, none, bridge, service:NAME or container:NAME; to join a network, networks = ["{mode}"]'
        scope.problems.at(place, f"{mode!r} is not a network mode", hint)
    for option in _NOT_SHARED if shares else ():
        if table.get(option):
            message = f"it uses the network of {mode}, where this has to be said"
            scope.problems.at((*keys, option), message, "write it there, or leave it out")
