"""Scalars: sizes, durations, counts, processors, paths, signals; from what a person writes to the canonical value.

The second half of a pair, `show_*`, writes a canonical value as a person would.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

#: the one security option that the engine has no word for, only two lists that are empty
PATHS_UNCONFINED = "systempaths=unconfined"

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?", re.IGNORECASE)
_SIZE_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


# --- numbers -------------------------------------------------------------------------------------------------------


def declare_size(raw: str | int) -> int | None:
    """Bytes: an integer, or a number with k, m, g, t (powers of 1024; `kb` and `kib` mean the same). 0 is unset."""
    if isinstance(raw, int) and raw >= 0:
        return raw or None
    match = _SIZE.fullmatch(str(raw).strip())
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


def declare_microseconds(raw: str | int) -> int | None:
    """Microseconds, from their count or a duration such as '10ms'. 0 is unset."""
    if isinstance(raw, int) or raw.strip().isdecimal():
        return int(raw) or None
    return (declare_duration(raw) or 0) // 1000 or None


def declare_swappiness(raw: int) -> int | None:
    """0 to 100; 0 is a value of its own, -1 means what the host does."""
    if not -1 <= raw <= 100:
        raise ValueError(f"{raw!r} is not a swappiness; write 0 to 100, or -1 for that of the host")
    return raw if raw >= 0 else None


def read_swappiness(api: int | None) -> int | None:
    return None if api is None or api < 0 else int(api)


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
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise ValueError(f"{raw!r} is not a set of processors; write one such as '0-2,4'")
        if int(last or first) < int(first):
            raise ValueError(f"the range {part!r} runs backwards; write the smaller number first")
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
    if text.isdecimal():
        try:
            return signal.Signals(int(text)).name
        except ValueError:
            return text
    return text if text.startswith("SIG") or not text else f"SIG{text}"


RESTART_ADVICE = "write 'no', 'always', 'unless-stopped', 'on-failure' or 'on-failure:3'"


def declare_restart(raw: str) -> str:
    """A restart policy: no, always, unless-stopped, on-failure or on-failure:TIMES."""
    name, _, times = raw.partition(":")
    if name not in ("no", "always", "unless-stopped", "on-failure") or (
        times and (name != "on-failure" or not times.isdecimal())
    ):
        raise ValueError(f"{raw!r} is not a restart policy; {RESTART_ADVICE}")
    return f"{name}:{int(times)}" if times and int(times) else name


def read_restart(api: Mapping[str, Any] | None) -> str:
    name = (api or {}).get("Name") or "no"
    times = (api or {}).get("MaximumRetryCount") or 0
    return f"{name}:{times}" if times and name == "on-failure" else name


def write_restart(value: str) -> dict[str, Any]:
    name, _, times = value.partition(":")
    return {"Name": name, "MaximumRetryCount": int(times or 0)}
