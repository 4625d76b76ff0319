"""Forms: how one kind of value is written in a spec, kept canonically, sent to the engine and read back.

Each form has `declare` (spec → canonical), `write` (canonical → Engine API), `read` (Engine API → canonical) and
`show` (canonical → text for a person). Everything the engine rewrites is undone in `read`, everything a person may
write in two ways is made one in `declare`; both end in the same value or there is a false difference.

Units and defaults: Engine API v1.41 to v1.51 and the Compose specification.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from reconciler.model.values import Value

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?", re.IGNORECASE)
_SIZE_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


class Form(NamedTuple):
    """The four translations of one kind of value; see the module."""

    declare: Callable[[Any], Value]
    read: Callable[[Any], Value]
    write: Callable[[Any], Any]
    show: Callable[[Any], str]


def show_plain(value: Any) -> str:
    """A value as a person would write it in TOML; `(none)` when nothing is set."""
    if value is None or value == ():
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(show_plain(item) for item in value) + "]"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key} = {show_plain(item)}" for key, item in value.items() if item is not None)
        return "{ " + inside + " }" if inside else "{}"
    return str(value)


def same(value: Any) -> Any:
    return value


# --- numbers -------------------------------------------------------------------------------------------------------


def declare_size(raw: str | int) -> int | None:
    """Bytes: an integer, or a number with k, m, g, t (powers of 1024; `kb` and `kib` mean the same). 0 is unset."""
    if isinstance(raw, int):
        return raw or None
    match = _SIZE.fullmatch(raw.strip())
    if match is None:
        raise ValueError(f"{raw!r} is not a size; write bytes, or a number with a unit such as '256M' or '1.5G'")
    return int(float(match[1]) * 1024 ** _SIZE_UNITS[match[2].lower()]) or None


def show_size(value: int | None) -> str:
    if value is None:
        return "(none)"
    if value < 0:
        return '"unlimited"'
    for unit in ("T", "G", "M", "K"):
        size = 1024 ** _SIZE_UNITS[unit.lower()]
        if value >= size and value % size == 0:
            return f'"{value // size}{unit}"'
    return str(value)


def declare_swap(raw: str | int) -> int | None:
    """Like a size; -1 and 'unlimited' mean no limit."""
    return -1 if raw in (-1, "-1", "unlimited") else declare_size(raw)


def declare_duration(raw: str) -> int | None:
    """Nanoseconds, from a sum of units as Go writes it: '1m30s', '500ms'. 0 is unset."""
    total, rest = 0.0, raw.strip()
    while match := _DURATION.match(rest):
        total += float(match[1]) * _NANOSECONDS[match[2]]
        rest = rest[match.end() :]
    if rest or not raw.strip():
        raise ValueError(f"{raw!r} is not a duration; write a number with a unit, such as '30s' or '1m30s'")
    return int(total) or None


def show_duration(value: int | None) -> str:
    if value is None:
        return "(none)"
    text, rest = "", value
    for unit in ("h", "m", "s", "ms", "us", "ns"):
        count, rest = divmod(rest, _NANOSECONDS[unit])
        text += f"{count}{unit}" if count else ""
    return f'"{text or "0s"}"'


def declare_seconds(raw: str | int) -> int | None:
    """Whole seconds, rounded up, from a duration: the engine stores stop timeouts so."""
    if isinstance(raw, int):
        return raw
    nanoseconds = declare_duration(raw) or 0
    return -(-nanoseconds // 10**9)


def declare_cpus(raw: str | float) -> int | None:
    """Billionths of a processor, from a count such as 0.5."""
    try:
        count = float(raw)
    except ValueError:
        raise ValueError(f"{raw!r} is not a number of processors; write one such as 0.5") from None
    if not 0 <= count <= 10_000:
        raise ValueError(f"{raw!r} is not a number of processors; it must not be negative")
    return round(count * 10**9) or None


def show_cpus(value: int | None) -> str:
    return "(none)" if value is None else f"{value / 10**9:g}"


def declare_pids(raw: int) -> int | None:
    return raw if raw > 0 else None


def declare_cpuset(raw: str) -> str | None:
    """A list of processors in its shortest text: '0,1,2' and '0-2' are one value."""
    cpus: set[int] = set()
    for part in filter(None, str(raw).replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise ValueError(f"{raw!r} is not a set of processors; write one such as '0-2,4'")
        cpus.update(range(int(first), min(int(last or first), 4096) + 1))
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges) or None


# --- texts ---------------------------------------------------------------------------------------------------------


def declare_path(raw: str) -> str | None:
    """A cleaned path inside the container, as the engine cleans it; the root directory is the same as none."""
    cleaned = posixpath.normpath(raw) if raw else ""
    return None if cleaned in ("", ".", "/") else cleaned


def declare_signal(raw: str | int) -> str | None:
    """`SIGTERM`, from a number or a name with or without SIG."""
    import signal

    text = str(raw).upper()
    if text.isdigit():
        try:
            return signal.Signals(int(text)).name
        except ValueError:
            return text
    return text if text.startswith("SIG") or not text else f"SIG{text}"


def declare_restart(raw: str) -> str:
    """A restart policy: no, always, unless-stopped, on-failure or on-failure:TIMES."""
    name, _, times = raw.partition(":")
    if name not in ("no", "always", "unless-stopped", "on-failure") or (
        times and (name != "on-failure" or not times.isdigit())
    ):
        raise ValueError(
            f"{raw!r} is not a restart policy; write 'no', 'always', 'unless-stopped', 'on-failure' or 'on-failure:3'"
        )
    return f"{name}:{int(times)}" if times and int(times) else name


def read_restart(api: Mapping[str, Any] | None) -> str:
    name = (api or {}).get("Name") or "no"
    times = (api or {}).get("MaximumRetryCount") or 0
    return f"{name}:{times}" if times and name == "on-failure" else name


def write_restart(value: str) -> dict[str, Any]:
    name, _, times = value.partition(":")
    return {"Name": name, "MaximumRetryCount": int(times or 0)}


# --- lists ---------------------------------------------------------------------------------------------------------


def declare_argv(raw: str | list[str]) -> tuple[str, ...]:
    """The words of a command; a string is split as a shell splits words, and no shell runs it."""
    if not isinstance(raw, str):
        return tuple(str(word) for word in raw)
    try:
        return tuple(shlex.split(raw))
    except ValueError as error:
        raise ValueError(f"{raw!r} cannot be split into words: {error}; write a list of words") from None


def read_list(api: list[Any] | None) -> tuple[str, ...] | None:
    return tuple(str(item) for item in api) if api else None


def declare_list(raw: str | list[Any]) -> tuple[str, ...] | None:
    items = [raw] if isinstance(raw, str) else raw
    return tuple(str(item) for item in items) or None


def declare_set(raw: str | list[Any]) -> tuple[str, ...] | None:
    items = [raw] if isinstance(raw, str) else raw
    return tuple(sorted({str(item) for item in items})) or None


def declare_capabilities(raw: list[str]) -> tuple[str, ...] | None:
    """`CAP_NET_ADMIN` for net_admin, NET_ADMIN and cap_net_admin; ALL stays bare."""
    names = {str(name).upper() for name in raw or ()}
    return tuple(sorted(n if n == "ALL" or n.startswith("CAP_") else f"CAP_{n}" for n in names)) or None


def declare_security(raw: list[str]) -> tuple[str, ...] | None:
    """`key=value` for `key:value`; every way to say no-new-privileges is one."""
    options = set()
    for item in raw or ():
        key, mark, value = re.match(r"([^=:]*)([=:]?)(.*)", str(item), re.DOTALL).groups()  # type: ignore[union-attr]
        if key == "no-new-privileges" and value in ("", "true"):
            options.add("no-new-privileges")
        else:
            options.add(f"{key}={value}" if mark else key)
    return tuple(sorted(options)) or None


def declare_ip_list(raw: str | list[str]) -> tuple[str, ...] | None:
    items = [raw] if isinstance(raw, str) else raw
    return tuple(declare_ip(item) for item in items or ()) or None


def declare_ip(raw: str) -> str:
    try:
        return str(ipaddress.ip_address(str(raw)))
    except ValueError:
        raise ValueError(f"{raw!r} is not an IP address") from None


def declare_hosts(raw: Mapping[str, Any] | list[str]) -> tuple[str, ...] | None:
    """`host:address`, from a list of `host:address` or `host=address`, or a table."""
    pairs: set[str] = set()
    if isinstance(raw, Mapping):
        for host, addresses in raw.items():
            pairs.update(f"{host}:{address}" for address in ([addresses] if isinstance(addresses, str) else addresses))
    else:
        for item in raw or ():
            host, mark, address = re.match(r"([^=:]*)([=:]?)(.*)", str(item)).groups()  # type: ignore[union-attr]
            if not (host and mark and address):
                raise ValueError(f"{item!r} is not a host entry; write 'name:address' or 'name=address'")
            pairs.add(f"{host}:{address.strip('[]')}")
    return tuple(sorted(pairs)) or None


# --- mappings ------------------------------------------------------------------------------------------------------


def scalar(raw: object) -> str:
    """A TOML scalar as the text Compose makes of it."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw)


def declare_map(raw: Mapping[str, Any] | list[str]) -> dict[str, Value]:
    """Text by name, from a table or a list of `name=value`."""
    if isinstance(raw, Mapping):
        return {str(key): scalar(value) for key, value in raw.items()}
    pairs = (str(item).partition("=") for item in raw or ())
    return {key: value for key, _, value in pairs}


def read_map(api: Mapping[str, Any] | None) -> dict[str, Value]:
    return {str(key): "" if value is None else str(value) for key, value in (api or {}).items()}


def write_map(value: Mapping[str, Value]) -> dict[str, Any]:
    return dict(value)


def read_environment(api: list[str] | None) -> dict[str, Value]:
    """Values by name; a name alone (which unsets the variable at start) has the value None."""
    pairs = (item.partition("=") for item in api or ())
    return {key: value if mark else None for key, mark, value in pairs}


def write_environment(value: Mapping[str, Value]) -> list[str]:
    return [key if item is None else f"{key}={item}" for key, item in sorted(value.items())]


def declare_ulimits(raw: Mapping[str, Any]) -> dict[str, Value]:
    """`soft:hard` by name, from a number, `soft:hard` or a table of soft and hard; -1 means unlimited."""
    limits: dict[str, Value] = {}
    for name, value in raw.items():
        if isinstance(value, Mapping):
            limits[name] = f"{int(value['soft'])}:{int(value['hard'])}"
        else:
            soft, _, hard = str(value).partition(":")
            if not re.fullmatch(r"-?\d+", soft) or (hard and not re.fullmatch(r"-?\d+", hard)):
                raise ValueError(f"{value!r} is not a limit; write a number, or {{ soft = 1024, hard = 2048 }}")
            limits[name] = f"{int(soft)}:{int(hard or soft)}"
    return limits


def read_ulimits(api: list[Mapping[str, Any]] | None) -> dict[str, Value]:
    return {item["Name"]: f"{item.get('Soft', 0)}:{item.get('Hard', 0)}" for item in api or ()}


def write_ulimits(value: Mapping[str, str]) -> list[dict[str, Any]]:
    pairs = ((name, limit.split(":")) for name, limit in sorted(value.items()))
    return [{"Name": name, "Soft": int(soft), "Hard": int(hard)} for name, (soft, hard) in pairs]


def declare_devices(raw: list[str]) -> dict[str, Value]:
    """`host:permissions` by path in the container, from `host[:container[:permissions]]`."""
    devices: dict[str, Value] = {}
    for item in raw:
        host, container, permissions = ([*str(item).split(":"), "", ""])[:3]
        if container and "/" not in container:
            container, permissions = "", container
        devices[container or host] = f"{host}:{''.join(sorted(permissions or 'rwm'))}"
    return devices


def read_devices(api: list[Mapping[str, Any]] | None) -> dict[str, Value]:
    return {
        item["PathInContainer"]: f"{item['PathOnHost']}:{''.join(sorted(item.get('CgroupPermissions') or 'rwm'))}"
        for item in api or ()
    }


def write_devices(value: Mapping[str, str]) -> list[dict[str, Any]]:
    pairs = ((path, *device.rpartition(":")[::2]) for path, device in sorted(value.items()))
    return [
        {"PathOnHost": host, "PathInContainer": path, "CgroupPermissions": permissions}
        for path, host, permissions in pairs
    ]


def declare_tmpfs(raw: str | list[str] | Mapping[str, str]) -> dict[str, Value]:
    """Mount options, sorted, by path; from `path[:options]`."""
    if isinstance(raw, Mapping):
        pairs = [(str(path), str(options)) for path, options in raw.items()]
    else:
        pairs = [tuple(str(item).partition(":")[::2]) for item in ([raw] if isinstance(raw, str) else raw)]  # type: ignore[misc]
    return {posixpath.normpath(path): ",".join(sorted(filter(None, options.split(",")))) for path, options in pairs}


def declare_logging(raw: Mapping[str, Any]) -> dict[str, Value]:
    """`{driver, options}`: what is not given stays out and is the engine's."""
    logging: dict[str, Value] = {}
    if raw.get("driver"):
        logging["driver"] = str(raw["driver"])
    if raw.get("options"):
        logging["options"] = declare_map(raw["options"])
    return logging


def read_logging(api: Mapping[str, Any] | None) -> dict[str, Value]:
    return {"driver": (api or {}).get("Type") or None, "options": read_map((api or {}).get("Config"))}


def write_logging(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": value.get("driver", ""), "Config": dict(value.get("options") or {})}


# --- the forms -----------------------------------------------------------------------------------------------------

TEXT = Form(lambda raw: str(raw) or None, lambda api: str(api) if api else None, same, show_plain)
FLAG = Form(bool, bool, same, show_plain)
TRISTATE = Form(bool, same, same, show_plain)
INTEGER = Form(lambda raw: int(raw) or None, lambda api: int(api or 0) or None, same, show_plain)
PIDS = Form(declare_pids, lambda api: declare_pids(api or 0), same, show_plain)
SIZE = Form(declare_size, lambda api: int(api or 0) or None, same, show_size)
SWAP = Form(declare_swap, lambda api: int(api or 0) or None, same, show_size)
SECONDS = Form(declare_seconds, same, same, lambda value: "(none)" if value is None else f'"{value}s"')
CPUS = Form(declare_cpus, lambda api: int(api or 0) or None, same, show_cpus)
CPUSET = Form(declare_cpuset, lambda api: declare_cpuset(api or ""), same, show_plain)
PATH = Form(declare_path, lambda api: declare_path(api or ""), same, show_plain)
SIGNAL = Form(declare_signal, lambda api: declare_signal(api or "") or None, same, show_plain)
RESTART = Form(declare_restart, read_restart, write_restart, show_plain)
ARGV = Form(declare_argv, read_list, list, show_plain)
LIST = Form(declare_list, read_list, list, show_plain)
SET = Form(declare_set, lambda api: declare_set(api or []), list, show_plain)
CAPABILITIES = Form(declare_capabilities, declare_capabilities, list, show_plain)
SECURITY = Form(declare_security, declare_security, list, show_plain)
ADDRESSES = Form(declare_ip_list, declare_ip_list, list, show_plain)
HOSTS = Form(declare_hosts, declare_hosts, list, show_plain)
MAP = Form(declare_map, read_map, write_map, show_plain)
ENVIRONMENT = Form(declare_map, read_environment, write_environment, show_plain)
ULIMITS = Form(declare_ulimits, read_ulimits, write_ulimits, show_plain)
DEVICES = Form(declare_devices, read_devices, write_devices, show_plain)
TMPFS = Form(declare_tmpfs, lambda api: declare_tmpfs(api or {}), write_map, show_plain)
LOGGING = Form(declare_logging, read_logging, write_logging, show_plain)
