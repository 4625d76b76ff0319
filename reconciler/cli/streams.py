"""The three standard streams, whatever the caller made of them."""

from __future__ import annotations

import io
import os
import sys


def open_streams() -> None:
    """See that there are three, and that every text can be written to them.

    One that the caller closed leads nowhere: its number would else go to the first connection that is opened, and
    what is printed would go to the engine. A text that the encoding of a terminal lacks is escaped, not refused.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write_safely(text: str) -> None:
    """Write to stderr past its buffers, as a signal may come while they are being written to."""
    try:
        os.write(2, text.encode(errors="backslashreplace"))
    except OSError:
        return  # nobody is left to be told
