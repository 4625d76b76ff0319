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
from reconciler.spec.keys import Keys
from reconciler.spec.problems import Problems, nearest

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
        builds: whether what images are built from has to be there.
        inactive: containers that are not desired, with their profiles, of which none is active.
    """

    project: str
    directory: str
    shown: str
    environment: Mapping[str, str]
    document: Mapping[str, Any]
    problems: Problems
    complete: bool = True
    inactive: Mapping[str, tuple[str, ...]] = {}
    builds: bool = True

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
        if kind is Kind.CONTAINER and name in self.inactive:
            profiles = " or ".join(self.inactive[name])
            hint = f"activate {profiles} too: [project] profiles, or RECONCILER_PROFILES; or take the reference out"
            self.problems.at(keys, f"'{name}' is not part of the project: its profile is not active", hint)
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
            if value is not REFUSED:
                config[option] = value
        if "labels" in config:
            self.check_labels((kind.value, name, "labels"), config["labels"])
        return config

    def declare(self, keys: Keys, form: Form, raw: Any) -> Any:
        """The canonical value. After a complaint, that of the entries which are right, or REFUSED when none is."""
        try:
            value = form.declare(raw)
        except (ValueError, OverflowError) as error:
            value = self._declare_rest(keys, form, raw, error)
        if value is not REFUSED and any(isinstance(leaf, int) and abs(leaf) >= 2**63 for _, leaf in leaves(value)):
            self.problems.at(keys, "the number does not fit into 64 bits")
            return REFUSED
        return value

    def _declare_rest(self, keys: Keys, form: Form, raw: Any, error: Exception) -> Any:
        wrong = _wrong_entries(form, raw)
        if not wrong:
            self.problems.refused(keys, error)
            return REFUSED
        for key, cause in wrong.items():
            self.problems.refused((*keys, key), cause)
        if isinstance(raw, dict):
            return self.declare(keys, form, {key: item for key, item in raw.items() if key not in wrong})
        return self.declare(keys, form, [item for at, item in enumerate(raw) if at not in wrong])

    def check_labels(self, keys: Keys, labels: Any) -> None:
        for label in labels if isinstance(labels, Mapping) else ():
            if label.startswith("reconciler."):
                self.problems.at(
                    (*keys, label), f"the label {label!r} is reserved", "labels that begin with 'reconciler.' are ours"
                )
            elif not label:
                self.problems.at(keys, "a label has no name", "write name=value")


#: What `Scope.declare` gives for a value of which nothing is any good.
REFUSED: Any = object()


def _wrong_entries(form: Form, raw: Any) -> dict[str | int, Exception]:
    """What a form objects to in each entry of a list or a table, taken for itself."""
    entries: list[tuple[str | int, Any]] = []
    if isinstance(raw, list):
        entries = [(at, [item]) for at, item in enumerate(raw)]
    elif isinstance(raw, dict):
        entries = [(key, {key: item}) for key, item in raw.items()]
    wrong: dict[str | int, Exception] = {}
    for key, entry in entries:
        try:
            form.declare(entry)
        except (ValueError, OverflowError) as error:
            wrong[key] = error
        except KeyError:
            continue  # half of a table does not stand alone
    return wrong


def entry_of(form: Form, raw: Any, canonical_key: str, keys: Keys) -> Keys:
    """Where in `raw` the canonical entry comes from: mount /data from volumes[2]; `keys` itself when unclear."""
    if isinstance(raw, dict):
        return (*keys, canonical_key) if canonical_key in raw else keys
    for at, item in enumerate(raw if isinstance(raw, list) else ()):
        try:
            value = form.declare([item])
        except ValueError:
            continue
        if isinstance(value, Mapping) and canonical_key in value:
            return (*keys, at)
    return keys
