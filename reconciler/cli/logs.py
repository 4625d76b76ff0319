"""Logs, by structlog: readable on a terminal, JSON elsewhere; always on stderr. Imported only when something logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import structlog

from reconciler.cli.render import clean, use_colour
from reconciler.engine.interface import Engine


def make_logger() -> structlog.typing.FilteringBoundLogger:
    """A logger for this process."""
    readable = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=use_colour(sys.stderr))
        if readable
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _neutralise,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def _neutralise(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape sequences in names and labels must not reach a terminal."""
    del logger, method
    return {key: clean(value) if isinstance(value, str) else value for key, value in event.items()}


class LoggedEngine:
    """An engine that logs each call: its name, the id or name it is about, how long it took, how it ended.

    Bodies are not logged: they hold environments.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._log = make_logger()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)
        return self._logged(name, method) if callable(method) else method

    def _logged(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            about = next((argument for argument in arguments if isinstance(argument, str)), "")
            began = time.monotonic()
            try:
                answer = method(*arguments, **options)
            except Exception as error:
                self._log.warning("engine call failed", call=name, about=about, ms=_since(began), error=str(error))
                raise
            self._log.info("engine call", call=name, about=about, ms=_since(began))
            return answer

        return call


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
