"""Projects on the engine in memory, with a clock that moves only when told to. No thread, no sleep."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reconciler.loop.judge import Policy, Rules, Suspended
from reconciler.loop.keeping import StateDirectory
from reconciler.loop.memory import Memory
from reconciler.loop.passes import Passes
from reconciler.loop.project import Project
from reconciler.loop.schedule import Timing
from reconciler.loop.sources import Plain
from reconciler.loop.surroundings import Clock, Surroundings
from reconciler.loop.telling import ActionHappened, Condition, PassEnded, PlanMade, StateChanged, Told
from reconciler.loop.triggers import FILTERS, Cause, read_event
from tests.planning.stage import fresh_engine
from tests.support.failing import MUTATING
from tests.support.memory import MemoryEngine


class Simulation:
    """Everything that an `Instance` is, in one thread.

    Attributes:
        told: all that observers were told, in order.
        observers: are told as well, at the moment itself.
        policy, timing: what the projects go by; may be replaced at any time.
        deaf: events of the engine get lost.
    """

    def __init__(self, directory: Path, engine: MemoryEngine | None = None) -> None:
        self.directory = directory
        self.engine: Any = engine or fresh_engine()
        self.memory_engine = engine or self.engine
        self.time = 1000.0
        self.told: list[Told] = []
        self.observers: list[Callable[[Told], None]] = []
        self.complaints: list[str] = []
        self.policy, self.timing = Policy(), Timing()
        self.projects: dict[str, Project] = {}
        self.claims: dict[str, str] = {}
        self.deaf = False
        self.state = self.open_state()
        self.memory_engine.broadcast.attach(self._happened)

    def open_state(self) -> StateDirectory:
        state = StateDirectory(self.directory / "state", self.complaints.append)
        state.open()
        return state

    # --- projects ----------------------------------------------------------------------------------------------

    def add(self, spec: str, name: str = "shop") -> Project:
        """A project with this spec; its first pass is due at once."""
        self.write(spec, name)
        return self.start(name)

    def start(self, name: str = "shop") -> Project:
        around = Surroundings(
            engine=lambda: self.engine,
            clock=Clock(self._now, lambda: 1_700_000_000.0 + self.time),
            rules=lambda: Rules(self.policy, self.timing, lambda: 0.5),
            suspended=self._suspended_in,
            keep=self._remember,
            tell=self.tell,
            claim=self._claim,
        )
        passes = Passes(name, Plain(self.directory / name), around, self.state.memory_of(name))
        self.projects[name] = Project(passes, around, threading.BoundedSemaphore(8))
        self.projects[name].post(Cause.START)
        return self.projects[name]

    def restart(self) -> None:
        """The process ends and begins anew: only the state directory is left."""
        self.state.close()
        self.state = self.open_state()
        self.claims.clear()
        for name in list(self.projects):
            self.start(name)

    def write(self, spec: str, name: str = "shop") -> None:
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        (directory / "spec.toml").write_text(f'[project]\nname = "{name}"\n{spec}')

    def edit(self, spec: str, name: str = "shop") -> None:
        """Write the spec, and be told of it."""
        self.write(spec, name)
        self.projects[name].post(Cause.FILES, "spec.toml")

    def tell(self, told: Told) -> None:
        self.told.append(told)
        for observer in self.observers:
            observer(told)

    # --- time --------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> int:
        """Let time pass; how many passes began meanwhile."""
        until, passes = self.time + seconds, 0
        while True:
            while any(project.turn() for project in self.projects.values()):
                passes += 1
                assert passes < 5000, "it never comes to rest"
            moments = [moment for project in self.projects.values() if (moment := project.due()) is not None]
            following = min(moments, default=until)
            if following >= until:
                self.time = until
                return passes
            self.time = max(self.time, following)

    def _now(self) -> float:
        self.time += 1e-6  # nothing happens twice at one time
        return self.time

    # --- what there is -----------------------------------------------------------------------------------------

    def condition(self, name: str = "shop") -> Condition:
        return self.projects[name].condition

    def changes(self, name: str = "shop") -> list[Condition]:
        """The conditions a project went through."""
        return [told.after for told in self.told if isinstance(told, StateChanged) and told.project == name]

    def plans(self) -> list[PlanMade]:
        return [told for told in self.told if isinstance(told, PlanMade)]

    def ends(self) -> list[PassEnded]:
        return [told for told in self.told if isinstance(told, PassEnded)]

    def actions(self) -> list[str]:
        happenings = [told.happening for told in self.told if isinstance(told, ActionHappened)]
        return [happening.text for happening in happenings if happening.what == "action"]

    def writes(self) -> Counter[str]:
        return Counter({name: count for name, count in self.memory_engine.calls.items() if name in MUTATING})

    def names(self) -> list[str]:
        return sorted(item["Name"][1:] for item in self.memory_engine.containers.all.values())

    def container(self, name: str) -> dict[str, Any]:
        found = [item for item in self.memory_engine.containers.all.values() if item["Name"] == f"/{name}"]
        assert found, f"no {name} among {self.names()}"
        result: dict[str, Any] = found[0]
        return result

    def is_running(self, name: str) -> bool:
        return name in self.names() and self.container(name)["State"]["Status"] == "running"

    def remove(self, name: str) -> None:
        """`docker rm -f`"""
        self.memory_engine.remove_by_force(self.container(name)["Id"])

    # --- inside ------------------------------------------------------------------------------------------------

    def _happened(self, raw: dict[str, Any]) -> None:
        event = read_event(raw)
        if event is None or self.deaf or raw["Type"] not in FILTERS["type"]:
            return
        for project in self.projects.values():
            project.post(Cause.EVENT, str(event), event)

    def _suspended_in(self, project: str) -> Suspended:
        return self.state.suspended_in(project)

    def _remember(self, project: str, memory: Memory) -> None:
        self.state.remember(project, memory)

    def _claim(self, name: str, project: str) -> str:
        holder = self.claims.setdefault(project, name)
        return "" if holder == name else holder
