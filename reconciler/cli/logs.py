"""What `--verbose` adds: each call of the engine as a log line. Imported only then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from reconciler.cli.render import use_colour
from reconciler.engine.interface import Engine
from reconciler.service.logs import choose_format, make_logger
from reconciler.service.redaction import Secrets


class LoggedEngine:
    """An engine that logs each call: its name, the id or name it is about, how long it took, how it ended.

    Bodies are not logged: they hold environments.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        form = choose_format(None, os.environ, sys.stderr)
        self._log = make_logger(form, Secrets(), colours=use_colour(sys.stderr))

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
