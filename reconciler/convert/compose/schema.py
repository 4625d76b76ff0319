"""The published schema of Compose files, and its complaints in words with a place.

compose-spec.json is that of the Compose Specification (compose-spec/compose-go, Apache License 2.0), unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from reconciler.convert.compose.merging import settled
from reconciler.convert.compose.values import Map, place_of
from reconciler.errors import Problem, SpecError
from reconciler.spec.keys import path_text
from reconciler.spec.problems import MAX_PROBLEMS, nearest

if TYPE_CHECKING:
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import ValidationError

_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping",
    "string": "a text",
}


@cache
def _validator() -> Draft7Validator:
    from jsonschema import Draft7Validator

    return Draft7Validator(json.loads((files(__package__) / "compose-spec.json").read_text("utf-8")))


def check(document: Map) -> None:
    """Refuse a document that is no Compose file, with every mistake and its place."""
    from jsonschema.exceptions import best_match

    plain = settled(document)
    problems: list[Problem] = []
    for error in _validator().iter_errors(plain):
        problems += _word(best_match([error]), document)
        if len(problems) > MAX_PROBLEMS:
            break
    if problems:
        raise SpecError(problems)


def _word(error: ValidationError, document: Map) -> Iterable[Problem]:
    keys = tuple(error.absolute_path)
    place = place_of(document, keys, document.own)
    value, wanted = error.instance, error.validator_value
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = error.schema.get("properties", {})
        for key in value if isinstance(value, dict) else ():
            if key not in known and not key.startswith("x-"):
                where = place_of(document, (*keys, key), place)
                near = nearest(key, known)
                hint = f"did you mean '{near}'?" if near else "it is no key of the Compose Specification"
                yield Problem(where.file, where.line, 0, path_text((*keys, key)), "is not known", hint)
        return
    message, hint = error.message, ""
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        message = f"must be {' or '.join(_WORDS.get(kind, kind) for kind in kinds)}, not {_shown(value)}"
    elif error.validator == "enum":
        message = f"must be one of {', '.join(str(word) for word in wanted if word)}, not {_shown(value)}"
    elif error.validator == "required":
        missing = [key for key in wanted if key not in value]
        message, hint = f"lacks {', '.join(missing)}", "write it"
    elif error.validator == "uniqueItems":
        message, hint = "holds an entry twice", "keep one of the two"
    elif error.validator == "pattern":
        message = f"{_shown(value)} is not of the form it must have, {wanted}"
    else:
        message = message if len(message) < 200 else f"{_shown(value)} is not what stands here"
    yield Problem(place.file, place.line, 0, path_text(keys), message, hint)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    return "nothing" if value is None else text if len(text) < 60 else f"{text[:60]}…"
