"""What the pass of each project is doing, step by step, and what the last one did: for those who come in the middle."""

from __future__ import annotations

import copy
import threading
import time
from typing import Any

from reconciler.apply.executor import Happening
from reconciler.loop.telling import ActionHappened, PassEnded, PassStarted, PlanMade, Told
from reconciler.model.documents import change_document, outcome_document
from reconciler.model.plan import Verb
from reconciler.service.http.answers import moment
from reconciler.service.http.chronicle import triggers_of

_MOST_STEPS = 100
_MOST_CHANGES = 500
_LONGEST_TEXT = 2000


class Rollouts:
    """An observer. For each project the pass under way, once it does something, and the last one that did."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[str, dict[str, Any]] = {}
        self._last: dict[str, dict[str, Any]] = {}

    def __call__(self, told: Told) -> None:
        with self._lock:
            match told:
                case PassStarted():
                    self._begun[told.project] = _fresh(told)
                case PlanMade():
                    self._plan(told)
                case ActionHappened():
                    self._action(told)
                case PassEnded():
                    self._end(told)
                case _:
                    pass

    def under_way(self, project: str) -> dict[str, Any] | None:
        """None while nothing is being changed."""
        with self._lock:
            found = self._begun.get(project)
            return _shown(found) if found is not None and found["changes"] else None

    def last(self, project: str) -> dict[str, Any] | None:
        with self._lock:
            found = self._last.get(project)
            return _shown(found) if found is not None else None

    # --- told, with the lock held ------------------------------------------------------------------------------

    def _plan(self, told: PlanMade) -> None:
        begun = self._begun.get(told.project)
        if begun is None or begun["pass_id"] != told.pass_id:
            return
        begun["revision"] = told.revision
        held = {item.address for item in told.held}
        for change in told.plan.changes[:_MOST_CHANGES]:
            if change.verb is not Verb.BLOCKED and change.address not in held:
                waiting = _change(str(change.address), change.verb.value)
                waiting["reason"], waiting["order"] = change.reason.value, change.order
                waiting["fields"] = change_document(change)["fields"]
                begun["changes"].setdefault(waiting["address"], waiting)

    def _action(self, told: ActionHappened) -> None:
        begun, happening = self._begun.get(told.project), told.happening
        if begun is None or begun["pass_id"] != told.pass_id:
            return
        address = str(happening.address)
        change = begun["changes"].get(address)
        if change is None:
            if len(begun["changes"]) >= _MOST_CHANGES or happening.what == "end":
                return  # what is blocked ends without having begun
            change = begun["changes"][address] = _change(address, happening.verb.value)
        _go_on(change, happening)

    def _end(self, told: PassEnded) -> None:
        begun = self._begun.pop(told.project, None)
        if begun is None or begun["pass_id"] != told.pass_id or told.report is None:
            return
        begun["seconds"] = round(told.seconds, 3)
        begun["revision"] = told.revision
        self._last[told.project] = begun


def _fresh(told: PassStarted) -> dict[str, Any]:
    return {
        "pass_id": told.pass_id,
        "at": moment(told.at),
        "triggers": triggers_of(told),
        "revision": "",
        "seconds": None,
        "changes": {},
    }


def _change(address: str, verb: str) -> dict[str, Any]:
    return {
        "address": address,
        "verb": verb,
        "reason": "",
        "order": "",
        "fields": [],
        "status": "waiting",
        "seconds": None,
        "message": "",
        "line": "",
        "steps": [],
    }


def _go_on(change: dict[str, Any], happening: Happening) -> None:
    match happening.what:
        case "start":
            change["status"] = "under way"
        case "action" if len(change["steps"]) < _MOST_STEPS:
            change["status"], change["line"] = "under way", ""
            change["steps"].append({"at": moment(time.time()), "text": happening.text[:_LONGEST_TEXT]})
        case "line":
            change["line"] = happening.text[:_LONGEST_TEXT]
        case "end" if happening.outcome is not None:
            outcome = outcome_document(happening.outcome)
            change.update(status=outcome["status"], seconds=outcome["seconds"], message=outcome["message"], line="")


def _shown(begun: dict[str, Any]) -> dict[str, Any]:
    return {**begun, "changes": copy.deepcopy([*begun["changes"].values()])}
