"""What became of revisions, in one small file. Losing it loses the story, and what was accepted is then read off the checkout."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from reconciler.source.interface import Reason, Refusal, Revision

_LARGEST = 256 * 1024
_MOMENTS = ("attempted", "accepted", "taken", "applied")


class Moment(NamedTuple):
    """A revision, when (seconds since 1970) and, if it was refused, why."""

    revision: Revision | None
    at: float
    refusal: Refusal | None = None


class Record(NamedTuple):
    """The last of each; `taken` is what is checked out. `identity` says of which source: what another one accepted binds nobody."""

    identity: str = ""
    attempted: Moment | None = None
    accepted: Moment | None = None
    taken: Moment | None = None
    applied: Moment | None = None


def load(file: Path) -> Record:
    """What the file says; an empty record when it is missing or damaged."""
    try:
        with file.open("rb") as stream:
            document = json.loads(stream.read(_LARGEST))
        moments = {name: _moment(document.get(name)) for name in _MOMENTS}
        return Record(str(document["identity"]), **moments)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Record()


def save(file: Path, record: Record) -> None:
    """Replace the file at once: a reader sees the old text or the new one. Raises OSError."""
    document: dict[str, Any] = {"version": 1, "identity": record.identity}
    for name in _MOMENTS:
        moment = getattr(record, name)
        if moment is not None:
            document[name] = {
                "at": moment.at,
                "revision": moment.revision._asdict() if moment.revision else None,
                "refusal": moment.refusal._asdict() if moment.refusal else None,
            }
    partly = file.with_name(f".{file.name}.{os.getpid()}.new")
    with partly.open("w", encoding="utf-8") as stream:
        json.dump(document, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    partly.replace(file)


def _moment(raw: Any) -> Moment | None:
    if raw is None:
        return None
    revision, refusal = raw["revision"], raw["refusal"]
    texts = {field: str(revision[field]) for field in Revision._fields} if revision else None
    why = Refusal(Reason(refusal["reason"]), str(refusal["message"]), str(refusal["hint"])) if refusal else None
    return Moment(Revision(**texts) if texts else None, float(raw["at"]), why)
