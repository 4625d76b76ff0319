"""This very process: who it is to others, whether another one still lives, and in which container it runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from reconciler.model.lease import Holder

_PROC = Path("/proc")
_ID = re.compile(r"[0-9a-f]{64}")
#: the files that an engine mounts into every container, from a directory that is named after it
_MOUNTED = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
_UPPER = "upperdir="


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


@cache
def this_process() -> Holder:
    import pwd

    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    boot = boot_of(os.environ)
    return Holder(os.uname().nodename, user, os.getpid(), boot, _space(), _start_of(os.getpid())[1])


def boot_of(environment: Mapping[str, str], proc: Path = _PROC) -> str:
    """What tells this boot of the host from all others. In a unit with ProcSubset=pid only systemd can tell."""
    shown = _text(proc / "sys/kernel/random/boot_id").strip() or environment.get("RECONCILER_BOOT_ID", "")
    return shown.replace("-", "")  # systemd writes it without


def _space() -> str:
    """The namespace in which our pids mean something: two containers of one host both have a process 1."""
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _start_of(pid: int) -> tuple[str, str]:
    """A process's state and when it began, or two empty texts."""
    # The second field is its name, and may hold anything.
    fields = _text(_PROC / str(pid) / "stat").rpartition(") ")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else ("", "")


def is_dead(holder: Holder) -> bool:
    """Whether it was a process of this machine, and is no more. Of other machines, and when in doubt, nothing is said."""
    us = this_process()
    if not holder.boot or not holder.space or (holder.boot, holder.space) != (us.boot, us.space) or holder.pid <= 0:
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's, and alive
    except OverflowError:
        return False
    state, started = _start_of(holder.pid)
    return state in ("Z", "X") or bool(started and holder.started and started != holder.started)


def own_container(
    ids: Iterable[str], layers: Mapping[str, str] = MappingProxyType({}), proc: Path = _PROC, hostname: str = ""
) -> str:
    """Which of an engine's containers this process runs in, or "".

    What is surest comes first. The mounted files and the host's name are those of another container where that one's
    network is shared; a person may replace both, and the cgroup is hidden in a namespace of its own.

    Args:
        layers: by id, the directory with what a container writes to its root, where the engine tells it.
    """
    known = set(ids)
    mounts = [line.split(" ") for line in _text(proc / "self/mountinfo").splitlines()]
    found: list[str] = [name for line in _text(proc / "self/cgroup").splitlines() for name in _ID.findall(line)[-1:]]
    for fields in mounts:
        upper = next((text for text in fields[-1].split(",") if text.startswith(_UPPER)), "").removeprefix(_UPPER)
        # Relative to the engine's directory where the names of all layers would be too long for the kernel.
        if upper and fields[4:5] == ["/"]:
            found += [name for name, layer in layers.items() if layer.endswith(upper)]
    for fields in mounts:
        if len(fields) > 4 and fields[4] in _MOUNTED:
            found += _ID.findall(fields[3])[-1:]
    for name in found:
        if name in known:
            return name
    host = hostname or os.uname().nodename
    if re.fullmatch(r"[0-9a-f]{12}", host):
        return next((name for name in known if name.startswith(host)), "")
    return ""
