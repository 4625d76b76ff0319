"""The main thread of a service: signals, the service manager, the watchdog. Everything else is in the loop's threads."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from reconciler.errors import ReconcilerError, SpecError
from reconciler.loop.instance import Instance, Settings
from reconciler.loop.telling import Condition, ProjectStatus, Snapshot
from reconciler.service.notify import Notifier, is_ready, status_line

#: seconds between looks after the projects
_TICK = 0.25
#: seconds for which a pass may show no sign of life before the watchdog is left to bite: a build may compute in silence
_LONGEST_SILENCE = 3900.0
#: seconds for which the main thread, which only looks after others, may be silent
_LONGEST_PAUSE = 30.0
_ENDING = (signal.SIGTERM, signal.SIGINT)


class Service:
    """Runs an instance until a signal ends it."""

    def __init__(
        self,
        instance: Instance,
        notifier: Notifier,
        log: Any,
        reload: Callable[[], Settings],
        stop_timeout: Callable[[], float],
        *,
        once: bool = False,
    ) -> None:
        self._instance, self._notifier, self._log = instance, notifier, log
        self._reload, self._stop_timeout, self._once = reload, stop_timeout, once
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._is_ready = False
        self._fed = 0.0
        self._stopping = False

    @property
    def is_ready(self) -> bool:
        """Whether the first good pass was there; from then on."""
        return self._is_ready

    def is_alive(self) -> bool:
        """Whether this thread and those of the projects show signs of life. From any thread."""
        is_fed = not self._fed or time.monotonic() - self._fed < _LONGEST_PAUSE
        return is_fed and self._instance.silent_for() < _LONGEST_SILENCE

    def run(self) -> int:
        """0 after a signal; with `once`, when every project had its pass: 0 if all are settled."""
        with self._receiving():
            self._instance.start()
            while True:
                number = self._next_signal()
                if number == signal.SIGHUP:
                    self._load_anew()
                elif number in _ENDING:
                    return self._stop(number)
                snapshot = self._look_after()
                if (
                    self._once
                    and snapshot is not None
                    and all(_has_ended(item, snapshot.started) for item in snapshot.projects)
                ):
                    settled = all(
                        item.condition is Condition.SETTLED and not item.source.reason for item in snapshot.projects
                    )
                    self._stop(None)
                    return 0 if settled else 1

    # --- while it runs -----------------------------------------------------------------------------------------

    def _next_signal(self) -> int | None:
        try:
            return self._signals.get(timeout=_TICK)
        except Empty:
            return None

    def _look_after(self) -> Snapshot | None:
        self._instance.look_after()
        now = time.monotonic()
        pause = min(1.0, (self._notifier.watchdog or 2.0) / 2)
        if now - self._fed < pause:
            return None
        self._fed = now
        snapshot = self._instance.snapshot()
        self._notifier.status(status_line(snapshot))
        if not self._is_ready and is_ready(snapshot):
            self._is_ready = True
            self._notifier.ready()
        # A project whose thread hangs shows no sign of life, and then this process is better started anew.
        if self._instance.silent_for() < _LONGEST_SILENCE:
            self._notifier.alive()
            if not self._is_ready:  # nothing that is waited for comes sooner by starting again
                self._notifier.needs_longer(60.0)
        return snapshot

    def _load_anew(self) -> None:
        try:
            self._instance.reload(self._reload())
        except SpecError as error:
            self._log.error("configuration refused", text=str(error), kept="the former one")
        except ReconcilerError as error:
            self._log.error("configuration not loaded", text=str(error), kept="the former one")
        else:
            self._log.info("configuration loaded")
        if self._is_ready:
            self._notifier.ready()

    def _stop(self, number: int | None) -> int:
        timeout = self._stop_timeout()
        self._stopping = True
        self._notifier.stopping()
        self._notifier.needs_longer(timeout + 5)
        if number is not None:
            self._log.info("stopping", because=signal.Signals(number).name)
        ended = self._instance.stop(timeout)
        if not ended:
            self._log.warning("stopped in the middle", text="the next pass finishes or undoes what was begun")
            # Threads that wait for the engine would keep the interpreter from ending.
            os._exit(0)
        self._log.info("stopped")
        return 0

    @contextmanager
    def _receiving(self) -> Iterator[None]:
        def on_signal(number: int, frame: object) -> None:
            del frame
            if self._stopping and number in _ENDING:
                os._exit(128 + number)
            # At once, so that `systemctl reload` waits. Before we are ready we are starting, which `ready` would end.
            if number == signal.SIGHUP and self._is_ready and not self._stopping:
                self._notifier.reloading()
            self._signals.put(number)

        numbers = (*_ENDING, signal.SIGHUP)
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, previous in before.items():
                signal.signal(number, previous)


def _has_ended(project: ProjectStatus, started: float) -> bool:
    """Whether a project had its pass; of a repository that is followed, with what it holds now."""
    source = project.source
    fetched = source.checked is None or source.checked >= started
    taken = bool(source.reason) or source.attempted == source.accepted
    passed = not project.is_running and project.condition not in (Condition.STARTING, Condition.CHANGING)
    return passed and fetched and taken
