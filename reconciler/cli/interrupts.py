"""Signals during an apply: the first lets what is under way end, or undoes it; the second stops at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.cli.streams import write_safely
from reconciler.engine.children import end_all

_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def finish_on_signal() -> Iterator[threading.Event]:
    """An event that the first signal sets."""
    cancelled = threading.Event()

    def on_signal(number: int, frame: object) -> None:
        del frame
        if cancelled.is_set():
            # Threads wait for the engine and would keep the interpreter from ending.
            end_all()
            write_safely(
                (_SHOW_CURSOR if sys.stderr.isatty() else "")
                + "stopped in the middle; the next `reconciler apply` finishes or undoes what was begun\n"
            )
            os._exit(128 + number)
        cancelled.set()
        write_safely(
            f"{signal.Signals(number).name}: finishing or undoing what is under way; once more to stop at once\n"
        )

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancelled
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
