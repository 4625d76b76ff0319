"""Differences from Docker Compose that are meant, each with its reason. Everything else is a mistake of ours."""

from __future__ import annotations

import fnmatch
import re
from typing import NamedTuple


class Meant(NamedTuple):
    """`path` is a glob and `text` a pattern, as the corpus's own comparison prints a difference."""

    key: str
    path: str
    text: str
    reason: str


MEANT: tuple[Meant, ...] = ()


def reason_of(path: str, text: str) -> Meant | None:
    """Why this difference is meant, or None when nobody meant it."""
    for meant in MEANT:
        if fnmatch.fnmatchcase(path, meant.path) and re.search(meant.text, text):
            return meant
    return None
