"""What the loop tells → entries of the journal: every pass that did something or failed, and no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from typing import Any

from reconciler.loop.judge import pairs
from reconciler.loop.telling import Condition, PassEnded, StateChanged, Told
from reconciler.model.documents import change_document, outcome_document
from reconciler.model.plan import Verb
from reconciler.model.report import Report, Status
from reconciler.service.journal import Entry, Writer
from reconciler.service.redaction import Secrets

#: entries that wait to be written; when a disk hangs for longer, what comes is lost
_WAITING = 500
#: characters of one message: the end of a long one says why
_MESSAGE = 16_000
#: commits are named by 40 hex digits or 64, what we name ourselves by fewer
_COMMIT = (40, 64)


class Recorder:
    """An observer that writes the journal in a thread of its own: no pass ever waits for a disk."""

    def __init__(self, writer: Writer, secrets: Secrets, complain: Callable[[str], None]) -> None:
        self._writer, self._secrets, self._complain = writer, secrets, complain
        self._queue: Queue[tuple[PassEnded, str] | None] = Queue(_WAITING)
        self._ended: dict[str, PassEnded] = {}
        self._is_full = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="journal")

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, for so many seconds at most."""
        if self._thread.is_alive():
            with suppress(Full):
                self._queue.put(None, timeout=timeout)
            self._thread.join(timeout)

    def __call__(self, told: Told) -> None:
        if isinstance(told, PassEnded):
            self._ended[told.project] = told._replace(plan=None, report=None)
            if told.report is not None or told.error:
                self._put((told, told.error))
        elif isinstance(told, StateChanged) and told.after is Condition.INVALID:
            # With a former spec still in force the pass itself went well.
            ended = self._ended.get(told.project)
            if ended is not None and not ended.error:
                self._put((ended._replace(revision=""), told.text))

    def _put(self, item: tuple[PassEnded, str] | None) -> None:
        try:
            self._queue.put_nowait(item)
        except Full:
            if not self._is_full:
                self._complain("the journal cannot be written fast enough, so some of it is lost")
            self._is_full = True
        else:
            self._is_full = False

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            ended, error = item
            try:
                self._writer.write(entry_of(ended, error, "run", self._secrets))
            except Exception as problem:
                self._complain(f"a pass was not written to the journal: {type(problem).__name__}: {problem}")
        self._writer.close()


def entry_of(ended: PassEnded, error: str, by: str, secrets: Secrets) -> Entry:
    """What is written of a pass. `by` is the command that made it."""
    plan, report = ended.plan, ended.report
    outcomes = report.outcomes if report is not None else ()
    done = pairs(plan, report) if plan is not None and report is not None else []
    error = secrets.hide_in(_end(error or (report.unseen if report is not None else "")))
    summary: dict[str, Any] = {
        "pass_id": ended.pass_id,
        "project": ended.project,
        "by": by,
        "result": result_of(report, error),
        "seconds": round(ended.seconds, 3),
        "triggers": [
            {"cause": trigger.cause.value, "text": secrets.hide_in(trigger.text)} for trigger in ended.triggers[:20]
        ],
        "revision": ended.revision,
        "commit": ended.revision if len(ended.revision) in _COMMIT else "",
        "error": error,
        "summary": plan.summary() if plan is not None else {verb.value: 0 for verb in Verb},
        "counts": {status.value: sum(item.status is status for item in outcomes) for status in Status},
        "resources": [
            {"address": str(change.address), "verb": change.verb.value, "status": outcome.status.value}
            for change, outcome in done
            if change.verb is not Verb.BLOCKED
        ][:50],
    }
    details: dict[str, Any] = {
        "changes": [change_document(change) for change in plan.changes] if plan is not None else [],
        "outcomes": [outcome_document(item._replace(message=_end(item.message))) for item in outcomes],
        "held": [
            {"address": str(held.address), "why": held.why.value, "text": held.text, "until": held.until}
            for held in ended.held
        ],
        "remaining": [change_document(change) for change in report.remaining.changes]
        if report is not None and report.remaining is not None
        else [],
        "warnings": list(plan.warnings) if plan is not None else [],
    }
    # A failure to look is told once, however often it comes: only what was done is worth a line each time.
    mark = "" if report is not None else f"{by}\n{error}"
    return Entry(ended.project, ended.at, ended.at + ended.seconds, mark, summary, secrets.hide_in(details))


def result_of(report: Report | None, error: str) -> str:
    """`done`, `failed`, or `incomplete`: nothing failed, and yet not everything that was begun is done."""
    outcomes = report.outcomes if report is not None else ()
    statuses = [item.status for item in outcomes]
    if error or any(item.has_failed for item in outcomes):
        return "failed"
    is_cut_short = Status.STALE in statuses or any(item.is_stopped for item in outcomes)
    return "incomplete" if is_cut_short or Status.DONE not in statuses else "done"


def _end(text: str) -> str:
    return text if len(text) <= _MESSAGE else f"…{text[-_MESSAGE:]}"
