"""What pydantic finds → keys of the document, words for a person, and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.model.scalars import RESTART_ADVICE
from reconciler.spec.advice import advice, known_keys
from reconciler.spec.compose_words import ELSEWHERE, EXCLUDED
from reconciler.spec.keys import Keys
from reconciler.spec.problems import nearest, suggest

if TYPE_CHECKING:
    from pydantic import BaseModel

_MESSAGES = {
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "missing": "must be given",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "does not have the form os/architecture[/variant]",
}
#: of these the message says what to write
_BOUNDS = ("greater_than_equal", "less_than_equal", "string_too_long")


class Finding(NamedTuple):
    """One error of pydantic: its type, place, the value at fault, and what the type adds."""

    type: str
    place: tuple[str | int, ...]
    value: Any
    context: Mapping[str, Any]
    message: str


class Words(NamedTuple):
    keys: Keys
    message: str
    hint: str


def word(finding: Finding, root: type[BaseModel]) -> Words:
    """The finding in our words."""
    # Members of unions stand in the place as `<text>`, `<table>`; the document has no such key.
    keys = tuple(part for part in finding.place if not (isinstance(part, str) and part.startswith("<")))
    if finding.type == "extra_forbidden":
        return _unknown(keys, known_keys(finding.place[:-1], root))
    if finding.type == "literal_error":
        return _not_a_choice(keys, finding)
    message = _MESSAGES.get(finding.type, finding.message).format_map(dict(finding.context))
    return Words(keys, message, _hint(finding, keys, message, root))


def _unknown(keys: Keys, known: list[str]) -> Words:
    key = str(keys[-1])
    # The name of a resource is not part of the place: `container.web.env`, `image.api.build.arg`.
    place = (*keys[:1], *keys[2:-1]) if len(keys) > 1 else ()
    table = ".".join(str(key) for key in place) if len(keys) != 2 else "-"
    what = "option" if len(keys) > 1 else "table"
    message = f"unknown {what} '{key}'"
    if key in ELSEWHERE.get(table, {}):
        return Words(keys, message, ELSEWHERE[table][key])
    if table == "container" and key in EXCLUDED:
        return Words(keys, f"'{key}' of Compose is not known here", EXCLUDED[key])
    return Words(keys, message, suggest(key, known))


def _not_a_choice(keys: Keys, finding: Finding) -> Words:
    choices = [choice.strip("'") for choice in str(finding.context["expected"]).replace(" or ", ", ").split(", ")]
    message = f"must be {', '.join(repr(choice) for choice in choices[:-1])} or {choices[-1]!r}"
    meant = nearest(finding.value, choices) if isinstance(finding.value, str) else ""
    return Words(keys, message, f"did you mean '{meant}'?" if meant else "")


def _hint(finding: Finding, keys: Keys, message: str, root: type[BaseModel]) -> str:
    if finding.type in _BOUNDS:
        return ""
    if keys[-1] == "restart" and "a text" in message:
        return RESTART_ADVICE
    return _unquoted(keys, message, finding.value) or advice(
        finding.place, finding.value, root, is_missing=finding.type == "missing"
    )


def _unquoted(keys: Keys, message: str, value: Any) -> str:
    """What to do about quotes that are missing, or too many."""
    if isinstance(value, str):
        if value in ("true", "false") and "true or false" in message:
            return f"write {value} without quotes"
        if value.lstrip("-").isdigit() and "number" in message:
            return f"write {value} without quotes"
        if value.lower() in ("yes", "no", "on", "off") and "true or false" in message:
            return "write true or false, without quotes"
    elif (
        "a text" in message
        and not isinstance(value, list | dict)
        and (isinstance(keys[-1], int) or value not in (True, False))
    ):
        return "write it in quotes"
    return ""
