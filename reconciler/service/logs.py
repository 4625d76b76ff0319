"""Log lines: for a person on a terminal, fields for systemd's journal, JSON elsewhere; on stderr but for the journal. Secrets and control characters go no further."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog

from reconciler.service.journald import JournalLogger, entry, is_journal
from reconciler.service.redaction import Secrets


def choose_format(chosen: str | None, environment: Mapping[str, str], stream: TextIO) -> str:
    """As was asked for; else entries for systemd's journal, JSON for pipes, text for a terminal."""
    if chosen:
        return chosen
    if is_journal(stream, environment):
        return "journal"
    under_systemd = environment.get("JOURNAL_STREAM") or environment.get("INVOCATION_ID")
    return "text" if stream.isatty() and not under_systemd else "json"


def make_logger(form: str, secrets: Secrets, stream: TextIO = sys.stderr, *, colours: bool = False) -> Any:
    """A structlog logger. What is bound to it stands on each of its lines."""

    def guard(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        del logger, method
        return {key: secrets.guard(value) for key, value in event.items()}

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
