"""When a service is ready, and its one line; of projects on the engine in memory."""

import threading
from pathlib import Path

from reconciler.apply.writer import sole_writer
from reconciler.errors import EngineUnavailableError
from reconciler.loop.judge import Policy
from reconciler.loop.sources import Git
from reconciler.loop.telling import Condition, EngineStatus, Snapshot
from reconciler.model.plan import Verb
from reconciler.service.notify import is_ready, status_line
from reconciler.source.settings import GitSettings
from tests.loop.conftest import DB, WEB
from tests.loop.simulation import Simulation
from tests.loop.test_failures import Refusing

BROKEN = "[container.web\n"


def seen(simulation: Simulation, connected: bool = True) -> Snapshot:
    engine = EngineStatus(connected, "" if connected else "no answer", "here", "20.10", 0.0, 0)
    return Snapshot(0.0, 0.0, False, engine, tuple(item.status() for item in simulation.projects.values()))


def ready(simulation: Simulation) -> bool:
    return is_ready(seen(simulation))


def test_after_the_first_pass_and_not_before(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.add(DB, "lab")
    assert not ready(simulation)
    assert simulation.projects["shop"].turn()
    assert not ready(simulation), "the other one was not looked at"
    simulation.advance(1)
    assert ready(simulation)
    assert not is_ready(seen(simulation, connected=False))
    assert status_line(seen(simulation)) == "2 projects: 2 settled"
    assert status_line(seen(simulation, connected=False)) == "waiting for the engine: no answer"


def test_nothing_declared_is_nothing_to_wait_for(simulation: Simulation) -> None:
    assert ready(simulation)


def test_a_spec_that_was_never_valid_is_no_good_pass(simulation: Simulation) -> None:
    simulation.add(BROKEN)
    simulation.advance(3600)
    assert simulation.condition() is Condition.INVALID
    assert not ready(simulation)
    simulation.edit(WEB)
    simulation.advance(2)
    assert ready(simulation)


def test_it_holds_up_no_other(simulation: Simulation) -> None:
    simulation.add(BROKEN)
    simulation.add(DB, "lab")
    simulation.advance(2)
    assert ready(simulation)
    assert status_line(seen(simulation)) == "2 projects: 1 invalid, 1 settled"


def test_an_invalid_spec_whose_last_good_one_is_kept(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.edit(BROKEN)
    simulation.advance(2)
    assert simulation.condition() is Condition.INVALID
    assert ready(simulation)
    # After a restart nobody knows the last good one, and nothing is kept.
    simulation.restart()
    simulation.advance(2)
    assert simulation.condition() is Condition.INVALID
    assert not ready(simulation)


def test_two_of_one_name(simulation: Simulation) -> None:
    """The second is refused, however valid; the first is kept."""
    simulation.add(WEB)
    simulation.advance(1)
    simulation.add(WEB, "copy")
    spec = simulation.directory / "copy" / "spec.toml"
    spec.write_text(spec.read_text().replace('"copy"', '"shop"'))
    simulation.advance(1)
    assert simulation.condition("copy") is Condition.INVALID
    assert ready(simulation)
    del simulation.projects["shop"]
    assert not ready(simulation)


def test_a_change_that_fails_the_first_time(simulation: Simulation) -> None:
    refusing = Refusing(simulation)
    simulation.add(WEB)
    simulation.advance(5)
    assert simulation.condition() is Condition.FAILING
    assert not ready(simulation)
    refusing.error = None
    simulation.advance(301)
    assert ready(simulation)


def test_a_change_that_fails_where_all_was_well_before(simulation: Simulation) -> None:
    """What served serves again: a machine that starts with it is as good as it was."""
    simulation.add(WEB)
    simulation.advance(1)
    Refusing(simulation)
    simulation.edit(WEB + "environment = { A = '1' }\n")
    simulation.advance(5)
    simulation.restart()
    assert not ready(simulation)
    simulation.advance(5)
    assert simulation.condition() is Condition.FAILING
    assert simulation.is_running("shop-web-1")
    assert ready(simulation)


def test_what_is_held_back_is_a_persons_affair(simulation: Simulation) -> None:
    simulation.policy = Policy(apply=False, heal=False)
    simulation.add(WEB)
    simulation.advance(1)
    assert simulation.condition() is Condition.OUT_OF_SYNC
    assert ready(simulation)


def test_what_is_blocked_is_too(simulation: Simulation) -> None:
    simulation.add(WEB, "other")
    simulation.advance(1)
    del simulation.projects["other"]
    simulation.add(WEB + 'container_name = "other-web-1"\n')
    simulation.advance(1)
    (change,) = simulation.projects["shop"].status().plan.changes
    assert change.verb is Verb.BLOCKED
    assert ready(simulation)


def test_what_is_suspended_is_too(simulation: Simulation) -> None:
    simulation.state.suspend("shop")
    simulation.add(WEB)
    simulation.advance(1)
    assert simulation.condition() is Condition.SUSPENDED
    assert ready(simulation)


def test_an_engine_that_does_not_answer(simulation: Simulation) -> None:
    simulation.memory_engine.go_away()
    simulation.add(WEB)
    simulation.advance(5)
    assert simulation.condition() is Condition.AWAY
    assert not ready(simulation)
    simulation.memory_engine.come_back()
    simulation.advance(60)
    assert ready(simulation)


def test_an_engine_that_goes_in_the_middle_of_the_first_pass(simulation: Simulation) -> None:
    start = simulation.engine.start_container

    def cut_off(container_id: str) -> None:
        simulation.engine.start_container = start
        simulation.memory_engine.go_away()
        raise EngineUnavailableError("it went")

    simulation.engine.start_container = cut_off
    simulation.add(WEB)
    simulation.advance(1)
    assert not ready(simulation)
    simulation.memory_engine.come_back()
    simulation.advance(60)
    assert ready(simulation)


def test_another_writer_is_waited_for(simulation: Simulation, tmp_path: Path) -> None:
    """What it does is not ours, and may be half done."""
    simulation.add(WEB)
    with sole_writer(simulation.memory_engine, "shop", tmp_path, threading.Event()):
        simulation.advance(10)
        assert simulation.condition() is Condition.OUT_OF_SYNC
        assert not ready(simulation)
    simulation.advance(10)
    assert ready(simulation)


def test_a_repository_that_was_never_had(simulation: Simulation, tmp_path: Path) -> None:
    """Until it was asked for it is waited for; when it cannot be had, the others do not wait."""
    project = simulation.add(WEB)
    source = Git(GitSettings((tmp_path / "none").as_uri()), tmp_path / "sources", {})
    project.passes.source = source
    simulation.add(DB, "lab")
    simulation.advance(1)
    assert simulation.condition() is Condition.STARTING
    assert not ready(simulation)
    source.fetch()
    assert ready(simulation)
    del simulation.projects["lab"]
    assert not ready(simulation)
