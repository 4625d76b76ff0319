"""The steps of a replacement, in both orders, each with what takes it back; and of one that was cut off.

Stop-first: the candidate is made as `NAME.next`, so that the engine has accepted all of it before anything is stopped;
the current one is stopped and becomes `NAME.prev`; the candidate gets the name, is started and has to prove itself;
then the predecessor goes. Start-first: the candidate runs as `NAME.next` and has proved itself before it gets the
aliases and the current one is stopped. When a step fails, those before it are taken back and what served serves again.
When we are killed, the names say how far it came. A job takes the first way; its predecessor, which serves nobody,
goes when the new run has ended well, and is not started again when it did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.model.desired import ContainerResource
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import (
    Action,
    AwaitReady,
    AwaitRemoval,
    Connect,
    Disconnect,
    Drain,
    Ref,
    RemoveContainer,
    RenameContainer,
    StartContainer,
    Step,
    StopContainer,
    UnpauseContainer,
    UpdateContainer,
)
from reconciler.model.rollout import READY_AFTER, OnFailure
from reconciler.model.structures import ADDRESSES
from reconciler.planning.expand import (
    HELD_UP,
    Blueprint,
    grace_seconds,
    is_removed_at_its_end,
    ref,
    remove_holders,
    remove_steps,
    start_steps,
)
from reconciler.planning.world import NEXT, PREVIOUS


def ready_step(blueprint: Blueprint, target: Ref, *, restarts: int = 0) -> Step:
    """Wait until it has proved itself. From there on nothing is taken back."""
    resource = blueprint.resource
    rollout, policy = resource.rollout, str(resource.config.get("restart") or "no")
    ready_after = READY_AFTER if rollout.ready_after is None else rollout.ready_after
    may_end = policy == "no" or policy.startswith("on-failure")
    action = AwaitReady(target, ready_after, rollout.timeout, blueprint.published, may_end, restarts)
    return Step(action, commits=True)


def stop_first_steps(
    blueprint: Blueprint, current: ObservedContainer, anonymous: Mapping[str, str], *, stopped_by_us: bool
) -> list[Step]:
    """The successor takes the place of the current one.

    Args:
        anonymous: volumes nobody named that the candidate takes over, by path.
        stopped_by_us: the current one does not run because an earlier replacement was cut off.
    """
    name = blueprint.resource.name
    make = blueprint.make(name + NEXT, anonymous)
    if stopped_by_us:
        # An earlier run was cut off after it had stopped it: if this one fails too, it serves again.
        make[0] = make[0]._replace(undo=(*make[0].undo, *_bring_back(blueprint.resource, current)))
    if current.status in HELD_UP and is_removed_at_its_end(current):
        return [*blueprint.waits, *make, *_succeed_steps(blueprint, current, Ref(name + NEXT))]
    return [
        *blueprint.waits,
        *make,
        *_retire_steps(current, name + PREVIOUS),
        *_promote_steps(blueprint, Ref(name + NEXT)),
        Step(RemoveContainer(Ref(name + PREVIOUS, current.id))),
        *remove_holders(current),
    ]


def start_first_steps(blueprint: Blueprint, current: ObservedContainer, anonymous: Mapping[str, str]) -> list[Step]:
    """The successor serves before the current one is stopped.

    It is made without the aliases, and gets them by leaving its networks and joining them again, since an endpoint
    cannot be changed; nobody is connected to it yet. The current one leaves the names the same way before it is
    stopped: whoever asks for them then finds only the successor, and its open connections survive (docs/reliability.md
    has the measurement).
    """
    name = blueprint.resource.name
    candidate, retired = Ref(name + NEXT), current._replace(name=name + PREVIOUS)
    ready = ready_step(blueprint, candidate)
    named = _take_names(blueprint, candidate)
    start = _started(blueprint, candidate, StartContainer(candidate))
    drain = blueprint.resource.rollout.drain
    return [
        *blueprint.waits,
        *blueprint.make(candidate.name, anonymous, named=False),
        start,
        *([ready._replace(commits=False), *named] if named else []),
        ready,
        # While a container is renamed the engine takes its aliases away for an instant: the other one still has them.
        Step(RenameContainer(ref(current), retired.name)),
        Step(RenameContainer(candidate, name)),
        *_leave_names(blueprint, retired),
        *([Step(Drain(ref(retired), drain))] if drain else []),
        *remove_steps(retired),
    ]


def _take_names(blueprint: Blueprint, candidate: Ref) -> list[Step]:
    """Leave each network on which it is to have aliases, and join it again with them."""
    steps: list[Step] = []
    endpoints = blueprint.resource.config.get("networks")
    for network in blueprint.resource.networks:
        endpoint = endpoints.get(network) if isinstance(endpoints, Mapping) else None
        if isinstance(endpoint, Mapping) and endpoint.get("aliases"):
            steps.append(Step(Disconnect(blueprint.networks[network], candidate)))
            steps.append(Step(Connect(blueprint.networks[network], candidate, endpoint)))
    return steps


def _leave_names(blueprint: Blueprint, current: ObservedContainer) -> list[Step]:
    """Be on the same networks, but found by no alias.

    What is under way goes on where the address stays the same. Docker gives it again by itself; of Podman, and where
    the address is fixed, the observation tells it, so it is asked for.
    """
    steps: list[Step] = []
    endpoints = (current.config or {}).get("networks")
    for name, endpoint in endpoints.items() if isinstance(endpoints, Mapping) else ():
        taken = name in blueprint.resource.networks
        if taken and isinstance(endpoint, Mapping) and endpoint.get("aliases"):
            network = blueprint.networks[name]  # not the one it was seen on: that may have been made anew before,
            is_same = network.id == current.network_ids.get(name)  # with other addresses
            same = {key: endpoint[key] for key in ADDRESSES if endpoint.get(key)} if is_same else {}
            steps += [Step(Disconnect(network, ref(current))), Step(Connect(network, ref(current), same))]
    return steps


def _started(blueprint: Blueprint, candidate: Ref, start: StartContainer) -> Step:
    """The start of a candidate, with what becomes of it when it does not prove itself."""
    match blueprint.resource.rollout.on_failure:
        case OnFailure.KEEP:
            return Step(start, commits=True)
        case OnFailure.STOP:
            return Step(start, undo=(StopContainer(candidate, _grace(blueprint)),), commits=True)
        case _:
            return Step(start, undo=(StopContainer(candidate, _grace(blueprint)),))


def _grace(blueprint: Blueprint) -> int:
    return grace_seconds(blueprint.resource.config)


def _bring_back(
    resource: ContainerResource, predecessor: ObservedContainer, *, renamed: bool = False
) -> tuple[Action, ...]:
    """Make a predecessor what it was. Its restart policy was set to `no` when it was stopped.

    A job is not started: whether it had ended well before nobody knows any more, so that the next plan decides.
    """
    target = ref(predecessor)
    policy = resource.config.get("restart") or "no"
    rename = (RenameContainer(target, resource.name),) if renamed or predecessor.name != resource.name else ()
    start = () if resource.is_job else (StartContainer(target),)
    return *rename, UpdateContainer(target, {"restart": policy}), *start


def _retire_steps(current: ObservedContainer, name: str) -> list[Step]:
    """Stop the current one and move it aside, so that no restart of the engine wakes it."""
    target, steps = ref(current), []
    policy = (current.config or {}).get("restart") or "no"
    if policy != "no":
        restore = UpdateContainer(target, {"restart": policy})
        steps.append(Step(UpdateContainer(target, {"restart": "no"}), undo=(restore,)))
    if current.status == "paused":
        steps.append(Step(UnpauseContainer(target)))
    if current.status in HELD_UP:
        steps.append(Step(StopContainer(target, grace_seconds(current.config)), undo=(StartContainer(target),)))
    if current.name != name:
        steps.append(Step(RenameContainer(target, name), undo=(RenameContainer(target, current.name),)))
    return steps


def _succeed_steps(blueprint: Blueprint, current: ObservedContainer, candidate: Ref) -> list[Step]:
    """Stop one that the engine removes as it ends, and put the candidate in its place. There is no way back."""
    target = ref(current)
    unpause = [Step(UnpauseContainer(target))] if current.status == "paused" else []
    stop = Step(StopContainer(target, grace_seconds(current.config)), commits=True)
    promote = [step._replace(undo=()) for step in _promote_steps(blueprint, candidate)]
    return [*unpause, stop, Step(AwaitRemoval(target)), *promote, *remove_holders(current)]


def _promote_steps(blueprint: Blueprint, candidate: Ref) -> list[Step]:
    """Give a candidate its name, start it, and see that it works."""
    resource = blueprint.resource
    promoted = Ref(resource.name, candidate.id)
    rename = Step(RenameContainer(candidate, resource.name), undo=(RenameContainer(promoted, candidate.name),))
    if resource.is_job:
        return [rename, *start_steps(resource, promoted)]
    return [rename, _started(blueprint, promoted, StartContainer(promoted)), ready_step(blueprint, promoted)]


# --- what was cut off ------------------------------------------------------------------------------------------------


def finish_steps(
    blueprint: Blueprint, candidate: ObservedContainer, predecessor: ObservedContainer, updates: Sequence[Step]
) -> list[Step]:
    """A candidate that has its name, or runs, has to prove itself; the predecessor goes, or comes back.

    Args:
        updates: what changes the candidate in place, its name and its start among it.
    """
    resource = blueprint.resource
    target, served, aside = ref(candidate), ref(predecessor), resource.name + PREVIOUS
    undo: tuple[Action, ...] = ()
    runs = candidate.status in HELD_UP
    stop = StopContainer(target, grace_seconds(candidate.config))
    if resource.rollout.on_failure is OnFailure.ROLLBACK or not runs:
        moved = predecessor.name != aside
        undo = (stop, RemoveContainer(target, unused=True), *_bring_back(resource, predecessor, renamed=moved))
    elif resource.rollout.on_failure is OnFailure.STOP:
        undo = (stop,)
    # It stays as it is; but this is where taking back begins.
    steps = [Step(UpdateContainer(served, {"restart": "no"}), undo)]
    if predecessor.name != aside:
        steps.append(Step(RenameContainer(served, aside)))
    for step in updates:
        is_start = isinstance(step.action, StartContainer)
        steps.append(_started(blueprint, target, StartContainer(target)) if is_start else step)
    return [
        *steps,
        ready_step(blueprint, Ref(resource.name, candidate.id), restarts=candidate.restart_count if runs else 0),
        *remove_steps(predecessor),
    ]


def promote_job_steps(
    blueprint: Blueprint, candidate: ObservedContainer, predecessor: ObservedContainer | None
) -> list[Step]:
    """Run a job that was made and not begun; if the engine refuses, its predecessor has its name again."""
    resource = blueprint.resource
    promoted, aside = candidate.name == resource.name, Ref(resource.name + NEXT, candidate.id)
    first = [Step(UnpauseContainer(ref(candidate)))] if candidate.status == "paused" else []
    first += [Step(RenameContainer(ref(candidate), aside.name))] if promoted else []
    rename, *start = _promote_steps(blueprint, aside if promoted else ref(candidate))
    if predecessor is None:
        return [*first, rename, *start]
    rename = rename._replace(undo=(*rename.undo, *_bring_back(resource, predecessor)))
    return [*first, rename, *start, *remove_steps(predecessor)]
