"""Collecting mistakes: every one of a run, each turned into a file, a line and a column only once there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from reconciler.errors import Problem
from reconciler.spec.keys import Keys, path_text, unit_of

#: A hostile file can hold a mistake in every byte; nobody reads more than this.
MAX_PROBLEMS = 500


class Source(NamedTuple):
    """One spec file: `name` as the user would write it, its text, and what TOML makes of it."""

    name: str
    text: str
    document: dict[str, object]


class Problems:
    """The mistakes found so far, and the options they made unusable.

    Later checks skip what is `broken`, so that one mistake is reported once.
    """

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.broken: set[Keys] = set()
        self._sources: dict[Keys, Source] = {}

    def __bool__(self) -> bool:
        return bool(self.found)

    def declare(self, keys: Keys, source: Source) -> None:
        """From now on, mistakes at `keys` or below are mistakes in this file."""
        self._sources[keys] = source

    def source_of(self, keys: Keys) -> Source | None:
        return self._sources.get(keys[:2]) or self._sources.get(keys[:1])

    def declared_in(self, keys: Keys) -> Source | None:
        """The file that was declared for exactly these keys."""
        return self._sources.get(keys)

    def at(self, keys: Keys, message: str, hint: str = "") -> None:
        """A mistake in the merged document; the option it is in counts as broken."""
        self.within(self.source_of(keys), keys, message, hint)

    def within(self, source: Source | None, keys: Keys, message: str, hint: str = "", *, breaks: bool = True) -> None:
        """A mistake in one file, whatever the other files declare under the same keys."""
        if breaks:
            self.broken.add(unit_of(keys))
        if len(self.found) >= MAX_PROBLEMS:
            return
        line, column = 0, 0
        if source is not None:
            from reconciler.spec.locations import locate  # loads the parser that keeps positions

            line, column = locate(source.text, keys)
        self.add(Problem(source.name if source else "", line, column, path_text(keys), message, hint))

    def refused(self, keys: Keys, error: Exception) -> None:
        """A mistake in the words of a form, which says what to write behind a semicolon."""
        message, _, hint = str(error).partition("; ")
        self.at(keys, message, hint)

    def add(self, problem: Problem) -> None:
        if len(self.found) < MAX_PROBLEMS:
            self.found.append(problem)

    def is_broken(self, keys: Keys) -> bool:
        """Whether a mistake was found in this option, or in the whole table it belongs to."""
        return any(keys[:length] in self.broken for length in range(1, len(keys) + 1))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` was probably meant to be, or ""."""
    import difflib  # only a mistake needs it

    matches = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""


def suggest(word: str, known: Mapping[str, object] | Iterable[str], *, otherwise: str = "") -> str:
    """A hint for an unknown word: the nearest known one, all of them, or `otherwise` when there are none."""
    words = sorted(known)
    meant = nearest(word, words)
    if meant:
        return f"did you mean '{meant}'?"
    return f"known are {', '.join(words[:120])}" if words else otherwise
