"""Short forms → the forms in which two services can be merged: mappings by name, lists, tables of `source`.

Relative paths become relative to the directory of the spec, whichever file they stand in.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from reconciler.convert.compose.scalars import show_scalar
from reconciler.convert.compose.values import Map, Node, Override, Place, Reset, Seq, Text
from reconciler.convert.compose.variables import Variables

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|github\.com/|docker-image:|target:|service:|oci-layout:")


class Surroundings(NamedTuple):
    """What one Compose file stands in: its variables, the directory its paths start from, that of the spec."""

    variables: Variables
    directory: Path
    spec: Path

    def path(self, text: Text) -> Text:
        """A path as the spec writes it."""
        if self.directory == self.spec or text.startswith(("/", "~")) or _REMOTE.match(text):
            return text
        moved = os.path.relpath(posixpath.join(self.directory, text), self.spec)
        return Text(moved if moved.startswith("../") or moved == ".." else f"./{moved}")


Shape = Callable[[Any, Surroundings, Place], Any]


def _each(shape: Shape) -> Shape:
    """The shape of every value of a mapping, or entry of a list."""

    def shaped(value: Any, around: Surroundings, _place: Place) -> Any:
        if isinstance(value, Map):
            made = Map(value.own)
            for key, item in value.items():
                made.put(key, apply_shape(shape, item, around, value.place(key)), value.place(key))
            return made
        if isinstance(value, Seq):
            entries = Seq(value.own)
            for item, where in value.entries():
                entries.add(apply_shape(shape, item, around, where), where)
            return entries
        return value

    return shaped


def _table(**shapes: Shape) -> Shape:
    """The shapes of some keys of a mapping."""

    def shaped(value: Any, around: Surroundings, _place: Place) -> Any:
        if not isinstance(value, Map):
            return value
        made = Map(value.own)
        for key, item in value.items():
            place = value.place(key)
            made.put(key, apply_shape(shapes[key], item, around, place) if key in shapes else item, place)
        return made

    return shaped


def apply_shape(shape: Shape, value: Node, around: Surroundings, place: Place) -> Node:
    """A value in its shape, its `!override` kept; `!reset` and nothing stay what they are."""
    if isinstance(value, Reset):
        return value
    if isinstance(value, Override):
        return Override(apply_shape(shape, value.value, around, place))
    return shape(value, around, place)


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, Text | Map | Seq) else Text(show_scalar(value))


def _split(item: Text, mark: str = "=") -> tuple[str, Text | None]:
    """The two sides of `name=value`; the variables of the value are kept when the name has none."""
    name, found, value = item.partition(mark)
    if not found:
        return str(item), None
    head = Text(name).raw + mark
    return name, Text(value, item.raw.removeprefix(head)) if item.raw.startswith(head) else Text(value)


def _pairs(value: Any, _around: Surroundings, place: Place) -> Any:
    """A mapping of texts, from one, or from a list of `name=value`."""
    made = Map(place)
    if isinstance(value, Map):
        made = Map(value.own)
        for key, item in value.items():
            made.put(key, _text(item), value.place(key))
    elif isinstance(value, Seq):
        made = Map(value.own)
        for item, where in value.entries():
            name, rest = _split(_text(item))
            made.put(name, rest, where)
    return made


def _environment(value: Any, around: Surroundings, place: Place) -> Any:
    """Like pairs; a variable without a value is taken from the environment, and None where it is unset."""
    made: Map = _pairs(value, around, place)
    for name, item in made.items():
        made[name] = around.variables.passed(name) if item is None else item
    return made


def _labels(value: Any, around: Surroundings, place: Place) -> Any:
    made: Map = _pairs(value, around, place)
    for name, item in made.items():
        made[name] = Text("") if item is None else item
    return made


def _names(value: Any, _around: Surroundings, _place: Place) -> Any:
    """A mapping by name, from a list of names."""
    if not isinstance(value, Seq):
        return value
    made = Map(value.own)
    for name, where in value.entries():
        made.put(str(name), None, where)
    return made


def _list(value: Any, _around: Surroundings, place: Place) -> Any:
    if isinstance(value, Seq):
        return value
    made = Seq(place)
    if value is not None:
        made.add(value, place)
    return made


def _path(value: Any, around: Surroundings, _place: Place) -> Any:
    return around.path(value) if isinstance(value, Text) else value


def _wrapped(key: str) -> Shape:
    """A table, from the text that is its value at `key`."""

    def shaped(value: Any, _around: Surroundings, place: Place) -> Any:
        if value is None or isinstance(value, Map):
            return value
        made = Map(place)
        made.put(key, _text(value), place)
        return made

    return shaped


def _then(*shapes: Shape) -> Shape:
    def shaped(value: Any, around: Surroundings, place: Place) -> Any:
        for shape in shapes:
            value = shape(value, around, place)
        return value

    return shaped


def _mount(value: Any, around: Surroundings, place: Place) -> Any:
    """A mount with its source as the spec writes it; the short form stays one."""
    if isinstance(value, Map):
        return _table(source=_path)(value, around, place) if value.get("type") == "bind" else value
    source, mark, rest = str(_text(value)).partition(":")
    if not mark or not source.startswith((".", "/", "~")) or around.path(Text(source)) == source:
        return _text(value)
    return Text(f"{around.path(Text(source))}:{rest}")


def _security(value: Any, around: Surroundings, _place: Place) -> Any:
    """A security option, the file of a profile as the spec writes it."""
    match = re.fullmatch(r"(seccomp[:=])([./~].*)", value) if isinstance(value, Text) else None
    return Text(match[1] + around.path(Text(match[2]))) if match and around.path(Text(match[2])) != match[2] else value


def _hosts(value: Any, _around: Surroundings, _place: Place) -> Any:
    """A list of `name=address`, from one or from a mapping."""
    if not isinstance(value, Map):
        return value
    made = Seq(value.own)
    for host, addresses in value.items():
        for address in addresses if isinstance(addresses, Seq) else [addresses]:
            text = _text(address)
            made.add(Text(f"{host}={text}", f"{Text(host).raw}={text.raw}"), value.place(host))
    return made


_DEVELOP = _table(watch=_each(_table(path=_path)))
_CONTEXTS = _then(_pairs, _each(_path))
_BUILD = _then(
    _wrapped("context"),
    _table(
        context=_path,
        args=_environment,
        labels=_labels,
        additional_contexts=_CONTEXTS,
        extra_hosts=_hosts,
        ssh=_pairs,
        secrets=_each(_wrapped("source")),
        tags=_list,
    ),
)
_SERVICE = {
    "annotations": _labels,
    "build": _BUILD,
    "configs": _each(_wrapped("source")),
    "depends_on": _names,
    "deploy": _table(labels=_labels),
    "develop": _DEVELOP,
    "dns": _list,
    "dns_search": _list,
    "env_file": _then(_list, _each(_wrapped("path")), _each(_table(path=_path))),
    "environment": _environment,
    "extends": _wrapped("service"),
    "extra_hosts": _hosts,
    "label_file": _then(_list, _each(_path)),
    "labels": _labels,
    "models": _names,
    "networks": _names,
    "secrets": _each(_wrapped("source")),
    "security_opt": _each(_security),
    "sysctls": _pairs,
    "tmpfs": _list,
    "volumes": _each(_mount),
}


_FILE = _table(file=_path, labels=_labels)
_SECTIONS: dict[str, Shape] = {
    "services": _each(_table(**_SERVICE)),
    "networks": _each(_table(labels=_labels, driver_opts=_pairs)),
    "volumes": _each(_table(labels=_labels, driver_opts=_pairs)),
    "configs": _each(_FILE),
    "secrets": _each(_FILE),
}


def canonical(document: Map, around: Surroundings) -> Map:
    """A document with every option in the form in which it can be merged. Its structure has been checked."""
    made: Map = _table(**_SECTIONS)(document, around, document.own)
    return made
