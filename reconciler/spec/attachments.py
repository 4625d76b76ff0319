"""What a container is attached to: its networks in order, or the network of something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.address import Address, Kind
from reconciler.model.desired import NetworkResource
from reconciler.model.structures import declare_endpoint, declare_mac
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
    names = tuple(engine_name for _, _, engine_name in sorted(order))
    _add_links(scope, keys, table, endpoints)
    if names and "mac_address" in table:
        _add_mac(scope, keys, table["mac_address"], endpoints[names[0]])
    return Attachment(endpoints, names, frozenset(needs))


def _add_links(scope: Scope, keys: Keys, table: Table, endpoints: dict[str, Value]) -> None:
    """Links are settings of every endpoint: `container:alias`, with the names that Compose gives besides."""
    links = set()
    for item in table.get("links", ()):
        other, _, alias = item.partition(":")
        target = scope.tables(Kind.CONTAINER).get(other, {})
        for number in range(1, target.get("scale", 1) + 1):
            engine_name = target.get("container_name") or f"{scope.project}-{other}-{number}"
            names = {alias or other, f"{other}-{number}", f"{scope.project}-{other}-{number}"}
            links |= {f"{engine_name}:{name}" for name in names}
    for at, item in enumerate(table.get("external_links", ())):
        other, _, alias = item.partition(":")
        if not other:
            scope.problems.at((*keys, "external_links", at), f"{item!r} names no container", "write CONTAINER:ALIAS")
        links.add(f"{other}:{alias or other}")
    for name, endpoint in endpoints.items() if links else ():
        endpoints[name] = {**_table(endpoint), "links": tuple(sorted(links))}


def _add_mac(scope: Scope, keys: Keys, raw: str, endpoint: Value) -> None:
    """The container's own MAC address is that of its first endpoint."""
    place = (*keys, "mac_address")
    try:
        mac = declare_mac(raw)
    except ValueError as error:
        scope.problems.refused(place, error)
        return
    settings = _table(endpoint)
    if settings.setdefault("mac_address", mac) != mac:
        scope.problems.at(place, "its first network says another MAC address", "keep one of the two")


def _table(endpoint: Value) -> dict[str, Value]:
    return endpoint if isinstance(endpoint, dict) else {}


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
    for option in ("links", "external_links", "mac_address"):
        if option in table:
            message = f'with network_mode = "{mode}" there is no network of the project for {option}'
            scope.problems.at((*keys, option), message, "name networks instead of a mode, or leave it out")
    shares = mode.startswith(("service:", "container:"))
    if not shares and mode not in _MODES:
        hint = f'write host, none, bridge, service:NAME or container:NAME; to join a network, networks = ["{mode}"]'
        scope.problems.at(place, f"{mode!r} is not a network mode", hint)
    for option in _NOT_SHARED if shares else ():
        if table.get(option):
            message = f"it uses the network of {mode}, where this has to be said"
            scope.problems.at((*keys, option), message, "write it there, or leave it out")
