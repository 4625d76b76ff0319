"""Files of NAME=value lines, as Compose reads them: `.env` beside the spec, and what `env_file` names.

# comment
export NAME=value        # a comment after a space; references are replaced
NAME="value"             # escapes \\n \\r \\t \\" \\\\ \\$; references are replaced; may span lines
NAME='value'             # as it stands; may span lines
NAME                     # from the environment; left out when it is unset there
"""

from __future__ import annotations

import re
from typing import NamedTuple

from reconciler.spec.interpolate import InterpolationError, Lookup, interpolate

MAX_BYTES = 256 * 1024

_ENTRY = re.compile(
    r"[ \t]*(?:export[ \t]+)?(?P<name>[^\s=:#'\"]+)[ \t]*(?:(?P<mark>[=:])[ \t]*"
    r"(?:\"(?P<double>(?:[^\"\\]|\\.)*+)\"|'(?P<single>[^']*+)'|(?P<plain>(?![\"'])[^\n]*+)))?[ \t]*(?P<rest>(?:\#[^\n]*+)?)(?:\n|\Z)",
    re.DOTALL,
)
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*+)?(?:\n|\Z)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-\[\]]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Mistake(NamedTuple):
    """What is wrong with one line of such a file; `line` is 1-based."""

    line: int
    message: str
    hint: str


class _Reader:
    """One file being read: the variables so far, and what was wrong."""

    def __init__(self, environment: Lookup) -> None:
        self.environment = environment
        self.variables: dict[str, str] = {}
        self.mistakes: list[Mistake] = []

    def lookup(self, name: str) -> str | None:
        value = self.environment(name)
        return self.variables.get(name) if value is None else value

    def take(self, entry: re.Match[str], line: int) -> None:
        name = entry["name"]
        try:
            value = self.value(entry)
        except InterpolationError as error:
            hint = f"{error.hint}; in single quotes the value is taken as it stands"
            self.mistakes.append(Mistake(line, str(error), hint))
            return
        if value is not None and _FORBIDDEN.search(value):
            self.mistakes.append(Mistake(line, f"the value of {name} holds a control character", "remove it"))
        elif value is not None:
            self.variables[name] = value

    def value(self, entry: re.Match[str]) -> str | None:
        if entry["mark"] is None:
            return self.environment(entry["name"])
        if entry["single"] is not None:
            return entry["single"]
        if entry["double"] is not None:
            # A backslash before a dollar sign keeps it; `$$` is how the interpolation is told so.
            escaped = _ESCAPE.sub(
                lambda match: "$$" if match[1] == "$" else _ESCAPES.get(match[1], match[1]), entry["double"]
            )
            return interpolate(escaped, self.lookup)
        plain = re.sub(r"(?:^|\s)#.*", "", entry["plain"]).strip()
        return interpolate(plain, self.lookup)


def parse_raw_file(text: str, environment: Lookup) -> tuple[dict[str, str], list[Mistake]]:
    """The variables of a file whose values are taken as they stand, quotes and dollar signs included."""
    reader = _Reader(environment)
    for line, content in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        name, mark, value = content.lstrip().partition("=")
        if not name.strip() or name.startswith("#"):
            continue
        if re.search(r"\s", name) or _FORBIDDEN.search(value):
            hint = "write NAME=value, without spaces before '='"
            reader.mistakes.append(Mistake(line, "this line is not NAME=value", hint))
            continue
        passed = value if mark else environment(name)
        if passed is not None:
            reader.variables[name] = passed
    return reader.variables, reader.mistakes


def parse_env_file(text: str, environment: Lookup) -> tuple[dict[str, str], list[Mistake]]:
    """The variables of a file, in order, and what could not be read.

    References see the environment first, then the lines above.
    """
    reader = _Reader(environment)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    at, line = 0, 1
    while at < len(text):
        if blank := _BLANK.match(text, at):
            at, line = blank.end(), line + 1
            continue
        entry = _ENTRY.match(text, at)
        if entry is None or not _NAME.fullmatch(entry["name"]):
            reader.mistakes.append(
                Mistake(line, "this line is not NAME=value", "write NAME=value; a quote must be closed")
            )
            end = text.find("\n", at) + 1 or len(text)
        else:
            end = entry.end()
            reader.take(entry, line)
        line += text.count("\n", at, end)
        at = end
    return reader.variables, reader.mistakes
