"""Fetching git sources: a thread for each, beside the passes, which only post that there is something to take.

A server that is slow, or away, holds up its own source and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from reconciler.loop.schedule import Random, Timing, back_off
from reconciler.loop.sources import Git
from reconciler.source.interface import Fetched, Reason, Refusal

#: seconds: the first wait for a server that does not answer, and the longest unless the interval is longer
_RETRY, _RETRY_MOST = 5.0, 300.0
#: told the name of a project and whether there is something to take, after each fetch
Done: TypeAlias = Callable[[str, bool], None]
#: seconds between the first fetches of two sources, on the average: they may be of one server
_APART = 0.05


def pause(refusal: Refusal | None, failures: int, interval: float, random: Random) -> float:
    """Seconds until the next fetch: the interval, up to a tenth more or less; for what may pass, sooner and then later."""
    if refusal is not None and refusal.reason in (Reason.UNREACHABLE, Reason.NOT_NOW, Reason.LOCAL):
        timing = Timing(retry=min(_RETRY, interval), retry_most=max(_RETRY_MOST, interval))
        return back_off(failures, timing, random)
    return interval * (0.9 + 0.2 * random())


class Fetching:
    """Fetches one source until it is stopped; `done` is told what each fetch came to, in its thread."""

    def __init__(self, name: str, source: Git, done: Done, random: Random) -> None:
        self.source = source
        self._name, self._done, self._random = name, done, random
        self._offered = source.offered  # the first pass takes it anyway, and is not to be interrupted for it
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"source {name}")

    def start(self, wait: float) -> None:
        self._first = wait
        self._thread.start()

    def hasten(self) -> None:
        """Fetch now; if a fetch is under way, once more after it."""
        self._wake.set()

    def stop(self) -> None:
        """End what is under way."""
        self._stopped.set()
        self.source.stop()
        self._wake.set()

    def join(self, timeout: float) -> None:
        self._thread.join(max(0.0, timeout))

    def _run(self) -> None:
        wait, failures = self._first, 0
        while True:
            self._wake.wait(wait)
            self._wake.clear()
            if self._stopped.is_set():
                return
            try:
                fetched = self.source.fetch()
            except Exception as error:  # a thread that ends would leave nobody to fetch
                text = f"a bug in reconciler: {type(error).__name__}: {error}"
                fetched = Fetched(None, None, Refusal(Reason.LOCAL, text, "what was accepted last stays"))
            if self._stopped.is_set():
                return
            failures = failures + 1 if fetched.refusal is not None else 0
            wait = pause(fetched.refusal, failures, self.source.settings.interval, self._random)
            offered = fetched.accepted.commit if fetched.accepted is not None else ""
            news, self._offered = not offered or offered != self._offered, offered
            self._done(self._name, news)


class Fetchers:
    """The threads of all git sources. Safe to use from any thread."""

    def __init__(self, done: Done, random: Random) -> None:
        self._done, self._random = done, random
        self._lock = threading.Lock()
        self._running: dict[str, Fetching] = {}

    def follow(self, name: str, source: object) -> None:
        """From now on this one for a project; whatever is no git repository needs no fetching."""
        with self._lock:
            before = self._running.pop(name, None)
            if before is not None:
                before.stop()
            if isinstance(source, Git):
                fetching = Fetching(name, source, self._done, self._random)
                self._running[name] = fetching
                fetching.start(self._random() * _APART * len(self._running))

    def hasten(self, name: str) -> bool:
        """Fetch the source of a project now; False when it has none."""
        with self._lock:
            found = self._running.get(name)
        if found is not None:
            found.hasten()
        return found is not None

    def stop(self) -> None:
        with self._lock:
            running = list(self._running.values())
        for fetching in running:
            fetching.stop()

    def join(self, timeout: float) -> None:
        until = time.monotonic() + timeout
        for fetching in list(self._running.values()):
            fetching.join(until - time.monotonic())
