"""Changes as `plan --json` prints them, with each field's values also as a person writes them; sources and their revisions."""

from __future__ import annotations

from typing import Any

from reconciler.loop.telling import SourceStatus
from reconciler.model.documents import change_document, plan_document
from reconciler.model.plan import Change, Plan
from reconciler.service.http.answers import moment
from reconciler.source.interface import Revision


def shown_plan(plan: Plan) -> dict[str, Any]:
    return {**plan_document(plan), "changes": [shown_change(change) for change in plan.changes]}


def shown_change(change: Change) -> dict[str, Any]:
    document = change_document(change)
    for field, shown in zip(change.fields, document["fields"], strict=True):
        shown["shown"] = {"observed": field.shown[0], "desired": field.shown[1]}
    return document


def source_document(source: SourceStatus) -> dict[str, Any]:
    """Where a spec comes from; of a repository also the revisions, null where there is none yet."""
    return {
        "description": source.description,
        "attempted": revision_document(source.attempted),
        "accepted": revision_document(source.accepted),
        "applied": revision_document(source.applied),
        "reason": source.reason,
        "refusal": source.refusal,
        "checked": moment(source.checked),
        "notes": list(source.notes),
    }


def revision_document(revision: Revision | None) -> dict[str, Any] | None:
    return None if revision is None else {key: value for key, value in revision._asdict().items() if value}
