"""What an examination comes to."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from reconciler.errors import ReconcilerError


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One thing that was looked at. `advice` is what to do about it; "" when there is nothing to do."""

    name: str
    level: Level
    text: str
    advice: str = ""


def ok(name: str, text: str) -> Finding:
    return Finding(name, Level.OK, text)


def warn(name: str, text: str, advice: str) -> Finding:
    return Finding(name, Level.WARN, text, advice)


def fail(name: str, text: str, advice: str) -> Finding:
    return Finding(name, Level.FAIL, text, advice)


def failed(name: str, error: ReconcilerError, advice: str = "") -> Finding:
    """What an error says, with its own hint as the advice."""
    text, _, hint = str(error).partition("\n    hint: ")
    return fail(name, text, hint or advice)
