"""What the resolving of one resource needs to know of the rest: the whole document, and where to complain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.address import Kind
from reconciler.model.desired import Origin
from reconciler.model.forms import Form
from reconciler.model.options import Cost
from reconciler.model.rows import BY_NAME
from reconciler.model.values import Value, leaves
from reconciler.spec.problems import Keys, Problems, nearest

Table = dict[str, Any]


class Scope(NamedTuple):
    """One project while it is resolved.

    Attributes:
        project: its name.
        directory: absolute; what relative paths are relative to.
        shown: the same directory as the user would write it.
        environment: the process environment over `.env`.
        document: all tables, by kind and name.
        complete: False when a file could not be read: a name that is missing may stand there.
    """

    project: str
    directory: str
    shown: str
    environment: Mapping[str, str]
    document: Mapping[str, Any]
    problems: Problems
    complete: bool = True

    def tables(self, kind: Kind) -> dict[str, Table]:
        tables: dict[str, Table] = self.document.get(kind.value, {})
        return tables

    def origin(self, kind: Kind, name: str) -> Origin:
        source = self.problems.source_of((kind.value, name))
        return Origin(source.name if source else "", (kind.value, name))

    def unknown(self, kind: Kind, name: str, keys: Keys, hint: str = "") -> None:
        """Complain that `keys` name a resource that is not declared."""
        if not self.complete:
            return
        meant = nearest(name, self.tables(kind))
        known = f"did you mean '{meant}'?" if meant else hint or f"declare it: [{kind.value}.{name}]"
        self.problems.at(keys, f"there is no {kind.value} '{name}'", known)

    def config(self, kind: Kind, name: str, table: Table, apart: frozenset[str] = frozenset()) -> dict[str, Value]:
        """The declared options of a resource that objects on the engine hold, canonical, without those `apart`."""
        rows = BY_NAME[kind]
        config: dict[str, Value] = {}
        for option, raw in table.items():
            row = rows.get(option)
            if row is None or not row.declared or row.cost is Cost.NOTHING or option in apart:
                continue
            value = self.declare((kind.value, name, option), row.form, raw)
            if value is not _REFUSED:
                config[option] = value
        if "labels" in config:
            self.check_labels((kind.value, name, "labels"), config["labels"])
        return config

    def declare(self, keys: Keys, form: Form, raw: Any) -> Any:
        """The canonical value, or `_REFUSED` after a complaint."""
        try:
            value = form.declare(raw)
        except (ValueError, OverflowError) as error:
            place, message = _blame(form, raw, keys, str(error))
            self.problems.at(place, message)
            return _REFUSED
        if any(isinstance(leaf, int) and abs(leaf) >= 2**63 for _, leaf in leaves(value)):
            self.problems.at(keys, "the number does not fit into 64 bits")
            return _REFUSED
        return value

    def check_labels(self, keys: Keys, labels: Any) -> None:
        for label in labels if isinstance(labels, Mapping) else ():
            if label.startswith("reconciler."):
                self.problems.at(
                    (*keys, label), f"the label {label!r} is reserved", "labels that begin with 'reconciler.' are ours"
                )
            elif not label:
                self.problems.at(keys, "a label has no name", "write name=value")


#: What `Scope.declare` gives for a value that is no good.
_REFUSED: Any = object()
REFUSED = _REFUSED


def _blame(form: Form, raw: Any, keys: Keys, message: str) -> tuple[Keys, str]:
    """Which entry of a list or a table a form objects to, and how it says so."""
    entries: list[tuple[str | int, Any]] = []
    if isinstance(raw, list):
        entries = [(at, [item]) for at, item in enumerate(raw)]
    elif isinstance(raw, dict):
        entries = [(key, {key: item}) for key, item in raw.items()]
    for key, entry in entries:
        try:
            form.declare(entry)
        except (ValueError, OverflowError) as error:
            return (*keys, key), str(error)
        except KeyError:
            continue  # half of a table does not stand alone
    return keys, message


def entry_of(form: Form, raw: Any, canonical_key: str, keys: Keys) -> Keys:
    """Where in `raw` the canonical entry comes from: mount /data from volumes[2]; `keys` itself when unclear."""
    if isinstance(raw, dict):
        return (*keys, canonical_key) if canonical_key in raw else keys
    for at, item in enumerate(raw if isinstance(raw, list) else ()):
        value = form.declare([item])
        if isinstance(value, Mapping) and canonical_key in value:
            return (*keys, at)
    return keys
