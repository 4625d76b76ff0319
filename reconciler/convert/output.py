"""What an import makes: the tables of a spec with their comments, and notes about what could not be carried over."""

from __future__ import annotations

from typing import Any, NamedTuple

from reconciler.convert.compose.values import Place


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
