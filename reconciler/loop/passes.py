"""One pass of one project: read, look, judge, act, learn. Without a thread, and with the clock given."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import NamedTuple

from reconciler.apply.executor import Happening
from reconciler.apply.writer import left_behind, sole_writer, sweep
from reconciler.errors import EngineUnavailableError, LockedError, ReconcilerError, SpecError
from reconciler.loop.judge import Held, Judgement, Policy, Rules, is_fresh, judge, learn, pairs
from reconciler.loop.known import NOTHING, known_of
from reconciler.loop.memory import Memory, revision_of
from reconciler.loop.schedule import Ended, back_off
from reconciler.loop.sources import NothingYetError, NotNowError, Source, oldest_user
from reconciler.loop.surroundings import Surroundings
from reconciler.loop.telling import ActionHappened, Condition, PassEnded, PassStarted, PlanMade
from reconciler.loop.triggers import Cause, Trigger
from reconciler.model.address import Address
from reconciler.model.desired import DesiredState
from reconciler.model.ownership import PROJECT
from reconciler.model.plan import Plan
from reconciler.model.report import Report
from reconciler.planning.check import check
from reconciler.planning.world import Request
from reconciler.reconcile import Pass, act, look
from reconciler.spec.load import load

#: seconds until a spec that could not be read is read again, before it is called invalid: it may be half written
SECOND_READING = 0.5
#: seconds between looks until two agree, after the engine was away: it is still starting what it had
SETTLING = 1.0
#: seconds until a project that somebody else changes is looked at again
LOCKED = 3.0
#: what a pass without a plan came to when that is an error, and not a matter of waiting
_WRONG = (Condition.INVALID, Condition.AWAY, Condition.FAILING)
#: seconds until a project is looked at again that another one here keeps: its spec may say otherwise by then
CLAIMED = 10.0


class Result(NamedTuple):
    """What a pass came to, besides what was told."""

    ended: Ended
    condition: Condition
    text: str


class Passes:
    """The passes of one project, one after the other. What it holds is read by others as whole values.

    Attributes:
        last_good: the last spec that was valid; what is invalid since does not count.
        seen: what the last look came to.
        is_acting: a plan is being carried out.
        attempted: the revision that was looked at last.
    """

    def __init__(self, name: str, source: Source, around: Surroundings, memory: Memory) -> None:
        self.name = name
        self.source = source
        self.memory = memory
        self.last_good: DesiredState | None = None
        self.applied: DesiredState | None = None
        self.seen: Pass | None = None
        self.judgement: Judgement | None = None
        self.attempted = ""
        self.problem: SpecError | None = None
        self.count = 0
        self._around = around
        self.is_acting = False
        self._forgotten: list[Address | None] = []
        self._commit = ""
        self._doubted = False
        self._failures = 0
        self._unfinished = 0
        self._is_settling = False
        self._statuses: tuple[tuple[str, str], ...] | None = None

    def forget_failures(self, address: Address | None) -> None:
        """A person wants what failed, or was left alone, tried again."""
        self._forgotten.append(address)

    def run(self, triggers: tuple[Trigger, ...], cancelled: threading.Event) -> Result:
        """One pass. Raises nothing."""
        around, pass_id = self._around, secrets.token_hex(4)
        began, at = around.clock.now(), around.clock.wall()
        self.count += 1
        around.tell(PassStarted(self.name, pass_id, triggers, at))
        told = _Parts()
        try:
            result = self._run(pass_id, triggers, cancelled, told)
        except NothingYetError as error:  # whoever fetches posts a trigger when there is something
            waits = Condition.STARTING if error.passes else Condition.INVALID
            result = Result(Ended(began, None, NOTHING), waits, str(error))
        except EngineUnavailableError as error:
            result = self._failed(Condition.AWAY, str(error), began)
        except LockedError as error:
            text = str(error).partition("\n")[0]
            result = Result(Ended(began, None, None, around.clock.now() + LOCKED), Condition.OUT_OF_SYNC, text)
        except Exception as error:
            bug = "" if isinstance(error, ReconcilerError) else f"a bug in reconciler: {type(error).__name__}: "
            result = self._failed(Condition.FAILING, f"{bug}{error}", began)
        else:
            self._failures = 0
        error_text = result.text if told.plan is None and result.condition in _WRONG else ""
        seconds = around.clock.now() - began
        ended = PassEnded(
            self.name, pass_id, triggers, self.attempted, told.plan, told.report, told.held, error_text, seconds, at
        )
        around.tell(ended)
        return result

    def _run(self, pass_id: str, triggers: tuple[Trigger, ...], cancelled: threading.Event, told: _Parts) -> Result:
        around = self._around
        now = around.clock.now()
        while self._forgotten:
            self.memory = self.memory.forget_failures(self._forgotten.pop())
        if any(trigger.cause is Cause.RECONNECTED for trigger in triggers):
            self._is_settling, self._statuses = True, None
        desired, doubt = self._read()
        if desired is None:
            retry = now + SECOND_READING if doubt else None
            waits = Condition.STARTING if doubt else Condition.INVALID
            return Result(Ended(now, None, NOTHING, retry), waits, doubt or str(self.problem))
        if other := around.claim(self.name, desired.project):
            text = f"its spec is of project {desired.project}, as is that of {other}: each would undo the other's work"
            return Result(Ended(now, None, NOTHING, now + CLAIMED), Condition.INVALID, text)
        rules = around.rules()
        made = self._look(desired)
        looked_at = now
        if not self._has_settled(made):
            return Result(Ended(now, None, None, now + SETTLING), Condition.CHANGING, "the engine is starting")
        self.attempted = self._named(made)
        wanted = self._to_apply(made, rules.policy)
        self._decide(pass_id, made, wanted, rules, told)
        after = wanted
        if self.judgement is not None and self.judgement.acts:
            with sole_writer(around.engine(), desired.project, around.locks, cancelled, patience=0):
                # What was seen before may have been somebody else's work, half done.
                again = self._look(wanted.desired)
                made, wanted = (again if made is wanted else made), again
                self._decide(pass_id, made, wanted, rules, told)
                after = wanted
                if self.judgement is not None and self.judgement.acts:
                    self.seen = made
                    told.report, after, looked_at = self._act(pass_id, wanted, cancelled)
        elif (rules.policy.apply or rules.policy.heal) and not around.suspended(self.name).whole:
            sweep(around.engine(), left_behind(made.observed.leases, desired.project))
        self._learn(wanted, told, after, made, rules)
        # With `apply` off it is the former revision that was healed, and the newer one that is shown.
        self.seen = after if wanted is made else made
        self.judgement = self._judge(after, rules)
        retry = self._retry_at(doubt, rules)
        condition, text = self._condition(told.report, doubt)
        known = known_of(after.desired, after.observed)
        seen_at = None if told.report is not None and told.report.remaining is None else looked_at
        return Result(Ended(now, seen_at, known, retry), condition, text)

    # --- reading -----------------------------------------------------------------------------------------------

    def _read(self) -> tuple[DesiredState | None, str]:
        """The spec, or the last good one; and why it is read again in a moment, or ""."""
        try:
            taken = self.source.take(self._load)
            desired = self._load(self.source.directory)
        except NotNowError as error:
            return self.last_good, str(error)
        except NothingYetError:
            if self.last_good is None:
                raise
            return self.last_good, ""
        except SpecError as error:
            if self.last_good is not None and self.problem is None and not self._doubted:
                self._doubted = True
                return self.last_good, "the spec is invalid, or half written; it is read again"
            self.problem = error
            return self.last_good, ""
        self._doubted, self.problem = False, taken.problem
        self._commit = taken.revision.commit if taken.revision is not None else ""
        self.last_good = desired
        self._around.loaded(desired)
        return desired, ""

    def _load(self, directory: Path) -> DesiredState:
        return load(directory, self._around.environment, name=self.source.name)

    def _named(self, made: Pass) -> str:
        return self._commit or revision_of(made.desired)

    # --- looking -----------------------------------------------------------------------------------------------

    def _look(self, desired: DesiredState) -> Pass:
        around = self._around
        applied = {key: value.settings for key, value in self.memory.applied.items() if value.settings}
        request = Request(allow_removals=around.rules().policy.allow_removals, applied=applied)
        locate = around.locate(desired) if around.locate is not None else None
        return look(desired, around.engine(), request, locate, around.cache)

    def _judge(self, made: Pass, rules: Rules) -> Judgement:
        around = self._around
        return judge(made, self.memory, rules, around.suspended(self.name), around.clock.wall())

    def _has_settled(self, made: Pass) -> bool:
        """After the engine was away, only two looks that agree count: it starts what it had, and needs no help."""
        if self._is_settling and not made.plan.is_settled:
            # Its own: on a busy engine those of others change all the time.
            project = made.desired.project
            own = [item for item in made.observed.containers if item.labels.get(PROJECT) == project]
            statuses = tuple((item.id, item.status) for item in own)
            agrees, self._statuses = statuses == self._statuses, statuses
            self._is_settling = not agrees
            return agrees
        self._is_settling = False
        return True

    def _to_apply(self, made: Pass, policy: Policy) -> Pass:
        """With `apply` off, what is healed is the revision that was applied last, as far as it is known."""
        if policy.apply or self.applied is None or revision_of(self.applied) == revision_of(made.desired):
            return made
        return self._look(self.applied)

    def _decide(self, pass_id: str, made: Pass, wanted: Pass, rules: Rules, told: _Parts) -> None:
        """What of a plan is carried out; a plan that was told already is not told again."""
        self.judgement = self._judge(wanted, rules)
        told.plan, told.held = self.judgement.plan, self.judgement.held
        shown = (made.plan.changes, told.held)
        if shown != told.shown:
            told.shown = shown
            fresh = frozenset(item.address for item in made.plan.changes if is_fresh(item, self.memory))
            self._around.tell(PlanMade(self.name, pass_id, self.attempted, made.plan, told.held, fresh))

    # --- acting ------------------------------------------------------------------------------------------------

    def _act(self, pass_id: str, made: Pass, cancelled: threading.Event) -> tuple[Report, Pass, float]:
        around = self._around
        assert self.judgement is not None
        plan = check(self.judgement.plan, made.observed, may_lose_volumes=made.desired.prune or None)
        after, looked_at = made, around.clock.now()

        def again() -> Pass:
            nonlocal after, looked_at
            looked_at = around.clock.now()
            after = self._look(made.desired)
            return after

        def notify(happening: Happening) -> None:
            around.tell(ActionHappened(self.name, pass_id, happening))

        self.is_acting = True
        try:
            report = act(plan, around.engine(), again, notify, cancelled)
        finally:
            self.is_acting = False
        return report, after, looked_at

    def _learn(self, wanted: Pass, told: _Parts, after: Pass, made: Pass, rules: Rules) -> None:
        around, before = self._around, self.memory
        done = pairs(told.plan, told.report) if told.plan is not None and told.report is not None else []
        if told.report is None or told.report.remaining is not None:
            self.memory = learn(before, wanted, done, after, rules, around.clock.wall())
        # With `apply` off it may be the former revision that is settled, and the newer one is not applied.
        if after.plan.is_settled and wanted is made:
            self.applied = after.desired
            self.memory = self.memory._replace(revision=self.attempted)
            self.source.settled(oldest_user(after.observed, self.source.own))
        if self.memory != before:
            around.keep(self.name, self.memory)

    # --- afterwards --------------------------------------------------------------------------------------------

    def _failed(self, condition: Condition, text: str, began: float) -> Result:
        self._failures += 1
        rules, now = self._around.rules(), self._around.clock.now()
        timing = rules.timing
        if condition is Condition.AWAY and self.seen is not None:
            self._is_settling, self._statuses = True, None
        if condition is Condition.AWAY:  # whoever follows the events notices at once when it is back
            timing = timing._replace(retry_most=min(30.0, timing.retry_most))
        wait = back_off(self._failures, timing, rules.random)
        return Result(Ended(began, None, None, now + wait), condition, text)

    def _retry_at(self, doubt: str, rules: Rules) -> float | None:
        clock = self._around.clock
        now, wall = clock.now(), clock.wall()
        moments = [now + SECOND_READING] if doubt else []
        waiting = [item.next_at for item in self.memory.failures.values() if not item.is_final]
        moments += [now + max(0.0, next_at - wall) for next_at in waiting]
        # What is left though nothing holds it back: it had moved meanwhile, did not stick, or was not begun.
        self._unfinished = self._unfinished + 1 if self.judgement is not None and self.judgement.acts else 0
        if self._unfinished:
            moments.append(now + back_off(self._unfinished, rules.timing, rules.random))
        return min(moments, default=None)

    def _condition(self, report: Report | None, doubt: str) -> tuple[Condition, str]:
        if self.problem is not None:
            return Condition.INVALID, str(self.problem)
        assert self.judgement is not None
        assert self.seen is not None
        if report is not None and report.remaining is None:
            return Condition.AWAY, report.unseen
        if self.seen.plan.is_settled:
            return Condition.SETTLED, doubt
        if self.memory.failures:
            return Condition.FAILING, "; ".join(
                f"{key}: {value.message}" for key, value in self.memory.failures.items()
            )
        if self._around.suspended(self.name).whole:
            return Condition.SUSPENDED, "it is suspended"
        held = {item.address: item.text for item in self.judgement.held}
        left = [
            f"{change.address}: {held.get(change.address) or change.note or change.reason}"
            for change in self.seen.plan.changes
        ]
        return Condition.OUT_OF_SYNC, "; ".join(left)


class _Parts:
    """What a pass has come to so far."""

    shown: object = None
    plan: Plan | None = None
    held: tuple[Held, ...] = ()
    report: Report | None = None
