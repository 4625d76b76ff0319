"""This very process: who it is to others, whether another one still lives, and in which container it runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from reconciler.model.lease import Holder

_PROC = Path("/proc")
_ID = re.compile(r"[0-9a-f]{64}")
#: the files that an engine mounts into every container, from a directory that is named after it
_MOUNTED = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


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
    boot, space = _text(_PROC / "sys/kernel/random/boot_id").strip(), _space()
    return Holder(os.uname().nodename, user, os.getpid(), boot, space, _start_of(os.getpid())[1])


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


def own_container(ids: Iterable[str], proc: Path = _PROC, hostname: str = "") -> str:
    """Which of an engine's containers this process runs in, or "".

    An id is believed where the kernel names it, a host's name where it is the beginning of one, as engines give them.
    """
    known = set(ids)
    found: list[str] = [name for line in _text(proc / "self/cgroup").splitlines() for name in _ID.findall(line)[-1:]]
    for line in _text(proc / "self/mountinfo").splitlines():
        fields = line.split(" ")
        if len(fields) > 4 and fields[4] in _MOUNTED:
            found += _ID.findall(fields[3])[-1:]
    for name in found:
        if name in known:
            return name
    host = hostname or os.uname().nodename
    if re.fullmatch(r"[0-9a-f]{12}", host):
        return next((name for name in known if name.startswith(host)), "")
    return ""
