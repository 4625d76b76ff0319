"""Which changes of a plan are carried out now, and which are held back, and why. Pure.

A change that is held back is `blocked` in the plan that is carried out: what needs it is blocked by it as by any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from reconciler.loop.memory import Corrections, Failure, Memory, applied_of, declaration_of
from reconciler.loop.schedule import Random, Timing, back_off
from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource, DesiredState, ImageResource
from reconciler.model.observed import ObservedState
from reconciler.model.ownership import Owner, owner_of
from reconciler.model.plan import AUTHORED, Change, Plan, Reason, RemoveVolume, Verb
from reconciler.model.report import Outcome, Report, Status
from reconciler.model.values import digest
from reconciler.reconcile import Pass

#: reasons that bring something new, besides those of the author
_NEW = AUTHORED | {Reason.IMAGE_CHANGED, Reason.REQUESTED}

#: so often what serves is stopped for something that fails for a passing reason of the engine and is taken back
MOST_RESTORES = 3
#: doublings that each such try adds to the next wait: 8 s, then two minutes, in which such reasons pass
_PATIENCE = 3


class Why(StrEnum):
    """Why a change is held back."""

    SUSPENDED = "suspended"
    NOT_APPLIED = "apply is off"
    NOT_HEALED = "heal is off"
    UNCONFIRMED = "needs a person"
    FLAPPING = "flapping"
    FAILED = "failed for good"
    BACKING_OFF = "backing off"


class Held(NamedTuple):
    """A change that is held back; `until` is a time of day, None when it does not end by itself."""

    address: Address
    why: Why
    text: str
    until: float | None = None


class Policy(NamedTuple):
    """The switches and limits of a project.

    Attributes:
        apply: new revisions are applied.
        heal: drift is put back to what was last applied.
        flap_limit, flap_window: after so many corrections of one resource within so many seconds it is left alone.
        allow_removals: however much leaves the spec at once, it goes.
    """

    apply: bool = True
    heal: bool = True
    flap_limit: int = 5
    flap_window: float = 300.0
    allow_removals: bool = False


class Rules(NamedTuple):
    """What a project goes by."""

    policy: Policy
    timing: Timing
    random: Random


class Suspended(NamedTuple):
    """What is not touched: the whole instance or project, or some resources of it."""

    whole: bool = False
    addresses: frozenset[Address] = frozenset()

    def covers(self, address: Address) -> bool:
        return self.whole or address in self.addresses or address.whole in self.addresses


class Judgement(NamedTuple):
    """The plan with what is held back blocked, and why it is."""

    plan: Plan
    held: tuple[Held, ...]

    @property
    def acts(self) -> bool:
        return any(change.verb is not Verb.BLOCKED for change in self.plan.changes)


def judge(made: Pass, memory: Memory, rules: Rules, suspended: Suspended, now: float) -> Judgement:
    """Hold back what must not, or need not, be tried now."""
    held: dict[int, Held] = {}
    for position, change in enumerate(made.plan.changes):
        if change.verb is not Verb.BLOCKED:
            reason = _reason_to_hold(change, made, memory, rules, suspended, now)
            if reason is not None:
                held[position] = reason
        elif change.reason is Reason.ORPHAN:  # so much has left the spec that the planner wants a person's word
            held[position] = Held(change.address, Why.UNCONFIRMED, change.note)
    changes = tuple(
        change._replace(verb=Verb.BLOCKED, steps=(), note=held[position].text) if position in held else change
        for position, change in enumerate(made.plan.changes)
    )
    return Judgement(made.plan._replace(changes=changes), tuple(held.values()))


def _reason_to_hold(
    change: Change, made: Pass, memory: Memory, rules: Rules, suspended: Suspended, now: float
) -> Held | None:
    address, policy = change.address, rules.policy
    if suspended.covers(address):
        return Held(address, Why.SUSPENDED, "it is suspended")
    is_new = is_revision(change, made.desired, memory)
    if is_new and not policy.apply:
        return Held(address, Why.NOT_APPLIED, "new revisions are only shown: `apply` is off")
    if not is_new and not policy.heal:
        return Held(address, Why.NOT_HEALED, "drift is only reported: `heal` is off")
    if any(isinstance(step.action, RemoveVolume) for step in change.steps):
        text = "what is in it would be lost, and nobody is asked here: `reconciler apply` asks"
        return Held(address, Why.UNCONFIRMED, text)
    corrections = memory.corrections.get(address)
    if corrections is not None and corrections.is_flapping and corrections.declared == _declared(made.desired, address):
        count = len(corrections.times)
        what = f" ({', '.join(corrections.fields)})" if corrections.fields else ""
        text = f"it was put back {count} times within {policy.flap_window:.0f} s{what} and is left alone until the spec changes or it is resumed"
        if not corrections.sticks:
            text = f"it was changed {count} times within {policy.flap_window:.0f} s and does not stick{what}; it is left alone until the spec changes or it is resumed"
        return Held(address, Why.FLAPPING, text)
    failure = memory.failures.get(address)
    if failure is None or failure.key != key_of(change, made.desired, made.observed):
        return None
    if failure.is_final:
        why = ", and would again" if failure.restores < MOST_RESTORES else f" {failure.tries} times, and is left alone"
        text = f"it failed{why} until the spec, the image or the engine changes or it is resumed: {failure.message}"
        return Held(address, Why.FAILED, text)
    wait = failure.next_at - now
    if wait <= 0 or wait > rules.timing.retry_most:  # more than we ever wait: the clock was set back
        return None
    times = "once" if failure.tries == 1 else f"{failure.tries} times"
    return Held(
        address, Why.BACKING_OFF, f"it failed {times} and is tried again later: {failure.message}", failure.next_at
    )


def is_revision(change: Change, desired: DesiredState, memory: Memory) -> bool:
    """Whether a change brings something new, or puts back what was applied."""
    if change.reason in _NEW:
        return True
    if change.address not in desired.resources:
        return change.reason is Reason.ORPHAN
    applied = memory.applied.get(change.address)
    if applied is None:
        return is_fresh(change, memory)
    return applied.declared != declaration_of(desired.resources[change.address])


def is_fresh(change: Change, memory: Memory) -> bool:
    """Whether a resource is missing because, as far as is remembered, it never was there."""
    return change.reason is Reason.ABSENT and change.address not in memory.applied


def _was_applied(change: Change, desired: DesiredState, memory: Memory) -> bool:
    """Whether exactly this was applied before, so that doing it once more is a correction."""
    applied = memory.applied.get(change.address)
    return applied is not None and applied.declared == _declared(desired, change.address)


def _is_planned_again(change: Change, after: Pass) -> bool:
    """Whether what was done is to be done once more: the engine keeps something else than it was told."""
    what = {(field.path, field.shown[1]) for field in change.fields}
    return any(
        other.address == change.address
        and other.verb is change.verb
        and {(field.path, field.shown[1]) for field in other.fields} == what
        for other in after.plan.changes
    )


def key_of(change: Change, desired: DesiredState, observed: ObservedState) -> str:
    """What exactly is tried: the declaration, the image it is made from, whether something serves meanwhile, the engine.

    When what served has gone there is nothing left to lose, and what failed before is tried once more.
    """
    resource = desired.resources.get(change.address)
    image = ""
    if isinstance(resource, ContainerResource):
        source = desired.resources.get(resource.image)
        found = observed.image_by_reference(source.reference) if isinstance(source, ImageResource) else None
        image = found.id if found is not None else ""
    serves = any(
        item.status == "running"
        and owner_of(Kind.CONTAINER, item.labels, desired.project) == (Owner.OURS, change.address)
        for item in observed.containers
    )
    facts = observed.facts
    parts = [str(change.address), _declared(desired, change.address), image, serves, facts.id, facts.version]
    return digest(parts)[:16]


def _declared(desired: DesiredState, address: Address) -> str:
    resource = desired.resources.get(address)
    return declaration_of(resource) if resource is not None else ""


# --- afterwards ----------------------------------------------------------------------------------------------------


def learn(
    memory: Memory, before: Pass, done: Sequence[tuple[Change, Outcome]], after: Pass, rules: Rules, now: float
) -> Memory:
    """The memory after a pass: what failed, what was corrected, what is as declared now."""
    failures, corrections = dict(memory.failures), dict(memory.corrections)
    # An image may have come with this very pass; whether something served is asked of the moment before.
    tried = before.observed._replace(images=after.observed.images)
    for change, outcome in done:
        if change.verb is Verb.BLOCKED:
            continue
        key = key_of(change, before.desired, tried)
        if change.address in failures and failures[change.address].key != key:
            del failures[change.address]  # of what was wanted before
        if outcome.has_failed:
            failures[change.address] = _failed(outcome, key, failures.get(change.address), rules, now)
        elif outcome.status is Status.DONE:
            failures.pop(change.address, None)
            sticks = not _is_planned_again(change, after)
            if not sticks or _was_applied(change, before.desired, memory):
                corrected = _corrected(change, before.desired, corrections, rules.policy, now)
                corrections[change.address] = corrected._replace(sticks=sticks)
    differing = {change.address for change in after.plan.changes}
    applied = {key: value for key, value in memory.applied.items() if key in after.desired.resources}
    for address, resource in after.desired.resources.items():
        if address not in differing:
            applied[address] = applied_of(resource)
            failures.pop(address, None)
    return memory._replace(
        applied=applied,
        failures={key: value for key, value in failures.items() if key in differing},
        corrections={
            key: value
            for key, value in corrections.items()
            if value.declared == _declared(after.desired, key)
            and (value.is_flapping or _recent(value, rules.policy, now))
        },
    )


def _failed(outcome: Outcome, key: str, earlier: Failure | None, rules: Rules, now: float) -> Failure:
    again = earlier if earlier is not None and earlier.key == key else None
    again = again or Failure(key, tries=0, is_final=False, message="", next_at=now, since=now)
    tries, restores = again.tries + 1, again.restores + (outcome.status is Status.RESTORED)
    is_final = outcome.is_final or restores >= MOST_RESTORES
    wait = back_off(tries + _PATIENCE * restores, rules.timing, rules.random)
    return Failure(key, tries, is_final, outcome.message, now + wait, again.since, restores)


def _corrected(
    change: Change, desired: DesiredState, corrections: Mapping[Address, Corrections], policy: Policy, now: float
) -> Corrections:
    declared = _declared(desired, change.address)
    earlier = corrections.get(change.address, Corrections(declared))
    times = (*_recent(earlier, policy, now), now) if earlier.declared == declared else (now,)
    fields = tuple(field.path for field in change.fields)
    return Corrections(declared, times, len(times) >= policy.flap_limit, fields)


def _recent(corrections: Corrections, policy: Policy, now: float) -> tuple[float, ...]:
    return tuple(time for time in corrections.times if 0 <= now - time < policy.flap_window)


def pairs(plan: Plan, report: Report) -> list[tuple[Change, Outcome]]:
    """Each change with what became of it."""
    return list(zip(plan.changes, report.outcomes, strict=True)) if report.outcomes else []
