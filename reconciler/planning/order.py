"""Changes → the order in which they are done. Deterministic: the same changes always come out the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from reconciler.model.address import Address, Kind
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import (
    Action,
    Change,
    Connect,
    CreateContainer,
    Reason,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    StartContainer,
    Verb,
)
from reconciler.planning.world import World

#: an address, and whether the change removes: an image may be built anew and an old build of it removed
_Key: TypeAlias = tuple[Address, bool]


def put_in_order(world: World, changes: Iterable[Change]) -> tuple[Change, ...]:
    """Fill in what each change comes after, and sort."""
    by_address = {(change.address, change.verb is Verb.REMOVE): change for change in changes}
    after: dict[_Key, set[_Key]] = {key: set() for key in by_address}
    for key, change in by_address.items():
        for other in _prerequisites(world, change, by_address):
            if other != key and other in by_address and not _reaches(after, other, key):
                after[key].add(other)
    for key, change in list(by_address.items()):
        for other in _in_the_way(world, change, by_address):
            if _reaches(after, other, key):
                by_address[key] = _exchange(change, other[0])
            else:
                after[key].add(other)
    ordered = _sort(by_address, after)
    finished = [by_address[key]._replace(after=_addresses(after[key])) for key in ordered]
    return tuple(_without_taken_names(world, finished))


def _without_taken_names(world: World, changes: list[Change]) -> Iterable[Change]:
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
    elif isinstance(action, RenameContainer | RemoveContainer):
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


def _exchange(change: Change, other: Address) -> Change:
    """Each would have to stop before the other can start, which no order of whole changes does."""
    note = (
        f"it takes a name or a host port that {other} has, and {other} has to wait for it; "
        "give one of them another name or port, apply, and then the one it should have"
    )
    return change._replace(verb=Verb.BLOCKED, reason=Reason.NAME_TAKEN, steps=(), note=note)


def _addresses(keys: set[_Key]) -> tuple[Address, ...]:
    return tuple(sorted({address for address, _ in keys}, key=lambda address: address.sort_key))


def _prerequisites(world: World, change: Change, changes: Mapping[_Key, Change]) -> Iterable[_Key]:
    actions = [step.action for step in change.steps]
    if change.address.kind is Kind.CONTAINER and change.verb is not Verb.REMOVE:
        yield from _networks_under(world, change.address, changes)
    if any(isinstance(action, CreateContainer | StartContainer) for action in actions):
        yield from _needs_of(world, change.address)
    elif any(isinstance(action, Connect) for action in actions):
        resource = world.desired.resources.get(change.address)
        yield from ((need, False) for need in getattr(resource, "needs", ()))
    if (
        any(isinstance(action, RemoveNetwork | RemoveVolume | RemoveImage) for action in actions)
        and change.verb is Verb.REMOVE
    ):
        # What takes something away comes after everything that still may use it.
        yield from (key for key in changes if key[0].kind is Kind.CONTAINER)
    if change.verb is Verb.REPLACE and change.address.kind is Kind.NETWORK:
        yield from (key for key in changes if key[0].kind is Kind.CONTAINER and key[1])
    if change.verb is Verb.REMOVE and change.address.kind is Kind.CONTAINER:
        yield from _dependents_of(world, change.address, changes)


def _networks_under(world: World, address: Address, changes: Mapping[_Key, Change]) -> Iterable[_Key]:
    """Networks that are made anew under a container: they let go of it and take it back before it changes itself."""
    ids = {container.id for container in world.owned_containers(address)}
    for key, change in changes.items():
        if key[0].kind is Kind.NETWORK and change.verb is Verb.REPLACE:
            network = world.network(getattr(world.desired.resources.get(key[0]), "name", ""))
            if network is not None and any(member_id in ids for member_id, _ in network.members):
                yield key


def _needs_of(world: World, address: Address) -> Iterable[_Key]:
    resource = next((item for item in world.desired.containers() if item.address == address), None)
    if resource is None:
        return
    yield resource.image, False
    yield from ((need, False) for need in resource.needs)
    for dependency in resource.depends_on:
        for instance in world.instances.get(dependency.address, ()):
            yield instance.address, False


def _dependents_of(world: World, address: Address, changes: Mapping[_Key, Change]) -> Iterable[_Key]:
    """What is removed goes after what depends on it."""
    for resource in world.desired.containers():
        if any(dependency.address == address.whole for dependency in resource.depends_on):
            mine = (resource.address.name, resource.address.instance or 1)
            yield from (
                key
                for key in changes
                if key[1] and key[0].kind is Kind.CONTAINER and (key[0].name, key[0].instance or 1) == mine
            )


def _in_the_way(world: World, change: Change, changes: Mapping[_Key, Change]) -> Iterable[_Key]:
    """Changes that give up a name or a host port that this one takes."""
    if not any(isinstance(step.action, CreateContainer | StartContainer | RenameContainer) for step in change.steps):
        return
    resource = world.desired.resources.get(change.address)
    names = {
        action.name for step in change.steps if isinstance(action := step.action, CreateContainer | RenameContainer)
    }
    ports = _host_ports(getattr(resource, "config", {}).get("ports"))
    for key, other in changes.items():
        if other is change or key[0].kind is not Kind.CONTAINER:
            continue
        for container in world.owned_containers(key[0]):
            keeps = _kept_ports(world, key)
            if (container.name in names and _gives_up_name(world, key, container)) or ports & (
                _bound(container) - keeps
            ):
                yield key


def _gives_up_name(world: World, key: _Key, container: ObservedContainer) -> bool:
    return key[1] or getattr(world.desired.resources.get(key[0]), "name", "") != container.name


def _kept_ports(world: World, key: _Key) -> set[str]:
    return set() if key[1] else _host_ports(getattr(world.desired.resources.get(key[0]), "config", {}).get("ports"))


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


def _reaches(
    after: Mapping[_Key, set[_Key]],
    start: _Key,
    goal: _Key,
) -> bool:
    """Whether `goal` already has to come before `start`."""
    seen, queue = set(), [start]
    while queue:
        key = queue.pop()
        if key == goal:
            return True
        if key not in seen:
            seen.add(key)
            queue.extend(after[key])
    return False


def _sort(changes: Mapping[_Key, Change], after: Mapping[_Key, set[_Key]]) -> list[_Key]:
    """Prerequisites first; otherwise by kind and name, removals last and in the reverse order."""

    def rank(key: _Key) -> tuple[object, ...]:
        kind, name, index = key[0].sort_key
        return (1, -kind, name, index) if key[1] else (0, kind, name, index)

    done: dict[_Key, None] = {}

    def visit(key: _Key) -> None:
        if key not in done:
            for other in sorted(after[key], key=rank):
                visit(other)
            done[key] = None

    for key in sorted(changes, key=rank):
        visit(key)
    return list(done)
