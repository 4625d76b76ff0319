"""Forms of what a container gets of the host's devices: device files, requests such as GPUs, limits of block devices.

Canonical shapes:
    devices       {path in the container: "host path:permissions"}; {"vendor.com/class=name": "cdi"} for CDI names
    gpus          (request, ...), each {"driver", "count", "device_ids", "capabilities", "options"}, sorted
    blkio_config  {"weight": 300, "weight_device": {path: weight}, "device_read_bps": {path: bytes}, ...}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.model.forms import Form, declare_map, read_map, show_plain
from reconciler.model.scalars import declare_size
from reconciler.model.values import Value, canonical_text

_CDI_NAME = re.compile(r"[A-Za-z][\w.-]*/[A-Za-z][\w-]*=[A-Za-z0-9][\w.:-]*")
CDI = "cdi"


# --- device files ----------------------------------------------------------------------------------------------------


def _permissions(text: str) -> str:
    """In the order in which everybody writes them; all of them when none is given."""
    return "".join(letter for letter in "rwm" if letter in (text or "rwm"))


def declare_devices(raw: list[Any]) -> dict[str, Value]:
    """`host:permissions` by path in the container, from `host[:container[:permissions]]`, a table, or a CDI name."""
    devices: dict[str, Value] = {}
    for item in raw:
        if isinstance(item, Mapping):
            host, container = str(item["source"]), str(item.get("target") or "")
            permissions = str(item.get("permissions") or "")
        elif _CDI_NAME.fullmatch(item):
            host, container, permissions = item, "", ""
        else:
            host, container, permissions = ([*str(item).split(":"), "", ""])[:3]
        if _CDI_NAME.fullmatch(host):
            devices[host] = CDI
            continue
        if container and "/" not in container:
            container, permissions = "", container
        if not re.fullmatch("[rwm]*", permissions):
            raise ValueError(f"{permissions!r} are not permissions of a device; write some of r, w and m")
        devices[container or host] = f"{host}:{_permissions(permissions)}"
    return devices


def read_devices(host: Mapping[str, Any] | None) -> dict[str, Value]:
    """From the whole `HostConfig`: CDI names stand among the requests."""
    host = host or {}
    devices: dict[str, Value] = {
        item["PathInContainer"]: f"{item['PathOnHost']}:{_permissions(item.get('CgroupPermissions') or '')}"
        for item in host.get("Devices") or ()
    }
    for request in host.get("DeviceRequests") or ():
        if request.get("Driver") == CDI:
            devices.update(dict.fromkeys(request.get("DeviceIDs") or (), CDI))
    return devices


def write_devices(value: Mapping[str, str]) -> dict[str, Any]:
    files = ((path, *device.rpartition(":")[::2]) for path, device in sorted(value.items()) if device != CDI)
    names = sorted(name for name, device in value.items() if device == CDI)
    body: dict[str, Any] = {
        "Devices": [
            {"PathOnHost": host, "PathInContainer": path, "CgroupPermissions": permissions}
            for path, host, permissions in files
        ]
    }
    if names:
        body["DeviceRequests"] = [{"Driver": CDI, "DeviceIDs": names}]
    return body


# --- requests ---------------------------------------------------------------------------------------------------------


def declare_requests(raw: str | list[Mapping[str, Any]]) -> tuple[Value, ...] | None:
    """`all`, or a list of tables of driver, count, device_ids, capabilities and options."""
    if isinstance(raw, str):
        if raw != "all":
            raise ValueError(f"{raw!r} is not a request for GPUs; write 'all', or a list of tables")
        return ({"count": -1, "capabilities": ("gpu",)},)
    return tuple(sorted((declare_request(item, ["gpu"]) for item in raw), key=canonical_text)) or None


def declare_request(raw: Mapping[str, Any], capabilities: list[str]) -> dict[str, Value]:
    """One request; `capabilities` are always among its own. Without a count or ids it asks for all there are."""
    ids, count = raw.get("device_ids"), raw.get("count")
    if ids and count is not None:
        raise ValueError("count and device_ids exclude each other; keep one of the two")
    if isinstance(count, str) and count != "all":
        raise ValueError(f"{count!r} is not a count; write a number or 'all'")
    wanted = {*capabilities, *(str(item) for item in raw.get("capabilities") or ())}
    request: dict[str, Value] = {"capabilities": tuple(sorted(wanted))}
    if ids:
        request["device_ids"] = tuple(str(item) for item in ids)
    else:
        request["count"] = -1 if count in (None, "all") else int(str(count))
    if raw.get("driver"):
        request["driver"] = str(raw["driver"])
    if raw.get("options"):
        request["options"] = declare_map(raw["options"])
    return request


def read_requests(api: list[Mapping[str, Any]] | None) -> tuple[Value, ...] | None:
    requests = []
    for item in api or ():
        if item.get("Driver") != CDI:
            request: dict[str, Value] = {
                "capabilities": tuple(sorted(name for names in item.get("Capabilities") or () for name in names)),
                "device_ids": tuple(item.get("DeviceIDs") or ()),
                "count": item.get("Count"),
                "driver": item.get("Driver"),
                "options": read_map(item.get("Options")),
            }
            requests.append({key: value for key, value in request.items() if value})
    return tuple(sorted(requests, key=canonical_text)) or None


def write_requests(value: tuple[Mapping[str, Any], ...]) -> list[dict[str, Any]]:
    return [
        {
            "Driver": item.get("driver", ""),
            "Count": item.get("count", 0),
            "DeviceIDs": list(item.get("device_ids", ())),
            "Capabilities": [list(item["capabilities"])],
            "Options": dict(item.get("options", {})),
        }
        for item in value
    ]


# --- limits of block devices -------------------------------------------------------------------------------------------

#: the lists of a spec, what they hold, and their names in the API
_LISTS = {
    "weight_device": ("weight", "BlkioWeightDevice", "Weight"),
    "device_read_bps": ("rate", "BlkioDeviceReadBps", "Rate"),
    "device_write_bps": ("rate", "BlkioDeviceWriteBps", "Rate"),
    "device_read_iops": ("rate", "BlkioDeviceReadIOps", "Rate"),
    "device_write_iops": ("rate", "BlkioDeviceWriteIOps", "Rate"),
}


def declare_blkio(raw: Mapping[str, Any]) -> dict[str, Value]:
    limits: dict[str, Value] = {"weight": _weight(raw["weight"])} if raw.get("weight") else {}
    for name, (what, _, _) in _LISTS.items():
        if raw.get(name):
            declare = _weight if what == "weight" else declare_size
            limits[name] = {str(item["path"]): declare(item[what]) for item in raw[name]}
    return limits


def _weight(raw: int) -> int:
    if not 10 <= raw <= 1000:
        raise ValueError(f"{raw!r} is not a weight of block devices; write 10 to 1000")
    return raw


def read_blkio(host: Mapping[str, Any] | None) -> dict[str, Value]:
    host = host or {}
    limits: dict[str, Value] = {"weight": int(host["BlkioWeight"])} if host.get("BlkioWeight") else {}
    for name, (_, key, what) in _LISTS.items():
        if host.get(key):
            limits[name] = {item["Path"]: item[what] for item in host[key]}
    return limits


def write_blkio(value: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"BlkioWeight": value["weight"]} if value.get("weight") else {}
    for name, (_, key, what) in _LISTS.items():
        if value.get(name):
            body[key] = [{"Path": path, what: limit} for path, limit in sorted(value[name].items())]
    return body


DEVICES = Form(declare_devices, read_devices, write_devices, show_plain)
REQUESTS = Form(declare_requests, read_requests, write_requests, show_plain)
BLKIO = Form(declare_blkio, read_blkio, write_blkio, show_plain)
