"""A thread that does nothing but drain the engine's events: an engine whose reader is slow is slow for everyone.

What it reads only says "look again", and goes at once where it belongs. However the stream ends, it is a lost connection: it is
made again, with patience, and everything is looked at. So nothing depends on an event that was not told.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from reconciler.engine.interface import Engine, Events
from reconciler.errors import ReconcilerError
from reconciler.loop.schedule import Random, Timing, back_off
from reconciler.loop.triggers import FILTERS, EngineEvent, read_event

#: seconds that are asked for again after a lost connection; what was told before is recognised
OVERLAP = 10
_REMEMBERED = 512
_LONGEST_WAIT = 15.0


class Follower:
    """Follows one engine until it is stopped.

    `connect` gives a new client: an engine that was restarted may be another version. `happened` gets each event,
    `connected` and `lost` say how it stands; all are called from this thread, and must be quick.
    """

    def __init__(
        self,
        connect: Callable[[], Engine],
        happened: Callable[[EngineEvent], None],
        connected: Callable[[Engine], None],
        lost: Callable[[str], None],
        random: Random,
    ) -> None:
        self._connect, self._happened, self._connected, self._lost = connect, happened, connected, lost
        self._random = random
        self._stop = threading.Event()
        self._events: Events | None = None
        self._newest = 0
        self._seen: deque[tuple[int, str, str, str]] = deque(maxlen=_REMEMBERED)
        self._thread = threading.Thread(target=self._run, daemon=True, name="events")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        events = self._events
        if events is not None:
            events.close()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        failures = 0
        timing = Timing(retry=0.2, retry_most=_LONGEST_WAIT)
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._follow()
                why = "the engine ended its stream of events"
            except ReconcilerError as error:
                why = str(error)
            except Exception as error:  # a thread that ends would leave nobody to follow
                why = f"a bug in reconciler: {type(error).__name__}: {error}"
            if self._stop.is_set():
                return
            # A stream that lasted was no failure, and its engine may be back at once.
            failures = 1 if time.monotonic() - began > _LONGEST_WAIT else failures + 1
            self._lost(why)
            self._stop.wait(back_off(failures, timing, self._random))

    def _follow(self) -> None:
        engine = self._connect()
        self._events = engine.events(self._since(), FILTERS)
        if self._stop.is_set():
            self._events.close()
        self._connected(engine)
        for raw in self._events:
            event = read_event(raw)
            if event is None:
                continue
            key = (event.nanos, event.kind, event.id, event.action)
            if key not in self._seen:
                self._seen.append(key)
                self._newest = max(self._newest, event.nanos)
                self._happened(event)

    def _since(self) -> str:
        """By the engine's own clock, once it has told us anything; ours may be another."""
        nanos = (self._newest or time.time_ns()) - OVERLAP * 10**9
        return f"{nanos // 10**9}.{nanos % 10**9:09}"
