"""Ways to make a plan dangerous. Each gives the spoilt plan, or None where this plan offers no chance."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from reconciler.model.address import Address, Kind
from reconciler.model.desired import Condition
from reconciler.model.observed import ObservedState
from reconciler.model.ownership import CONTENTS, IMAGE_PROJECT, Owner, owner_of
from reconciler.model.plan import (
    Action,
    AwaitReady,
    Change,
    Connect,
    CreateContainer,
    Disconnect,
    Plan,
    Reason,
    Ref,
    RemoveContainer,
    RemoveHolder,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    RestartContainer,
    StartContainer,
    Step,
    StopContainer,
    TagImage,
    UpdateContainer,
    Verb,
    WaitContainer,
)

Sabotage: TypeAlias = Callable[[Plan, ObservedState, Random], Plan | None]


def _with(planned: Plan, change: Change, at: int = 0) -> Plan:
    changes = list(planned.changes)
    changes.insert(at, change)
    return planned._replace(changes=tuple(changes))


def _remove(kind: Kind, step: Step) -> Change:
    return Change(Address(kind, "spoilt"), Verb.REMOVE, Reason.ORPHAN, steps=(step,))


def _is_ours(kind: Kind, labels: object, planned: Plan) -> bool:
    return owner_of(kind, labels, planned.project)[0] is Owner.OURS  # type: ignore[arg-type]


def steal_a_container(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    """An action that meant one of ours is done to a stranger."""
    strangers = [item for item in observed.containers if not _is_ours(Kind.CONTAINER, item.labels, planned)]
    if not strangers:
        return None
    victim = random.choice(strangers)
    target = Ref(victim.name, victim.id)
    actions: list[Action] = [
        StopContainer(target),
        RestartContainer(target),
        RemoveContainer(target),
        StartContainer(target),
        UpdateContainer(target, {"restart": "no"}),
        RenameContainer(target, "taken-over"),
    ]
    return _with(planned, _remove(Kind.CONTAINER, Step(random.choice(actions))))


def undo_onto_a_stranger(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    """What takes a step back is checked too."""
    strangers = [item for item in observed.containers if not _is_ours(Kind.CONTAINER, item.labels, planned)]
    for position, change in enumerate(planned.changes):
        if strangers and change.steps and change.verb is not Verb.ADOPT:
            victim = random.choice(strangers)
            spoilt = change.steps[0]._replace(undo=(RemoveContainer(Ref(victim.name, victim.id)),))
            changes = list(planned.changes)
            changes[position] = change._replace(steps=(spoilt, *change.steps[1:]))
            return planned._replace(changes=tuple(changes))
    return None


def act_on_what_was_never_seen(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    target = Ref("ghost", f"{random.getrandbits(256):064x}")
    return _with(planned, _remove(Kind.CONTAINER, Step(RemoveContainer(target))))


def remove_a_volume(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    if not observed.volumes:
        return None
    return _with(planned, _remove(Kind.VOLUME, Step(RemoveVolume(random.choice(observed.volumes).name))))


def remove_a_foreign_network(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    networks = [item for item in observed.networks if not _is_ours(Kind.NETWORK, item.labels, planned)]
    network = random.choice(networks)  # the engine's own are always there
    return _with(planned, _remove(Kind.NETWORK, Step(RemoveNetwork(Ref(network.name, network.id)))))


def remove_a_network_under_a_stranger(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    ours = {item.id for item in observed.containers if _is_ours(Kind.CONTAINER, item.labels, planned)}
    for network in observed.networks:
        is_used = any(member not in ours for member, _ in network.members)
        if is_used and _is_ours(Kind.NETWORK, network.labels, planned):
            return _with(planned, _remove(Kind.NETWORK, Step(RemoveNetwork(Ref(network.name, network.id)))))
    return None


def remove_a_foreign_image(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    images = [item for item in observed.images if item.labels.get(IMAGE_PROJECT) != planned.project]
    image = random.choice(images)
    reference = (image.tags or (image.id,))[0]
    return _with(planned, _remove(Kind.IMAGE, Step(RemoveImage(reference, image.id))))


def take_a_tag(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    """A build of ours goes under a name that somebody gave to another image."""
    images = [item for item in observed.images if item.tags and item.labels.get(IMAGE_PROJECT) != planned.project]
    if not images:
        return None
    step = Step(TagImage(f"sha256:{'0' * 64}", random.choice(images).tags[0]))
    return _with(planned, Change(Address(Kind.IMAGE, "spoilt"), Verb.UPDATE, Reason.DRIFTED, steps=(step,)))


def swap_the_order(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    """A change goes before one that it comes after."""
    firsts: dict[Address, int] = {}
    for position, change in enumerate(planned.changes):
        if change.after and all(address not in firsts or address != change.address for address in change.after):
            changes = list(planned.changes)
            changes.insert(min(firsts[address] for address in change.after), changes.pop(position))
            return planned._replace(changes=tuple(changes))
        firsts.setdefault(change.address, position)
    return None


def stop_before_create(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    """The one that serves is stopped before the engine has accepted its successor."""
    for position, change in enumerate(planned.changes):
        moved = [step.action.container.id for step in change.steps if isinstance(step.action, RenameContainer)]
        stops = [s for s in change.steps if isinstance(s.action, StopContainer) and s.action.container.id in moved]
        if change.verb in (Verb.REPLACE, Verb.ADOPT) and stops:
            rest = [step for step in change.steps if step is not stops[0]]
            changes = list(planned.changes)
            changes[position] = change._replace(steps=(stops[0], *rest))
            return planned._replace(changes=tuple(changes))
    return None


def forget_a_job_before_it_has_ended(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    """The container of the run before goes, with its log, while the new run may still fail."""
    for position, change in enumerate(planned.changes):
        moved = {step.action.container.id for step in change.steps if isinstance(step.action, RenameContainer)}
        waits = [s for s in change.steps if isinstance(s.action, WaitContainer)]
        ends = [
            s for s in waits if s.action.condition is Condition.COMPLETED and "StartContainer" in _before(change, s)
        ]  # type: ignore[union-attr]
        removals = [s for s in change.steps if isinstance(s.action, RemoveContainer) and s.action.container.id in moved]
        if ends and removals and change.steps.index(removals[-1]) > change.steps.index(ends[-1]):
            rest = [step for step in change.steps if step is not removals[-1]]
            rest.insert(rest.index(ends[-1]), removals[-1])
            changes = list(planned.changes)
            changes[position] = change._replace(steps=tuple(rest))
            return planned._replace(changes=tuple(changes))
    return None


def _before(change: Change, step: Step) -> set[str]:
    return {type(other.action).__name__ for other in change.steps[: change.steps.index(step)]}


def _spoil_replacement(planned: Plan, order: str, spoil: Callable[[list[Step]], list[Step]]) -> Plan | None:
    for position, change in enumerate(planned.changes):
        if change.verb is Verb.REPLACE and change.order == order:
            steps = spoil(list(change.steps))
            if steps != list(change.steps):
                changes = list(planned.changes)
                changes[position] = change._replace(steps=tuple(steps))
                return planned._replace(changes=tuple(changes))
    return None


def trust_without_proof(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    """The predecessor goes although nobody has seen its successor work."""
    return _spoil_replacement(
        planned, "stop-first", lambda steps: [s for s in steps if not isinstance(s.action, AwaitReady)]
    )


def trust_without_proof_side_by_side(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    return _spoil_replacement(
        planned, "start-first", lambda steps: [s for s in steps if not isinstance(s.action, AwaitReady)]
    )


def stop_before_the_proof(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    """Start-first, but the one that serves is stopped while its successor is only about to start."""

    def spoil(steps: list[Step]) -> list[Step]:
        at = next(i for i, s in enumerate(steps) if isinstance(s.action, StopContainer) and s.action.container.id)
        first = next(i for i, s in enumerate(steps) if isinstance(s.action, AwaitReady))
        return [*steps[:first], steps[at], *steps[first:at], *steps[at + 1 :]]

    return _spoil_replacement(planned, "start-first", spoil)


def stop_before_it_has_the_names(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    """Start-first, but no client finds the successor."""

    def spoil(steps: list[Step]) -> list[Step]:
        leaves = any(isinstance(s.action, Disconnect) and s.action.container.id for s in steps)
        return [s for s in steps if not (leaves and isinstance(s.action, Connect) and not s.action.container.id)]

    return _spoil_replacement(planned, "start-first", spoil)


def make_onto_a_taken_name(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    if not observed.containers:
        return None
    name = random.choice(observed.containers).name
    change = Change(
        Address(Kind.CONTAINER, "spoilt"),
        Verb.CREATE,
        Reason.ABSENT,
        steps=(Step(CreateContainer(name, "busybox", {}, {})),),
    )
    return _with(planned, change)


def rename_onto_a_taken_name(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    ours = [item for item in observed.containers if _is_ours(Kind.CONTAINER, item.labels, planned)]
    if not ours or len(observed.containers) < 2:
        return None
    one = random.choice(ours)
    other = random.choice([item for item in observed.containers if item.id != one.id])
    step = Step(RenameContainer(Ref(one.name, one.id), other.name))
    return _with(planned, Change(Address(Kind.CONTAINER, "spoilt"), Verb.UPDATE, Reason.DRIFTED, steps=(step,)))


def act_though_blocked(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    address = Address(Kind.CONTAINER, "spoilt")
    step = Step(CreateContainer("shop-spoilt-1", "busybox", {}, {}))
    return _with(planned, Change(address, Verb.BLOCKED, Reason.NAME_TAKEN, steps=(step,)))


def start_without_files(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    made = CreateContainer("shop-spoilt-1", "busybox", {"secrets": {"/key": {"source": "key"}}}, {CONTENTS: "1:{}"})
    steps = (Step(made), Step(StartContainer(Ref("shop-spoilt-1"))))
    return _with(planned, Change(Address(Kind.CONTAINER, "spoilt"), Verb.CREATE, Reason.ABSENT, steps=steps))


def remove_a_volume_as_a_holder(planned: Plan, observed: ObservedState, random: Random) -> Plan | None:
    name = random.choice(observed.volumes).name if observed.volumes else "never-seen"
    return _with(planned, _remove(Kind.VOLUME, Step(RemoveHolder(name))))


SABOTAGES: tuple[Sabotage, ...] = (
    steal_a_container,
    undo_onto_a_stranger,
    act_on_what_was_never_seen,
    remove_a_volume,
    remove_a_foreign_network,
    remove_a_network_under_a_stranger,
    remove_a_foreign_image,
    take_a_tag,
    swap_the_order,
    stop_before_create,
    forget_a_job_before_it_has_ended,
    trust_without_proof,
    trust_without_proof_side_by_side,
    stop_before_the_proof,
    stop_before_it_has_the_names,
    make_onto_a_taken_name,
    rename_onto_a_taken_name,
    act_though_blocked,
    start_without_files,
    remove_a_volume_as_a_holder,
)
