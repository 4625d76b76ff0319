"""Config against config → field changes, each with its reason and what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reconciler.model.address import Kind
from reconciler.model.forms import show_plain
from reconciler.model.options import Cost, Option, Silent
from reconciler.model.ownership import Fingerprint, hash_declared, hash_option
from reconciler.model.plan import FieldChange, Reason
from reconciler.model.redaction import is_sensitive
from reconciler.model.rows import BY_NAME, TABLE
from reconciler.model.scalars import show_duration, show_size
from reconciler.model.values import NOT_TOLD, Config, Value

_DURATIONS = {"interval", "timeout", "start_period", "start_interval"}
_ORDER = {kind: {row.name: position for position, row in enumerate(rows)} for kind, rows in TABLE.items()}
_HIDDEN = "(sensitive value)"
#: what an option follows where the spec does not say it
_FOLLOWS = {"memswap_limit": "mem_limit", "expose": "ports", "command": "entrypoint"}


class _Leaf(NamedTuple):
    """A differing value, under the keys that lead to it; the first is the option."""

    keys: tuple[str, ...]
    observed: Value
    expected: Value

    @property
    def path(self) -> str:
        return ".".join(self.keys)


def diff_config(
    kind: Kind, expected: Config, observed: Config, declared: Config, made_from: Fingerprint
) -> list[FieldChange]:
    """Every difference, in the order of the table.

    Args:
        expected, observed: whole configs.
        declared: what the spec says; options whose default cannot be read are compared only as far as declared.
        made_from: the object's labels, which tell what the spec's author changed from what drifted.
    """
    changes: list[FieldChange] = []
    differing = [name for name, after in expected.items() if observed.get(name) != after and name != "image"]
    for name in sorted(differing, key=_ORDER[kind].__getitem__):
        row, before, after = BY_NAME[kind][name], observed.get(name), expected[name]
        leaves = _leaves_of(row, before, after, declared, made_from)
        changes += [_field_change(row, leaf, declared, observed, made_from) for leaf in leaves]
    return _without_followers(changes, declared)


def _without_followers(changes: list[FieldChange], declared: Config) -> list[FieldChange]:
    """Without what only follows from another field that is named: twice the memory, the port that is published."""
    named = {change.path.partition(".")[0] for change in changes}
    following = {name for name, source in _FOLLOWS.items() if source in named and name not in declared}
    return [change for change in changes if change.path.partition(".")[0] not in following]


def _leaves_of(row: Option, before: Value, after: Value, declared: Config, made_from: Fingerprint) -> Iterator[_Leaf]:
    if row.silent is Silent.DEFAULT:
        yield from _compare((row.name,), before, after)
        return
    wanted = declared.get(row.name)
    within = [leaf for leaf in _compare((row.name,), before, wanted) if leaf.expected is not None] if wanted else []
    yield from within
    if not within and _has_left(row, wanted, made_from):
        # What the spec no longer says was made so by us; what comes instead is the engine's to choose.
        yield from (leaf for leaf in _compare((row.name,), before, wanted) if leaf.observed not in (None, {}, ()))


def _has_left(row: Option, wanted: Value, made_from: Fingerprint) -> bool:
    """Whether the object was made with more of this option than the spec says now."""
    if not made_from.is_readable or row.name not in made_from.options:
        return False
    return wanted is None or made_from.options[row.name] != hash_option(wanted)


def _compare(keys: tuple[str, ...], before: Value, after: Value) -> Iterator[_Leaf]:
    if len(keys) == 1 and (isinstance(before, Mapping) or isinstance(after, Mapping)):
        # An option that has keys is always compared by key, also where one side has none at all.
        before, after = before or {}, after or {}
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            if before.get(key) != after.get(key):
                yield from _compare((*keys, key), before.get(key), after.get(key))
    elif before != after:
        yield _Leaf(keys, before, after)


def _field_change(row: Option, leaf: _Leaf, declared: Config, observed: Config, made_from: Fingerprint) -> FieldChange:
    hidden = is_sensitive(leaf.path, leaf.observed) or is_sensitive(leaf.path, leaf.expected)
    return FieldChange(
        path=leaf.path,
        observed=None if hidden else leaf.observed,
        desired=None if hidden else leaf.expected,
        reason=_reason(row, leaf, declared, observed, made_from),
        forces=_forces(row, leaf),
        sensitive=hidden,
        shown=_show_hidden(leaf)
        if hidden
        else (show(row, leaf.path, leaf.observed), show(row, leaf.path, leaf.expected)),
    )


def _show_hidden(leaf: _Leaf) -> tuple[str, str]:
    """Whether there is a value may be told."""
    before, after = ("(none)" if value is None else _HIDDEN for value in (leaf.observed, leaf.expected))
    return before, after


def show(row: Option, path: str, value: Value) -> str:
    """A value as it would be written in the spec."""
    if value == NOT_TOLD:
        return NOT_TOLD
    if path == row.name:
        return row.form.show(value)
    key = path.rpartition(".")[2]
    if row.name == "healthcheck" and key in _DURATIONS and isinstance(value, int):
        return show_duration(value)
    if isinstance(value, int) and ((row.name == "volumes" and key == "size") or "_bps." in path):
        return show_size(value)
    if row.name in ("configs", "secrets") and key == "mode" and isinstance(value, int):
        return f'"{value:04o}"'
    return show_plain(value)


def _forces(row: Option, leaf: _Leaf) -> str:
    """What a change takes depends on the value too: a limit can be moved in place, but not taken away."""
    if leaf.observed == NOT_TOLD or (row.cost is Cost.UPDATE and leaf.expected is None and not row.clears):
        return Cost.REPLACE.value
    if row.name == "memswap_limit" and leaf.expected == -1 and leaf.observed is not None:
        return Cost.REPLACE.value  # an update notes it, and leaves the running container its limit
    if row.name == "blkio_config" and leaf.keys[1:] != ("weight",):
        return Cost.REPLACE.value  # an update ignores limits of single devices before API 1.55
    if row.cost is Cost.NETWORK and _touches_mac(leaf):
        return Cost.REPLACE.value  # a connect ignores it before API 1.54
    return row.cost.value


def _touches_mac(leaf: _Leaf) -> bool:
    return leaf.keys[-1] == "mac_address" or (isinstance(leaf.expected, Mapping) and "mac_address" in leaf.expected)


def _reason(row: Option, leaf: _Leaf, declared: Config, observed: Config, made_from: Fingerprint) -> Reason:
    if not row.declared or not made_from.is_readable:
        return Reason.DRIFTED
    key, now, seen = row.name, declared.get(row.name), observed.get(row.name)
    if row.cost is Cost.NETWORK:
        network = leaf.keys[1]
        key = f"{row.name}.{network}"
        now, seen = _endpoint(declared, network), _endpoint(observed, network)
    if row.name == "network_mode" and now is None and key not in made_from.options and isinstance(seen, str):
        # Its mode is the network it was made with, and that is declared under `networks`.
        key, now = f"networks.{seen}", _endpoint(declared, seen)
    then = made_from.options.get(key)
    if then == hash_declared(now):
        source = _FOLLOWS.get(row.name)
        followed = source is not None and made_from.options.get(source) != hash_declared(declared.get(source))
        return Reason.SPEC_CHANGED if followed else Reason.DRIFTED
    if row.cost in (Cost.REPLACE, Cost.DATA) or seen == NOT_TOLD:
        return Reason.SPEC_CHANGED  # it cannot have drifted, since no call changes it, or cannot be seen to have
    if then is None:
        memory = observed.get("mem_limit")
        unset = 2 * memory if row.name == "memswap_limit" and isinstance(memory, int) else row.default
        as_made = seen in (unset, None)
    else:
        as_made = seen is not None and hash_option(seen) == then
    return Reason.SPEC_CHANGED if as_made else Reason.DRIFTED


def _endpoint(config: Config, network: str) -> Value:
    endpoints = config.get("networks")
    return endpoints.get(network) if isinstance(endpoints, Mapping) else None
