"""Canonical values → what a person writes in a spec: the way back from `Form.declare`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.model.devices import CDI
from reconciler.model.scalars import show_cpus, show_duration, show_size

_TIMES = ("interval", "timeout", "start_period", "start_interval")
_MOUNT_PARTS = {
    "propagation": "bind",
    "selinux": "bind",
    "create_host_path": "bind",
    "nocopy": "volume",
    "subpath": "volume",
    "size": "tmpfs",
    "mode": "tmpfs",
}


def _size(value: Any) -> Any:
    """In the largest unit that is whole; -1 is no limit."""
    shown = show_size(value).strip('"')
    return int(shown) if shown.isdigit() else -1 if value < 0 else shown


def _duration(value: Any) -> str:
    return show_duration(value).strip('"')


def _ports(value: Mapping[str, Any]) -> list[str]:
    made = []
    for port, places in value.items():
        target, _, protocol = port.partition("/")
        for place in places:
            address, _, published = place.rpartition(":")
            host = f"[{address}]:" if ":" in address else f"{address}:" if address else ""
            front = f"{host}{published}:" if host or published else ""
            made.append(f"{front}{target}{'' if protocol == 'tcp' else f'/{protocol}'}")
    return made


def _expose(value: Mapping[str, Any]) -> list[str]:
    return [port.removesuffix("/tcp") for port in sorted(value)]


def _healthcheck(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("test") == ("NONE",):
        return {"disable": True}
    return {key: _duration(item) if key in _TIMES else plain(item) for key, item in value.items()}


def _mounts(value: Mapping[str, Any]) -> list[Any]:
    return [mount(target, item) for target, item in value.items()]


def mount(target: str, value: Mapping[str, Any]) -> Any:
    """One mount, in short form where that says it."""
    source, kind = value.get("source"), value["type"]
    words = [str(value[key]) for key in ("selinux", "propagation") if value.get(key)]
    words = [*(["ro"] if value.get("read_only") else []), *words, *(["nocopy"] if value.get("nocopy") else [])]
    told = {"type", "source", "read_only", "selinux", "propagation", "nocopy"}
    if kind in ("bind", "volume") and set(value) <= told and ":" not in f"{source or ''}{target}":
        if source:
            return ":".join([str(source), target, *([",".join(words)] if words else [])])
        if not words:
            return target
    made: dict[str, Any] = {"type": kind, **({"source": source} if source else {}), "target": target}
    for key, item in value.items():
        if key in _MOUNT_PARTS:
            shown = f"{item:04o}" if key == "mode" else _size(item) if key == "size" else item
            made.setdefault(_MOUNT_PARTS[key], {})[key] = shown
        elif key not in ("type", "source"):
            made[key] = plain(item)
    return made


def _devices(value: Mapping[str, str]) -> list[str]:
    made = []
    for path, device in value.items():
        if device == CDI:
            made.append(path)
            continue
        host, _, permissions = device.rpartition(":")
        is_all = set(permissions) == set("rwm")
        made.append(
            ":".join([host, *([path] if path != host or not is_all else []), *([] if is_all else [permissions])])
        )
    return made


def _tmpfs(value: Mapping[str, str]) -> list[str]:
    return [f"{path}:{options}" if options else path for path, options in value.items()]


def _ulimits(value: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, limit in value.items():
        soft, _, hard = limit.partition(":")
        made[name] = int(soft) if soft == hard else {"soft": int(soft), "hard": int(hard)}
    return made


def _blkio(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: [{"path": path, "weight" if key == "weight_device" else "rate": limit} for path, limit in item.items()]
        if isinstance(item, Mapping)
        else item
        for key, item in value.items()
    }


def _volumes_from(value: Mapping[str, str]) -> list[str]:
    return [donor.removeprefix("service:") + (":ro" if mode == "ro" else "") for donor, mode in value.items()]


def plain(value: Any) -> Any:
    """Tuples as lists, mappings as tables without what is not set."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if item is not None}
    return value


_WAYS: dict[str, Callable[[Any], Any]] = {
    "blkio_config": _blkio,
    "cpus": lambda value: float(show_cpus(value)),
    "devices": _devices,
    "expose": _expose,
    "healthcheck": _healthcheck,
    "mem_limit": _size,
    "mem_reservation": _size,
    "memswap_limit": _size,
    "ports": _ports,
    "shm_size": _size,
    "stop_grace_period": lambda value: f"{value}s",
    "tmpfs": _tmpfs,
    "ulimits": _ulimits,
    "volumes": _mounts,
    "volumes_from": _volumes_from,
}


def undeclare(option: str, value: Any) -> Any:
    """What `declare` of the option's form makes into this value."""
    return _WAYS.get(option, plain)(value)
