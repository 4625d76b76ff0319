"""`.dockerignore`: which files of a directory the builder is given, exactly as Docker's client decides it.

A port of `moby/patternmatcher` with its quirks, because people try their ignore files with Docker.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

_Match: TypeAlias = Callable[[str], bool]


class Pattern(NamedTuple):
    """One line. `keeps` is `!`: what it matches is given after all. `text` is cleaned, without the `!`."""

    text: str
    keeps: bool
    matches: _Match


class Ignore:
    """The patterns of a file in their order: the last one that matches a path, or a directory above it, decides."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = tuple(patterns)
        self._matches = [pattern.matches for pattern in patterns]
        self._kept = tuple(f"{pattern.text}/" for pattern in patterns if pattern.keeps)

    def judge(self, path: str, above: Sequence[bool]) -> tuple[bool, tuple[bool, ...]]:
        """Whether a path is left out, and which patterns match it or a directory above it.

        `above` is the second answer for the directory that it is in; () at the top, and when none does. One pass over the patterns is
        enough for each path that way, however deep it is.
        """
        hits = [matches(path) for matches in self._matches]
        if above:
            hits = [hit or before for hit, before in zip(hits, above, strict=True)]
        elif True not in hits:  # nearly every file: worth a shorter way
            return False, ()
        ignored = False
        for pattern, hit in zip(self.patterns, hits, strict=True):
            if hit:
                ignored = not pattern.keeps
        return ignored, tuple(hits)

    def ignores(self, path: str) -> bool:
        """Whether a path is left out, the directories above it considered."""
        above: tuple[bool, ...] = ()
        parts = path.split("/")
        ignored = False
        for depth in range(1, len(parts) + 1):
            ignored, above = self.judge("/".join(parts[:depth]), above)
        return ignored

    def may_keep_below(self, directory: str) -> bool:
        """Whether a pattern with `!` names something in a directory that is left out.

        Docker compares beginnings, not meanings: `!**/x` brings back nothing from a directory that is left out.
        """
        return any(text.startswith(f"{directory}/") for text in self._kept)


def read_patterns(text: str, first: Sequence[Pattern] = ()) -> Ignore:
    """The patterns of an ignore file, behind those of `first`.

    Raises:
        ValueError: a pattern cannot be understood; the message tells its line.
    """
    patterns = list(first)
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if raw.startswith("#") or not raw.strip():
            continue
        line = raw.strip()
        keeps = line.startswith("!")
        cleaned = _clean(line[1:].strip() if keeps else line)
        if not cleaned:
            raise ValueError(f"line {number}: '!' without a pattern")
        try:
            patterns.append(Pattern(cleaned, keeps, compile_pattern(cleaned)))
        except ValueError as error:
            raise ValueError(f"line {number}: {line!r} is not a pattern: {error}") from None
    return Ignore(patterns)


def _clean(text: str) -> str:
    if not text:
        return ""
    # Go's filepath.Clean; unlike it, Python keeps two slashes at the beginning.
    cleaned = posixpath.normpath(re.sub("/+", "/", text))
    return cleaned[1:] if len(cleaned) > 1 and cleaned.startswith("/") else cleaned


def compile_pattern(pattern: str) -> _Match:
    """A cleaned pattern as a question about a path relative to the context."""
    expression, kind = _translate(pattern)
    if kind == "exact":
        return pattern.__eq__
    if kind == "prefix":
        start = pattern[:-2]
        return lambda path: path.startswith(start)
    if kind == "suffix":
        end = pattern[2:]
        return lambda path: path.endswith(end) or (end.startswith("/") and path == end[1:])
    try:
        with warnings.catch_warnings():
            # Python warns of sets that may mean more one day; Go's meaning is the one of today.
            warnings.simplefilter("ignore", FutureWarning)
            compiled = re.compile(expression, re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None
    return lambda path: compiled.fullmatch(path) is not None


def _translate(pattern: str) -> tuple[str, str]:
    """The pattern as a regular expression, and the kind of comparison that is enough: exact, prefix, suffix, regexp."""
    parts, kind, position = [], "exact", 0
    while position < len(pattern):
        start, char = position, pattern[position]
        position += 1
        if char == "*" and pattern.startswith("*", position):
            position += 1
            if pattern.startswith("/", position):
                position += 1
            if position == len(pattern):
                # As in .gitignore, everything below.
                kind = "prefix" if kind == "exact" else "regexp"
                parts.append(".*")
            else:
                kind = "regexp"
                parts.append("(?:.*/)?")
            if start == 0:
                kind = "suffix"
        elif char == "*":
            kind = "regexp"
            parts.append("[^/]*")
        elif char == "?":
            kind = "regexp"
            parts.append("[^/]")
        elif char in ".+()|{}$":
            parts.append(f"\\{char}")
        elif char == "\\":
            if position == len(pattern):
                raise ValueError("it ends with a backslash")
            kind = "regexp"
            parts.append(re.escape(pattern[position]))
            position += 1
        else:
            kind = "regexp" if char in "[]" else kind
            parts.append(char)
    return "".join(parts), kind
