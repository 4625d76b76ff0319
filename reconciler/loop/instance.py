"""All projects of one engine: their threads, the engine's events, the files, and one picture of it all."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from reconciler.apply.writer import lock_directory
from reconciler.engine.interface import Engine
from reconciler.errors import EngineError, UsageError
from reconciler.loop.fetching import Fetchers
from reconciler.loop.following import Follower
from reconciler.loop.judge import Policy, Rules
from reconciler.loop.keeping import StateDirectory
from reconciler.loop.passes import Passes
from reconciler.loop.project import Project
from reconciler.loop.schedule import Random, Timing
from reconciler.loop.sources import Source
from reconciler.loop.surroundings import Clock, Surroundings
from reconciler.loop.telling import (
    ActionHappened,
    Condition,
    EngineStatus,
    Observer,
    PassEnded,
    PlanMade,
    Snapshot,
    SourceChanged,
    SourceStatus,
    StateChanged,
    Told,
)
from reconciler.loop.triggers import Cause, EngineEvent
from reconciler.loop.watching import Watcher
from reconciler.model.address import Address
from reconciler.model.desired import DesiredState
from reconciler.planning.planner import Locate
from reconciler.source.interface import Reason

CLOCK = Clock(time.monotonic, time.time)
#: seconds between looks whether a pass has ended
_SOON = 0.05


class ProjectSettings(NamedTuple):
    """A project that is to be kept; `name` is what it is called here, its spec may call it otherwise."""

    name: str
    source: Source
    policy: Policy = Policy()


class Settings(NamedTuple):
    """What an instance goes by; all of it can be changed while it runs."""

    projects: tuple[ProjectSettings, ...]
    timing: Timing = Timing()


class Outside(NamedTuple):
    """What an instance needs from whoever makes it; none of it changes.

    Attributes:
        connect: a new client of the engine; nothing is opened before its first call.
        complain: told, for the log, what is no business of a project.
        loaded: told each valid spec before anything of it is told to anyone.
        parallel: how many passes run at once.
        polls: files are looked at now and then, since their file system does not tell.
    """

    connect: Callable[[], Engine]
    state: StateDirectory
    complain: Callable[[str], None]
    environment: Mapping[str, str] = {}
    cache: Path | None = None
    locate: Callable[[DesiredState], Locate] | None = None
    loaded: Callable[[DesiredState], None] = lambda desired: None  # noqa: ARG005
    clock: Clock = CLOCK
    random: Random = random.random
    parallel: int = 8
    polls: bool = False


class Instance:
    """Keeps projects as declared until it is stopped. Safe to use from any thread.

    Attributes:
        observers: told everything, in the order in which they were added.
    """

    def __init__(self, outside: Outside, settings: Settings) -> None:
        self.observers: list[Observer] = []
        self._outside = outside
        self._settings = settings
        self._lock = threading.RLock()
        self._engine = outside.connect()
        self._projects: dict[str, Project] = {}
        #: by the name of a project in its spec, who keeps it
        self._claims: dict[str, str] = {}
        self._slots = threading.BoundedSemaphore(outside.parallel)
        self._started = outside.clock.wall()
        self._status = EngineStatus(
            is_connected=False, text="it was not reached yet", name="", version="", since=self._started, reconnects=0
        )
        self._follower = Follower(self._connect, self._happened, self._connected, self._lost, outside.random)
        self._watcher = Watcher(self._changed, outside.complain, polls=outside.polls)
        self._fetchers = Fetchers(self._fetched, outside.random)
        self._sources: dict[str, SourceStatus] = {}

    # --- life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        with self._lock:
            for project in self._settings.projects:
                self._add(project)
        self._watcher.start()
        self._follower.start()

    def reload(self, settings: Settings) -> None:
        """Go by other settings: projects come and go, what stays keeps all that is known of it."""
        with self._lock:
            self._settings = settings
            wanted = {project.name: project for project in settings.projects}
            for name in [name for name in self._projects if name not in wanted]:
                self._projects.pop(name).stop()
                self._watcher.watch(name, None)
                self._fetchers.follow(name, None)
            for name, project in wanted.items():
                running = self._projects.get(name)
                if running is None:
                    self._add(project)
                else:
                    if running.passes.source.key != project.source.key:
                        running.passes.source = project.source
                        self._fetchers.follow(name, project.source)
                    running.post(Cause.SETTINGS)

    def look_after(self) -> None:
        """To be called a few times a second by the thread that made it."""
        for project in self._all():
            project.look_after()

    def silent_for(self) -> float:
        """Seconds since the project that is silent for longest gave a sign of life."""
        return max((project.silent_for() for project in self._all()), default=0.0)

    def stop(self, timeout: float, is_hurried: Callable[[], bool] = lambda: False) -> bool:
        """Begin nothing more; whether all that was under way ended in time, and before there was a hurry."""
        self._follower.stop()
        self._watcher.stop()
        self._fetchers.stop()
        projects = self._all()
        for project in projects:
            project.stop()
        until = time.monotonic() + timeout
        while not all(ended := [project.join(_SOON) for project in projects]):
            if is_hurried() or time.monotonic() > until:
                break
        self._follower.join(1.0)
        self._fetchers.join(1.0)
        if all(ended):
            self._engine.close()
        self._outside.state.close()
        return all(ended)

    @property
    def engine(self) -> Engine:
        """A client of the engine as it is now; another one after a lost connection."""
        return self._engine

    # --- asked by a person, or on a person's behalf --------------------------------------------------------------

    def reconcile(self, project: str = "", text: str = "asked for", cause: Cause = Cause.PERSON) -> None:
        """Look now: at one project, or at all. Raises UsageError for a project that is not there."""
        for found in self._named(project):
            found.post(cause, text)
            if cause is Cause.PERSON:
                self._fetchers.hasten(found.name)

    def hasten(self, project: str) -> bool:
        """Fetch the repository of a project now; False when it has none."""
        return self._fetchers.hasten(project)

    def suspend(self, project: str = "", address: Address | None = None) -> None:
        """Touch nothing of it any more: the whole instance, a project, or a resource. What is under way ends."""
        found = self._named(project)
        self._outside.state.suspend(project, address)
        for suspended in found:
            suspended.interrupt()
        self.reconcile(project, "suspended")

    def resume(self, project: str = "", address: Address | None = None) -> None:
        """Go on with it; what failed or was left alone is tried again."""
        self._outside.state.resume(project, address)
        for found in self._named(project):
            found.passes.forget_failures(address)
            found.post(Cause.PERSON, "resumed")

    def snapshot(self) -> Snapshot:
        with self._lock:
            engine = self._status
        projects = tuple(project.status() for project in self._all())
        clock = self._outside.clock
        return Snapshot(clock.wall(), self._started, self._outside.state.is_suspended, engine, projects)

    # --- projects ----------------------------------------------------------------------------------------------

    def _add(self, settings: ProjectSettings) -> None:
        name, outside = settings.name, self._outside

        def rules() -> Rules:
            current = self._settings
            policy = next((item.policy for item in current.projects if item.name == name), settings.policy)
            return Rules(policy, current.timing, outside.random)

        def tell(told: Told) -> None:
            self._tell_from(name, told)

        around = Surroundings(
            engine=lambda: self._engine,
            clock=outside.clock,
            rules=rules,
            suspended=outside.state.suspended_in,
            keep=outside.state.remember,
            tell=tell,
            environment=outside.environment,
            cache=outside.cache,
            locate=outside.locate,
            claim=self._claim,
            loaded=outside.loaded,
            locks=lock_directory(outside.environment),
        )
        passes = Passes(name, settings.source, around, outside.state.memory_of(name))
        project = Project(passes, around, self._slots)
        self._projects[name] = project
        self._watcher.watch(name, project.watched())
        self._sources[name] = settings.source.status()
        project.start()
        self._fetchers.follow(name, settings.source)

    def _claim(self, name: str, project: str) -> str:
        with self._lock:
            holder = self._claims.get(project, name)
            if holder not in self._projects:
                holder = name
            self._claims = {key: who for key, who in self._claims.items() if who != name}
            self._claims.setdefault(project, holder)
            return "" if holder == name else holder

    def _all(self) -> list[Project]:
        with self._lock:
            return list(self._projects.values())

    def _named(self, name: str) -> list[Project]:
        projects = self._all()
        found = [project for project in projects if name in ("", project.name)]
        if name and not found:
            known = ", ".join(project.name for project in projects)
            raise UsageError(f"there is no project {name!r}\n    hint: there are {known}")
        return found

    # --- telling -----------------------------------------------------------------------------------------------

    def _tell_from(self, name: str, told: Told) -> None:
        project = self._projects.get(name)
        if isinstance(told, ActionHappened) and project is not None:
            project.sign_of_life()
        self.tell(told)
        if isinstance(told, PassEnded) and project is not None:
            self._watcher.watch(name, project.watched())
        if isinstance(told, PlanMade | PassEnded) and project is not None:
            self._tell_source(project)

    def _tell_source(self, project: Project) -> None:
        after = project.passes.source.status()
        if after.reason == Reason.NOT_NOW:  # it passes in a moment
            return
        with self._lock:
            before = self._sources.get(project.name, after)
            self._sources[project.name] = after
        if before._replace(checked=None) != after._replace(checked=None):
            self.tell(SourceChanged(project.name, before, after, self._outside.clock.wall()))

    def tell(self, told: Told) -> None:
        """Tell all observers; one that fails is complained about and harms nobody."""
        for observer in list(self.observers):
            try:
                observer(told)
            except Exception as error:
                self._outside.complain(f"{observer!r} failed: {type(error).__name__}: {error}")

    # --- what comes in -----------------------------------------------------------------------------------------

    def _changed(self, name: str, path: str) -> None:
        project = self._projects.get(name)
        if project is not None:
            project.post(Cause.FILES, path)

    def _fetched(self, name: str, news: bool) -> None:
        project = self._projects.get(name)
        if project is not None:
            self._tell_source(project)
            if news:
                project.post(Cause.COMMIT, "fetched")

    def _happened(self, event: EngineEvent) -> None:
        for project in self._all():
            project.post(Cause.EVENT, str(event), event)

    def _connect(self) -> Engine:
        return self._outside.connect()

    def _connected(self, engine: Engine) -> None:
        """Only now: until then the former client keeps asking, and finds out by itself."""
        with self._lock:
            former, self._engine = self._engine, engine
            again = bool(self._status.reconnects)
        with suppress(EngineError):
            facts = engine.facts()
            self._stands(Condition.SETTLED, "", facts.name, facts.version)
        former.close()
        for project in self._all():
            project.post(Cause.RECONNECTED if again else Cause.RESYNC, "events of the engine are followed")

    def _lost(self, why: str) -> None:
        self._stands(Condition.AWAY, why, self._status.name, self._status.version)

    def _stands(self, condition: Condition, text: str, name: str, version: str) -> None:
        at = self._outside.clock.wall()
        connected = condition is Condition.SETTLED
        with self._lock:
            before = self._status
            lost = before.reconnects + (not connected and (before.is_connected or not before.reconnects))
            since = before.since if connected == before.is_connected else at
            self._status = EngineStatus(connected, text, name, version, since, lost)
        if before.is_connected != connected or (not connected and not before.reconnects):
            former = Condition.SETTLED if before.is_connected else Condition.AWAY
            self.tell(StateChanged("", Condition.STARTING if not before.name else former, condition, text, at))
