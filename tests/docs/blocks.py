"""Fenced blocks of a Markdown file: files to write, edits to make, commands to run with what they print."""

from __future__ import annotations

import re
from typing import NamedTuple

_FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One block. `file` is the second word behind the fence: the file it is, or changes."""

    language: str
    file: str
    text: str
    start: int
    end: int


def section(document: str, title: str) -> tuple[int, int]:
    """Where the section of a title of the second level begins and ends."""
    start = document.index(f"\n## {title}\n") + 1
    end = document.find("\n## ", start)
    return start, len(document) if end < 0 else end


def blocks_of(document: str, start: int = 0, end: int | None = None) -> list[Block]:
    """The blocks within a part; `start` and `end` of each are those of its text."""
    found = _FENCE.finditer(document, start, len(document) if end is None else end)
    return [Block(match[1], match[2], match[3], match.start(3), match.end(3)) for match in found]


def commands_of(block: Block) -> list[tuple[str, str]]:
    """Each command (`$ `) with the output below it."""
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def edit(text: str, difference: str) -> str:
    """A text with the lines of a diff exchanged; `@@` begins the next place."""
    for hunk in difference.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if not line.startswith("+"))
        after = "".join(line[1:] for line in lines if not line.startswith("-"))
        assert text.count(before) == 1, f"stands {text.count(before)} times in the file:\n{before}"
        text = text.replace(before, after)
    return text
