"""Variables of containers and builds: tables, lists with names taken from the environment, and env_file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.errors import Problem
from reconciler.model.address import Kind
from reconciler.model.forms import ENVIRONMENT
from reconciler.model.values import Value
from reconciler.spec.env_files import MAX_BYTES, parse_env_file, parse_raw_file
from reconciler.spec.keys import Keys
from reconciler.spec.paths import absolute, kind_of
from reconciler.spec.reading import UnreadableError, read_text
from reconciler.spec.scope import REFUSED, Scope, Table


def declare_variables(scope: Scope, keys: Keys, raw: Any) -> dict[str, str] | None:
    """Values by name; a NAME alone in a list is taken from the environment. None after a complaint."""
    found = len(scope.problems.found)
    if isinstance(raw, list):
        items = [_from_environment(scope, (*keys, at), item) for at, item in enumerate(raw)]
        raw = [item for item in items if item is not None]
    variables = scope.declare(keys, ENVIRONMENT, raw)
    for name in () if variables is REFUSED else variables:
        if not name or "=" in name:
            scope.problems.at(keys, f"{name!r} is not the name of a variable", "write NAME=value")
    return None if len(scope.problems.found) > found else variables


def _from_environment(scope: Scope, keys: Keys, item: str) -> str | None:
    """`NAME=value`; None for a variable of a container that is set nowhere. A build needs all that it names."""
    if "=" in item or not item:
        return item
    value = scope.environment.get(item)
    if value is None and keys[0] == Kind.IMAGE.value:
        scope.problems.at(
            keys, f"the variable {item} is not set", f"set it in the environment or in .env, or write {item}=value"
        )
    return None if value is None else f"{item}={value}"


def merged_environment(scope: Scope, keys: Keys, table: Table) -> dict[str, Value] | None:
    """`environment` over the files of `env_file`; None when neither is given, or after a complaint."""
    if "environment" not in table and "env_file" not in table:
        return None
    variables: dict[str, Value] = {}
    raw = table.get("env_file", [])
    for at, entry in enumerate([raw] if isinstance(raw, str) else raw):
        place = (*keys, "env_file", at) if isinstance(raw, list) else (*keys, "env_file")
        variables.update(_read(scope, place, {"path": entry} if isinstance(entry, str) else entry))
    given = table.get("environment", {})
    unset = [item for item in given if _is_unset(scope, item)] if isinstance(given, list) else []
    declared = declare_variables(scope, (*keys, "environment"), given)
    if declared is None:
        return None
    # A name alone that is set nowhere is not set in the container either, whatever its image says.
    return {**variables, **declared, **dict.fromkeys(unset)}


def _is_unset(scope: Scope, item: str) -> bool:
    return "=" not in item and bool(item) and scope.environment.get(item) is None


def env_files(scope: Scope) -> list[str]:
    """The files that the containers' `env_file` and `label_file` name, and `.env`, there or not."""
    found = [absolute(scope.directory, ".env", scope.environment)]
    for table in scope.tables(Kind.CONTAINER).values():
        for raw in (table.get("env_file", []), table.get("label_file", [])):
            for entry in [raw] if isinstance(raw, str) else raw:
                path = entry if isinstance(entry, str) else entry["path"]
                found.append(absolute(scope.directory, path, scope.environment))
    return found


def labels_from_files(scope: Scope, keys: Keys, raw: str | list[str]) -> dict[str, Value]:
    """The labels in the files of `label_file`; later files win."""
    labels: dict[str, Value] = {}
    for at, path in enumerate([raw] if isinstance(raw, str) else raw):
        labels.update(_read(scope, (*keys, "label_file", at), {"path": path}))
    scope.check_labels((*keys, "label_file"), labels)
    return labels


def _read(scope: Scope, keys: Keys, entry: Table) -> dict[str, str]:
    path = absolute(scope.directory, entry["path"], scope.environment)
    shown = str(Path(scope.shown, entry["path"]))
    if entry.get("required") is False and not kind_of(path):
        return {}
    try:
        text = read_text(path, MAX_BYTES)
    except UnreadableError as error:
        scope.problems.at(keys, f"the file {shown} {error}", error.hint)
        return {}
    parse = parse_raw_file if entry.get("format") == "raw" else parse_env_file
    variables, mistakes = parse(text, scope.environment.get)
    for mistake in mistakes:
        scope.problems.add(Problem(shown, mistake.line, 0, "", mistake.message, mistake.hint))
    return variables
