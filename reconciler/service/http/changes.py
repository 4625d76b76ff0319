"""Changes as `plan --json` prints them, with each field's values also as a person writes them."""

from __future__ import annotations

from typing import Any

from reconciler.model.documents import change_document, plan_document
from reconciler.model.plan import Change, Plan


def shown_plan(plan: Plan) -> dict[str, Any]:
    return {**plan_document(plan), "changes": [shown_change(change) for change in plan.changes]}


def shown_change(change: Change) -> dict[str, Any]:
    document = change_document(change)
    for field, shown in zip(change.fields, document["fields"], strict=True):
        shown["shown"] = {"observed": field.shown[0], "desired": field.shown[1]}
    return document
