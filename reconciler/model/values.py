"""Canonical values: the one vocabulary in which spec and engine are compared.

A config maps option names to canonical values. Canonical means: one meaning, one value. Nothing set is None, sizes
are bytes, times nanoseconds, lists whose order means nothing are sorted tuples, and what has keys is a mapping, so
that a difference can be named by its key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TypeAlias

Value: TypeAlias = "None | bool | int | float | str | tuple[Value, ...] | Mapping[str, Value]"
Config: TypeAlias = Mapping[str, Value]

UNSET = None
#: stands for an observed value that the engine has and does not tell
NOT_TOLD = "(not told by this engine)"


def to_json(value: object) -> object:
    """The same value in lists and dicts, as `json` writes it."""
    if value is None or isinstance(value, str | int | float):  # first: asking whether it is a Mapping is dear
        return value
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_json(value[key]) for key in sorted(value)}
    return value


def canonical_text(value: object) -> str:
    """One text for one value, whatever the order in which it was put together."""
    return json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> str:
    """Hex SHA-256 of the canonical text."""
    import hashlib  # pulls in OpenSSL, which `--help` and `validate` do not need

    return hashlib.sha256(canonical_text(value).encode()).hexdigest()


def leaves(value: Value, path: str = "") -> Iterator[tuple[str, Value]]:
    """Each (dotted path, value) below a mapping; the value itself under `path` when it is none."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from leaves(value[key], f"{path}.{key}" if path else key)
    else:
        yield path, value
