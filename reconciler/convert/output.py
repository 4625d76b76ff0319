"""What an import makes: the tables of a spec with their comments, and notes about what could not be carried over."""

from __future__ import annotations

from typing import Any, NamedTuple

from reconciler.convert.values import Place, Text


class Note(NamedTuple):
    """Something that a person should know: where it stands, which option, and why."""

    place: Place
    subject: str
    message: str

    def __str__(self) -> str:
        return ": ".join(
            part for part in (str(self.place) if self.place.file else "", self.subject, self.message) if part
        )


class Section:
    """One table of the spec, `[kind.name]`, its comments above it."""

    def __init__(self, kind: str, name: str = "", comments: list[str] | None = None) -> None:
        self.kind = kind
        self.name = name
        self.comments = comments or []
        self.table: dict[str, Any] = {}


class Output(NamedTuple):
    """A whole spec: `head` is the comment at its top."""

    head: list[str]
    sections: list[Section]
    notes: list[Note]

    def note(self, place: Place, subject: str, message: str) -> None:
        note = Note(place, subject, message)
        if note not in self.notes:
            self.notes.append(note)


def has_variables(value: object) -> bool:
    """Whether the spec says it with a reference."""
    return isinstance(value, Text) and value.raw != Text(str(value)).raw


def number(value: Any) -> Any:
    """A whole number from a text, unless it is written with variables, which a spec resolves itself."""
    if isinstance(value, Text) and not has_variables(value):
        try:
            return int(value, 0)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


_TRUE, _FALSE = ("true", "y", "yes", "on", "1"), ("false", "n", "no", "off", "0")


def flag(value: Any) -> Any:
    """True or false from a text, unless it is written with variables."""
    if isinstance(value, Text) and not (has_variables(value) and value in ("true", "false")):
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else value
    return value
