"""Two of a thing → one, as Compose merges files and extended services. Both are canonical.

Mappings are merged key by key, lists appended, everything else is replaced. Of two entries of a list that stand for
the same (two mounts of one target) the later one stands, where the earlier one stood.
"""

from __future__ import annotations

from typing import Any

from reconciler.convert.compose.values import Map, Node, Override, Reset, Seq

_REPLACED = frozenset({"command", "entrypoint", "test"})
#: options below these are named by the user, and so is none of the above
_NAMED = frozenset({"environment", "labels", "annotations", "args", "sysctls", "networks", "depends_on", "services"})


def merge(base: Map, new: Map, parent: str = "") -> Map:
    """What `new` says over what `base` says."""
    made = base.copy()
    for key, value in new.items():
        place = new.place(key)
        if isinstance(value, Reset):
            made.pop(key, None)
        elif isinstance(value, Override):
            made.put(key, value.value, place)
        elif value is None and isinstance(made.get(key), Map | Seq):
            continue
        else:
            is_replaced = key in _REPLACED and parent not in _NAMED
            made.put(key, settled(value) if is_replaced else _both(made.get(key), value, key), place)
    return made


def _both(base: Node, new: Node, key: str) -> Node:
    if isinstance(base, Map) and isinstance(new, Map):
        if key == "logging" and new.get("driver") not in (None, base.get("driver")) and base.get("driver"):
            return new
        return merge(base, new, key)
    if isinstance(base, Seq) and isinstance(new, Seq):
        return _appended(base, new, key)
    return settled(new)


def _appended(base: Seq, new: Seq, key: str) -> Seq:
    made = Seq(new.own)
    at: dict[str, int] = {}
    for item, place in [*base.entries(), *new.entries()]:
        mark = identity(key, item)
        if mark in at:
            made[at[mark]], made.places[at[mark]] = item, place
        else:
            at[mark] = len(made)
            made.add(item, place)
    return made


def identity(key: str, item: Any) -> str:
    """What two entries of a list have in common when they stand for the same."""
    if key in ("volumes", "devices"):
        if isinstance(item, Map):
            return str(item.get("target"))
        parts = str(item).split(":")
        return parts[1] if len(parts) > 1 and parts[1].startswith("/") else parts[0]
    if key in ("configs", "secrets") and isinstance(item, Map):
        return str(item.get("target") or item.get("source"))
    if key == "env_file" and isinstance(item, Map):
        return str(item.get("path"))
    return repr(item)


def settled(node: Any) -> Any:
    """A value that nothing was before: what is reset is not there, what overrides is plain."""
    if isinstance(node, Override):
        return settled(node.value)
    if isinstance(node, Map):
        made = Map(node.own)
        for key, value in node.items():
            if not isinstance(value, Reset):
                made.put(key, settled(value), node.place(key))
        return made
    if isinstance(node, Seq):
        entries = Seq(node.own)
        for value, place in node.entries():
            if not isinstance(value, Reset):
                entries.add(settled(value), place)
        return entries
    return node
