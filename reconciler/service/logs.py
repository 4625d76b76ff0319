"""Log lines: for a person on a terminal, fields for systemd's journal, JSON elsewhere; on stderr but for the journal. Secrets and control characters go no further."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

import structlog

from reconciler.model.desired import DesiredState
from reconciler.model.redaction import hide, secret_lines, secret_variables
from reconciler.service.journald import JournalLogger, entry, is_journal


def choose_format(chosen: str | None, environment: Mapping[str, str], stream: TextIO) -> str:
    """As was asked for; else entries for systemd's journal, JSON for pipes, text for a terminal."""
    if chosen:
        return chosen
    if is_journal(stream, environment):
        return "journal"
    under_systemd = environment.get("JOURNAL_STREAM") or environment.get("INVOCATION_ID")
    return "text" if stream.isatty() and not under_systemd else "json"


class Secrets:
    """Values that must not be written anywhere. Safe to use from any thread."""

    def __init__(self) -> None:
        self._values: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def learn(self, desired: DesiredState) -> None:
        """The contents of secrets, and the values of variables whose names say that they are secret."""
        found = secret_lines(desired.secrets.values())
        for container in desired.containers():
            variables = container.config.get("environment")
            found |= secret_variables(variables) if isinstance(variables, Mapping) else set()
        self.add(found)

    def add(self, values: Iterable[str]) -> None:
        with self._lock:
            self._values |= frozenset(values)

    def hide(self, text: str) -> str:
        return hide(text, self._values)


def make_logger(form: str, secrets: Secrets, stream: TextIO = sys.stderr, *, colours: bool = False) -> Any:
    """A structlog logger. What is bound to it stands on each of its lines."""

    def guard(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        del logger, method
        return {key: _guarded(value, secrets) for key, value in event.items()}

    def journal(logger: object, method: str, event: structlog.typing.EventDict) -> bytes:
        del logger, method
        return entry(event)

    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=colours)
        if form == "text"
        else journal
        if form == "journal"
        else structlog.processors.JSONRenderer()
    )
    return structlog.wrap_logger(
        JournalLogger(stream) if form == "journal" else structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            guard,
            renderer,
        ],
        wrapper_class=structlog.BoundLogger,
    )


def _guarded(value: object, secrets: Secrets) -> object:
    """A value that can be written: what came from an engine or a registry may hold anything."""
    if isinstance(value, str):
        return _one_line(secrets.hide(value))
    if isinstance(value, int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {_one_line(str(key)): _guarded(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_guarded(item, secrets) for item in value]
    return _one_line(secrets.hide(str(value)))


def _one_line(text: str) -> str:
    """Without what would steer a terminal, or begin a line that looks like one of ours."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" if char != "\n" else " ⏎ " for char in text)
