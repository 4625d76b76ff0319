"""What an engine refuses, or takes and fails with later: said before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from reconciler.model.address import Kind
from reconciler.model.values import Config
from reconciler.spec.scope import Scope

#: (option, what is wrong, what to write)
Complaint: TypeAlias = tuple[str, str, str]

MIN_MEMORY = 6 * 1024 * 1024

_HOSTNAME = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_MODES = {"uts": ("host",), "userns_mode": ("host",), "cgroup": ("host", "private")}
_NAMESPACES = {"pid": ("host",), "ipc": ("private", "shareable", "host", "none")}


def check_container(scope: Scope, name: str, config: Config) -> None:
    """Complain of the canonical options of a container that do not go together or that no engine takes."""
    for rule in _RULES:
        for option, message, hint in rule(config):
            scope.problems.at((Kind.CONTAINER.value, name, option), message, hint)


def _processors(config: Config) -> Iterator[Complaint]:
    if config.get("cpus") is not None:
        for option in ("cpu_quota", "cpu_period"):
            if config.get(option) is not None:
                yield option, f"cpus and {option} exclude each other", "keep cpus"


def _memory(config: Config) -> Iterator[Complaint]:
    limit, swap, reserved = (_number(config, option) for option in ("mem_limit", "memswap_limit", "mem_reservation"))
    if 0 < limit < MIN_MEMORY:
        yield "mem_limit", "an engine takes no limit below 6M", "write 6M or more"
    if swap > 0 and not limit:
        yield "memswap_limit", "memory and swap together are limited only where mem_limit is", "set mem_limit too"
    elif 0 < swap < limit:
        yield "memswap_limit", "memory and swap together cannot be less than mem_limit", "write at least mem_limit"
    if limit and reserved > limit:
        yield "mem_reservation", "it cannot be more than mem_limit", "write at most mem_limit"


def _ulimits(config: Config) -> Iterator[Complaint]:
    limits: Any = config.get("ulimits") or {}
    for name, limit in limits.items():
        soft, hard = (int(number) for number in limit.split(":"))
        if soft > hard >= 0 or (soft < 0 <= hard):
            yield "ulimits", f"the soft limit of {name}, {soft}, is above the hard one, {hard}", "write soft <= hard"


def _mounts(config: Config) -> Iterator[Complaint]:
    tmpfs: Any = config.get("tmpfs") or {}
    volumes: Any = config.get("volumes") or {}
    for target in sorted(tmpfs.keys() & volumes.keys()):
        yield "tmpfs", f"{target!r} is mounted by volumes too", "keep one of the two"
    for target in tmpfs:
        if not target.startswith("/"):
            yield "tmpfs", f"{target!r} is not an absolute path in the container", "write one that begins with '/'"


def _hostname(config: Config) -> Iterator[Complaint]:
    hostname = str(config.get("hostname") or "h")
    if len(hostname) > 63 or not _HOSTNAME.fullmatch(hostname):
        yield "hostname", f"{hostname[:80]!r} is not a host name", "letters, digits and '-', at most 63"


def _namespaces(config: Config) -> Iterator[Complaint]:
    for option, modes in _NAMESPACES.items():
        mode = str(config.get(option) or modes[0])
        if mode not in modes and not re.fullmatch(r"(service|container):.+", mode):
            yield (
                option,
                f"{mode!r} is not a mode of {option}",
                f"write {', '.join(modes)}, service:NAME or container:NAME",
            )


def _modes(config: Config) -> Iterator[Complaint]:
    for option, modes in _MODES.items():
        mode = config.get(option)
        if mode is not None and mode not in modes:
            yield option, f"{mode!r} is not a mode of {option}", f"write {' or '.join(modes)}, or leave it out"
    if config.get("uts") == "host" and config.get("hostname"):
        yield "hostname", 'with uts = "host" it has the name of the host', "leave one of the two out"


def _score(config: Config) -> Iterator[Complaint]:
    if not -1000 <= _number(config, "oom_score_adj") <= 1000:
        yield "oom_score_adj", "it goes from -1000 to 1000", "write a number between them"


def _realtime(config: Config) -> Iterator[Complaint]:
    if _number(config, "cpu_rt_runtime") > _number(config, "cpu_rt_period") > 0:
        yield "cpu_rt_runtime", "it cannot be more than cpu_rt_period", "write at most cpu_rt_period"


def _signal(config: Config) -> Iterator[Complaint]:
    name = str(config.get("stop_signal") or "")
    if not name or name.isdigit() or re.fullmatch(r"SIGRTM(IN(\+\d+)?|AX(-\d+)?)", name):
        return
    import signal

    if name not in signal.Signals.__members__:
        yield "stop_signal", f"{name!r} is not a signal", "write one such as SIGTERM, SIGINT or SIGQUIT"


def _number(config: Config, option: str) -> int:
    value = config.get(option)
    return value if isinstance(value, int) else 0


_RULES: tuple[Callable[[Config], Iterator[Complaint]], ...] = (
    _processors,
    _memory,
    _ulimits,
    _mounts,
    _hostname,
    _namespaces,
    _modes,
    _score,
    _realtime,
    _signal,
)
