"""Compose files → one project: files merged, services extended, other projects included."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reconciler.convert.compose.canonical import Surroundings, canonical
from reconciler.convert.compose.documents import fail, read_documents
from reconciler.convert.compose.merging import merge, settled
from reconciler.convert.compose.schema import check
from reconciler.convert.compose.values import NOWHERE, Map, Place, Text
from reconciler.convert.compose.variables import Variables, read_env_file, with_dotenv
from reconciler.errors import UsageError
from reconciler.spec.naming import default_project, wrong_project
from reconciler.spec.paths import kind_of
from reconciler.spec.problems import nearest
from reconciler.spec.reading import UnreadableError, read_text

MAX_BYTES = 1024 * 1024
MAX_FILES = 200

_STEMS = ("compose", "docker-compose")
DEFAULT_NAMES = tuple(f"{stem}.{suffix}" for stem in _STEMS for suffix in ("yaml", "yml"))
_OVERRIDE_NAMES = tuple(f"{stem}.override.{suffix}" for stem in _STEMS for suffix in ("yml", "yaml"))
_SECTIONS = ("services", "networks", "volumes", "configs", "secrets", "models")


class Project(NamedTuple):
    """A whole project, canonical, no profile left out.

    Attributes:
        name: what Compose calls it.
        document: the merged files.
        variables: what texts in it were interpolated with.
        directory: that of the first file; relative paths of the document start from `spec`.
        files: as the user would name them, in the order in which they were read.
    """

    name: str
    document: Map
    variables: Variables
    directory: Path
    spec: Path
    files: tuple[str, ...]


def files_of(given: Sequence[str]) -> list[str]:
    """The files that are meant: a directory's Compose file, and the override beside a file of the usual name."""
    names = [_in_directory(name) if kind_of(name) == "directory" else name for name in given]
    if len(names) == 1 and Path(names[0]).name in DEFAULT_NAMES:
        beside = [str(Path(names[0]).with_name(name)) for name in _OVERRIDE_NAMES]
        names += [name for name in beside if kind_of(name) == "file"][:1]
    return names


def _in_directory(name: str) -> str:
    for usual in DEFAULT_NAMES:
        if kind_of(str(Path(name, usual))) == "file":
            return str(Path(name, usual))
    raise UsageError(f"there is no {' or '.join(DEFAULT_NAMES)} in {name}\n    hint: name the Compose file")


def load_project(names: Sequence[str], name: str, environment: Mapping[str, str], spec: Path) -> Project:
    """The project of some Compose files, the later ones over the earlier.

    Args:
        names: the files, as the user would write them.
        name: the project's, if it was given on the command line.
        environment: the shell's variables; they win over `.env`.
        spec: the directory in which the spec will stand, absolute.

    Raises:
        SpecError: a file is at fault; UsageError: the project cannot be called so.
    """
    directory = Path(names[0]).absolute().parent
    values = with_dotenv(environment, directory)
    project = _project_name(names, name, values, directory)
    of_spec = values if directory == spec else with_dotenv(environment, spec)
    variables = Variables({**values, "COMPOSE_PROJECT_NAME": project}, of_spec, {})
    loader = _Loader(spec)
    document = loader.files(names, Surroundings(variables, directory, spec))
    return Project(project, document, variables, directory, spec, tuple(loader.read))


def _project_name(names: Sequence[str], given: str, values: Mapping[str, str], directory: Path) -> str:
    for name, source in ((given, "-p"), (values.get("COMPOSE_PROJECT_NAME", ""), "COMPOSE_PROJECT_NAME")):
        if name:
            wrong = wrong_project(name)
            if wrong:
                raise UsageError(f"{source}: {wrong}\n    hint: write {default_project(name) or 'another name'}")
            return name
    variables = Variables(values, values, {})
    for file in reversed(names):
        text = _read(file, NOWHERE)
        for document in reversed(read_documents(file, text, lambda text, _: Text(text))) if "name:" in text else ():
            written = document.get("name")
            if isinstance(written, str):
                place = document.place("name")
                declared = variables.text(written, place)
                wrong = wrong_project(declared)
                if wrong:
                    raise fail(place, wrong, f"write {default_project(declared) or 'another name'}", "name")
                return str(declared)
    project = default_project(directory.name)
    if not project:
        raise UsageError(f"the directory {directory.name!r} makes no project name\n    hint: give one with -p")
    return project


def _read(name: str, place: Place) -> str:
    try:
        return read_text(name, MAX_BYTES)
    except UnreadableError as error:
        where = place if place.file else Place(name, 0)
        shown = f"the file {name} " if place.file else ""
        raise fail(where, f"{shown}{error}", error.hint) from None


class _Loader:
    """One import; `read` are the files so far."""

    def __init__(self, spec: Path) -> None:
        self.spec = spec
        self.read: list[str] = []

    def files(
        self, names: Sequence[str], around: Surroundings, above: tuple[str, ...] = (), place: Place = NOWHERE
    ) -> Map:
        """The merged document of some files; `above` are the files that include them (at `place`), outermost first."""
        merged = Map()
        for name in names:
            for document in self.documents(name, around, place):
                own = _extended(self, document, name, around)
                for entry, where in _includes(own):
                    merged = _imported(merged, self.include(entry, where, name, around, above), where)
                _refuse_conflicts(own, merged, names)
                merged = merge(merged, own)
        made: Map = settled(merged)
        return made

    def documents(self, name: str, around: Surroundings, place: Place = NOWHERE) -> list[Map]:
        """The documents of a file, each checked and canonical."""
        if len(self.read) >= MAX_FILES:
            raise fail(place, f"more than {MAX_FILES} files are read", "no project needs that")
        if name not in self.read:
            self.read.append(name)
        found = read_documents(name, _read(name, place), around.variables.text)
        for document in found:
            check(document)
        return [canonical(document, around) for document in found]

    def include(self, entry: object, place: Place, name: str, around: Surroundings, above: tuple[str, ...]) -> Map:
        """The document of an included project, with its own directory and variables."""
        table = entry if isinstance(entry, Map) else {"path": entry}
        paths = _texts(table.get("path"))
        own_directory = table.get("project_directory")
        if not paths:
            raise fail(place, "names no file", "write path: FILE", "include")
        base = str(Path(name).parent)
        remote = next((path for path in paths if "://" in path or path.startswith(("oci:", "git@"))), None)
        if remote:
            raise fail(place, f"{remote} is not a file of this host", "fetch it, and include the file", "include")
        files = [posixpath.normpath(posixpath.join(base, path)) for path in paths]
        line = (*above, *([posixpath.normpath(name)]))
        if files[0] in line:
            circle = " → ".join([*line[line.index(files[0]) :], files[0]])
            raise fail(place, f"files include each other: {circle}", "take one of these out", "include")
        directory = Path(files[0]).absolute().parent
        if own_directory:
            directory = Path(posixpath.normpath(posixpath.join(str(Path(base).absolute()), str(own_directory))))
        values = dict(around.variables.values)
        if table.get("env_file"):
            for path in _texts(table["env_file"]):
                values = {**read_env_file(posixpath.join(base, path), values, place), **values}
        else:
            values = with_dotenv(values, directory)
        variables = around.variables._replace(values=values)
        return self.files(files, Surroundings(variables, directory, self.spec), line, place)


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [] if value is None else [str(value)]


def _includes(document: Map) -> list[tuple[object, Place]]:
    entries = document.pop("include", None)
    return entries.entries() if entries else []


def _imported(merged: Map, included: Map, place: Place) -> Map:
    made = merged.copy()
    for section in _SECTIONS:
        if not included.get(section):
            continue
        table: Map = (made.get(section) or Map(place)).copy()
        for name, value in included[section].items():
            if name in table and table[name] != value:
                message = f"{section}.{name} is declared otherwise in {table.place(name)}"
                raise fail(included[section].place(name), message, "give one of the two another name")
            table.put(name, value, included[section].place(name))
        made.put(section, table, place)
    return made


def _refuse_conflicts(own: Map, merged: Map, names: Sequence[str]) -> None:
    """A file may override the files before it, not what is included."""
    for section in _SECTIONS:
        for name in own.get(section) or ():
            place = merged[section].place(name) if name in (merged.get(section) or ()) else None
            if place is not None and place.file not in names and merged[section][name] != settled(own[section][name]):
                where = own[section].place(name)
                raise fail(
                    where, f"{section}.{name} is declared otherwise in {place}", "give one of the two another name"
                )


def _extended(loader: _Loader, document: Map, name: str, around: Surroundings) -> Map:
    """The document with every service that extends another one complete."""
    services = document.get("services")
    if not isinstance(services, Map) or not any(_extends(service) for service in services.values()):
        return document
    made, table = document.copy(), services.copy()
    for service in services:
        table[service] = _complete(loader, services, service, name, around, ())
    made["services"] = table
    return made


def _extends(service: object) -> Map | None:
    extends = service.get("extends") if isinstance(service, Map) else None
    return extends if isinstance(extends, Map) else None


def _complete(
    loader: _Loader, services: Map, service: str, name: str, around: Surroundings, line: tuple[str, ...]
) -> object:
    """A service over the one it extends, that one complete itself; `line` are those that extend it."""
    own = services[service]
    extends = _extends(own)
    if extends is None:
        return own
    place = own.place("extends")
    step = f"{service} ({name})"
    if step in line:
        circle = " → ".join([*line[line.index(step) :], step])
        raise fail(place, f"services extend each other: {circle}", "take one of these out", f"services.{service}")
    file, others, there = name, services, around
    if extends.get("file"):
        file = posixpath.normpath(posixpath.join(Path(name).parent, extends["file"]))
        there = around._replace(directory=Path(file).absolute().parent)
        others = Map(place)
        for document in loader.documents(file, there, place):
            others = merge(others, document.get("services") or Map(place))
    base = str(extends.get("service"))
    if base not in others:
        near = nearest(base, others)
        hint = f"did you mean '{near}'?" if near else "name a service of that file"
        raise fail(place, f"there is no service '{base}' in {file}", hint, f"services.{service}.extends")
    complete = _complete(loader, others, base, file, there, (*line, step))
    made = merge(settled(complete), own)
    made.pop("extends", None)
    return made
