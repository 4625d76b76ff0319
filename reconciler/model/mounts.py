"""Mounts: volumes, directories of the host, tmpfs.

Canonical shape: {target: {"type", "source", "read_only", ...}}; an anonymous volume has no source.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from reconciler.model.forms import Form, same, show_plain
from reconciler.model.scalars import declare_size
from reconciler.model.values import Value

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
        elif option in ("shared", "slave", "private", "rshared", "rslave", "rprivate"):
            mount["propagation"] = option
        elif option == "nocopy":
            mount["nocopy"] = True
        elif option != "rw":
            raise ValueError(
                f"{option!r} in {raw!r} is not a mount option; write ro, rw, z, Z, nocopy or a propagation"
            )
    return target, mount


def _long_mount(raw: Mapping[str, Any]) -> tuple[str, dict[str, Value]]:
    bind, volume, tmpfs = raw.get("bind") or {}, raw.get("volume") or {}, raw.get("tmpfs") or {}
    mode = tmpfs.get("mode")
    mount: dict[str, Value] = {
        "type": raw["type"],
        "source": raw.get("source"),
        "read_only": raw.get("read_only"),
        "propagation": bind.get("propagation"),
        "selinux": bind.get("selinux"),
        "create_host_path": False if bind.get("create_host_path") is False else None,
        "nocopy": volume.get("nocopy"),
        "subpath": volume.get("subpath"),
        "size": declare_size(tmpfs["size"]) if "size" in tmpfs else None,
        "mode": int(mode, 8) if isinstance(mode, str) else mode,
    }
    return raw["target"], {
        key: value
        for key, value in mount.items()
        if value not in (None, False) or (key == "create_host_path" and value is False)
    }


def declare_mounts(raw: list[Any]) -> dict[str, Value]:
    mounts: dict[str, Value] = {}
    for item in raw:
        target, mount = _long_mount(item) if isinstance(item, Mapping) else _short_mount(str(item))
        target = posixpath.normpath(target)
        if not target.startswith("/"):
            raise ValueError(f"the mount target {target!r} is not an absolute path in the container")
        if target in mounts:
            raise ValueError(f"two mounts have the target {target!r}")
        mounts[target] = mount
    return mounts


def needs_mount_api(mount: Mapping[str, Any]) -> bool:
    """Whether the engine's string form (`HostConfig.Binds`) cannot say it; that form creates a missing host directory."""
    if mount["type"] == "bind":
        return mount.get("create_host_path") is False
    return mount["type"] == "tmpfs" or not mount.get("source") or bool(mount.get("subpath"))


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
    if mount.get("propagation"):
        body["BindOptions"] = {"Propagation": mount["propagation"]}
    volume = {"NoCopy": mount.get("nocopy"), "Subpath": mount.get("subpath")}
    if any(volume.values()):
        body["VolumeOptions"] = {key: value for key, value in volume.items() if value}
    tmpfs = {"SizeBytes": mount.get("size"), "Mode": mount.get("mode")}
    if any(tmpfs.values()):
        body["TmpfsOptions"] = {key: value for key, value in tmpfs.items() if value}
    return body


def read_mounts(host: Mapping[str, Any], resolved: list[Mapping[str, Any]]) -> dict[str, Value]:
    """Every mount of a container, from `HostConfig.Binds`, `HostConfig.Mounts` and the resolved `Mounts`.

    The resolved list is asked only for what the image declared and nobody named: anonymous volumes.
    """
    mounts: dict[str, Value] = {}
    for text in host.get("Binds") or ():
        target, mount = _short_mount(text)
        if mount.get("propagation") == "rprivate":
            del mount["propagation"]
        mounts[posixpath.normpath(target)] = _anonymous(mount)
    for api in host.get("Mounts") or ():
        bind, volume, tmpfs = (
            api.get("BindOptions") or {},
            api.get("VolumeOptions") or {},
            api.get("TmpfsOptions") or {},
        )
        mount = {
            "type": api["Type"],
            "source": api.get("Source") or None,
            "read_only": api.get("ReadOnly") or None,
            "propagation": bind.get("Propagation") if bind.get("Propagation") != "rprivate" else None,
            "nocopy": volume.get("NoCopy") or None,
            "subpath": volume.get("Subpath") or None,
            "size": tmpfs.get("SizeBytes") or None,
            "mode": tmpfs.get("Mode") or None,
        }
        mounts[posixpath.normpath(api["Target"])] = _anonymous(
            {key: value for key, value in mount.items() if value is not None}
        )
    for api in resolved:
        if api.get("Type") == "volume":
            mounts.setdefault(posixpath.normpath(api["Destination"]), {"type": "volume"})
    return mounts


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


MOUNTS = Form(declare_mounts, same, same, show_plain)
