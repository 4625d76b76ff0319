"""What an apply is doing, as it happens: live lines with their time on a terminal, plain lines elsewhere. On stderr."""

from __future__ import annotations

import re
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from reconciler.cli.render import Painter, outcome_line, readable, use_colour

if TYPE_CHECKING:
    from rich.live import Live

    from reconciler.apply.executor import Happening


#: what the classic builder says of its own layers and of labels that we add; neither helps a reader. A build that
#: fails shows its last lines whole
_NOISE = re.compile(
    r" ---> (Running in )?[0-9a-f]{12}$|Removing intermediate container [0-9a-f]{12}$"
    r"|Step \d+/\d+ : LABEL reconciler\.|Successfully (built [0-9a-f]{12}$|tagged \S+:reconciler-)"
)


class Progress(Protocol):
    """Told what happens, from several threads."""

    def __call__(self, happening: Happening) -> None: ...
    def __enter__(self) -> Progress: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_progress(*, quiet: bool) -> Progress:
    if quiet:
        return _Quiet()
    return _LiveLines() if use_colour(sys.stderr) else _PlainLines()


class _Quiet:
    def __call__(self, happening: Happening) -> None:
        del happening

    def __enter__(self) -> _Quiet:
        return self

    def __exit__(self, *_: object) -> None:
        return


class _PlainLines:
    """A line when something begins to matter, and one when a change has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._painter = Painter(sys.stderr)

    def __call__(self, happening: Happening) -> None:
        if happening.what == "line":
            line = readable(happening.text).rstrip()
            if not line or _NOISE.match(line):
                return
            text = f"{happening.address}: {line}"
        elif happening.what == "end" and happening.outcome is not None:
            text = outcome_line(happening.outcome, self._painter)
        else:
            return
        # A reader that has gone must not end what is under way.
        with self._lock, suppress(OSError):
            print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> _PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        return


class _LiveLines(_PlainLines):
    """One line for each change under way, redrawn in place; finished ones are printed above."""

    def __init__(self) -> None:
        super().__init__()
        self._began: dict[str, tuple[float, str]] = {}
        self._live: Live | None = None

    def __call__(self, happening: Happening) -> None:
        key = str(happening.address)
        with self._lock:
            if happening.what == "start":
                self._began[key] = (time.monotonic(), "")
            elif happening.what in ("action", "line") and key in self._began and not _NOISE.match(happening.text):
                self._began[key] = (self._began[key][0], readable(happening.text).strip())
            elif happening.what == "end":
                self._began.pop(key, None)
        # Not while the lock is held: the display has one of its own, which it holds as it asks for ours.
        if happening.outcome is not None and self._live is not None:
            from rich.text import Text

            with suppress(OSError):
                self._live.console.print(Text.from_ansi(outcome_line(happening.outcome, self._painter)), soft_wrap=True)

    def __rich__(self) -> object:
        from rich.text import Text

        now = time.monotonic()
        with self._lock:
            lines = [f"  {key}  {now - since:.0f}s  {text}" for key, (since, text) in self._began.items()]
        return Text("\n".join(lines), style="dim", no_wrap=True, overflow="ellipsis")

    def __enter__(self) -> _LiveLines:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(self, console=Console(stderr=True), refresh_per_second=8, transient=True)  # type: ignore[arg-type]
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
