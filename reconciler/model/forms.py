"""Forms: how one kind of value is written in a spec, kept canonically, sent to the engine and read back.

Each form has `declare` (spec → canonical), `write` (canonical → Engine API), `read` (Engine API → canonical) and
`show` (canonical → text for a person). Everything the engine rewrites is undone in `read`, everything a person may
write in two ways is made one in `declare`; both end in the same value or there is a false difference.

Units and defaults: Engine API v1.41 to v1.51 and the Compose specification.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from reconciler.model.scalars import (
    declare_cpus,
    declare_cpuset,
    declare_microseconds,
    declare_path,
    declare_pids,
    declare_restart,
    declare_seconds,
    declare_signal,
    declare_size,
    declare_swap,
    declare_swappiness,
    read_restart,
    read_swappiness,
    show_cpus,
    show_size,
    write_restart,
)
from reconciler.model.values import Value


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


def declare_rules(raw: str | list[str]) -> tuple[str, ...] | None:
    """Rules such as `c 1:3 mr`, whatever blanks are in them."""
    return declare_set([" ".join(rule.split()) for rule in ([raw] if isinstance(raw, str) else raw)])


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
        elif key == "seccomp" and value.lstrip().startswith("{"):
            options.add(f"{key}={_compact(value)}")
        else:
            options.add(f"{key}={value}" if mark else key)
    return tuple(sorted(options)) or None


def _compact(profile: str) -> str:
    """A profile of seccomp in one form: neither blanks nor the order of keys mean anything."""
    try:
        return json.dumps(json.loads(profile), separators=(",", ":"), sort_keys=True)
    except (ValueError, RecursionError):
        return profile


def show_security(value: tuple[str, ...] | None) -> str:
    """As written, a profile by its hash."""
    return show_plain(
        tuple(
            f"seccomp=(profile {hashlib.sha256(item.encode()).hexdigest()[:12]})"
            if item.startswith("seccomp={")
            else item
            for item in value or ()
        )
    )


def declare_ip_list(raw: str | list[str]) -> tuple[str, ...] | None:
    items = [raw] if isinstance(raw, str) else raw
    return tuple(declare_ip(item) for item in items or ()) or None


def declare_ip(raw: str) -> str:
    try:
        return str(ipaddress.ip_address(str(raw)))
    except ValueError:
        raise ValueError(f"{raw!r} is not an IP address; write one such as 10.5.0.10 or 2001:db8::10") from None


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
MICROSECONDS = Form(declare_microseconds, lambda api: int(api or 0) or None, same, show_plain)
SWAPPINESS = Form(declare_swappiness, read_swappiness, same, show_plain)
CPUS = Form(declare_cpus, lambda api: int(api or 0) or None, same, show_cpus)
CPUSET = Form(declare_cpuset, lambda api: declare_cpuset(api or ""), same, show_plain)
PATH = Form(declare_path, lambda api: declare_path(api or ""), same, show_plain)
SIGNAL = Form(declare_signal, lambda api: declare_signal(api or "") or None, same, show_plain)
RESTART = Form(declare_restart, read_restart, write_restart, show_plain)
ARGV = Form(declare_argv, read_list, list, show_plain)
LIST = Form(declare_list, read_list, list, show_plain)
SET = Form(declare_set, lambda api: declare_set(api or []), list, show_plain)
CAPABILITIES = Form(declare_capabilities, declare_capabilities, list, show_plain)
SECURITY = Form(declare_security, declare_security, list, show_security)
ADDRESSES = Form(declare_ip_list, declare_ip_list, list, show_plain)
HOSTS = Form(declare_hosts, declare_hosts, list, show_plain)
MAP = Form(declare_map, read_map, write_map, show_plain)
ENVIRONMENT = Form(declare_map, read_environment, write_environment, show_plain)
ULIMITS = Form(declare_ulimits, read_ulimits, write_ulimits, show_plain)
RULES = Form(declare_rules, lambda api: declare_rules(api or []), list, show_plain)
TMPFS = Form(declare_tmpfs, lambda api: declare_tmpfs(api or {}), write_map, show_plain)
LOGGING = Form(declare_logging, read_logging, write_logging, show_plain)
