"""Names and host ports that one change takes and another gives up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.address import Address, Kind
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import (
    Action,
    AwaitRemoval,
    Change,
    CreateContainer,
    Reason,
    RemoveContainer,
    RenameContainer,
    StartContainer,
    Verb,
)
from reconciler.planning.world import ChangeKey, World


class GivenUp:
    """By name and by host port, the changes that give it up."""

    def __init__(self, world: World, changes: Mapping[ChangeKey, Change]) -> None:
        self._world = world
        self._by_name: dict[str, ChangeKey] = {}
        self._by_port: dict[str, list[ChangeKey]] = {}
        for key in changes:
            if key[0].kind is not Kind.CONTAINER:
                continue
            resource = None if key[1] else world.desired.resources.get(key[0])
            keeps = _host_ports(getattr(resource, "config", {}).get("ports"))
            for container in world.owned_containers(key[0]):
                if getattr(resource, "name", "") != container.name:
                    self._by_name[container.name] = key
                for port in _bound(container) - keeps:
                    self._by_port.setdefault(port, []).append(key)

    def needed_by(self, change: Change) -> Iterable[ChangeKey]:
        """What has to give up a name or a port before this change can take it."""
        takes = [
            step.action
            for step in change.steps
            if isinstance(step.action, CreateContainer | StartContainer | RenameContainer)
        ]
        if not takes:
            return
        for action in takes:
            if isinstance(action, CreateContainer | RenameContainer) and action.name in self._by_name:
                yield self._by_name[action.name]
        resource = self._world.desired.resources.get(change.address)
        for port in sorted(_host_ports(getattr(resource, "config", {}).get("ports"))):
            yield from self._by_port.get(port, ())


def _bound(container: ObservedContainer) -> set[str]:
    return _host_ports((container.config or {}).get("ports"))


def _host_ports(ports: object) -> set[str]:
    """`4000/tcp` for each fixed host port, whatever the address: `0.0.0.0` and `127.0.0.1` exclude each other too."""
    if not isinstance(ports, Mapping):
        return set()
    return {
        f"{place.rpartition(':')[2]}/{port.partition('/')[2]}"
        for port, places in ports.items()
        for place in places
        if place.rpartition(":")[2]
    }


def refuse_exchange(change: Change, other: Address) -> Change:
    """Each would have to stop before the other can start, which no order of whole changes does."""
    note = (
        f"it takes a name or a host port that {other} has, and {other} has to wait for it; "
        "give one of them another name or port, apply, and then the one it should have"
    )
    return change._replace(verb=Verb.BLOCKED, reason=Reason.NAME_TAKEN, steps=(), note=note)


def without_taken_names(world: World, changes: list[Change]) -> Iterable[Change]:
    """Go through the changes as they will be done; what would take a name that is taken at that moment is blocked."""
    taken = {container.name: container.id for container in world.observed.containers}
    for change in changes:
        names = dict(taken)
        conflict = next((name for step in change.steps if (name := _take_name(names, step.action))), "")
        if not conflict:
            taken = names
            yield change
            continue
        holder = world.containers.get(conflict)
        whose = "" if holder is None or world.is_ours(Kind.CONTAINER, holder) else ", which is not this project's"
        note = f"the name {conflict} is taken by another container{whose}; rename or remove that one"
        yield change._replace(verb=Verb.BLOCKED, reason=Reason.NAME_TAKEN, steps=(), note=note)


def _take_name(taken: dict[str, str], action: Action) -> str:
    """Follow what one action does to the names; the name it cannot have, or ""."""
    if isinstance(action, CreateContainer):
        if action.name in taken:
            return action.name
        taken[action.name] = ""
    elif isinstance(action, RenameContainer | RemoveContainer | AwaitRemoval):
        mine = [
            n
            for n, i in taken.items()
            if (i == action.container.id if action.container.id else n == action.container.name)
        ]
        if isinstance(action, RenameContainer) and action.name in taken and action.name not in mine:
            return action.name
        for name in mine:
            del taken[name]
        if isinstance(action, RenameContainer):
            taken[action.name] = action.container.id
    return ""
