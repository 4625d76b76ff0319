"""What fails: how often it is tried again, and what makes it worth another try."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reconciler.engine.refusals import refused
from reconciler.errors import EngineRefusedError, EngineUnavailableError
from reconciler.loop.judge import Why
from reconciler.loop.telling import Condition
from reconciler.loop.triggers import Cause
from reconciler.model.address import parse_address
from reconciler.planning.world import Request
from tests.loop.conftest import DB, WEB
from tests.loop.simulation import Simulation
from tests.planning.stage import PLAIN, fresh_engine
from tests.support.memory import Behaviour


def why(simulation: Simulation, name: str = "shop") -> list[Why]:
    return [item.why for item in simulation.projects[name].status().held]


class Refusing:
    """Makes starting a container fail: `status` as the engine would say it, until `error` is None."""

    def __init__(self, simulation: Simulation, status: int = 500) -> None:
        self.error: EngineRefusedError | None = EngineRefusedError("port is already allocated", status)
        self.tries: list[float] = []
        self._simulation = simulation
        self._start = simulation.engine.start_container
        simulation.engine.start_container = self.start

    def start(self, container_id: str) -> None:
        found = self._simulation.memory_engine.containers.all[container_id]
        if (
            self.error is not None
            and not found["Name"].endswith(".prev")
            and not found["State"]["StartedAt"].startswith("2")
        ):
            self.tries.append(self._simulation.time)
            raise self.error
        self._start(container_id)


def test_a_failure_is_tried_again_more_and_more_seldom(simulation: Simulation) -> None:
    refusing = Refusing(simulation)
    simulation.add(WEB)
    simulation.advance(3600)
    waits = [b - a for a, b in zip(refusing.tries, refusing.tries[1:], strict=False)]
    assert waits[:5] == pytest.approx([0.75, 1.5, 3, 6, 12], abs=0.1)
    assert max(waits) <= 300
    assert len(refusing.tries) < 30
    assert simulation.condition() is Condition.FAILING
    refusing.error = None
    simulation.advance(301)
    assert simulation.condition() is Condition.SETTLED
    assert simulation.projects["shop"].status().failures == {}


def test_what_does_not_fail_is_not_held_up(simulation: Simulation) -> None:
    Refusing(simulation, 400)
    simulation.add(WEB + "[volume.data]\n")
    simulation.advance(10)
    assert "shop_data" in simulation.engine.volumes


def test_what_the_engine_will_never_do_is_tried_once(simulation: Simulation) -> None:
    refusing = Refusing(simulation, 400)
    simulation.add(WEB)
    simulation.advance(7200)
    assert len(refusing.tries) == 1
    assert why(simulation) == [Why.FAILED]
    simulation.restart()
    simulation.advance(7200)
    assert len(refusing.tries) == 1
    refusing.error = None
    simulation.edit(WEB + 'environment = { A = "1" }\n')
    simulation.advance(1)
    assert simulation.condition() is Condition.SETTLED


def test_another_engine_is_worth_a_try(simulation: Simulation) -> None:
    refusing = Refusing(simulation, 400)
    simulation.add(WEB)
    simulation.advance(10)
    facts = simulation.engine.facts()
    simulation.engine.facts = lambda: facts._replace(version="99.0")
    refusing.error = None
    simulation.advance(400)
    assert simulation.condition() is Condition.SETTLED


def test_a_person_can_have_it_tried_again(simulation: Simulation) -> None:
    refusing = Refusing(simulation, 400)
    project = simulation.add(WEB)
    simulation.advance(10)
    refusing.error = None
    project.passes.forget_failures(None)
    project.post(Cause.PERSON, "resumed")
    simulation.advance(1)
    assert simulation.condition() is Condition.SETTLED


def test_a_replacement_that_failed_is_not_tried_over_and_over(simulation: Simulation) -> None:
    """Each try would stop what serves."""
    simulation.add(WEB)
    simulation.advance(1)
    first = simulation.container("shop-web-1")["Id"]
    refusing = Refusing(simulation, 500)
    simulation.edit(WEB + 'environment = { A = "1" }\n')
    simulation.advance(7200)
    assert len(refusing.tries) == 1
    assert simulation.container("shop-web-1")["Id"] == first
    assert simulation.is_running("shop-web-1")
    # When what served has gone there is nothing left to lose.
    refusing.error = None
    simulation.remove("shop-web-1")
    simulation.advance(1)
    assert simulation.condition() is Condition.SETTLED


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "OCI runtime create failed: starting container process caused: device or resource busy: unknown"),
        (500, "write /var/lib/docker/x: no space left on device"),
        (500, "broken"),
        (429, "slow down"),
        (503, "service unavailable"),
    ],
)
def test_a_passing_fault_is_tried_three_times(simulation: Simulation, status: int, message: str) -> None:
    """Each try stops what serves, so there are few, and they are far apart."""
    simulation.add(WEB)
    simulation.advance(1)
    refusing = Refusing(simulation)
    refusing.error = refused("start container", status, message)
    simulation.edit(WEB + 'environment = { A = "1" }\n')
    simulation.advance(3)
    assert why(simulation) == [Why.BACKING_OFF]
    assert simulation.is_running("shop-web-1")
    simulation.restart()
    simulation.advance(7200)
    assert [b - a for a, b in pairwise(refusing.tries)] == pytest.approx([6, 96], abs=3)
    assert why(simulation) == [Why.FAILED]
    assert "it failed 3 times, and is left alone until" in simulation.projects["shop"].status().held[0].text
    assert simulation.is_running("shop-web-1")


def test_a_passing_fault_passes(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    refusing = Refusing(simulation)
    refusing.error = refused("start container", 500, "device or resource busy")
    simulation.edit(WEB + 'environment = { A = "1" }\n')
    simulation.advance(1)
    refusing.error = None
    simulation.advance(8)
    assert "A=1" in simulation.container("shop-web-1")["Config"]["Env"]
    assert simulation.condition() is Condition.SETTLED
    assert simulation.projects["shop"].status().failures == {}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "OCI runtime create failed: runc create failed: unable to start: permission denied"),
        (500, "Bind for 0.0.0.0:80 failed: port is already allocated"),
        (409, "Conflict"),
    ],
)
def test_a_verdict_of_the_engine_is_tried_once(simulation: Simulation, status: int, message: str) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    refusing = Refusing(simulation)
    refusing.error = refused("start container", status, message)
    simulation.edit(WEB + 'environment = { A = "1" }\n')
    simulation.advance(7200)
    assert len(refusing.tries) == 1
    assert why(simulation) == [Why.FAILED]


@pytest.mark.parametrize("stopped_by", ["an edit of something else", "the end of the service"])
def test_a_replacement_that_was_interrupted_has_not_failed(stopped_by: str, simulation: Simulation) -> None:
    """Whether it would have worked nobody knows: it is tried again, and nobody is told of a failure."""
    web = WEB + 'rollout = { ready_after = "10ms" }\n'
    project = simulation.add(web + DB)
    simulation.advance(1)
    refusing = Refusing(simulation, 400)
    simulation.edit(web + 'environment = { A = "wrong" }\n' + DB)
    simulation.advance(1)
    assert project.passes.memory.failures, "of what was wanted before, which is nobody's business from now on"
    refusing.error = None
    simulation.told.clear()
    original, waited = simulation.engine.inspect_containers, []

    def inspect(ids: list[str]) -> Any:
        candidate = simulation.memory_engine.containers.all.get(ids[0])
        if candidate is not None and "A=1" in candidate["Config"]["Env"] and not waited:
            waited.append(candidate["Id"])
            if stopped_by == "the end of the service":
                project.stop()
            else:
                simulation.edit(edited + DB + 'environment = { B = "1" }\n')
                simulation.time += 1
                project.look_after()
        return original(ids)

    simulation.engine.inspect_containers = inspect
    edited = web + 'environment = { A = "1" }\n'
    simulation.edit(edited + DB)
    simulation.advance(1)
    stopped = next(
        item for told in simulation.ends() if told.report for item in told.report.outcomes if item.is_stopped
    )
    assert waited
    assert not stopped.has_failed
    assert not project.passes.memory.failures
    if stopped_by == "the end of the service":
        simulation.restart()
    simulation.advance(1)
    assert "A=1" in simulation.container("shop-web-1")["Config"]["Env"]
    assert simulation.condition() is Condition.SETTLED
    assert Condition.FAILING not in simulation.changes()


def test_losing_the_memory_loses_nothing(simulation: Simulation) -> None:
    refusing = Refusing(simulation, 400)
    simulation.add(WEB)
    simulation.advance(10)
    (simulation.directory / "state" / "projects" / "shop.json").unlink()
    simulation.restart()
    simulation.advance(600)
    assert len(refusing.tries) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 99}', '{"format": 1, "applied": 3}', "\0"])
def test_a_broken_memory_is_left_aside(simulation: Simulation, content: str) -> None:
    simulation.add(WEB)
    simulation.advance(10)
    file = simulation.directory / "state" / "projects" / "shop.json"
    assert json.loads(file.read_text())["applied"]
    file.write_text(content)
    simulation.restart()
    assert len(simulation.complaints) >= 1
    simulation.advance(10)
    assert simulation.condition() is Condition.SETTLED
    assert json.loads(file.read_text())["applied"]


def test_a_clock_that_is_set_back_holds_nothing_up(simulation: Simulation) -> None:
    refusing = Refusing(simulation)
    project = simulation.add(WEB)
    simulation.advance(30)
    (address,) = project.passes.memory.failures
    failure = project.passes.memory.failures[address]
    far = failure._replace(next_at=failure.next_at + 86_400)
    project.passes.memory = project.passes.memory._replace(failures={address: far})
    refusing.error = None
    project.post(Cause.PERSON)
    simulation.advance(1)
    assert simulation.condition() is Condition.SETTLED


def test_what_moved_in_the_middle_is_finished_soon(simulation: Simulation) -> None:
    """Its events came before the last look, and are covered by it; what is left is not forgotten all the same."""
    simulation.add(WEB)
    simulation.advance(1)
    original = simulation.engine.create_container

    def create(name: str, body: dict[str, object], platform: str) -> object:
        made = original(name, body, platform)
        simulation.engine.create_container = original
        simulation.remove("shop-web-1")  # as it is about to be replaced
        return made

    simulation.engine.create_container = create
    simulation.edit(WEB + 'environment = { A = "1" }\n')
    simulation.advance(10)
    assert simulation.condition() is Condition.SETTLED
    assert simulation.names() == ["shop-web-1"]


# --- flapping ------------------------------------------------------------------------------------------------------


def test_what_does_not_stay_is_left_alone(simulation: Simulation) -> None:
    project = simulation.add(WEB + DB)
    simulation.advance(1)
    for _ in range(5):
        simulation.remove("shop-web-1")
        simulation.advance(10)
        assert simulation.is_running("shop-web-1")
    simulation.remove("shop-web-1")
    simulation.advance(3600)
    assert simulation.names() == ["shop-db-1"]
    assert why(simulation) == [Why.FLAPPING]
    simulation.restart()
    simulation.advance(3600)
    assert simulation.names() == ["shop-db-1"]
    simulation.remove("shop-db-1")
    simulation.advance(1)
    assert simulation.names() == ["shop-db-1"], "others are healed as before"
    project = simulation.projects["shop"]
    project.passes.forget_failures(parse_address("container.web"))
    project.post(Cause.PERSON, "resumed")
    simulation.advance(1)
    assert simulation.condition() is Condition.SETTLED


def test_a_new_spec_ends_the_flapping(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    for _ in range(6):
        simulation.remove("shop-web-1")
        simulation.advance(10)
    assert simulation.names() == []
    simulation.edit(WEB + 'environment = { A = "1" }\n')
    simulation.advance(1)
    assert simulation.is_running("shop-web-1")


def test_few_corrections_in_a_long_time_are_no_flapping(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    for _ in range(20):
        simulation.remove("shop-web-1")
        simulation.advance(90)
        assert simulation.is_running("shop-web-1")


def test_many_edits_are_no_flapping(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    for number in range(8):
        simulation.edit(WEB + f'environment = {{ A = "{number}" }}\n')
        simulation.advance(5)
    assert simulation.condition() is Condition.SETTLED
    assert f"A={number}" in simulation.container("shop-web-1")["Config"]["Env"]


# --- the engine ----------------------------------------------------------------------------------------------------


def test_an_engine_that_is_away_is_waited_for(simulation: Simulation) -> None:
    project = simulation.add(WEB)
    simulation.advance(1)
    before = simulation.writes()
    simulation.engine.go_away()
    project.post(Cause.EVENT)
    simulation.advance(600)
    assert simulation.changes() == [Condition.SETTLED, Condition.AWAY], "it says so once"
    assert simulation.writes() == before
    simulation.engine.come_back()
    simulation.advance(40)
    assert simulation.changes()[-1] is Condition.SETTLED


def test_an_engine_that_has_come_back_is_given_time(simulation: Simulation) -> None:
    """It starts what it had by itself; what is started twice at once may come up without its ports."""
    project = simulation.add(WEB + DB)
    simulation.advance(1)
    engine = simulation.engine
    engine.go_away()
    project.post(Cause.EVENT)
    simulation.advance(5)
    for name in ("shop-web-1", "shop-db-1"):
        engine.containers.stop(simulation.container(name)["Id"])
    before = simulation.writes()
    engine.come_back()
    project.post(Cause.RECONNECTED)
    simulation.advance(0.5)
    engine.containers.start(simulation.container("shop-db-1")["Id"])
    simulation.advance(0.7)
    engine.containers.start(simulation.container("shop-web-1")["Id"])
    simulation.advance(5)
    assert simulation.writes() == before
    assert simulation.condition() is Condition.SETTLED


def test_what_the_engine_does_not_start_again_is_healed(simulation: Simulation) -> None:
    project = simulation.add(WEB)
    simulation.advance(1)
    simulation.engine.go_away()
    simulation.engine.containers.stop(simulation.container("shop-web-1")["Id"])
    simulation.engine.come_back()
    project.post(Cause.RECONNECTED)
    simulation.advance(3)
    assert simulation.is_running("shop-web-1")


@pytest.mark.parametrize(
    "method", ["list_containers", "list_images", "list_networks", "list_volumes", "inspect_containers", "facts"]
)
def test_half_an_answer_destroys_nothing(simulation: Simulation, method: str) -> None:
    simulation.add(WEB + DB)
    simulation.advance(1)

    def away(*_: object) -> None:
        raise EngineUnavailableError("gone in the middle")

    before, original = simulation.writes(), getattr(simulation.engine, method)
    setattr(simulation.engine, method, away)
    simulation.edit(WEB)  # what is left out would be removed
    simulation.advance(600)
    assert simulation.condition() is Condition.AWAY
    assert simulation.writes() == before
    setattr(simulation.engine, method, original)
    simulation.advance(60)
    assert simulation.names() == ["shop-web-1"]


def test_a_bug_is_a_failure_and_not_the_end(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation.add(WEB)

    def broken(*parts: object) -> None:
        raise KeyError("Names")

    monkeypatch.setattr("reconciler.loop.passes.look", broken)
    simulation.advance(60)
    assert simulation.condition() is Condition.FAILING
    assert "a bug in reconciler: KeyError" in simulation.projects["shop"].text
    monkeypatch.undo()
    simulation.advance(300)
    assert simulation.condition() is Condition.SETTLED


# --- in place ------------------------------------------------------------------------------------------------------


def test_the_second_edit_of_an_option_is_no_drift(simulation: Simulation) -> None:
    """Labels cannot be changed with it; what was applied last is remembered."""
    simulation.add(WEB + 'mem_limit = "64M"\n')
    simulation.advance(1)
    for size in ("65M", "66M", "64M"):
        simulation.edit(WEB + f'mem_limit = "{size}"\n')
        simulation.advance(5)
        reasons = {change.reason.value for told in simulation.plans()[-1:] for change in told.plan.changes}
        assert reasons == {"spec-changed"}, size
    simulation.restart()
    simulation.edit(WEB + 'mem_limit = "70M"\n')
    simulation.advance(5)
    plans = [told for told in simulation.plans() if told.plan.changes]
    assert {change.reason.value for change in plans[-1].plan.changes} == {"spec-changed"}
    web = simulation.container("shop-web-1")["Id"]
    simulation.engine.update_container(web, {"Memory": 80 << 20, "MemorySwap": 160 << 20})
    simulation.advance(5)
    plans = [told for told in simulation.plans() if told.plan.changes]
    assert {change.reason.value for change in plans[-1].plan.changes} == {"drifted"}
    assert simulation.condition() is Condition.SETTLED


def test_a_person_and_the_spec_change_the_same_at_once(simulation: Simulation) -> None:
    simulation.add(WEB + 'mem_limit = "64M"\n')
    simulation.advance(1)
    web = simulation.container("shop-web-1")["Id"]
    simulation.engine.update_container(web, {"Memory": 80 << 20, "MemorySwap": 160 << 20})
    simulation.edit(WEB + 'mem_limit = "96M"\n')
    simulation.advance(5)
    assert simulation.container("shop-web-1")["HostConfig"]["Memory"] == 96 << 20
    assert simulation.condition() is Condition.SETTLED


def test_an_image_that_cannot_run_is_tried_again_when_it_is_another(tmp_path: Path) -> None:
    engine = fresh_engine()
    engine.images.add("busybox:latest", PLAIN._replace(behaviour=Behaviour(start_error="exec: serve: not found")))
    simulation = Simulation(tmp_path, engine)
    simulation.add(WEB)
    simulation.advance(600)
    assert why(simulation) == [Why.FAILED]
    with engine.lock, engine.telling():
        engine.images.add("busybox:latest", PLAIN._replace(seed="fixed"))
    simulation.advance(10)
    assert simulation.condition() is Condition.SETTLED


def test_nothing_is_asked_for_that_is_not_needed() -> None:
    assert Request().applied == {}
