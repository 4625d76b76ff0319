"""Plan and report as documents, ready for `json`; additive changes only within a `FORMAT_VERSION`."""

from __future__ import annotations

from typing import Any

from reconciler.model.describe import describe
from reconciler.model.plan import Change, Plan
from reconciler.model.report import Outcome, Report
from reconciler.model.values import to_json

FORMAT_VERSION = "1"


def plan_document(plan: Plan) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "project": plan.project,
        "engine": {"name": plan.engine_name, "id": plan.engine_id, "api_version": plan.api_version},
        "changes": [change_document(change) for change in plan.changes],
        "summary": plan.summary(),
        "warnings": list(plan.warnings),
    }


def change_document(change: Change) -> dict[str, Any]:
    return {
        "address": str(change.address),
        "verb": change.verb.value,
        "reason": change.reason.value,
        "fields": [
            {
                "path": field.path,
                "observed": to_json(field.observed),
                "desired": to_json(field.desired),
                "reason": field.reason.value,
                "forces": field.forces,
                "sensitive": field.sensitive,
                "shown": list(field.shown),
                "source": field.source.rpartition("/")[2],  # beside the spec there is nothing to tell apart
            }
            for field in change.fields
        ],
        "actions": [describe(step.action) for step in change.steps],
        "after": [str(address) for address in change.after],
        "note": change.note,
        "order": change.order,
    }


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    return {
        "address": str(outcome.address),
        "verb": outcome.verb.value,
        "status": outcome.status.value,
        "seconds": round(outcome.seconds, 3),
        "message": outcome.message,
        "warnings": list(outcome.warnings),
        "kept": outcome.kept._asdict() if outcome.kept is not None else None,
    }


def report_document(plan: Plan, report: Report, error: str = "") -> dict[str, Any]:
    remaining = report.remaining
    return {
        "format_version": FORMAT_VERSION,
        "project": plan.project,
        "engine": {"name": plan.engine_name, "id": plan.engine_id, "api_version": plan.api_version},
        "settled": report.is_settled and not error,
        "error": error,
        "outcomes": [outcome_document(outcome) for outcome in report.outcomes],
        "remaining": [change_document(change) for change in remaining.changes] if remaining is not None else [],
        "summary": plan.summary(),
        "warnings": list(plan.warnings),
    }
