"""`[config.*]` and `[secret.*]` → their bytes; which files of a container they are, and what it watches."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.model.contents import (
    CONFIGS,
    MARKER,
    OWN_DIRECTORY,
    SECRETS,
    Content,
    OnChange,
    Use,
    on_change_of,
)
from reconciler.model.forms import Form
from reconciler.model.scalars import declare_signal
from reconciler.model.values import Config
from reconciler.spec.keys import Keys
from reconciler.spec.naming import wrong_resource
from reconciler.spec.paths import absolute
from reconciler.spec.problems import nearest
from reconciler.spec.reading import UnreadableError, read_bytes
from reconciler.spec.scope import Scope, Table
from reconciler.spec.watched import hash_path

MAX_BYTES = 1024 * 1024

#: by the option of a container: the section that declares its contents, its form, the mode of its files
_OPTIONS = {"configs": ("config", CONFIGS, 0o444), "secrets": ("secret", SECRETS, 0o400)}
_SOURCES = ("file", "environment", "content")


class Contents:
    """The declared contents of a project. `reads` are the files that were read for them, and all that is watched."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.reads: set[str] = set()
        self.warnings: list[str] = []
        self.configs = self._declared("configs")
        self.secrets = self._declared("secrets")

    def secret(self, name: str, keys: Keys) -> Content | None:
        """A secret that something at `keys` refers to; None after a complaint."""
        return self._find("secrets", name, keys)

    def _find(self, option: str, name: str, keys: Keys) -> Content | None:
        declared = self.secrets if option == "secrets" else self.configs
        section = _OPTIONS[option][0]
        if name not in self._tables(section) and self.scope.complete:
            meant = nearest(name, declared)
            hint = f"did you mean '{meant}'?" if meant else f'declare it: [{section}.{name}] file = "./{name}"'
            self.scope.problems.at(keys, f"there is no {section} '{name}'", hint)
        return declared.get(name)

    def _tables(self, section: str) -> dict[str, Table]:
        tables: dict[str, Table] = self.scope.document.get(section, {})
        return tables

    def _declared(self, option: str) -> dict[str, Content]:
        section, found = _OPTIONS[option][0], {}
        for name, table in self._tables(section).items():
            keys: Keys = (section, name)
            wrong = wrong_resource(name)
            if wrong:
                self.scope.problems.at(keys, wrong)
            held = self._read(keys, table)
            if held is not None:
                found[name] = Content(option, name, held)
            if section == "secret" and "content" in table:
                text = f"secret.{name} stands in the spec itself, for all who may read it; name a file or a variable"
                self.warnings.append(text)
        return found

    def _read(self, keys: Keys, table: Table) -> bytes | None:
        given = [source for source in _SOURCES if source in table]
        if len(given) != 1:
            if not any(self.scope.problems.is_broken((*keys, source)) for source in _SOURCES):
                state = f"has {' and '.join(given)}" if given else "says not where it comes from"
                self.scope.problems.at(keys, state, "write one of file, environment and content")
            return None
        if "content" in table:
            return str(table["content"]).encode()
        if "environment" in table:
            return self._variable((*keys, "environment"), table["environment"])
        return self._file((*keys, "file"), table["file"])

    def _variable(self, keys: Keys, name: str) -> bytes | None:
        value = self.scope.environment.get(name)
        if value is None:
            self.scope.problems.at(keys, f"the variable {name} is not set", "set it in the environment or in .env")
            return None
        return value.encode("utf-8", "surrogateescape")

    def _file(self, keys: Keys, path: str) -> bytes | None:
        scope = self.scope
        name = absolute(scope.directory, path, scope.environment)
        self.reads.add(name)
        try:
            return read_bytes(name, MAX_BYTES)
        except UnreadableError as error:
            scope.problems.at(keys, f"the file {Path(scope.shown, path)} {error}", error.hint)
        return None

    # --- what a container is given -----------------------------------------------------------------------------------

    def of_container(self, name: str, table: Table, config: Config) -> tuple[Use, ...]:
        """The contents that a container uses. `config` is all else that it declares, canonical."""
        keys: Keys = ("container", name)
        uses: dict[str, Use] = {}
        for option in _OPTIONS:
            for use, place in self._files(keys, option, table, config):
                if use.target in uses and uses[use.target].content.option != option:
                    self.scope.problems.at(
                        place, f"two files have the target {use.target!r}", "give one another target"
                    )
                uses[use.target] = use
                hindrance = _hindrance(use.target, config)
                if hindrance:
                    self.scope.problems.at(place, *hindrance)
        return (*uses.values(), *self._watched((*keys, "watch"), table.get("watch", []), config))

    def _files(self, keys: Keys, option: str, table: Table, config: Config) -> Iterator[tuple[Use, Keys]]:
        _, form, mode = _OPTIONS[option]
        for at, item in enumerate(table.get(option, ())):
            place: Keys = (*keys, option, at)
            target, declared = _one_file(form, item)
            content = self._find(option, declared["source"], place) if declared else None
            try:
                on_change, signal = _on_change(item)
            except ValueError as error:
                self.scope.problems.refused(place, error)
                continue
            if content is not None:
                base = posixpath.dirname(target) if needs_volume(target, config) else "/"
                uid, gid, mode = declared.get("uid"), declared.get("gid"), declared.get("mode", mode)
                yield Use(content, on_change, signal, target, uid, gid, mode, base), place

    def _watched(self, keys: Keys, raw: Any, config: Config) -> Iterator[Use]:
        for at, item in enumerate(raw):
            place: Keys = (*keys, at)
            path = item if isinstance(item, str) else item["path"]
            name = absolute(self.scope.directory, path, self.scope.environment)
            if not _is_mounted(name, config):
                hint = f'mount it: volumes = ["{path}:/path/in/the/container:ro"]'
                self.scope.problems.at(place, f"{path!r} is not bind-mounted into this container", hint)
                continue
            self.reads.add(name)
            try:
                on_change, signal = _on_change(item)
                hashed = hash_path(name)
            except UnreadableError as error:
                self.scope.problems.at(place, f"{Path(self.scope.shown, path)} {error}", error.hint)
            except ValueError as error:
                self.scope.problems.refused(place, error)
            else:
                if on_change is not OnChange.IGNORE:
                    yield Use(Content("watch", posixpath.normpath(path), hashed.encode()), on_change, signal)


def _one_file(form: Form, item: Any) -> tuple[str, Mapping[str, Any]]:
    """The target of one entry, and what is declared for it; nothing where the form has complained of it."""
    try:
        declared: Any = form.declare([item])
    except ValueError:
        return "", {}
    ((target, file),) = declared.items()
    return target, file


def _on_change(item: Any) -> tuple[OnChange, str]:
    import signal

    text = item.get("on_change") if isinstance(item, Mapping) else None
    on_change, name = on_change_of(text or OnChange.REPLACE.value)
    name = declare_signal(name) or "" if name else ""
    if name and not name.isdecimal() and name not in signal.Signals.__members__:
        raise ValueError(f"{name!r} is not a signal; write one such as SIGHUP or SIGUSR1")
    return on_change, name


# --- where a file can be put -----------------------------------------------------------------------------------------


def needs_volume(target: str, config: Config) -> bool:
    """Whether a file is put into a volume made for it.

    The engine writes neither to a read-only root nor to what exists only while the container runs.
    """
    return bool(config.get("read_only")) or any(_is_below(target, path) for path in _in_memory(config))


def holders(uses: tuple[Use, ...], config: Config) -> tuple[str, ...]:
    """The directories of a container at which volumes are mounted that hold its files."""
    found = {use.base for use in uses if use.base != "/"}
    if uses and needs_volume(MARKER, config):
        found.add(OWN_DIRECTORY)
    return tuple(sorted(found))


def _hindrance(target: str, config: Config) -> tuple[str, str] | None:
    """Why no file can be put there, and what to write instead; None when it can."""
    parent, mounts = posixpath.dirname(target), _mapping(config.get("volumes"))
    if _is_below(target, OWN_DIRECTORY) or target == OWN_DIRECTORY:
        return f"{OWN_DIRECTORY} is where this program keeps notes of its own", "choose another target"
    for path, mount in mounts.items():
        if path == target or _is_below(path, target):
            return f"something is mounted at {path}, over {target}", "choose another target"
        if _is_below(target, path) and mount.get("type") != "tmpfs":
            return (
                f"{target} lies in what is mounted at {path}, which outlives the container",
                "choose a target outside of it, or put the file into what is mounted",
            )
    for path in _in_memory(config):
        if path in (target, parent):
            return f"{path} is a tmpfs, which is empty whenever the container starts", "choose another directory"
    if parent == "/" and config.get("read_only"):
        return (
            f"the root file system is read-only, so no file can be put at {target}",
            f'give it a directory of its own, and tell the program: target = "/etc/reconciled{target}"; or mount its file',
        )
    return None


def _in_memory(config: Config) -> list[str]:
    mounts = _mapping(config.get("volumes"))
    return [*_mapping(config.get("tmpfs")), *(path for path, mount in mounts.items() if mount.get("type") == "tmpfs")]


def _is_below(path: str, directory: str) -> bool:
    return path.startswith(f"{directory.rstrip('/')}/")


def _is_mounted(name: str, config: Config) -> bool:
    sources = [str(m["source"]) for m in _mapping(config.get("volumes")).values() if m.get("type") == "bind"]
    return any(name == source or _is_below(name, source) or _is_below(source, name) for source in sources)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
