"""A journal in memory, with entries of the same form as those of the real one."""

import itertools
from typing import Any

from reconciler.loop.telling import PassEnded, Told
from reconciler.model.documents import change_document, outcome_document
from reconciler.model.report import Status
from reconciler.service.http.answers import moment


class Past:
    """An observer that remembers every pass that did something."""

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def __call__(self, told: Told) -> None:
        if not isinstance(told, PassEnded) or told.report is None or told.plan is None:
            return
        outcomes = told.report.outcomes
        failed = any(item.status in (Status.FAILED, Status.RESTORED) for item in outcomes)
        self._entries.insert(0, {
            "id": next(self._numbers), "at": moment(told.at), "until": moment(told.at + told.seconds), "times": 1,
            "pass_id": told.pass_id, "project": told.project, "result": "failed" if failed else "done",
            "seconds": told.seconds, "revision": told.revision, "error": "",
            "triggers": [{"cause": item.cause.value, "text": item.text} for item in told.triggers],
            "resources": [
                {"address": str(change.address), "verb": change.verb.value, "status": outcome.status.value}
                for change, outcome in zip(told.plan.changes, outcomes, strict=True)
                if outcome.status is not Status.BLOCKED
            ],
            "changes": [change_document(change) for change in told.plan.changes],
            "outcomes": [outcome_document(outcome) for outcome in outcomes],
        })  # fmt: skip

    def entries(self, project: str, limit: int, before: int | None) -> list[dict[str, Any]]:
        found = [
            item for item in self._entries if project in ("", item["project"]) and item["id"] < (before or 1 << 62)
        ]
        details = ("changes", "outcomes")
        return [{key: value for key, value in item.items() if key not in details} for item in found[:limit]]

    def entry(self, id: int) -> dict[str, Any] | None:  # noqa: A002
        return next((item for item in self._entries if item["id"] == id), None)
