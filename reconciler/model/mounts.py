"""Mounts: volumes, directories of the host, tmpfs, images.

Canonical shape: {target: {"type", "source", "read_only", ...}}; an anonymous volume has no source.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model.forms import Form, declare_map, same, show_plain
from reconciler.model.scalars import declare_size
from reconciler.model.values import Value

PROPAGATIONS = ("shared", "slave", "private", "rshared", "rslave", "rprivate")
#: only Docker Desktop ever did something with them
CONSISTENCIES = ("cached", "delegated", "consistent")
#: how the mounts below a bind mount come along: the API's flag for each answer but "enabled"
_RECURSIVE = {"disabled": "NonRecursive", "writable": "ReadOnlyNonRecursive", "readonly": "ReadOnlyForceRecursive"}
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")


def _short_mount(raw: str) -> tuple[str, dict[str, Value]]:
    parts = raw.split(":")
    if len(parts) > 3 or not all(parts):
        raise ValueError(f"{raw!r} is not a mount; write 'source:target' or 'source:target:ro'")
    if len(parts) == 1:
        return parts[0], {"type": "volume"}
    source, target, options = parts[0], parts[1], parts[2].split(",") if len(parts) == 3 else []
    mount: dict[str, Value] = {"type": "bind" if source[0] in "./~" else "volume", "source": source}
    for option in options:
        if option == "ro":
            mount["read_only"] = True
        elif option in ("z", "Z"):
            mount["selinux"] = option
        elif option in PROPAGATIONS:
            mount["propagation"] = option
        elif option == "nocopy":
            mount["nocopy"] = True
        elif option == "U":
            raise ValueError(
                f"'U' in {raw!r} is known to Podman only; change the owner in the image, or by an init container"
            )
        elif option not in ("rw", *CONSISTENCIES):
            raise ValueError(
                f"{option!r} in {raw!r} is not a mount option; write ro, rw, z, Z, nocopy or a propagation"
            )
    return target, mount


def _long_mount(raw: Mapping[str, Any]) -> tuple[str, dict[str, Value]]:
    bind, volume, tmpfs = raw.get("bind") or {}, raw.get("volume") or {}, raw.get("tmpfs") or {}
    mode, recursive = tmpfs.get("mode"), bind.get("recursive")
    mount: dict[str, Value] = {
        "type": raw["type"],
        "source": raw.get("source"),
        "read_only": raw.get("read_only") or None,
        "propagation": bind.get("propagation"),
        "selinux": bind.get("selinux"),
        "create_host_path": False if bind.get("create_host_path") is False else None,
        "recursive": None if recursive == "enabled" else recursive,
        "nocopy": volume.get("nocopy") or None,
        "subpath": volume.get("subpath") or (raw.get("image") or {}).get("subpath"),
        "labels": declare_map(volume["labels"]) if volume.get("labels") else None,
        "size": declare_size(tmpfs["size"]) if "size" in tmpfs else None,
        "mode": _mode(mode) if isinstance(mode, str) else mode or None,
    }
    return raw["target"], {key: value for key, value in mount.items() if value is not None}


def _mode(raw: str) -> int | None:
    if not re.fullmatch("(0o)?[0-7]{1,5}", raw):
        raise ValueError(f"{raw!r} are not permissions; write them in octal, such as '1777'")
    return int(raw, 8) or None


def declare_mounts(raw: list[Any]) -> dict[str, Value]:
    mounts: dict[str, Value] = {}
    for item in raw:
        target, mount = _long_mount(item) if isinstance(item, Mapping) else _short_mount(str(item))
        target = posixpath.normpath(target)
        if not target.startswith("/"):
            raise ValueError(
                f"the mount target {target!r} is not an absolute path in the container; write one that begins with '/'"
            )
        if target in mounts:
            raise ValueError(f"two mounts have the target {target!r}")
        mounts[target] = mount
    return mounts


def needs_mount_api(mount: Mapping[str, Any]) -> bool:
    """Whether the engine's string form (`HostConfig.Binds`) cannot say it; that form creates a missing host directory."""
    if mount["type"] == "bind":
        return mount.get("create_host_path") is False or "recursive" in mount
    return mount["type"] in ("tmpfs", "image") or not mount.get("source") or "subpath" in mount or "labels" in mount


def bind_text(target: str, mount: Mapping[str, Any]) -> str:
    options = ["ro" if mount.get("read_only") else "rw"]
    options += [str(mount[key]) for key in ("selinux", "propagation") if mount.get(key)]
    options += ["nocopy"] if mount.get("nocopy") else []
    return f"{mount['source']}:{target}:{','.join(options)}"


def mount_body(target: str, mount: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of `HostConfig.Mounts`."""
    body: dict[str, Any] = {"Type": mount["type"], "Target": target}
    if mount.get("source"):
        body["Source"] = mount["source"]
    if mount.get("read_only"):
        body["ReadOnly"] = True
    kind = mount["type"]
    options: dict[str, dict[str, Any]] = {
        "BindOptions": {
            "Propagation": mount.get("propagation"),
            # The other form makes a directory that is missing without being asked.
            "CreateMountpoint": kind == "bind" and mount.get("create_host_path") is not False,
            **{_RECURSIVE[answer]: True for answer in (mount.get("recursive"),) if answer},
        },
        "VolumeOptions": {
            "NoCopy": mount.get("nocopy"),
            "Subpath": mount.get("subpath") if kind == "volume" else None,
            "Labels": dict(mount.get("labels") or {}),
        },
        "ImageOptions": {"Subpath": mount.get("subpath") if kind == "image" else None},
        "TmpfsOptions": {"SizeBytes": mount.get("size"), "Mode": mount.get("mode")},
    }
    for name, values in options.items():
        given = {key: value for key, value in values.items() if value}
        if given:
            body[name] = given
    return body


def read_mounts(
    host: Mapping[str, Any], resolved: list[Mapping[str, Any]], declared: Iterable[str]
) -> dict[str, Value]:
    """Every mount of a container, from `HostConfig.Binds`, `HostConfig.Mounts` and the resolved `Mounts`.

    The resolved list is asked only for what the image declared (`declared`) and nobody named: anonymous volumes. It
    also holds the mounts of other containers (`volumes_from`).
    """
    mounts: dict[str, Value] = {}
    for text in host.get("Binds") or ():
        target, mount = _short_mount(text)
        if mount.get("propagation") == "rprivate":
            del mount["propagation"]
        mounts[posixpath.normpath(target)] = _anonymous(mount)
    for api in host.get("Mounts") or ():
        mounts[posixpath.normpath(api["Target"])] = _anonymous(_read_mount(api))
    paths = {posixpath.normpath(path) for path in declared}
    for api in resolved:
        target = posixpath.normpath(api["Destination"])
        if api.get("Type") == "volume" and target in paths:
            mounts.setdefault(target, {"type": "volume"})
    return mounts


def _read_mount(api: Mapping[str, Any]) -> dict[str, Value]:
    """One entry of `HostConfig.Mounts`."""
    bind, volume = api.get("BindOptions") or {}, api.get("VolumeOptions") or {}
    tmpfs, image = api.get("TmpfsOptions") or {}, api.get("ImageOptions") or {}
    mount: dict[str, Value] = {
        "type": api["Type"],
        "source": api.get("Source") or None,
        "read_only": api.get("ReadOnly") or None,
        "propagation": bind.get("Propagation") if bind.get("Propagation") != "rprivate" else None,
        "recursive": next((answer for answer, flag in _RECURSIVE.items() if bind.get(flag)), None),
        "nocopy": volume.get("NoCopy") or None,
        "subpath": volume.get("Subpath") or image.get("Subpath") or None,
        "labels": _told(volume.get("Labels") or {}) or None,
        "size": tmpfs.get("SizeBytes") or None,
        "mode": tmpfs.get("Mode") or None,
    }
    return {key: value for key, value in mount.items() if value is not None}


def _told(labels: Mapping[str, str]) -> dict[str, Value]:
    """Without those that nobody declared: ours are on volumes for files, the engine's on those that nobody named."""
    return {key: value for key, value in labels.items() if not key.startswith(("reconciler.", "com.docker.volume."))}


def _anonymous(mount: dict[str, Value]) -> dict[str, Value]:
    """A volume that the engine named is one without a source: its name says nothing."""
    if mount.get("type") == "volume" and _ANONYMOUS.fullmatch(str(mount.get("source", ""))):
        return {key: value for key, value in mount.items() if key != "source"}
    return mount


def comparable_mount(mount: Mapping[str, Value]) -> dict[str, Value]:
    """Without what matters only at creation and cannot be seen afterwards."""
    return {
        key: value
        for key, value in mount.items()
        if key != "create_host_path" and (key, value) != ("propagation", "rprivate")
    }


# --- all mounts of another container ---------------------------------------------------------------------------------


def declare_volumes_from(raw: list[str]) -> dict[str, Value]:
    """`ro` or `rw` by donor, `service:NAME` or `container:NAME`; from `NAME[:mode]`, with or without that word."""
    donors: dict[str, Value] = {}
    for item in raw:
        kind, name, mode = re.fullmatch(r"(?:(service|container):)?([^:]*)(?::(.*))?", item, re.DOTALL).groups()  # type: ignore[union-attr]
        if not name or (mode or "rw") not in ("ro", "rw"):
            raise ValueError(f"{item!r} does not name a container; write 'NAME', 'NAME:ro' or 'container:NAME:ro'")
        donors[f"{kind or 'service'}:{name}"] = mode or "rw"
    return donors


def read_volumes_from(api: list[str] | None) -> dict[str, Value]:
    """`ro` or `rw` by the id or name that was sent."""
    pairs = (item.partition(":") for item in api or ())
    return {donor: mode or "rw" for donor, _, mode in pairs}


def write_volumes_from(value: Mapping[str, str]) -> list[str]:
    suffixes = {"rw": "", "ro": ":ro"}
    return [f"{donor.removeprefix('container:')}{suffixes[mode]}" for donor, mode in sorted(value.items())]


MOUNTS = Form(declare_mounts, same, same, show_plain)
VOLUMES_FROM = Form(declare_volumes_from, read_volumes_from, write_volumes_from, show_plain)
