"""One cycle of one contestant: create, nothing to do, one change, heal, destroy; each step checked on the engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.contestants import REPEATED, Contestant, Scenario
from benchmarks.engine import Engine, Owned
from benchmarks.generate import CHANGING, Project, write_project
from benchmarks.measure import Cost, FailedError, environment, run


class Sample(NamedTuple):
    """One measured step.

    Attributes:
        load: the machine's load average just before.
    """

    contestant: str
    scenario: Scenario
    size: int
    round: int
    cost: Cost
    load: float


class Cycle:
    """The steps of one contestant on one project. `seen` is told every sample."""

    def __init__(
        self,
        engine: Engine,
        contestant: Contestant,
        project: Project,
        *,
        scratch: Path,
        docker_host: str,
        number: int,
        seen: Callable[[Sample], None],
    ) -> None:
        self._engine, self._contestant, self._project = engine, contestant, project
        self._scratch, self._home = scratch, scratch / "home"
        self._docker_host, self._number, self._seen = docker_host, number, seen

    def run(self, repeats: int, *, settle: bool = True) -> None:
        """All steps; those that do nothing `repeats` times, with `settle` after one more that is not recorded.

        Raises:
            FailedError: a program failed, or the engine does not hold what it should.
        """
        # Cold: nothing that an earlier run worked out and kept.
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(parents=True)
        self._write("0")
        self._step(Scenario.CREATE)
        made = self._check(Scenario.CREATE)
        for scenario in REPEATED:
            if settle:
                self._step(scenario, record=False)
            for _ in range(repeats):
                self._step(scenario)
            if self._check(scenario) != made:
                raise FailedError(f"{self._contestant.name}: there was nothing to do, and it did something")
        self._write(f"round-{self._number}")
        self._step(Scenario.CHANGE)
        changed = self._check(Scenario.CHANGE)
        if len(changed.containers & made.containers) != self._project.size - 1:
            raise FailedError(f"{self._contestant.name}: more or less than one container was replaced")
        self._engine.remove_container(f"{self._project.name}-{self._project.victim}-1")
        self._step(Scenario.HEAL)
        self._check(Scenario.HEAL)
        self._step(Scenario.DESTROY)
        if not self._owned().is_empty:
            raise FailedError(f"{self._contestant.name}: something is left after destroy")

    def _owned(self) -> Owned:
        return self._engine.owned(f"{self._contestant.label}={self._project.name}")

    def _write(self, changed: str) -> None:
        write_project(self._scratch, self._project._replace(changed=changed))

    def _step(self, scenario: Scenario, *, record: bool = True) -> None:
        load = os.getloadavg()[0]
        command = self._contestant.command(scenario, self._scratch)
        cost = run(command, environment(self._home, self._docker_host), self._scratch / "output.txt")
        if record:
            project = self._project
            self._seen(Sample(self._contestant.name, scenario, project.size, self._number, cost, load))

    def _check(self, scenario: Scenario) -> Owned:
        """What is there; all of the project runs, with the variable as it is written."""
        owned, count = self._owned(), self._project.size
        found = len(owned.running), len(owned.containers), len(owned.networks), len(owned.volumes)
        if found != (count, count, 1, count):
            raise FailedError(
                f"{self._contestant.name}, {scenario}: running, containers, networks, volumes are {found}"
            )
        value = f"round-{self._number}" if scenario in (Scenario.CHANGE, Scenario.HEAL) else "0"
        if f"{CHANGING}={value}" not in self._engine.variables(f"{self._project.name}-{self._project.victim}-1"):
            raise FailedError(f"{self._contestant.name}, {scenario}: {CHANGING} is not {value}")
        return owned
