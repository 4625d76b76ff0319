"""Walks a plan: independent changes at the same time, each after those it needs; failures become outcomes.

Two rules hold for every plan: nothing is stopped or removed before every pull and build has ended, and a change whose
prerequisite was not done is blocked, with the reason, while everything else goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from enum import Enum, auto
from threading import BoundedSemaphore, Event
from typing import NamedTuple

from reconciler.apply.actions import Performer
from reconciler.apply.readiness import Clock, StaleError, StoppedError
from reconciler.engine.interface import Engine
from reconciler.errors import EngineError, EngineRefusedError, NotFoundError, OutcomeUnknownError
from reconciler.model.address import Address, Kind
from reconciler.model.describe import describe
from reconciler.model.plan import (
    Action,
    AwaitReady,
    AwaitRemoval,
    BuildImage,
    Change,
    Disconnect,
    Drain,
    Plan,
    PullImage,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    RestartContainer,
    StartContainer,
    Step,
    StopContainer,
    Verb,
    WaitContainer,
)
from reconciler.model.report import Kept, Outcome, Status

#: how many actions of one kind of work run at once. Starting and stopping is bound by the engine's processor time:
#: on two cores four at once is the optimum that was measured, and more only delays the first.
LIMITS = {"build": 2, "pull": 4, "container": 4, "rest": 8}
_MAX_WORKERS = 24
_HARMFUL = (StopContainer, RestartContainer, RemoveContainer, RemoveNetwork, RemoveVolume, RemoveImage, Disconnect)


class Happening(NamedTuple):
    """What a change is doing: `what` is start, action, line or end."""

    address: Address
    verb: Verb
    what: str
    text: str = ""
    outcome: Outcome | None = None


class _Run:
    """The state of one execution. Only the thread that walks the plan changes it.

    A change waits for `missing` others; when it has ended, `followers` are told. So a plan of any size costs a step
    for each change and each "after", not a look at everything whenever something ends.
    """

    def __init__(
        self, plan: Plan, engine: Engine, notify: Callable[[Happening], None], cancelled: Event, clock: Clock
    ) -> None:
        self.plan = plan
        self.notify = notify
        self.cancelled = cancelled
        self.outcomes: dict[int, Outcome] = {}
        self._by_address: dict[Address, list[int]] = {}
        for position, change in enumerate(plan.changes):
            self._by_address.setdefault(change.address, []).append(position)
        changes = {str(change.address): change for change in plan.changes}
        self.performer = Performer(
            engine,
            lambda address, line: notify(Happening(changes[address].address, changes[address].verb, "line", line)),
            cancelled,
            clock,
        )
        self.limits = {kind: BoundedSemaphore(count) for kind, count in LIMITS.items()}
        obtaining = [position for position, change in enumerate(plan.changes) if _obtains(change)]
        self.missing: list[set[int]] = []
        self.needed: list[set[int]] = []
        self.followers: dict[int, list[int]] = {}
        for position, change in enumerate(plan.changes):
            needed = set(self._positions(change))
            # Nothing is stopped or removed before every pull and build has ended, well or not.
            barrier = obtaining if _harms(change) and position not in obtaining else ()
            self.needed.append(needed)
            self.missing.append({*needed, *barrier})
            for other in self.missing[position]:
                self.followers.setdefault(other, []).append(position)

    def _positions(self, change: Change) -> list[int]:
        """Where what a change comes after stands; of two changes of one address, the one that makes something."""
        found: dict[Address, int] = {}
        for address in change.after:
            for position in self._by_address.get(address, ()):
                other = self.plan.changes[position]
                if other is not change and (address not in found or other.verb is not Verb.REMOVE):
                    found[address] = position
        return list(found.values())


def ignore(happening: Happening) -> None:
    """For those who do not want to be told."""
    del happening


def execute(
    plan: Plan,
    engine: Engine,
    notify: Callable[[Happening], None],
    cancelled: Event | None = None,
    clock: Clock | None = None,
) -> tuple[Outcome, ...]:
    """Do everything the plan says; one outcome for each change, in the plan's order.

    Args:
        notify: told what happens as it happens, from several threads.
        cancelled: once set, nothing new is begun and nothing is waited for; what is under way is finished or undone.
    """
    run = _Run(plan, engine, notify, cancelled or Event(), clock or Clock())
    ready = [position for position, missing in enumerate(run.missing) if not missing]
    running: dict[Future[Outcome], int] = {}
    with ThreadPoolExecutor(max_workers=min(_MAX_WORKERS, max(1, len(plan.changes)))) as pool:
        while ready or running:
            for position in ready:
                running[pool.submit(_begin, run, position)] = position
            ready = []
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                ready += _end(run, running.pop(future), future.result())
    return tuple(run.outcomes[position] for position in range(len(plan.changes)))


def _obtains(change: Change) -> bool:
    return any(isinstance(step.action, PullImage | BuildImage) for step in change.steps)


def _harms(change: Change) -> bool:
    return any(isinstance(step.action, _HARMFUL) for step in change.steps)


def _begin(run: _Run, position: int) -> Outcome:
    """Do a change whose prerequisites have all ended, unless one of them was not done."""
    change = run.plan.changes[position]
    hindrance = change.note or change.reason.value if change.verb is Verb.BLOCKED else _hindrance(run, position)
    if hindrance is None and run.cancelled.is_set():
        hindrance = "the run was stopped before it was begun"
    if hindrance is not None:
        return Outcome(change.address, change.verb, Status.BLOCKED, message=hindrance)
    return _perform(run, change)


def _hindrance(run: _Run, position: int) -> str | None:
    for other in sorted(run.needed[position]):
        outcome = run.outcomes[other]
        if outcome.status is not Status.DONE:
            return f"it needs {outcome.address}, which is {outcome.status.value}"
    return None


def _end(run: _Run, position: int, outcome: Outcome) -> list[int]:
    """Note an outcome; the changes that nothing holds up any more."""
    run.outcomes[position] = outcome
    run.notify(Happening(outcome.address, outcome.verb, "end", outcome=outcome))
    freed = []
    for follower in run.followers.get(position, ()):
        run.missing[follower].discard(position)
        if not run.missing[follower]:
            freed.append(follower)
    return sorted(freed)


# --- one change ----------------------------------------------------------------------------------------------------


def _perform(run: _Run, change: Change) -> Outcome:
    began = time.monotonic()
    warnings: list[str] = []
    undone: list[Step] = []
    run.notify(Happening(change.address, change.verb, "start"))
    status, message, is_final, is_unclear, is_stopped, kept = Status.DONE, "", False, False, False, None
    for step in change.steps:
        try:
            run.notify(Happening(change.address, change.verb, "action", describe(step.action)))
            warnings += _act(run, change, step.action)
        except EngineError as error:
            status, message = _failure(change, step, error)
            # Of a call without an answer nobody knows where to begin with taking back: look first.
            taken_back = _Taken.UNCLEAR if isinstance(error, OutcomeUnknownError) else _take_back(run, change, undone)
            is_unclear = taken_back is _Taken.UNCLEAR
            if taken_back is _Taken.BACK and _serves_again(undone):
                status = Status.RESTORED
            is_final, is_stopped = _is_final(error, status), isinstance(error, StoppedError)
            if kept := _kept(run, step.action, undone):
                message += f"\n    kept: {kept}"
            break
        undone = [step] if step.commits else [*undone, step]
    seconds = time.monotonic() - began
    return Outcome(
        change.address, change.verb, status, seconds, message, tuple(warnings), is_final, is_unclear, is_stopped, kept
    )


def _kept(run: _Run, action: Action, undone: list[Step]) -> Kept | None:
    """The candidate that was waited for, where taking back does not remove it."""
    removes = any(isinstance(undo, RemoveContainer) for step in undone for undo in step.undo)
    if removes or not isinstance(action, AwaitReady):
        return None
    return Kept(action.container.name, run.performer.status_of(action.container))


def _is_final(error: EngineError, status: Status) -> bool:
    """Whether trying again is in vain: the engine understood and will not, or what was tried has shown that it fails.

    What was taken back after a verdict is final too: each further try would stop what serves.
    """
    if not isinstance(error, EngineRefusedError) or error.may_pass:
        return False
    return status is Status.RESTORED or error.status == 400


def _failure(change: Change, step: Step, error: EngineError) -> tuple[Status, str]:
    gone = isinstance(error, StaleError) or (isinstance(error, NotFoundError) and change.verb is not Verb.CREATE)
    text = chain(error)
    # The engine's call names an id where the action names the object.
    doing, _, why = text.partition(": ")
    text = why if why and doing.startswith("cannot ") else text
    return (Status.STALE if gone else Status.FAILED), f"cannot {describe(step.action)}: {text}"


def chain(error: BaseException) -> str:
    """An error's text and that of its cause, where it says more."""
    text = str(error)
    cause = error.__cause__
    return f"{text}: {cause}" if isinstance(cause, EngineError) and str(cause) not in text else text


def _act(run: _Run, change: Change, action: Action) -> tuple[str, ...]:
    with run.limits.get(_work(change, action)) or nullcontext():
        warnings = run.performer.perform(str(change.address), action)
    if isinstance(action, RenameContainer):
        run.performer.alias(action.name, action.container)
    return warnings


def _work(change: Change, action: Action) -> str:
    if isinstance(action, BuildImage):
        return "build"
    if isinstance(action, PullImage):
        return "pull"
    if isinstance(action, WaitContainer | AwaitReady | AwaitRemoval | Drain):
        return ""  # it works the engine no harder
    return "container" if change.address.kind is Kind.CONTAINER else "rest"


def _serves_again(steps: list[Step]) -> bool:
    """Whether taking these back leaves serving what served before: it is started, or its rival is taken away."""
    undone = {type(action) for step in steps for action in step.undo}
    return StartContainer in undone or {StopContainer, RemoveContainer} <= undone


class _Taken(Enum):
    """How taking back went: all of it worked; not all; or it cannot go on before somebody looks."""

    BACK = auto()
    IN_PART = auto()
    UNCLEAR = auto()


def _take_back(run: _Run, change: Change, done: list[Step]) -> _Taken:
    """Undo the steps, the last first. A later pass finishes what did not work.

    It ends where a call is not answered, and where what is to be stopped may still run: started beside it, what served
    before would write to the same volumes.
    """
    taken = _Taken.BACK
    for step in reversed(done):
        for action in step.undo:
            try:
                run.notify(Happening(change.address, change.verb, "action", f"take back: {describe(action)}"))
                _act(run, change, action)
            except EngineError as error:
                is_gone = isinstance(error, NotFoundError | StaleError)
                if isinstance(error, OutcomeUnknownError) or (isinstance(action, StopContainer) and not is_gone):
                    return _Taken.UNCLEAR
                taken = _Taken.IN_PART
    return taken
