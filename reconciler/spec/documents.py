"""The document as pydantic models: one field for each declared row of the option table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomli
from pydantic import ValidationError

from reconciler.model.address import Kind
from reconciler.model.options import Cost, Option
from reconciler.model.rows import TABLE
from reconciler.spec.long_forms import ROLLOUT
from reconciler.spec.problems import MAX_PROBLEMS, Problems
from reconciler.spec.shapes import BY_FORM, STEERING
from reconciler.spec.toml_types import TEXTS, Table, needed, option, table, table_of
from reconciler.spec.wording import Finding, word


def describe(row: Option) -> str:
    """The summary of an option, ending in its unit."""
    return f"{row.summary} Unit: {row.unit}." if row.unit else row.summary


def example_of(row: Option) -> Any:
    """The example of an option as a value."""
    return tomli.loads(f"value = {row.example}")["value"]


def _fields(kind: Kind, *required: str) -> dict[str, Any]:
    fields = {}
    for row in TABLE[kind]:
        if row.declared:
            steering = STEERING.get(row.name) if row.cost is Cost.NOTHING else None
            make = needed if row.name in required else option
            fields[row.name] = make(steering or BY_FORM[row.form], describe(row), example_of(row))
    return fields


_ADOPT = option(bool, "Take over an unlabelled object of this name instead of being blocked by it.", example=True)
_ROLLOUT = option(ROLLOUT, "How containers are replaced.", {"order": "start-first", "timeout": "60s"})

PROJECT = table(
    "Project",
    name=option(str, "The project's name; that of the directory when not given.", "shop"),
    adopt=_ADOPT,
    prune=option(
        bool, "Remove volumes that left the spec, and what is in them, when the run is confirmed.", example=True
    ),
    profiles=option(TEXTS, "The active profiles, beside those of RECONCILER_PROFILES.", ["debug"]),
    rollout=_ROLLOUT,
)
MODELS: dict[Kind, type[Table]] = {
    Kind.IMAGE: table("Image", **_fields(Kind.IMAGE), adopt=_ADOPT),
    Kind.CONTAINER: table("Container", **_fields(Kind.CONTAINER, "image"), adopt=_ADOPT, rollout=_ROLLOUT),
    Kind.NETWORK: table("Network", **_fields(Kind.NETWORK), adopt=_ADOPT),
    Kind.VOLUME: table("Volume", **_fields(Kind.VOLUME), adopt=_ADOPT),
}
CONTENT = table(
    "Content",
    {"text": "file"},
    file=option(str, "A file, relative to the spec; at most 1 MiB.", "./motd"),
    environment=option(str, "A variable of your environment, or of .env.", "MOTD"),
    content=option(str, "The content itself.", "Welcome.\n"),
)
SPEC = table(
    "Spec",
    project=option(PROJECT, "What holds for the whole project.", {"name": "shop"}),
    image=option(table_of(MODELS[Kind.IMAGE]), "Images, by name.", {"redis": {"reference": "redis:7.4"}}),
    container=option(table_of(MODELS[Kind.CONTAINER]), "Containers, by name.", {"cache": {"image": "redis"}}),
    network=option(table_of(MODELS[Kind.NETWORK]), "Networks, by name.", {"backend": {"internal": True}}),
    volume=option(table_of(MODELS[Kind.VOLUME]), "Volumes, by name.", {"pages": {}}),
    config=option(table_of(CONTENT), "Contents of files, by name.", {"motd": {"content": "Welcome."}}),
    secret=option(table_of(CONTENT), "Contents that are never shown, by name.", {"key": {"file": "./key"}}),
)


def check_structure(document: Mapping[str, Any], problems: Problems) -> bool:
    """Whether every key is known and every value of the right type; what is not goes to `problems`.

    What was found broken before is not reported again, though it is not valid either.
    """
    try:
        SPEC.model_validate(document)
    except ValidationError as error:
        known = frozenset(problems.broken)
        for details in error.errors(include_url=False)[: MAX_PROBLEMS + len(known)]:
            context = details.get("ctx") or {}
            finding = Finding(details["type"], details["loc"], details["input"], context, details["msg"])
            words = word(finding, SPEC)
            # Several mistakes of one option are all reported; those that follow from an earlier stage are not.
            if not any(words.keys[:length] in known for length in range(1, len(words.keys) + 1)):
                problems.at(*words)
        return False
    return True
