"""When the next pass begins: (state, event, now) → (state, commands). Pure, so that tests never sleep.

Many triggers make one pass: they are gathered for a moment (`window`), though never longer than `max_delay`. While a
pass runs, at most one more is pending. What happened before the last look of a pass began is covered by that look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from reconciler.loop.known import NOTHING, Known
from reconciler.loop.triggers import NEWS, Cause, Trigger

#: a number from 0 up to 1
Random: TypeAlias = Callable[[], float]
#: more than this are gathered as one that says "look at everything"
MOST_PENDING = 200


class Timing(NamedTuple):
    """Seconds.

    Attributes:
        files, events: how long it must be quiet after a change of a file, or an event, before a pass begins.
        max_delay: how long a pass is put off at most, however busy it is.
        resync: how often everything is looked at though nothing said so; up to a tenth more or less.
        retry, retry_most: the first wait after a failure, and the longest.
    """

    files: float = 0.3
    events: float = 0.05
    max_delay: float = 3.0
    resync: float = 300.0
    retry: float = 1.0
    retry_most: float = 300.0


class State(NamedTuple):
    """One project's schedule.

    Attributes:
        pending: what has come since the last pass began, in order.
        is_interrupted: the running pass was told to begin nothing more.
        retry_at: when to try again what failed; None when nothing is to be.
        known: what the last look saw.
    """

    running: bool = False
    is_interrupted: bool = False
    pending: tuple[Trigger, ...] = ()
    retry_at: float | None = None
    resync_at: float = 0.0
    known: Known | None = None


class Ended(NamedTuple):
    """A pass has ended.

    Attributes:
        read_at, looked_at: when it began to read the spec, and to look at the engine for the last time; None: it did not.
        known: what that look saw; None keeps what was known.
        retry_at: when to try again; None: what is left waits for a change.
    """

    read_at: float | None
    looked_at: float | None
    known: Known | None
    retry_at: float | None = None


class Woken(NamedTuple):
    """Time has passed."""


class Begin(NamedTuple):
    """Begin a pass, because of these."""

    triggers: tuple[Trigger, ...]


class Interrupt(NamedTuple):
    """The running pass shall begin nothing more: there is something newer."""


Event: TypeAlias = Trigger | Ended | Woken
Command: TypeAlias = Begin | Interrupt


def step(state: State, event: Event, now: float, timing: Timing, random: Random) -> tuple[State, tuple[Command, ...]]:
    """What follows from one event."""
    match event:
        case Trigger():
            return _noted(state, event), ()
        case Ended():
            return _ended(state, event, now, timing, random), ()
        case Woken():
            return _woken(state, now, timing)


def due(state: State, timing: Timing) -> float | None:
    """When `Woken` should come next; None: not before something happens."""
    if state.running:
        return (
            None if state.is_interrupted else _gathered([item for item in state.pending if item.cause in NEWS], timing)
        )
    moments = [_gathered(list(state.pending), timing), state.retry_at, state.resync_at]
    return min(moment for moment in moments if moment is not None)


def _noted(state: State, trigger: Trigger) -> State:
    if trigger.event is not None and state.known is not None:
        if not state.known.concerns(trigger.event):
            return state
        if not state.running and state.known.explains(trigger.event):
            return state
    if len(state.pending) >= MOST_PENDING:
        kept = [item for item in state.pending if item.cause not in (Cause.EVENT, Cause.RESYNC)][-MOST_PENDING // 2 :]
        flood = Trigger(Cause.RESYNC, trigger.at, "more triggers than are kept apart")
        return state._replace(pending=(*kept, flood))
    return state._replace(pending=(*state.pending, trigger))


def _ended(state: State, ended: Ended, now: float, timing: Timing, random: Random) -> State:
    known = ended.known or state.known
    pending = tuple(item for item in state.pending if not _is_covered(item, ended, known))
    return State(
        pending=pending,
        retry_at=ended.retry_at,
        resync_at=now + timing.resync * (0.9 + 0.2 * random()),
        known=known,
    )


def _is_covered(trigger: Trigger, ended: Ended, known: Known | None) -> bool:
    if trigger.event is not None:
        looked = ended.looked_at is not None and trigger.at < ended.looked_at
        explained = known is not None and (not known.concerns(trigger.event) or known.explains(trigger.event))
        return looked or explained
    if trigger.cause in NEWS or trigger.cause is Cause.SETTINGS:
        return ended.read_at is not None and trigger.at < ended.read_at
    if trigger.cause is Cause.PERSON:  # who asks wants all of it done after asking
        return False
    return ended.looked_at is not None and trigger.at < ended.looked_at


def _woken(state: State, now: float, timing: Timing) -> tuple[State, tuple[Command, ...]]:
    moment = due(state, timing)
    if moment is None or moment > now:
        return state, ()
    if state.running:
        return state._replace(is_interrupted=True), (Interrupt(),)
    triggers = state.pending
    if not triggers:
        is_retry = state.retry_at is not None and state.retry_at <= now
        triggers = (Trigger(Cause.RETRY if is_retry else Cause.RESYNC, now),)
    # What concerns a pass that may find something to look for is not known yet.
    known = None if state.known is NOTHING else state.known
    begun = State(running=True, resync_at=now + timing.resync, known=known)
    return begun, (Begin(triggers),)


def _gathered(triggers: list[Trigger], timing: Timing) -> float | None:
    """When these have been quiet for long enough, or were put off for as long as may be."""
    if not triggers:
        return None
    quiet = max(trigger.at + _window(trigger, timing) for trigger in triggers)
    return min(quiet, triggers[0].at + timing.max_delay)


def _window(trigger: Trigger, timing: Timing) -> float:
    if trigger.cause is Cause.FILES:
        return timing.files
    return timing.events if trigger.cause is Cause.EVENT else 0.0


def back_off(failures: int, timing: Timing, random: Random) -> float:
    """Seconds to wait after so many failures in a row: twice as long each time, half of it by chance."""
    longest = min(timing.retry_most, timing.retry * float(1 << min(failures - 1, 30)))
    return longest * (0.5 + 0.5 * random())
