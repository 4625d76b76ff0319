"""Log lines as entries of systemd's journal, with a field for each value: systemd.journal-fields(7), JOURNAL_NATIVE_PROTOCOL.

JSON in MESSAGE would be one text to `journalctl`; fields can be asked for: `journalctl RECONCILER_PROJECT=shop`.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any, TextIO

SOCKET = "/run/systemd/journal/socket"
PREFIX = "RECONCILER_"
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
#: bytes of one field: far below what a datagram takes with all of an entry's fields
_MOST = 16 * 1024


def is_journal(stream: TextIO, environment: Mapping[str, str], path: str = SOCKET) -> bool:
    """Whether what is written to a stream ends in the journal: systemd says which one it connected."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino)) and os.path.exists(path)  # noqa: PTH110


def entry(event: Mapping[str, Any]) -> bytes:
    """A line of the log in the journal's own form. Its time is the journal's."""
    fields = {
        "MESSAGE": _message(event),
        "PRIORITY": str(_PRIORITIES.get(str(event.get("level")), 6)),
        "SYSLOG_IDENTIFIER": "reconciler",
    }
    for key, value in event.items():
        if key not in ("level", "timestamp"):
            name = "".join(char if char.isascii() and char.isalnum() else "_" for char in key)
            fields[f"{PREFIX}{name}".upper()[:64]] = _text(value)
    return b"".join(_field(name, text) for name, text in fields.items())


class JournalLogger:
    """What structlog hands entries to. One that the journal does not take goes to `stream`, where it ends up as well."""

    def __init__(self, stream: TextIO, path: str = SOCKET) -> None:
        self._stream, self._path = stream, path

    def msg(self, entry: bytes) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as journal:
                journal.sendto(entry, self._path)
        except OSError:
            self._stream.write(entry.partition(b"\n")[0].decode().removeprefix("MESSAGE=") + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


def _message(event: Mapping[str, Any]) -> str:
    """For a person: of what, what, and its words."""
    about = " ".join(str(event[key]) for key in ("project", "resource") if event.get(key))
    words = " ".join(part for part in (str(event.get("event", "")), str(event.get("text") or "")) if part)
    if not event.get("text"):
        told = {
            key: value
            for key, value in event.items()
            if key not in ("project", "resource", "event", "level", "timestamp", "pass_id")
        }
        words += "".join(f" {key}={_text(value)}" for key, value in told.items())
    return f"{about}: {words}" if about else words


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _field(name: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")[:_MOST]
    if b"\n" in data:
        return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return name.encode() + b"=" + data + b"\n"
