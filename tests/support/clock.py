"""Time that does not go by: a pause ends at once, and is counted."""

from collections.abc import Callable
from threading import Event, Lock

from reconciler.apply.readiness import Clock


class Hurried(Clock):
    """`meanwhile` is called at each pause, with the time then: what happens while somebody waits."""

    def __init__(self, meanwhile: Callable[[float], None] = lambda now: None) -> None:
        self._now = 0.0
        self._lock = Lock()
        self._meanwhile = meanwhile

    def now(self) -> float:
        return self._now

    def pause(self, seconds: float, cancelled: Event) -> bool:
        with self._lock:
            self._now += seconds
        self._meanwhile(self._now)
        return cancelled.is_set()
