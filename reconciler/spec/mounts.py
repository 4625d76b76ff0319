"""Mounts: names of volumes → names on the engine, relative paths → absolute ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.address import Address, Kind
from reconciler.model.desired import VolumeResource
from reconciler.model.mounts import MOUNTS, needs_mount_api
from reconciler.model.values import Value
from reconciler.spec.images import Images
from reconciler.spec.keys import Keys
from reconciler.spec.paths import absolute
from reconciler.spec.problems import nearest
from reconciler.spec.scope import REFUSED, Scope, entry_of


class Mounts(NamedTuple):
    """`config` is the canonical option, `needs` the volumes of the project in it."""

    config: dict[str, Value]
    needs: frozenset[Address]


def resolve_mounts(scope: Scope, name: str, raw: Any, volumes: Mapping[str, VolumeResource], images: Images) -> Mounts:
    """The mounts of a container, with sources as the engine knows them."""
    keys: Keys = (Kind.CONTAINER.value, name, "volumes")
    mounts = scope.declare(keys, MOUNTS, raw)
    resolved: dict[str, Value] = {}
    needs = set()
    for target, mount in {} if mounts is REFUSED else mounts.items():
        source = mount.get("source")
        resolved[target] = mount
        if complaint := _misfit(mount):
            scope.problems.at(entry_of(MOUNTS, raw, target, keys), *complaint)
        elif mount["type"] == "bind":
            resolved[target] = {**mount, "source": absolute(scope.directory, source, scope.environment)}
        elif mount["type"] == "image":
            address = images.of_mount(entry_of(MOUNTS, raw, target, keys), source)
            if address is not None:
                needs.add(address)
                resolved[target] = {**mount, "source": images.reference(address)}
        elif source and source in volumes:
            resolved[target] = {**mount, "source": volumes[source].name}
            needs.add(volumes[source].address)
        elif source and scope.complete:
            scope.problems.at(entry_of(MOUNTS, raw, target, keys), *_unknown(source, volumes))
    return Mounts(resolved, frozenset(needs))


#: by key of a mount, the types that have it
_ONLY = {
    "propagation": ("bind",), "selinux": ("bind", "volume"), "recursive": ("bind",), "create_host_path": ("bind",),
    "nocopy": ("volume",), "labels": ("volume",), "subpath": ("volume", "image"), "size": ("tmpfs",), "mode": ("tmpfs",),
}  # fmt: skip


def _misfit(mount: Mapping[str, Any]) -> tuple[str, str] | None:
    kind = mount["type"]
    if kind in ("bind", "image") and not mount.get("source"):
        wanted = './directory"' if kind == "bind" else 'image"'
        return f"a mount of type {kind} needs a source", f'write source = "{wanted}'
    if kind == "tmpfs" and mount.get("source"):
        return "a tmpfs mount has no source", "leave source out"
    for key, kinds in _ONLY.items():
        if key in mount and kind not in kinds:
            return f"a mount of type {kind} has no {key}", "leave it out"
    if mount.get("recursive") in ("writable", "readonly") and not mount.get("read_only"):
        return f'recursive = "{mount["recursive"]}" is about read-only mounts', "write read_only = true"
    if "selinux" in mount and needs_mount_api(mount):
        return "the engine cannot relabel a mount with these other options", "leave selinux out, or the others"
    return None


def _unknown(source: str, volumes: Mapping[str, VolumeResource]) -> tuple[str, str]:
    meant = nearest(source, volumes)
    hint = f"declare it: [{Kind.VOLUME.value}.{source}], or write './{source}' for a directory beside the spec"
    return f"there is no volume '{source}'", f"did you mean '{meant}'?" if meant else hint
