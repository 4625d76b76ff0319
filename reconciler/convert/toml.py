"""The text of a spec as a person would write it.

Short tables stand in one line, long ones get a header of their own; lists are wrapped where a line gets too long;
texts of several lines are written so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.convert.compose.values import Text
from reconciler.convert.output import Output, Section

WIDTH = 110

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_ESCAPED = re.compile(r'[\\"\x00-\x1f\x7f]')


def write(output: Output) -> str:
    """The whole file."""
    parts = ["".join(_comment(line) for line in output.head)] if output.head else []
    parts += [_section(section) for section in output.sections if section.table or section.name]
    return "\n".join(parts)


def _comment(line: str) -> str:
    return f"# {line}".rstrip() + "\n"


def _section(section: Section) -> str:
    header = _key(section.kind) + (f".{_key(section.name)}" if section.name else "")
    lines = [_comment(line) for line in section.comments]
    return "".join([*lines, *_table(header, section.table)])


def _table(header: str, table: Mapping[str, Any]) -> Iterable[str]:
    yield f"[{header}]\n"
    later: list[tuple[str, Mapping[str, Any]]] = []
    for key, value in table.items():
        if isinstance(value, Comment):
            yield _comment(value)
        elif _is_long(key, value):
            later.append((key, value))
        else:
            yield f"{_key(key)} = {_value(value, len(_key(key)) + 3, 0)}\n"
    for key, value in later:
        yield "\n"
        yield from _table(f"{header}.{_key(key)}", value)


class Comment(str):
    """A comment in place of a value; its key says nothing."""

    __slots__ = ()


def _is_long(key: str, value: Any) -> bool:
    """Whether a table is better off under a header of its own."""
    if not isinstance(value, Mapping):
        return False
    if any(isinstance(item, Comment) for item in value.values()):
        return True
    flat = _flat(value)
    return "\n" in flat or len(key) + 3 + len(flat) > WIDTH or _has_lines(value)


def _has_lines(value: Any) -> bool:
    if isinstance(value, str):
        return "\n" in value.rstrip("\n")
    if isinstance(value, Mapping):
        return any(_has_lines(item) for item in value.values())
    return isinstance(value, list) and any(_has_lines(item) for item in value)


def _value(value: Any, column: int, indent: int) -> str:
    """A value that begins at a column; lists that do not fit into the line get a line for each entry."""
    if isinstance(value, str):
        return _text(value, lines=True)
    if isinstance(value, list):
        flat = _flat(value)
        if column + len(flat) <= WIDTH and not _has_lines(value):
            return flat
        pad = " " * (indent + 4)
        inside = "".join(f"{pad}{_value(item, indent + 4, indent + 4)},\n" for item in value)
        return f"[\n{inside}{' ' * indent}]"
    return _flat(value)


def _flat(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value, lines=False)
    if isinstance(value, list):
        return f"[{', '.join(_flat(item) for item in value)}]"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(key)} = {_flat(item)}" for key, item in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return repr(value)


def _text(value: str, *, lines: bool) -> str:
    """A text; what is not a `Text` has no variables in it."""
    raw = value.raw if isinstance(value, Text) else value.replace("$", "$$")
    if lines and "\n" in raw.rstrip("\n") and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", raw):
        return _lines(raw)
    if '"' in raw and "'" not in raw and not re.search(r"[\x00-\x1f\x7f]", raw):
        return f"'{raw}'"
    if "\\" in raw and "'" not in raw and not re.search(r"[\x00-\x1f\x7f]", raw):
        return f"'{raw}'"
    return f'"{_ESCAPED.sub(_escape, raw)}"'


def _lines(raw: str) -> str:
    if "'''" not in raw and not raw.endswith("'") and ("\\" in raw or '"""' in raw or raw.endswith('"')):
        return f"'''\n{raw}'''"
    escaped = raw.replace("\\", "\\\\").replace('"""', '""\\"')
    if escaped.endswith('"'):
        escaped = escaped[:-1] + '\\"'
    return f'"""\n{escaped}"""'


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else f'"{_ESCAPED.sub(_escape, key)}"'
