"""What the loop tells → log lines: transitions and actions, not every pass."""

from __future__ import annotations

from typing import Any

from reconciler.loop.telling import (
    ActionHappened,
    Condition,
    PassEnded,
    PassStarted,
    PlanMade,
    SourceChanged,
    StateChanged,
    Told,
)
from reconciler.model.address import Address
from reconciler.model.report import Status

_GRAVE = (Condition.FAILING, Condition.INVALID, Condition.AWAY)


class Recounter:
    """An observer that logs. What is held back is said when that begins, and not again while it lasts."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._held: dict[tuple[str, Address], str] = {}
        self._passes: dict[str, str] = {}

    def __call__(self, told: Told) -> None:
        match told:
            case PassStarted():
                self._passes[told.project] = told.pass_id
            case PlanMade():
                self._plan(told)
            case ActionHappened():
                self._action(told)
            case PassEnded():
                self._end(told)
            case StateChanged():
                self._change(told)
            case SourceChanged():
                self._source(told)

    def _source(self, told: SourceChanged) -> None:
        before, after = told.before, told.after
        about = {"project": told.project}
        if (after.reason, after.refusal) != (before.reason, before.refusal):
            if after.reason:
                tried = after.attempted.commit if after.attempted is not None else ""
                kept = after.accepted.commit if after.accepted is not None else "nothing"
                self._log.warning(
                    "source refused", **about, reason=after.reason, text=after.refusal, attempted=tried, kept=kept
                )
            else:
                self._log.info("source good again", **about)
        for word, was, now in (
            ("accepted", before.accepted, after.accepted),
            ("applied", before.applied, after.applied),
        ):
            if now is not None and now != was:
                told_of = {name: value for name, value in now._asdict().items() if value}
                self._log.info(f"revision {word}", **about, **told_of)
        for note in after.notes if after.notes != before.notes else ():
            self._log.warning("source", **about, text=note)

    def _plan(self, told: PlanMade) -> None:
        now = {(told.project, item.address): item for item in told.held}
        for key, item in now.items():
            if self._held.get(key) != item.why:
                self._log.warning(
                    "held back",
                    project=told.project,
                    pass_id=told.pass_id,
                    resource=str(item.address),
                    why=item.why.value,
                    text=item.text,
                )
        self._held = {key: why for key, why in self._held.items() if key[0] != told.project}
        self._held |= {key: item.why.value for key, item in now.items()}

    def _action(self, told: ActionHappened) -> None:
        happening, outcome = told.happening, told.happening.outcome
        about = {"project": told.project, "pass_id": told.pass_id, "resource": str(happening.address)}
        if happening.what == "action":
            self._log.info("action", **about, verb=happening.verb.value, text=happening.text)
        elif outcome is not None and outcome.status is not Status.BLOCKED:
            say = self._log.info if outcome.status is Status.DONE else self._log.warning
            extra: dict[str, object] = {"warnings": list(outcome.warnings)} if outcome.warnings else {}
            extra |= {"text": outcome.message} if outcome.message else {}
            seconds = round(outcome.seconds, 3)
            say(outcome.status.value, **about, verb=outcome.verb.value, seconds=seconds, **extra)

    def _end(self, told: PassEnded) -> None:
        if told.report is None or not told.report.did_something:
            return
        counts: dict[str, int] = {}
        for outcome in told.report.outcomes:
            counts[outcome.status.value] = counts.get(outcome.status.value, 0) + 1
        self._log.info(
            "pass",
            project=told.project,
            pass_id=told.pass_id,
            revision=told.revision,
            because=sorted({trigger.cause.value for trigger in told.triggers}),
            outcomes=counts,
            seconds=round(told.seconds, 3),
        )

    def _change(self, told: StateChanged) -> None:
        say = self._log.warning if told.after in _GRAVE else self._log.info
        # What a project has come to is what its last pass has made of it.
        about = {"project": told.project, "pass_id": self._passes.get(told.project, "")} if told.project else {}
        what = told.after.value if told.project else "engine away" if told.after is Condition.AWAY else "engine there"
        extra = {"text": told.text} if told.text else {}
        say(what, **about, before=told.before.value, **extra)
