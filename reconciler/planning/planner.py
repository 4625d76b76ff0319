"""The plan, top to bottom: what each declared resource needs, what has left the spec, in which order.

Kinds are gone through in the order in which they are made, since what happens to an image or a network decides what
happens to a container; containers after those whose namespaces they share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource, DesiredState
from reconciler.model.observed import (
    ObservedContainer,
    ObservedNetwork,
    ObservedState,
    ObservedVolume,
)
from reconciler.model.ownership import HOLDER, PRUNE, Owner, parse_fingerprint
from reconciler.model.plan import (
    AUTHORED,
    Change,
    FieldChange,
    Plan,
    Reason,
    Ref,
    RemoveHolder,
    RemoveNetwork,
    RemoveVolume,
    Step,
    Verb,
)
from reconciler.planning import unnamed
from reconciler.planning.containers import plan_container, weightiest
from reconciler.planning.decide import Situation, decide
from reconciler.planning.expand import remove_steps
from reconciler.planning.guards import hold, spare_ourselves, why_held
from reconciler.planning.images import plan_image, plan_image_removals
from reconciler.planning.networks import plan_network, plan_volume, strangers_on, twins_of
from reconciler.planning.order import put_in_order
from reconciler.planning.rollout import hindrances
from reconciler.planning.world import EVERYTHING, Object, Request, World, fingerprint_objects

#: where the spec declares a field: (address, field path) → "file:line"
Locate = Callable[[Address, str], str]


def plan(
    desired: DesiredState, observed: ObservedState, request: Request = EVERYTHING, locate: Locate | None = None
) -> Plan:
    """What has to be done so that the engine holds what the spec declares."""
    world = World(desired, observed, request)
    for image in desired.images():
        _note_change(world, plan_image(world, image))
    for network in desired.networks():
        _note_change(world, plan_network(world, network))
    for volume in desired.volumes():
        _note_change(world, plan_volume(world, volume))
    world.warnings += unnamed.warnings(world)
    for container in _donors_first(world):
        _note_change(world, plan_container(world, container))
    world.warnings += _vain_insistence(world)
    why = why_held(world)
    declared, removals = list(world.changes.values()), hold(_removals(world), why)
    for change in removals:
        world.changes.setdefault(change.address, change)
    removals += hold(plan_image_removals(world), why)
    changes = put_in_order(world, [*declared, *removals])
    if request.targets:
        changes = _only(changes, request.targets)
    return _finish(world, changes, locate)


def plan_destroy(desired: DesiredState, observed: ObservedState, request: Request) -> Plan:
    """Everything that the project owns goes, in the reverse order; volumes only when asked.

    `prune = true` does not ask for it: that is said of what leaves the spec, and the spec is as it was.
    """
    world = World(desired, observed, request)
    nothing = desired._replace(resources={}, prune=request.volumes)
    empty = World(nothing, observed, request)
    known = {(item.kind, item.name, item.instance or 1): item for item in desired.resources}
    removals = [
        change._replace(address=known.get((*change.address[:2], change.address.instance or 1), change.address))
        for change in _removals(empty)
        if request.volumes or change.address.kind is not Kind.VOLUME or change.reason is not Reason.ORPHAN
    ]
    for change in removals:
        empty.changes[change.address] = change
    removals += plan_image_removals(empty)
    # The order follows from what the spec declares, where it still does.
    changes = put_in_order(world, removals)
    if request.targets:
        changes = _only(changes, request.targets)
    return _finish(empty, changes, None)


def drift_of(planned: Plan) -> Plan:
    """The plan without what only the spec's author caused."""
    kept = []
    for change in planned.changes:
        fields = tuple(field for field in change.fields if field.reason not in AUTHORED)
        if change.fields and fields:
            kept.append(_only_drift(change, fields))
        elif not change.fields and change.reason not in AUTHORED | {Reason.REQUESTED}:
            kept.append(change)
    return planned._replace(changes=tuple(kept))


def _only_drift(change: Change, fields: tuple[FieldChange, ...]) -> Change:
    """What the drifted fields alone take; a replacement that only the spec asks for is no part of it."""
    in_place = not any(field.forces == "replace" for field in fields)
    if change.verb is Verb.REPLACE and in_place and change.address.kind is Kind.CONTAINER:
        note = "the spec changed as well, so `apply` replaces it"
        return change._replace(verb=Verb.UPDATE, reason=weightiest(fields), fields=fields, steps=(), note=note)
    return change._replace(reason=weightiest(fields), fields=fields)


def _note_change(world: World, change: Change | None) -> None:
    change = spare_ourselves(world, change)
    if change is not None:
        world.changes[change.address] = change


def _vain_insistence(world: World) -> list[str]:
    """A sentence for each container that asks for what its next replacement will be refused for."""
    found = []
    for whole, instances in world.instances.items():
        resource = instances[0]
        hindrance = next(hindrances(world, resource, {}), "") if resource.rollout.insists else ""
        is_blocked = any(
            item.address in world.changes and world.changes[item.address].verb is Verb.BLOCKED for item in instances
        )
        if hindrance and not is_blocked:
            found.append(f"{whole}: start-first will not be possible: {hindrance}")
    return found


def _donors_first(world: World) -> Iterable[ContainerResource]:
    """Containers so that each stands behind those it depends on; cycles were refused with the spec."""
    done: dict[Address, ContainerResource] = {}
    stack = sorted(world.desired.containers(), key=lambda item: item.address.sort_key, reverse=True)
    while stack:  # by hand: a chain of dependencies may be longer than Python's stack
        resource = stack[-1]
        needed = [item for one in resource.depends_on for item in world.instances.get(one.address, ())]
        missing = [item for item in needed if item.address not in done]
        if missing and resource.address not in done:
            stack += reversed(missing)
        else:
            done[stack.pop().address] = resource
    return done.values()


# --- what has left the spec ----------------------------------------------------------------------------------------


def _removals(world: World) -> list[Change]:
    changes = []
    for kind in (Kind.CONTAINER, Kind.NETWORK, Kind.VOLUME):
        for address, objects in world.orphans(kind):
            change = spare_ourselves(world, _remove(world, address, objects))
            if change is not None:
                changes.append(change)
    for network in world.desired.networks():
        twins = twins_of(world, network)
        former = [item for item in world.former_networks(network) if item not in twins]
        change = _remove(world, network.address, former) if former else None
        if change is not None:
            changes.append(change)
    return [*changes, *_stray_holders(world)]


def _stray_holders(world: World) -> Iterable[Change]:
    """Volumes for files of a container that is gone: a run was cut off between the two removals."""
    for volume in sorted(world.observed.volumes):
        if volume.labels.get(HOLDER) == world.desired.project and not volume.users:
            steps, relies_on = (Step(RemoveHolder(volume.name)),), fingerprint_objects([volume])
            yield Change(
                Address(Kind.VOLUME, volume.name), Verb.REMOVE, Reason.INTERRUPTED, (), steps, relies_on=relies_on
            )


def _remove(world: World, address: Address, objects: list[Object]) -> Change | None:
    strangers = _users(world, objects)
    situation = Situation(
        kind=address.kind,
        declared=False,
        owner=Owner.OURS,
        newer=any(parse_fingerprint(item.labels).is_newer for item in objects),
        strangers=bool(strangers),
        prune=_may_prune(world, objects),
    )
    row = decide(situation)
    if row.verb is None or row.reason is None:
        return None
    relies_on = fingerprint_objects(objects)
    if row.verb is Verb.BLOCKED:
        names = f": {', '.join(strangers)}" if strangers else "; update reconciler here"
        return Change(address, Verb.BLOCKED, row.reason, note=f"{row.because}{names}", relies_on=relies_on)
    steps = [step for item in objects for step in _remove_object(item)]
    note = "what is in it is lost" if address.kind is Kind.VOLUME else ""
    return Change(address, row.verb, row.reason, steps=tuple(steps), note=note, relies_on=relies_on)


def _users(world: World, objects: list[Object]) -> list[str]:
    names = []
    for item in objects:
        if isinstance(item, ObservedNetwork):
            names += strangers_on(world, item)
        elif isinstance(item, ObservedVolume):
            users = (world.containers.get(name) for name in item.users)
            names += [user.name for user in users if user is not None and not world.is_ours(Kind.CONTAINER, user)]
    return names


def _may_prune(world: World, objects: list[Object]) -> bool:
    return world.desired.prune or all(item.labels.get(PRUNE) == "true" for item in objects)


def _remove_object(item: Object) -> list[Step]:
    match item:
        case ObservedContainer():
            return remove_steps(item)
        case ObservedNetwork():
            return [Step(RemoveNetwork(Ref(item.name, item.id)))]
        case ObservedVolume():
            return [Step(RemoveVolume(item.name))]
    return []


# --- the rest ------------------------------------------------------------------------------------------------------


def _only(changes: tuple[Change, ...], targets: tuple[Address, ...]) -> tuple[Change, ...]:
    """The targets, and what they come after; not other instances, which are only replaced in turn."""
    by_address: dict[Address, Change] = {}
    for change in changes:
        by_address.setdefault(change.address, change)
    wanted = {address for address in by_address if address in targets or address.whole in targets}
    queue = list(wanted)
    while queue:
        change = by_address[queue.pop()]
        for address in change.after:
            if address in by_address and address not in wanted and address.whole != change.address.whole:
                wanted.add(address)
                queue.append(address)
    return tuple(change for change in changes if change.address in wanted)


def _finish(world: World, changes: tuple[Change, ...], locate: Locate | None) -> Plan:
    if locate is not None:
        changes = tuple(
            change._replace(fields=tuple(f._replace(source=locate(change.address, f.path)) for f in change.fields))
            for change in changes
        )
    facts = world.facts
    return Plan(
        world.desired.project, facts.id, facts.name, facts.api_text, changes, tuple(dict.fromkeys(world.warnings))
    )
