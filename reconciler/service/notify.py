"""Telling systemd how it goes: sd_notify(3), which is one datagram."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Talks to the service manager that started us, if one did. `watchdog` is how many seconds it bears silence, or None."""

    def __init__(self, environment: Mapping[str, str], own_pid: int) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._status = ""
        micros = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(own_pid)) == str(own_pid)
        self.watchdog = int(micros) / 1e6 if micros.isdecimal() and int(micros) and is_ours else None

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        """To be followed by `ready`."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

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
