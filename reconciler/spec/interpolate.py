"""`${VAR}` in strings, as Compose has it.

    $VAR, ${VAR}                     the value; an unset variable is an error
    ${VAR:-word}, ${VAR-word}        `word` when unset or empty, when unset
    ${VAR:?words}, ${VAR?words}      an error with these words when unset or empty, when unset
    ${VAR:+word}, ${VAR+word}        `word` when set and not empty, when set; else nothing
    $$                               a dollar sign

A word may hold references again. What a variable holds is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

#: the value of a variable, None when it is unset
Lookup: TypeAlias = Callable[[str], str | None]

MAX_DEPTH = 16
#: No string that an engine takes is longer; a variable named a thousand times must not fill the memory.
MAX_LENGTH = 256 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":[-?+]|[-?+]")
_PLAIN = re.compile(r"[^$}]+")


class InterpolationError(Exception):
    """A reference that cannot be replaced; `hint` says what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class _Reference(NamedTuple):
    name: str
    operator: str
    word: list[str | _Reference]


def interpolate(text: str, lookup: Lookup) -> str:
    """The text with every reference replaced.

    Raises:
        InterpolationError: for a reference that is malformed, or to a variable that is unset and has no default.
    """
    if "$" not in text:
        return text
    parts, end = _parse(text, 0, 0)
    assert end == len(text)
    return _evaluate(parts, lookup)


def with_defaults(text: str, lookup: Lookup) -> str:
    """The text with an empty default for every unset variable that has none: `${NAME:-}` for `${NAME}`.

    Raises:
        InterpolationError: for a reference that is malformed.
    """
    if "$" not in text:
        return text
    return _render(_parse(text, 0, 0)[0], lookup)


def unset_in(text: str, lookup: Lookup) -> list[str]:
    """The unset variables that a text refers to without saying what then."""
    found: list[str] = []

    def note(name: str) -> str | None:
        value = lookup(name)
        found.extend([name] if value is None else [])
        return value

    with_defaults(text, note)
    return found


def _render(parts: list[str | _Reference], lookup: Lookup) -> str:
    """The text of parsed parts again."""
    pieces = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(part.replace("$", "$$"))
        else:
            operator = part.operator or (":-" if lookup(part.name) is None else "")
            pieces.append(f"${{{part.name}{operator}{_render(part.word, lookup)}}}")
    return "".join(pieces)


def _parse(text: str, start: int, depth: int) -> tuple[list[str | _Reference], int]:
    """The parts of a text from `start`: to its end, or inside braces (`depth` above 0) to the one that closes."""
    if depth > MAX_DEPTH:
        raise InterpolationError(f"references are nested more than {MAX_DEPTH} deep", "write the value itself")
    parts: list[str | _Reference] = []
    at = start
    while at < len(text):
        if match := _PLAIN.match(text, at):
            parts.append(match[0])
            at = match.end()
        elif text[at] == "}":
            if depth:
                return parts, at
            parts.append("}")
            at += 1
        elif text.startswith("$$", at):
            parts.append("$")
            at += 2
        else:
            reference, at = _parse_reference(text, at, depth)
            parts.append(reference)
    return parts, at


def _parse_reference(text: str, dollar: int, depth: int) -> tuple[_Reference, int]:
    braced = text.startswith("{", dollar + 1)
    name = _NAME.match(text, dollar + (2 if braced else 1))
    if name is None:
        raise _malformed(text, dollar)
    if not braced:
        return _Reference(name[0], "", []), name.end()
    if text.startswith("}", name.end()):
        return _Reference(name[0], "", []), name.end() + 1
    operator = _OPERATOR.match(text, name.end())
    if operator is None:
        raise _malformed(text, dollar)
    word, end = _parse(text, operator.end(), depth + 1)
    if end >= len(text):
        raise InterpolationError(f"the reference {text[dollar : dollar + 40]!r} is not closed", "end it with '}'")
    return _Reference(name[0], operator[0], word), end + 1


def _malformed(text: str, dollar: int) -> InterpolationError:
    return InterpolationError(
        f"{text[dollar : dollar + 40]!r} is not a reference to a variable",
        "write ${NAME}, or $$ where a dollar sign is meant",
    )


def _evaluate(parts: list[str | _Reference], lookup: Lookup) -> str:
    pieces: list[str] = []
    length = 0
    for part in parts:
        piece = part if isinstance(part, str) else _value(part, lookup)
        length += len(piece)
        if length > MAX_LENGTH:
            raise InterpolationError(
                f"the text grows beyond {MAX_LENGTH // 1024} KiB", "shorten what its variables hold"
            )
        pieces.append(piece)
    return "".join(pieces)


def _value(reference: _Reference, lookup: Lookup) -> str:
    name, operator, word = reference
    value = lookup(name)
    # A colon makes an empty variable count as unset.
    present = value is not None and (value != "" or not operator.startswith(":"))
    if operator.endswith("+"):
        return _evaluate(word, lookup) if present else ""
    if present and value is not None:
        return value
    if operator.endswith("-"):
        return _evaluate(word, lookup)
    state = "empty" if value == "" else "not set"
    if operator.endswith("?"):
        words = _evaluate(word, lookup)
        raise InterpolationError(
            f"the variable {name} is {state}" + (f": {words}" if words else ""),
            f"set {name} in the environment or in .env",
        )
    raise InterpolationError(
        f"the variable {name} is {state}",
        f"set {name} in the environment or in .env, or give a default: ${{{name}:-value}}",
    )
