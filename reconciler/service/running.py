"""The main thread of a service: signals, the service manager, the watchdog. Everything else is in the loop's threads."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from reconciler.engine.children import end_all
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
#: seconds, beyond those of the passes, that the end of the process may take
_FAREWELL = 15.0


class Around(NamedTuple):
    """What a service asks of whoever put it together.

    Attributes:
        reload: reads the configuration anew.
        stop_timeout: seconds that passes may take to end.
        farewell: tells what was not told yet, within seconds; called when this process has to end itself.
        newcomers: what would be projects if the configuration was loaded now.
    """

    reload: Callable[[], Settings]
    stop_timeout: Callable[[], float]
    farewell: Callable[[], object]
    newcomers: Callable[[], frozenset[str]]


class Service:
    """Runs an instance until a signal ends it."""

    def __init__(self, instance: Instance, notifier: Notifier, log: Any, around: Around, *, once: bool = False) -> None:
        self._instance, self._notifier, self._log = instance, notifier, log
        self._around, self._once = around, once
        self._known_newcomers: frozenset[str] = frozenset()
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._is_ready = False
        self._fed = 0.0
        self._stopping = False
        self._hurried_by = 0

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
                    self._notifier.reloaded(self._load_anew())
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
        self._look_for_newcomers()
        return snapshot

    def _look_for_newcomers(self) -> None:
        found, known = self._around.newcomers(), self._known_newcomers
        self._known_newcomers = found
        if found - known:  # those with which it was refused are not tried again and again
            self._log.info("new projects", paths=sorted(found - known))
            self._load_anew()

    def _load_anew(self) -> str:
        """Why the former configuration stays, "" when the new one is in force."""
        problem = ""
        try:
            self._instance.reload(self._around.reload())
        except ReconcilerError as error:
            problem = str(error)
            said = "configuration refused" if isinstance(error, SpecError) else "configuration not loaded"
            self._log.error(said, text=problem, kept="the former one")
        else:
            self._log.info("configuration loaded")
        if self._is_ready:
            self._notifier.ready()
        return problem

    def _stop(self, number: int | None) -> int:
        timeout = self._around.stop_timeout()
        self._stopping = True
        self._notifier.stopping()
        self._notifier.needs_longer(timeout + _FAREWELL)
        if number is not None:
            self._log.info("stopping", because=signal.Signals(number).name)
        ended = self._instance.stop(timeout, lambda: bool(self._hurried_by))
        if not ended:
            self._log.warning("stopped in the middle", text="the next pass finishes or undoes what was begun")
            self._around.farewell()
            end_all()
            # Threads that wait for the engine would keep the interpreter from ending.
            os._exit(128 + self._hurried_by if self._hurried_by else 0)
        self._log.info("stopped")
        return 0

    @contextmanager
    def _receiving(self) -> Iterator[None]:
        def on_signal(number: int, frame: object) -> None:
            del frame
            if not (self._stopping and number in _ENDING):
                # At once, so that `systemctl reload` waits. Before we are ready we are starting, which `ready` would end.
                if number == signal.SIGHUP and self._is_ready and not self._stopping:
                    self._notifier.reloading()
                self._signals.put(number)
            elif not self._hurried_by:
                self._hurried_by = number
            else:  # not even what is still to be told is waited for
                end_all()
                os._exit(128 + number)

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
    # Without a former revision there is nothing to begin with, and who asks once does not wait for a server.
    in_vain = source.checked is not None and bool(source.reason)
    waits = project.condition is Condition.CHANGING or (project.condition is Condition.STARTING and not in_vain)
    return not project.is_running and not waits and fetched and taken
