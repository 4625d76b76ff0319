"""What is gone on with at once, when calls of a plan were not answered: what the look afterwards found left of them."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.address import Address
from reconciler.model.plan import Change, Plan, Verb
from reconciler.model.report import Outcome, Status

_Key = tuple[Address, bool]


def left_unclear(planned: Plan, outcomes: Sequence[Outcome], remaining: Plan) -> Plan:
    """What remains of the changes whose outcome is unclear, and of those that waited for them.

    What failed otherwise is not tried a second time, and neither is what comes after it.
    """
    waiting = {_key(change) for change, outcome in zip(planned.changes, outcomes, strict=True) if outcome.is_unclear}
    unclear = {address for address, _ in waiting}
    for change, outcome in zip(planned.changes, outcomes, strict=True):
        if outcome.status is Status.BLOCKED and change.verb is not Verb.BLOCKED and unclear & set(change.after):
            waiting.add(_key(change))
            unclear.add(change.address)
    left = {change.address for change in remaining.changes if _key(change) not in waiting}
    kept = []
    for change in remaining.changes:
        if _key(change) in waiting and not left & set(change.after):
            kept.append(change)
        else:
            left.add(change.address)
    return remaining._replace(changes=tuple(kept))


def put_together(
    planned: Plan, outcomes: Sequence[Outcome], remaining: Plan, resumed: Plan, later: Sequence[Outcome]
) -> tuple[Outcome, ...]:
    """One outcome for each change of the first plan: what had been done after all is done."""
    by_key = {_key(change): outcome for change, outcome in zip(resumed.changes, later, strict=True)}
    is_left = {_key(change) for change in remaining.changes}
    unclear = {outcome.address for outcome in outcomes if outcome.is_unclear}
    found = []
    for change, first in zip(planned.changes, outcomes, strict=True):
        if second := by_key.get(_key(change)):
            seconds, warnings = first.seconds + second.seconds, (*first.warnings, *second.warnings)
            found.append(second._replace(verb=first.verb, seconds=seconds, warnings=warnings))
        elif first.address in unclear and _key(change) not in is_left:
            found.append(first._replace(status=Status.DONE, message="", is_unclear=False))
        else:
            found.append(first)
    return tuple(found)


def _key(change: Change) -> _Key:
    return change.address, change.verb is Verb.REMOVE
