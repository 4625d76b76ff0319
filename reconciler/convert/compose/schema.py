"""The published schema of Compose files, and its complaints in words with a place.

compose-spec.json is that of the Compose Specification (compose-spec/compose-go, Apache License 2.0), unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
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
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        for key in error.instance if isinstance(error.instance, dict) else ():
            if not _is_known(key, error.schema):
                where = place_of(document, (*keys, key), place)
                message, hint = _unknown(key, error.schema)
                yield Problem(where.file, where.line, 0, path_text((*keys, key)), message, hint)
        return
    message, hint = _message(error)
    yield Problem(place.file, place.line, 0, path_text(keys), message, hint)


def _is_known(key: str, schema: Mapping[str, Any]) -> bool:
    return key in schema.get("properties", {}) or any(
        re.search(pattern, key) for pattern in schema.get("patternProperties", {})
    )


def _unknown(key: str, schema: Mapping[str, Any]) -> tuple[str, str]:
    known = schema.get("properties", {})
    if not known:  # names of one's own
        return "is not a name that may stand here", "write letters, digits, '.', '_' and '-'" if key else "write a name"
    near = nearest(key, known)
    return "is not known", f"did you mean '{near}'?" if near else "it is no key of the Compose Specification"


def _message(error: ValidationError) -> tuple[str, str]:
    value, wanted = error.instance, error.validator_value
    if error.validator in ("type", "oneOf", "anyOf"):
        kinds = _kinds(error)
        if kinds:
            return f"must be {' or '.join(_WORDS.get(kind, kind) for kind in kinds)}, not {_shown(value)}", ""
    elif error.validator == "enum":
        return f"must be one of {', '.join(str(word) for word in wanted if word)}, not {_shown(value)}", ""
    elif error.validator == "required":
        return f"lacks {', '.join(key for key in wanted if key not in value)}", "write it"
    elif error.validator == "uniqueItems":
        return "holds an entry twice", "keep one of the two"
    elif error.validator == "pattern":
        return f"{_shown(value)} is not of the form it must have, {wanted}", ""
    elif error.validator in ("minimum", "maximum"):
        return f"must be at {'least' if error.validator == 'minimum' else 'most'} {wanted}, not {_shown(value)}", ""
    return f"{_shown(value)} is not what stands here", ""


def _kinds(error: ValidationError) -> list[str]:
    """The types that the value might have, where its type is what is wrong; of several schemas, with each of them."""
    wanted = error.validator_value
    if error.validator == "type":
        return [wanted] if isinstance(wanted, str) else list(wanted)
    if error.validator not in ("oneOf", "anyOf"):
        return []
    found = {part.schema_path[0]: _kinds(part) for part in error.context or () if not part.path}
    by_type = [kinds for kinds in found.values() if kinds]
    return list(dict.fromkeys(kind for kinds in by_type for kind in kinds)) if len(by_type) == len(wanted) else []


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    return "nothing" if value is None else text if len(text) < 60 else f"{text[:60]}…"
