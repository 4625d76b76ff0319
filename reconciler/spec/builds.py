"""`build` of an image → how it is built: every option of Compose's build specification."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.model.desired import IMAGE_CONTEXT, Build, BuildSecret
from reconciler.model.forms import HOSTS, LIST, MAP, SIZE, ULIMITS, scalar
from reconciler.spec.contents import Contents
from reconciler.spec.environment import declare_variables
from reconciler.spec.keys import Keys
from reconciler.spec.naming import wrong_reference
from reconciler.spec.paths import absolute, is_inside, kind_of
from reconciler.spec.scope import REFUSED, Scope, Table

REMOTE = re.compile(r"[a-z+]+://|git@|github\.com/")
_CONTEXT_NAME = re.compile(r"[\w./:@-]+")
_SECRET_ID = re.compile(r"[A-Za-z0-9_.-]+")
_SSH_ID = re.compile(r"[A-Za-z0-9_.-]+")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?")
_LOCAL_PATH = re.compile(r"\b(src|dest)=([^,]+)")


def resolve_build(scope: Scope, contents: Contents, keys: Keys, raw: str | Table, platform: str) -> Build | None:
    """A build with its paths absolute and its secrets found; None after a complaint. `platform` is that of the image."""
    table: Table = {"context": raw} if isinstance(raw, str) else raw
    return _Resolver(scope, contents, keys, table).build(platform)


class _Resolver:
    """One `build` table. Every complaint is made; what cannot be used is left out."""

    def __init__(self, scope: Scope, contents: Contents, keys: Keys, table: Table) -> None:
        self.scope, self.contents, self.keys, self.table = scope, contents, keys, table

    def build(self, platform: str) -> Build | None:
        table, found = self.table, len(self.scope.problems.found)
        context = self._context()
        dockerfile, inline = self._dockerfile(context)
        args = declare_variables(self.scope, (*self.keys, "args"), table.get("args", {}))
        labels = self._declare("labels", MAP, {})
        self.scope.check_labels((*self.keys, "labels"), labels)
        build = Build(
            context or "",
            dockerfile,
            table.get("target", ""),
            args or {},
            labels,
            self._platforms(platform),
            table.get("no_cache", False),
            table.get("pull", False),
            inline=inline,
            contexts=self._contexts(),
            cache_from=self._caches("cache_from"),
            cache_to=self._caches("cache_to"),
            network=table.get("network", ""),
            shm_size=self._declare("shm_size", SIZE, 0),
            extra_hosts=self._declare("extra_hosts", HOSTS, ()),
            ulimits=self._declare("ulimits", ULIMITS, {}),
            privileged=table.get("privileged", False),
            entitlements=self._declare("entitlements", LIST, ()),
            secrets=self._secrets(),
            ssh=self._ssh(),
            provenance=self._attestation("provenance"),
            sbom=self._attestation("sbom"),
        )
        return None if context is None or len(self.scope.problems.found) > found else build

    def _complain(self, place: tuple[str | int, ...], message: str, hint: str = "") -> None:
        self.scope.problems.at((*self.keys, *place), message, hint)

    def _declare(self, option: str, form: Any, default: Any) -> Any:
        """The canonical value of an option that a container has too."""
        if option not in self.table:
            return default
        value = self.scope.declare((*self.keys, option), form, self.table[option])
        return default if value is REFUSED or value is None else value

    # --- what is read ------------------------------------------------------------------------------------------------

    def _context(self) -> str | None:
        raw = self.table["context"]
        if REMOTE.match(raw) and self.scope.builds:
            reason = "what is behind an address cannot be looked at, so it is not known when to build again"
            self._complain(("context",), f"{raw!r} is not a directory", f"clone it, and name the directory: {reason}")
            return None
        return self._directory(("context",), raw)

    def _directory(self, place: tuple[str | int, ...], raw: str) -> str | None:
        directory = absolute(self.scope.directory, raw, self.scope.environment)
        if self.scope.builds and kind_of(directory) != "directory":
            shown = Path(self.scope.shown, raw)
            self._complain(place, f"there is no directory {shown}", "it is relative to the file it stands in")
            return None
        return directory

    def _dockerfile(self, context: str | None) -> tuple[str, str]:
        """(path inside the context, text): one of them counts."""
        inline = self.table.get("dockerfile_inline")
        if inline is not None:
            if "dockerfile" in self.table:
                self._complain(
                    ("dockerfile_inline",), "there is a dockerfile too", "write one of dockerfile and dockerfile_inline"
                )
            elif not inline.strip():
                self._complain(("dockerfile_inline",), "is empty", 'begin with "FROM ..."')
            return "", inline
        dockerfile = self.table.get("dockerfile", "Dockerfile")
        wrong = _wrong_dockerfile(context, dockerfile) if context is not None and self.scope.builds else None
        if wrong:
            self._complain(("dockerfile",) if "dockerfile" in self.table else (), *wrong)
        return posixpath.normpath(dockerfile), ""

    def _contexts(self) -> dict[str, str]:
        contexts: dict[str, str] = {}
        raw = self.table.get("additional_contexts", {})
        for place, name, source in _pairs(raw):
            where = ("additional_contexts", place)
            if not _CONTEXT_NAME.fullmatch(name) or not source:
                self._complain(where, f"{name!r} is not the name of a context", "write NAME=directory")
            elif source.startswith(IMAGE_CONTEXT):
                if wrong := wrong_reference(source.removeprefix(IMAGE_CONTEXT)):
                    self._complain(where, wrong)
                contexts[name] = source
            elif REMOTE.match(source) or source.startswith(("service:", "target:")):
                hint = f"clone it and name the directory, or write {IMAGE_CONTEXT}NAME for an image that the engine has"
                self._complain(where, f"{source!r} is neither a directory nor an image", hint)
            elif directory := self._directory(where, source):
                contexts[name] = directory
        return contexts

    # --- how it is built ---------------------------------------------------------------------------------------------

    def _platforms(self, platform: str) -> tuple[str, ...]:
        given = self.table.get("platforms")
        if given is not None and "platform" in self.table:
            self._complain(("platforms",), "there is a platform too", "write one of platform and platforms")
        for at, item in enumerate(given or ()):
            if not _PLATFORM.fullmatch(item):
                self._complain(("platforms", at), "does not have the form os/architecture[/variant]")
        one = self.table.get("platform", platform)
        if platform and platform not in (given or [platform]):
            self._complain(("platforms",), f"the image's own platform {platform} is not among them", "add it")
        return tuple(dict.fromkeys(given)) if given else (one,) if one else ()

    def _caches(self, option: str) -> tuple[str, ...]:
        """Places of caches; the directories of those of type=local become absolute."""
        found: list[str] = []
        for at, text in enumerate(self.table.get(option, ())):
            if "type=local" in text.split(","):
                found.append(_LOCAL_PATH.sub(lambda match: f"{match[1]}={self._path(match[2])}", text))
            elif "=" not in text and (wrong := wrong_reference(text)):
                self._complain((option, at), wrong)
            else:
                found.append(text)
        return tuple(found)

    def _path(self, raw: str) -> str:
        return absolute(self.scope.directory, raw, self.scope.environment)

    def _secrets(self) -> tuple[BuildSecret, ...]:
        found: dict[str, BuildSecret] = {}
        for at, raw in enumerate(self.table.get("secrets", ())):
            table: Table = {"source": raw} if isinstance(raw, str) else raw
            if "id" in table and "target" in table:
                self._complain(("secrets", at, "id"), "there is a target too", "write one of id and target")
            known_as = str(table.get("id") or table.get("target") or table["source"])
            if not _SECRET_ID.fullmatch(known_as):
                hint = "write letters, digits, '_', '.' and '-'; RUN --mount=type=secret,id=...,target=... says where it is"
                self._complain(("secrets", at), f"{known_as!r} is not the id of a secret", hint)
            elif known_as in found:
                self._complain(("secrets", at), f"two secrets have the id {known_as!r}", "give one another id")
            elif content := self.contents.secret(table["source"], (*self.keys, "secrets", at)):
                found[known_as] = BuildSecret(known_as, content)
        return tuple(found.values())

    def _ssh(self) -> tuple[str, ...]:
        found: list[str] = []
        raw = self.table.get("ssh", ())
        for place, name, path in _pairs([raw] if isinstance(raw, str) else raw):
            if not _SSH_ID.fullmatch(name):
                self._complain(("ssh", place), f"{name!r} is not the id of a key", 'write "default", or "ID=path"')
            elif path and self.scope.builds and not kind_of(self._path(path)):
                self._complain(("ssh", place), f"there is no key or socket {Path(self.scope.shown, path)}")
            else:
                found.append(f"{name}={self._path(path)}" if path else name)
        return tuple(found)

    def _attestation(self, option: str) -> str:
        """What is attached; "" for nothing, which is also what `false` says."""
        value = scalar(self.table.get(option, False))
        return "" if value == "false" else value


def _pairs(raw: dict[str, Any] | list[str]) -> Iterator[tuple[str | int, str, str]]:
    """(place, name, value) from a table, or from a list of `name=value`."""
    if isinstance(raw, dict):
        yield from ((name, name, scalar(value)) for name, value in raw.items())
    else:
        for at, item in enumerate(raw):
            name, _, value = item.partition("=")
            yield at, name, value


def _wrong_dockerfile(context: str, dockerfile: str) -> tuple[str, str] | None:
    """(message, hint) unless a Dockerfile is a file inside its context: whatever it is would be sent to the engine."""
    if not is_inside(context, dockerfile):
        return (
            f"the Dockerfile {dockerfile!r} is not inside the build context",
            "write the path of a file in the context",
        )
    if kind_of(f"{context}/{dockerfile}") != "file":
        return f"there is no file {dockerfile!r} in the build context", 'name it: dockerfile = "path"'
    return None


def resolve_tags(scope: Scope, keys: Keys, table: Table, first: str) -> tuple[str, ...]:
    """The further tags of a build."""
    found: list[str] = []
    raw = table.get("tags", ()) if isinstance(table, dict) else ()
    for at, tag in enumerate(raw):
        if wrong := wrong_reference(tag, is_tag=True):
            scope.problems.at((*keys, "tags", at), wrong)
        elif tag != first:
            found.append(tag)
    return tuple(dict.fromkeys(found))
