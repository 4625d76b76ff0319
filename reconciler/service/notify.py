"""Telling systemd how it goes: sd_notify(3), which is one datagram; when we are ready, and the one line of status."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Mapping
from contextlib import suppress

from reconciler.loop.telling import Condition, ProjectStatus, Snapshot
from reconciler.model.plan import Verb

#: the pipe in the runtime directory by which the unit's ExecReload waits for an answer
_ASKING = "reload"
#: bytes that a pipe takes at once
_LONGEST_ANSWER = 4000


class Notifier:
    """Talks to the service manager that started us, if one did. `watchdog` is how many seconds it bears silence, or None."""

    def __init__(self, environment: Mapping[str, str], own_pid: int) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._runtime = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        self._status = ""
        micros = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(own_pid)) == str(own_pid)
        self.watchdog = int(micros) / 1e6 if micros.isdecimal() and int(micros) and is_ours else None

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        """To be followed by `ready`."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reloaded(self, problem: str) -> None:
        """Answer whoever waits for the end of a reload: "" or, in one line, why the former configuration stays."""
        if not self._runtime:
            return
        # Nobody waits, or no more: then there is nobody to answer.
        with suppress(OSError):
            pipe = os.open(f"{self._runtime}/{_ASKING}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if stat.S_ISFIFO(os.fstat(pipe).st_mode):
                    os.write(pipe, " ".join(problem.split()).encode()[:_LONGEST_ANSWER] + b"\n")
            finally:
                os.close(pipe)

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def needs_longer(self, seconds: float) -> None:
        """Starting, reloading or stopping takes so much longer from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`; said again only when it is another one."""
        line = " ".join(text.split())
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # Nobody listens any more, or is too busy: that is no reason to stop working.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as stream:
            stream.settimeout(1.0)
            stream.sendto(text.encode(), address)


def is_ready(snapshot: Snapshot) -> bool:
    """The first good pass was there: nothing is under way, and a project at least, if there is any, is kept.

    One that is not holds up no other. While none is there is nothing that could be relied on.
    """
    projects = snapshot.projects
    if not snapshot.engine.is_connected or any(_is_under_way(item) for item in projects):
        return False
    return not projects or any(_is_kept(item) for item in projects)


def _is_under_way(project: ProjectStatus) -> bool:
    """Whether its first pass is still to come or to end. One whose repository cannot be had waits for others, not for us."""
    if project.last_pass is None or project.condition in (Condition.CHANGING, Condition.AWAY):
        return True
    return project.condition is Condition.STARTING and not project.source.reason


def _is_kept(project: ProjectStatus) -> bool:
    """Whether a spec of it is in force: the newest or, where that is invalid, the last good one.

    What is left of its plan is left to a person. Where a change failed, it was applied whole before: then what served
    serves, or is the machine's trouble and not a mistake of a spec that never ran.
    """
    if project.plan is None:
        return False
    if project.failures:
        return bool(project.applied)
    held = {item.address for item in project.held}
    return all(change.verb is Verb.BLOCKED or change.address in held for change in project.plan.changes)


def status_line(snapshot: Snapshot) -> str:
    """`3 projects: 2 settled, 1 failing`."""
    if snapshot.is_suspended:
        return "suspended: nothing is touched"
    if not snapshot.engine.is_connected:
        return f"waiting for the engine: {snapshot.engine.text}"
    counts: dict[str, int] = {}
    for item in snapshot.projects:
        counts[item.condition.value] = counts.get(item.condition.value, 0) + 1
    total = len(snapshot.projects)
    if total == 1:
        only = snapshot.projects[0]
        return (
            f"{only.name}: {only.condition.value}, revision {only.attempted or 'none'}, {len(only.resources)} resources"
        )
    return f"{total} projects: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
