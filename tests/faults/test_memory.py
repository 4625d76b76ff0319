"""Every scenario, every write of it, everything that can go wrong with it, on the engine in memory."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from reconciler.model.report import Report
from reconciler.planning.world import Request
from reconciler.reconcile import Pass, act, look_destroy
from tests.faults.promises import broken, make_strangers, owned, snapshot
from tests.faults.scenarios import BROKEN, JOB, SCENARIOS, SERVER, Scenario, filled
from tests.planning.stage import PROJECT, Stage
from tests.support.clock import Hurried
from tests.support.failing import WRONG, FailingEngine
from tests.support.inprocess import explain
from tests.support.memory import Behaviour, Image, MemoryEngine

IMAGES = {
    SERVER: Image({"Cmd": ["serve"]}, Behaviour(stop_code=0)),
    BROKEN: Image({"Cmd": ["broken"]}, Behaviour(exit_code=3)),
    JOB: Image({"Cmd": ["job"]}, Behaviour(exit_code=0)),
}
_CREATES = ("create_container", "create_network", "create_volume")


class Player:
    """One turn of a scenario, in a world of its own with strangers in it."""

    def __init__(self, directory: Path, scenario: Scenario) -> None:
        self.scenario = scenario
        self.stage = Stage(directory, MemoryEngine(images=IMAGES))
        self.engine = self.stage.engine
        self._strangers = make_strangers(self.engine, PROJECT)[:2]
        self._as_made = snapshot(self.engine, PROJECT, self._strangers)
        if files := scenario.before(1):
            self._write(files)
            report = self.stage.apply(self.stage.reload())
            assert report.is_settled, explain(report)
        if scenario.by_hand is not None:
            scenario.by_hand(self.engine, PROJECT)
        self._before = [item["Id"] for item in owned(self.engine, PROJECT)]
        self._volumes = set(self.engine.volumes)
        self._write(scenario.after(1))

    def run(self, engine: FailingEngine) -> Report:
        """What comes late comes within the second that is waited before it is looked what became of a call."""
        desired, clock = self.stage.reload(), Hurried(lambda now: engine.arrive())
        if self.scenario.command[0] == "apply":
            return self.stage.apply(desired, engine=engine, clock=clock)

        def look() -> Pass:
            return look_destroy(desired, self.engine, Request())

        return act(look().plan, engine, look, clock=clock)

    def settle(self) -> list[str]:
        """Run again, until it is settled; which creates that took."""
        engine = FailingEngine(self.engine)
        if self.scenario.fails:
            assert not self.run(engine).is_settled
            self._write(self.scenario.before(1))
        for _ in range(3):
            if self.run(engine).is_settled:
                break
        report = self.run(engine)
        assert report.is_settled, explain(report)
        assert not report.outcomes, explain(report)
        return engine.done

    def broken(self) -> list[str]:
        found = broken(self.engine, PROJECT, self.scenario)
        if snapshot(self.engine, PROJECT, self._strangers) != self._as_made:
            found.append("something that is not ours was touched")
        gone = self._volumes - set(self.engine.volumes)
        found += [f"the volume {name} is lost" for name in gone if self.scenario.name != "prune"]
        if self.scenario.fails and [item["Id"] for item in owned(self.engine, PROJECT)] != self._before:
            found.append("what served before is not what serves")
        return found

    def _write(self, files: dict[str, str]) -> None:
        for name, text in filled(files, PROJECT, 7001).items():
            file = self.stage.directory / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)


def creates(done: list[str]) -> int:
    return sum(1 for name in done if name in _CREATES)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_whatever_goes_wrong_it_settles(scenario: Scenario, wrong: str) -> None:
    with TemporaryDirectory() as directory:
        numbers = (Path(directory) / str(number) for number in range(1000))

        def player() -> Player:
            place = next(numbers)
            place.mkdir()
            return Player(place, scenario)

        clean, counting = player(), FailingEngine
        engine = counting(clean.engine)
        assert clean.run(engine).is_settled is not scenario.fails
        allowed = creates([*engine.done, *clean.settle()]) + 1
        assert clean.broken() == []
        assert len(engine.writes) > 2
        for fail_at in range(1, len(engine.writes) + 1):
            one = player()
            failing = FailingEngine(one.engine, fail_at, **WRONG[wrong])
            report = one.run(failing)
            failing.arrive()
            done = [*failing.done, *one.settle()]
            assert one.broken() == [], (fail_at, failing.writes[fail_at - 1], explain(report))
            assert creates(done) <= allowed, (fail_at, done)
