"""What happens, as events for whoever follows: an observer with a bounded memory, and the events as JSON.

There is no queue for each of those who follow: each has a place in the one ring. Whoever falls out of it was too slow.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from reconciler.loop.telling import ActionHappened, PassEnded, PassStarted, PlanMade, SourceChanged, StateChanged, Told
from reconciler.model.documents import outcome_document
from reconciler.service.http.answers import Veil, moment
from reconciler.service.http.sources import source_document

_KEPT = 1000
_AT_ONCE = 100
#: progress of a pull or a build comes in thousands of lines; of each change so many a second are told
_LINE_PAUSE = 0.25
_LONGEST_TEXT = 2000


class Entry(NamedTuple):
    """`number` counts up from 1; `text` is JSON."""

    number: int
    event: str
    text: str


class Chronicle:
    """Remembers the last events. Told from any thread, read from any.

    Attributes:
        epoch: of this process: an id of another one's events says nothing here.
    """

    def __init__(self, veil: Veil, kept: int = _KEPT) -> None:
        self.epoch = f"{time.time_ns() // 10**6:x}"
        self._veil = veil
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._newest = 0
        self._wakers: set[Callable[[], None]] = set()
        self._lines: dict[tuple[str, str], float] = {}

    def __call__(self, told: Told) -> None:
        if isinstance(told, ActionHappened) and told.happening.what == "line" and not self._is_due(told):
            return
        event, document = event_document(told)
        text = json.dumps(self._veil.over(document), separators=(",", ":"))
        with self._lock:
            self._newest += 1
            self._entries.append(Entry(self._newest, event, text))
            wakers = list(self._wakers)
        for wake in wakers:
            wake()

    # --- following ---------------------------------------------------------------------------------------------

    def follow(self, wake: Callable[[], None]) -> None:
        """Have `wake` called, from any thread, when there is something new."""
        with self._lock:
            self._wakers.add(wake)

    def leave(self, wake: Callable[[], None]) -> None:
        with self._lock:
            self._wakers.discard(wake)

    @property
    def newest(self) -> int:
        with self._lock:
            return self._newest

    def name_of(self, number: int) -> str:
        """The id under which somebody can go on after this event."""
        return f"{self.epoch}-{number}"

    def place_of(self, name: str) -> int | None:
        """The number in an id; None for one that is not ours, or of what is forgotten."""
        epoch, _, number = name.partition("-")
        if epoch != self.epoch or not number.isdecimal() or len(number) > 15:
            return None
        return int(number) if self.after(int(number)) is not None else None

    def after(self, number: int) -> list[Entry] | None:
        """The next events, some at a time; None when they are forgotten, or never were."""
        with self._lock:
            oldest = self._newest - len(self._entries)
            if not oldest <= number <= self._newest:
                return None
            first = number - oldest
            return [self._entries[position] for position in range(first, min(first + _AT_ONCE, len(self._entries)))]

    def _is_due(self, told: ActionHappened) -> bool:
        key, now = (told.project, str(told.happening.address)), time.monotonic()
        with self._lock:
            if now - self._lines.get(key, 0.0) < _LINE_PAUSE:
                return False
            if len(self._lines) > _KEPT:
                self._lines.clear()
            self._lines[key] = now
        return True


# --- as JSON -------------------------------------------------------------------------------------------------------


def event_document(told: Told) -> tuple[str, dict[str, Any]]:
    """What an observer was told: the name of the event, and its content."""
    match told:
        case PassStarted():
            triggers = triggers_of(told)
            return "pass-started", {**_about(told), "at": moment(told.at), "triggers": triggers}
        case PlanMade():
            held = [{"address": str(item.address), "why": item.why.value} for item in told.held]
            content = {"revision": told.revision, "summary": told.plan.summary(), "held": held}
            return "plan", {**_about(told), **content, "settled": told.plan.is_settled}
        case ActionHappened():
            return "action", {**_about(told), **_happening_document(told)}
        case PassEnded():
            outcomes = [outcome_document(outcome) for outcome in told.report.outcomes] if told.report else []
            return "pass-ended", {
                **_about(told),
                "at": moment(told.at),
                "seconds": round(told.seconds, 3),
                "revision": told.revision,
                "triggers": triggers_of(told),
                "acted": told.report is not None,
                "outcomes": outcomes,
                "error": told.error[:_LONGEST_TEXT],
            }
        case SourceChanged():
            source = source_document(told.after)
            return "source", {"project": told.project, "source": source, "at": moment(told.at)}
        case StateChanged():
            return "state", {
                "project": told.project,
                "before": told.before.value,
                "after": told.after.value,
                "text": told.text[:_LONGEST_TEXT],
                "at": moment(told.at),
            }


def triggers_of(told: PassStarted | PassEnded) -> list[dict[str, str]]:
    """What had it look: each cause with its first text."""
    found: dict[str, str] = {}
    for trigger in told.triggers:
        found[trigger.cause.value] = found.get(trigger.cause.value) or trigger.text
    return [{"cause": cause, "text": text} for cause, text in found.items()]


def _about(told: PassStarted | PlanMade | ActionHappened | PassEnded) -> dict[str, str]:
    return {"project": told.project, "pass_id": told.pass_id}


def _happening_document(told: ActionHappened) -> dict[str, Any]:
    happening = told.happening
    document: dict[str, Any] = {
        "address": str(happening.address),
        "verb": happening.verb.value,
        "what": happening.what,
        "text": happening.text[:_LONGEST_TEXT],
    }
    if happening.outcome is not None:
        document["outcome"] = outcome_document(happening.outcome)
    return document
