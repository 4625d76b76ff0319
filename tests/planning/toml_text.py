"""Plain values → TOML, as far as specs need it."""

import json
from collections.abc import Mapping
from typing import Any


def inline(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return json.dumps(value)


def document(tables: Mapping[str, Any]) -> str:
    """`{"container.web": {...}}` as a document; a table that is None is left out."""
    lines: list[str] = []
    for name, options in tables.items():
        if options is not None:
            lines += [f"[{name}]", *(f"{key} = {inline(value)}" for key, value in options.items()), ""]
    return "\n".join(lines)
