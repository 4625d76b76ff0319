"""Paths into a document, as a tuple of keys and positions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

#: where a value stands in the document: ("container", "web", "ports", 0)
Keys: TypeAlias = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
#: Options whose entries stand for themselves: a wrong one does not spoil the others.
_SEPARATE = frozenset(
    {
        "depends_on", "driver_opts", "environment", "extra_hosts", "healthcheck", "labels", "logging", "networks",
        "rollout", "sysctls", "ulimits",
    }
)  # fmt: skip


def unit_of(keys: Keys) -> Keys:
    """The part of a path that is unusable when something in it is wrong: an option, or one entry of some tables."""
    depth = 2 if keys[:1] == ("project",) else 3
    if len(keys) > depth and keys[depth - 1] in _SEPARATE and isinstance(keys[depth], str):
        depth += 1
    return keys[:depth]


def path_text(keys: Iterable[str | int]) -> str:
    """`container.web.ports[0]`; keys that TOML would quote are quoted."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            shown = key if _BARE.fullmatch(key) else '"' + key.replace('"', '\\"') + '"'
            text += f".{shown}" if text else shown
    return text
