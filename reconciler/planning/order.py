"""Changes → the order in which they are done. Deterministic: the same changes always come out the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource, ImageResource
from reconciler.model.plan import (
    Action,
    Change,
    Connect,
    CreateContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RestartContainer,
    StartContainer,
    StopContainer,
    Verb,
)
from reconciler.planning.conflicts import GivenUp, refuse_exchange, without_taken_names
from reconciler.planning.sharing import donor_ids
from reconciler.planning.world import ChangeKey, World

_OUT_OF_SERVICE = (StopContainer, RestartContainer)


def put_in_order(world: World, changes: Iterable[Change]) -> tuple[Change, ...]:
    """Fill in what each change comes after, and sort."""
    by_key = {(change.address, change.verb is Verb.REMOVE): change for change in changes}
    after: dict[ChangeKey, set[ChangeKey]] = {key: set() for key in by_key}
    needs = _Needs(world, by_key)
    for key, change in by_key.items():
        for other in needs.of(change):
            if other != key and other in by_key and not _reaches(after, other, key):
                after[key].add(other)
    for key, other in _in_turn(world, by_key):
        if not _reaches(after, other, key):
            after[key].add(other)
    given_up = GivenUp(world, by_key)
    for key, change in list(by_key.items()):
        for other in given_up.needed_by(change):
            if other == key:
                continue
            if _reaches(after, other, key):
                by_key[key] = refuse_exchange(change, other[0])
            else:
                after[key].add(other)
    ordered = _sort(by_key, after)
    finished = [by_key[key]._replace(after=_addresses(after[key])) for key in ordered]
    return tuple(without_taken_names(world, finished))


def _in_turn(world: World, changes: Mapping[ChangeKey, Change]) -> Iterable[tuple[ChangeKey, ChangeKey]]:
    """(later, earlier): the instances of one container leave service `max_parallel` at a time, what goes for good last.

    So the first that fails holds up the others.
    """
    for instances in world.instances.values():
        turns: list[ChangeKey] = []
        for resource in instances:
            key = (resource.address, False)
            if key in changes and any(isinstance(s.action, _OUT_OF_SERVICE) for s in changes[key].steps):
                if len(turns) >= resource.rollout.max_parallel:
                    yield key, turns[-resource.rollout.max_parallel]
                turns.append(key)
        name = instances[0].address.name
        for key in changes:
            if key[1] and key[0].kind is Kind.CONTAINER and key[0].name == name:
                yield from ((key, turn) for turn in turns)


class _Needs:
    """What has to be done before a change, looked up by what it touches."""

    def __init__(self, world: World, changes: Mapping[ChangeKey, Change]) -> None:
        self._world = world
        #: changes of containers, by the ids and names of what the engine holds of them
        self._by_id: dict[str, ChangeKey] = {}
        self._by_name: dict[str, ChangeKey] = {}
        self._by_image: dict[str, list[ChangeKey]] = {}
        #: changes of containers that share a namespace, by the id of whose it is
        self._sharers: dict[str, list[ChangeKey]] = {}
        #: networks that are made anew, by the ids of their members
        self._renewed: dict[str, list[ChangeKey]] = {}
        self._removed = {
            (key[0].name, key[0].instance or 1): key for key in changes if key[1] and key[0].kind is Kind.CONTAINER
        }
        for key, change in changes.items():
            if key[0].kind is Kind.CONTAINER:
                for container in world.owned_containers(key[0]):
                    self._by_id[container.id] = self._by_name[container.name] = key
                    self._by_image.setdefault(container.image_id, []).append(key)
                    for donor_id in donor_ids(container):
                        self._sharers.setdefault(donor_id, []).append(key)
            elif key[0].kind is Kind.NETWORK and change.verb is Verb.REPLACE:
                network = world.network(getattr(world.desired.resources.get(key[0]), "name", ""))
                for member_id, _ in network.members if network is not None else ():
                    self._renewed.setdefault(member_id, []).append(key)

    def of(self, change: Change) -> Iterable[ChangeKey]:
        if change.address.kind is Kind.CONTAINER:
            yield from self._of_container(change)
        elif change.address.kind is Kind.IMAGE and change.verb is not Verb.REMOVE:
            image = self._world.desired.resources.get(change.address)
            if isinstance(image, ImageResource) and image.build is not None:
                yield from ((source, False) for source in image.build.sources)
        elif change.verb is Verb.REMOVE or change.address.kind is Kind.NETWORK:
            for step in change.steps:
                yield from self._users_of(step.action, change.verb)

    def _of_container(self, change: Change) -> Iterable[ChangeKey]:
        resource = self._world.desired.resources.get(change.address)
        if change.verb is Verb.REMOVE:
            yield from self._dependents_of(change.address)
            return
        for container in self._world.owned_containers(change.address):
            # A network lets go of its members and takes them back before they change themselves.
            yield from self._renewed.get(container.id, ())
        if not isinstance(resource, ContainerResource):
            return
        actions = [step.action for step in change.steps]
        starts = any(isinstance(action, CreateContainer | StartContainer | RestartContainer) for action in actions)
        if starts or any(isinstance(action, Connect) for action in actions):
            yield from ((need, False) for need in resource.needs)
        if starts:
            yield resource.image, False
            for dependency in resource.depends_on:
                for instance in self._world.instances.get(dependency.address, ()):
                    yield instance.address, False

    def _users_of(self, action: Action, verb: Verb) -> Iterable[ChangeKey]:
        """What takes something away comes after the changes of those that use it."""
        if isinstance(action, RemoveNetwork):
            network = next((item for item in self._world.observed.networks if item.id == action.network.id), None)
            keys = (self._by_id.get(member_id) for member_id, _ in (network.members if network is not None else ()))
            yield from (key for key in keys if key is not None and (key[1] or verb is Verb.REMOVE))
        elif isinstance(action, RemoveVolume):
            volume = self._world.volumes.get(action.name)
            keys = (self._by_name.get(name) for name in (volume.users if volume is not None else ()))
            yield from (key for key in keys if key is not None)
        elif isinstance(action, RemoveImage):
            yield from self._by_image.get(action.id, ())

    def _dependents_of(self, address: Address) -> Iterable[ChangeKey]:
        """What is removed goes after what depends on it, as far as the spec or the engine still tells."""
        for container in self._world.owned_containers(address):
            yield from (key for key in self._sharers.get(container.id, ()) if key[1])
        for dependent in self._world.dependents.get(address.whole, ()):
            key = self._removed.get((dependent.name, dependent.instance or 1))
            if key is not None:
                yield key


def _addresses(keys: set[ChangeKey]) -> tuple[Address, ...]:
    return tuple(sorted({address for address, _ in keys}, key=lambda address: address.sort_key))


def _reaches(
    after: Mapping[ChangeKey, set[ChangeKey]],
    start: ChangeKey,
    goal: ChangeKey,
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


def _sort(changes: Mapping[ChangeKey, Change], after: Mapping[ChangeKey, set[ChangeKey]]) -> list[ChangeKey]:
    """Prerequisites first; otherwise by kind and name, removals last and in the reverse order."""

    def rank(key: ChangeKey) -> tuple[object, ...]:
        kind, name, index = key[0].sort_key
        return (1, -kind, name, index) if key[1] else (0, kind, name, index)

    done: dict[ChangeKey, None] = {}
    stack = sorted(changes, key=rank, reverse=True)
    while stack:  # by hand: a chain of dependencies may be longer than Python's stack
        key = stack[-1]
        missing = [other for other in after[key] if other not in done]
        if missing and key not in done:
            stack += sorted(missing, key=rank, reverse=True)
        else:
            done[stack.pop()] = None
    return list(done)
