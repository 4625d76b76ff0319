"""Saved plans. A file holds what was shown and a digest of every change, down to the last body and observed id.

To apply it is to plan again and carry out exactly the changes whose digests are the same; when one differs, something
it touches has moved (the object, the spec, what is built) and the file is refused. So it holds no secrets, and there
is no second way from a file to the engine.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from reconciler import __version__
from reconciler.errors import StalePlanError, UsageError
from reconciler.model.address import parse_address
from reconciler.model.contents import Content
from reconciler.model.documents import plan_document
from reconciler.model.plan import Change, Plan
from reconciler.model.values import digest
from reconciler.planning.world import Request

_FORMAT = "reconciler-plan"
_MAX_BYTES = 64 * 1024 * 1024


class SavedPlan(NamedTuple):
    path: str
    request: Request
    engine_id: str
    changes: dict[str, str]


def save(file: Path, spec_path: str, request: Request, plan: Plan) -> None:
    """Write a plan; only its owner may read it."""
    document = {
        "format": _FORMAT,
        "reconciler": __version__,
        "path": str(Path(spec_path).resolve()),
        "targets": [str(address) for address in request.targets],
        "replace": [str(address) for address in request.replace],
        "build": request.build,
        "allow_removals": request.allow_removals,
        "digests": {_key(change): _digest(change) for change in plan.changes},
        "plan": plan_document(plan),
    }
    try:
        _write_privately(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UsageError(
            f"the plan cannot be written to {file}: {error.strerror}\n    hint: give --out a file that you may write"
        ) from None


def _write_privately(file: Path, text: str) -> None:
    """Whole or not at all, and readable to its owner alone even where a file of that name was there before."""
    if file.exists() and not file.is_file():
        raise IsADirectoryError(0, "it is no ordinary file")
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8", opener=_opener) as stream:
            stream.write(text)
        temporary.replace(file.resolve())
    finally:
        temporary.unlink(missing_ok=True)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, 0o600)


def is_saved_plan(file: Path) -> bool:
    """Whether a file is meant as a plan: no spec begins with a brace."""
    try:
        with file.open("rb") as stream:
            return stream.read(1) == b"{"
    except OSError:
        return False


def read(file: Path) -> SavedPlan | None:
    """The plan in a file; None when it is something else, such as a spec.

    Raises:
        UsageError: it is damaged.
        StalePlanError: another version of this program made it.
    """
    if not is_saved_plan(file):
        return None
    try:
        document = json.loads(file.read_text(encoding="utf-8")) if file.stat().st_size <= _MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise UsageError(
            f"{file} is a damaged plan file, or none\n    hint: make one with `reconciler plan --out {file}`"
        )
    return _decode(file, document)


def _decode(file: Path, document: dict[str, Any]) -> SavedPlan:
    if document.get("reconciler") != __version__:
        made_by = document.get("reconciler") or "of an unknown version"
        raise StalePlanError(f"{file} was saved by reconciler {made_by}, this is {__version__}\n    hint: plan again")
    try:
        request = Request(
            targets=tuple(parse_address(text) for text in document["targets"]),
            replace=tuple(parse_address(text) for text in document["replace"]),
            build=bool(document["build"]),
            allow_removals=bool(document["allow_removals"]),
        )
        return SavedPlan(
            str(document["path"]), request, str(document["plan"]["engine"]["id"]), dict(document["digests"])
        )
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{file} is a damaged plan file\n    hint: make it again with `reconciler plan --out {file}`"
        ) from None


def still_holds(saved: SavedPlan, fresh: Plan) -> Plan:
    """The changes of the saved plan, as they are planned now.

    Raises:
        StalePlanError: one of them would be another today; names each.
    """
    if saved.engine_id != fresh.engine_id:
        raise StalePlanError(
            "the saved plan was made for another engine; nothing was changed\n"
            "    hint: name that one with -H or DOCKER_HOST, or plan again for this one"
        )
    today = {_key(change): change for change in fresh.changes}
    moved = [key for key, value in saved.changes.items() if key not in today or _digest(today[key]) != value]
    if moved:
        raise StalePlanError(
            f"the saved plan is stale: {', '.join(sorted(moved))} moved since it was made; nothing was changed\n"
            "    hint: run `reconciler plan --out FILE` again, read it, and apply that"
        )
    return fresh._replace(changes=tuple(change for change in fresh.changes if _key(change) in saved.changes))


def _key(change: Change) -> str:
    return f"{change.address} ({change.verb.value})"


def _digest(change: Change) -> str:
    steps = [[type(step.action).__name__, _plain(step.action), _plain(step.undo)] for step in change.steps]
    fields = [[field.path, field.reason, *field.shown] for field in change.fields]
    after = [str(address) for address in change.after]
    return digest([_key(change), change.reason, fields, change.relies_on, steps, after])


def _plain(value: object) -> object:
    """Named tuples as lists, so that a digest covers every part. A content has a hash beside it, which may be told."""
    if isinstance(value, Content):
        return value.key
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
