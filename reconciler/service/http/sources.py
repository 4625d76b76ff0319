"""Where specs come from, and the revisions of those that come from a repository, as documents."""

from __future__ import annotations

from typing import Any

from reconciler.loop.telling import SourceStatus
from reconciler.service.http.answers import moment
from reconciler.source.interface import Revision


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
