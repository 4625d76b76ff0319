"""What the loop tells → what people are told: transitions, one notice a pass, the same trouble once and its end once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from reconciler.loop.judge import Why
from reconciler.loop.telling import Condition, PassEnded, PlanMade, SourceChanged, StateChanged, Told
from reconciler.model.plan import Verb
from reconciler.model.report import Outcome, Status

#: resources that one notice names; of more it says how many
_MOST = 20
#: characters of what is said of one resource
_LONGEST = 1500
#: seconds after which a source that cannot be had is worth a word: it usually passes by itself
_PATIENCE = 300.0
_PASSING = ("unreachable", "local")
_MENDED = "mended"


class Event(StrEnum):
    """What a notice may be about; `on` chooses among them."""

    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    FLAPPING = "flapping"
    INVALID = "invalid"
    REFUSED = "refused"
    ENGINE = "engine"
    RECOVERED = "recovered"
    CHANGED = "changed"


#: what is told unless `on` says otherwise: everything but what went well
DEFAULT = tuple(event for event in Event if event is not Event.CHANGED)


class Notice(NamedTuple):
    """One message. `items` names resources, each with what is said of it; `is_bad` tells good news from bad."""

    event: Event
    project: str
    title: str
    at: float
    text: str = ""
    items: tuple[tuple[str, str], ...] = ()
    pass_id: str = ""
    revision: str = ""

    @property
    def is_bad(self) -> bool:
        return self.event not in (Event.RECOVERED, Event.CHANGED)

    @property
    def body(self) -> str:
        """For a person, as plain text."""
        lines = [f"{name}: {text}" if text else name for name, text in self.items[:_MOST]]
        lines += [f"and {len(self.items) - _MOST} more"] if len(self.items) > _MOST else []
        lines += [self.text] if self.text else []
        lines += [f"revision {self.revision[:12]}"] if self.revision else []
        return "\n".join(lines)


class CommitState(NamedTuple):
    """What became of a commit: success, failure or error."""

    project: str
    commit: str
    state: str
    text: str


class Notices:
    """Remembers what was told. Called with everything, from one thread."""

    def __init__(self) -> None:
        #: by project, what is amiss, and as what it was told
        self._amiss: dict[str, dict[str, str]] = {}
        self._flapping: dict[str, frozenset[str]] = {}
        self._committed: dict[str, CommitState] = {}
        #: by project, what may pass by itself
        self._passing: dict[str, SourceChanged] = {}

    def take(self, told: Told) -> list[Notice]:
        """What people are to be told of this."""
        match told:
            case PlanMade():
                held = {str(item.address) for item in told.held if item.why is Why.FLAPPING}
                self._flapping[told.project] = frozenset(held)
                return []
            case PassEnded():
                return self._end(told)
            case StateChanged(project=""):
                return self._engine(told)
            case StateChanged():
                return self._state(told)
            case SourceChanged():
                return self._source(told)
            case _:
                return []

    # --- a pass ------------------------------------------------------------------------------------------------

    def _end(self, told: PassEnded) -> list[Notice]:
        """Everything that is new about the resources, in one notice whose event is the weightiest."""
        amiss = self._amiss.setdefault(told.project, {})
        outcomes = told.report.outcomes if told.report is not None else ()
        done: list[tuple[str, str]] = []
        bad: dict[Event, list[tuple[str, str]]] = {}
        for outcome in outcomes:
            name = str(outcome.address)
            event = _event_of(outcome)
            if outcome.status is Status.DONE and outcome.verb is not Verb.BLOCKED:
                done.append((name, outcome.verb.value))
                if name in amiss:  # told when all is well again, and anew if it fails again
                    amiss[name] = _MENDED
            elif event is not None and amiss.get(name) != event.value:
                amiss[name] = event.value
                bad.setdefault(event, []).append((name, _shortened(outcome.message or outcome.status.value)))
        for name in sorted(self._flapping.get(told.project, ())):
            if amiss.get(name) != Event.FLAPPING.value:
                amiss[name] = Event.FLAPPING.value
                bad.setdefault(Event.FLAPPING, []).append((name, "does not stay as declared, and is left alone"))
        found = []
        passing = self._passing.get(told.project)
        if passing is not None and told.at - passing.at >= _PATIENCE:
            found += self._refused(self._passing.pop(told.project))
        if bad:
            event = min(bad, key=list(Event).index)
            items = tuple(item for key in Event for item in bad.get(key, ()))
            found.append(_notice(told, event, f"{told.project}: {_TITLES[event]}", items))
        if done:
            found.append(_notice(told, Event.CHANGED, f"{told.project}: changed", tuple(done)))
        return found

    # --- a project ---------------------------------------------------------------------------------------------

    def _state(self, told: StateChanged) -> list[Notice]:
        amiss = self._amiss.setdefault(told.project, {})
        if told.after is Condition.INVALID:
            if amiss.get("spec") == told.text:
                return []
            amiss["spec"] = told.text
            title = f"{told.project}: the spec is invalid"
            return [Notice(Event.INVALID, told.project, title, told.at, _shortened(told.text))]
        if told.after is not Condition.SETTLED:
            return []
        was = [name for name in amiss if name != "source"]
        for name in was:
            del amiss[name]
        if not was:
            return []
        title = f"{told.project}: settled again"
        return [Notice(Event.RECOVERED, told.project, title, told.at, items=tuple((name, "") for name in was))]

    def _source(self, told: SourceChanged) -> list[Notice]:
        reason = told.after.reason
        waiting = self._passing.pop(told.project, told)
        if reason in _PASSING:
            self._passing[told.project] = told._replace(at=waiting.at)
            return []
        if reason:
            return self._refused(told)
        if self._amiss.setdefault(told.project, {}).pop("source", None) is None:
            return []
        title = f"{told.project}: its source is taken again"
        return [Notice(Event.RECOVERED, told.project, title, told.at, revision=_commit_of(told))]

    def _refused(self, told: SourceChanged) -> list[Notice]:
        amiss, commit = self._amiss.setdefault(told.project, {}), _commit_of(told)
        said = f"{told.after.reason} {commit}"
        if amiss.get("source") == said:
            return []
        amiss["source"] = said
        title = f"{told.project}: its source is not taken ({told.after.reason})"
        return [Notice(Event.REFUSED, told.project, title, told.at, _shortened(told.after.refusal), revision=commit)]

    def _engine(self, told: StateChanged) -> list[Notice]:
        amiss = self._amiss.setdefault("", {})
        if told.after is Condition.AWAY and "engine" not in amiss:
            amiss["engine"] = told.text
            return [Notice(Event.ENGINE, "", "the engine is away", told.at, _shortened(told.text))]
        if told.after is not Condition.AWAY and amiss.pop("engine", None) is not None:
            return [Notice(Event.RECOVERED, "", "the engine is back", told.at)]
        return []

    # --- commits -----------------------------------------------------------------------------------------------

    def commit(self, told: Told) -> CommitState | None:
        """What became of a commit, when that is known by this and was not said before."""
        state = _commit_state(told)
        if state is None or self._committed.get(state.project) == state:
            return None
        self._committed[state.project] = state
        return state


_TITLES: Mapping[Event, str] = {
    Event.FAILED: "a change failed",
    Event.ROLLED_BACK: "a roll-out failed, and what was there serves again",
    Event.FLAPPING: "something else keeps changing it",
}


def _event_of(outcome: Outcome) -> Event | None:
    if not outcome.has_failed:
        return None
    return Event.ROLLED_BACK if outcome.status is Status.RESTORED else Event.FAILED


def _notice(told: PassEnded, event: Event, title: str, items: tuple[tuple[str, str], ...]) -> Notice:
    return Notice(event, told.project, title, told.at + told.seconds, "", items, told.pass_id, told.revision)


def _commit_of(told: SourceChanged) -> str:
    return told.after.attempted.commit if told.after.attempted is not None else ""


def _shortened(text: str) -> str:
    """The end of a long text: that is where a log says why."""
    return text if len(text) <= _LONGEST else f"…{text[-_LONGEST:]}"


def _commit_state(told: Told) -> CommitState | None:
    if isinstance(told, SourceChanged):
        attempted = told.after.attempted
        if attempted is None or not attempted.commit or told.after.reason in ("", "unreachable", "not-now", "local"):
            return None
        return CommitState(told.project, attempted.commit, "error", told.after.refusal.partition("\n")[0])
    if not isinstance(told, PassEnded) or len(told.revision) not in (40, 64) or told.plan is None:
        return None
    failed = [item for item in told.report.outcomes if _event_of(item)] if told.report is not None else []
    if failed:
        text = ", ".join(f"{item.address} {item.status.value}" for item in failed[:3])
        return CommitState(told.project, told.revision, "failure", text)
    settled = told.plan.is_settled if told.report is None else told.report.is_settled
    return (
        CommitState(told.project, told.revision, "success", "applied, and everything is as declared")
        if settled
        else None
    )
