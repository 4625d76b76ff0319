"""Places that only one container can have: ports of the host, fixed addresses of a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource
from reconciler.model.structures import PORTS
from reconciler.spec.keys import Keys
from reconciler.spec.scope import Scope, entry_of

# Which addresses a wildcard takes as well: those with this mark in them.
_WILDCARDS = {"": ".:", "0.0.0.0": ".", "::": ":"}  # noqa: S104 - nothing is bound here
_FIXED = ("ipv4_address", "ipv6_address", "mac_address")


def check_ports(scope: Scope, containers: list[ContainerResource]) -> None:
    """Complain of a place on the host that is published twice; all addresses of it take each one."""
    taken: dict[tuple[str, str], list[tuple[str, ContainerResource]]] = {}
    for container in containers:
        if container.address.instance > 1:
            continue
        for port, address, host_port in _published(container):
            if container.address.instance:
                message = f"{host_port} cannot be published by every instance"
                _complain_of_port(scope, container, port, message, "leave the host port out, or give a range")
                continue
            others = taken.setdefault((host_port, port.partition("/")[2]), [])
            clash = next((other for bound, other in others if _overlap(bound, address)), None)
            if clash is not None:
                place = f"{address}:{host_port}".lstrip(":") + f"/{port.partition('/')[2]}"
                message = (
                    f"{clash.address} publishes {place} too"
                    if clash is not container
                    else f"{place} is published twice"
                )
                _complain_of_port(scope, container, port, message, "publish one of them elsewhere")
            others.append((address, container))


def _published(container: ContainerResource) -> Iterator[tuple[str, str, str]]:
    """(port of the container, address, port of the host) of each fixed place; the engine picks the others."""
    ports: Any = container.config.get("ports") or {}
    for port, places in ports.items():
        for place in places:
            address, _, host_port = place.rpartition(":")
            if host_port.isdigit():
                yield port, address, host_port


def _complain_of_port(scope: Scope, container: ContainerResource, port: str, message: str, hint: str) -> None:
    keys: Keys = (Kind.CONTAINER.value, container.address.name, "ports")
    raw = scope.tables(Kind.CONTAINER)[container.address.name]["ports"]
    scope.problems.at(entry_of(PORTS, raw, port, keys), message, hint)


def _overlap(one: str, other: str) -> bool:
    return one == other or _takes(one, other) or _takes(other, one)


def _takes(wildcard: str, address: str) -> bool:
    marks = _WILDCARDS.get(wildcard, "")
    return bool(marks) and (not address or any(mark in address for mark in marks))


def check_addresses(scope: Scope, containers: list[ContainerResource]) -> None:
    """Complain of a fixed address that two containers of a network have, or every instance of one."""
    taken: dict[tuple[str, str], Address] = {}
    for container in containers:
        if container.address.instance > 1:
            continue
        keys: Keys = (Kind.CONTAINER.value, container.address.name, "networks")
        for network, value in _fixed(container):
            other = taken.setdefault((network, value), container.address)
            if container.address.instance:
                scope.problems.at(
                    keys, f"{value} cannot be the address of every instance", "leave the address or scale out"
                )
            elif other != container.address:
                scope.problems.at(keys, f"{other} has the address {value} too", "give one of them another address")


def _fixed(container: ContainerResource) -> Iterator[tuple[str, str]]:
    """(network, address) of each address that is not left to the engine."""
    endpoints: Any = container.config.get("networks") or {}
    for network, endpoint in endpoints.items():
        yield from ((network, endpoint[option]) for option in _FIXED if endpoint.get(option))
