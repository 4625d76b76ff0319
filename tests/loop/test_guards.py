"""What the loop refuses: to remove most of a project unasked, to go on with what does not stick, to write beside another."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from reconciler.apply.writer import sole_writer
from reconciler.engine.itself import this_process
from reconciler.loop.judge import Policy, Why
from reconciler.loop.memory import from_json, to_json
from reconciler.loop.telling import Condition
from reconciler.loop.triggers import Cause
from reconciler.model.address import parse_address
from reconciler.model.lease import Lease, lease_body, lease_name
from reconciler.model.ownership import LOCK
from tests.loop.conftest import WEB
from tests.loop.simulation import Simulation


def many(count: int) -> str:
    return "\n".join(f'[container.c{number}]\nimage = "busybox:latest"' for number in range(count))


def held(simulation: Simulation) -> dict[str, tuple[Why, str]]:
    return {str(item.address): (item.why, item.text) for item in simulation.projects["shop"].status().held}


# --- most of a project at once -------------------------------------------------------------------------------------


def test_most_of_a_project_is_not_removed_unasked(simulation: Simulation) -> None:
    simulation.add(many(6))
    simulation.advance(10)
    simulation.edit(many(2))
    simulation.advance(3600)
    assert len(simulation.names()) == 6
    assert simulation.condition() is Condition.OUT_OF_SYNC
    assert "4 of 6 containers have left the spec at once" in simulation.projects["shop"].text
    assert {why for why, _ in held(simulation).values()} == {Why.UNCONFIRMED}
    assert sorted(held(simulation)) == [f"container.c{number}" for number in range(2, 6)]
    assert "allow_removals = true" in held(simulation)["container.c2"][1]
    simulation.remove("shop-c0-1")
    simulation.advance(10)
    assert len(simulation.names()) == 6, "all else is healed"
    simulation.policy = Policy(allow_removals=True)
    simulation.projects["shop"].post(Cause.SETTINGS)
    simulation.advance(10)
    assert simulation.names() == ["shop-c0-1", "shop-c1-1"]
    assert simulation.condition() is Condition.SETTLED


def test_a_file_that_comes_back_was_no_harm(simulation: Simulation) -> None:
    simulation.add(many(6))
    simulation.advance(10)
    before = simulation.writes()
    simulation.edit(many(2))
    simulation.advance(60)
    simulation.edit(many(6))
    simulation.advance(60)
    assert simulation.condition() is Condition.SETTLED
    assert simulation.writes() == before
    assert held(simulation) == {}


# --- what does not stick -------------------------------------------------------------------------------------------


def test_what_does_not_stick_is_left_alone_and_named(simulation: Simulation) -> None:
    """The engine says yes and keeps another value."""
    simulation.add(WEB + 'mem_limit = "32M"\n')
    simulation.advance(1)
    tried: list[float] = []

    def update(container_id: str, body: dict[str, Any]) -> tuple[str, ...]:
        tried.append(simulation.time)
        return ()

    simulation.engine.update_container = update
    simulation.edit(WEB + 'mem_limit = "64M"\n')
    simulation.advance(3600)
    assert len(tried) == 5
    assert tried[-1] - tried[0] < 60
    (why, text) = held(simulation)["container.web"]
    assert why is Why.FLAPPING
    assert text.startswith("it was changed 5 times within 300 s and does not stick (mem_limit); it is left alone")
    simulation.restart()
    simulation.advance(3600)
    assert len(tried) == 5, "it is remembered"
    simulation.projects["shop"].passes.forget_failures(parse_address("container.web"))
    simulation.projects["shop"].post(Cause.PERSON, "resumed")
    simulation.advance(1)
    assert len(tried) > 5, "a person may have it tried again"


def test_what_does_not_stay_is_named(simulation: Simulation) -> None:
    simulation.add(WEB + 'mem_limit = "64M"\n')
    simulation.advance(1)
    container_id = simulation.container("shop-web-1")["Id"]
    for _ in range(6):
        simulation.memory_engine.update_container(container_id, {"Memory": 2**30, "MemorySwap": 2**31})
        simulation.advance(10)
    (why, text) = held(simulation)["container.web"]
    assert why is Why.FLAPPING
    assert text.startswith("it was put back 5 times within 300 s (mem_limit) and is left alone")


def test_a_memory_without_the_names_is_read(simulation: Simulation) -> None:
    """As an earlier version wrote it."""
    simulation.add(WEB)
    simulation.advance(1)
    simulation.remove("shop-web-1")
    simulation.advance(1)
    memory = simulation.projects["shop"].passes.memory
    assert memory.corrections
    document = json.loads(json.dumps(to_json(memory)))
    assert from_json(document) == memory
    for entry in document["corrections"].values():
        del entry["fields"], entry["sticks"]
    assert from_json(document).corrections.keys() == memory.corrections.keys()


# --- a second writer -----------------------------------------------------------------------------------------------


def someone(simulation: Simulation, **more: Any) -> Lease:
    holder = this_process()._replace(host="far-away", user="alice", pid=17, boot="another")._replace(**more)
    lease = Lease(lease_name("shop", "abcd"), "shop", holder, "abcd")
    simulation.memory_engine.create_volume(lease_body(lease))
    simulation.memory_engine.volumes[lease.name]["CreatedAt"] = "2024-02-01T00:00:00Z"  # later than the clock in memory
    return lease


def test_another_writer_is_waited_for(simulation: Simulation) -> None:
    lease = someone(simulation)
    project = simulation.add(WEB)
    assert simulation.advance(30) < 15
    assert simulation.names() == []
    assert simulation.condition() is Condition.OUT_OF_SYNC
    assert project.text.startswith("project shop is being changed by alice@far-away (process 17)")
    assert list(simulation.memory_engine.volumes) == [lease.name]
    simulation.memory_engine.remove_volume(lease.name)
    simulation.advance(4)
    assert simulation.is_running("shop-web-1")
    assert simulation.condition() is Condition.SETTLED
    assert simulation.memory_engine.volumes == {}


def test_a_settled_project_takes_no_lease(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(10)
    made = simulation.memory_engine.calls["create_volume"]
    assert made == 1
    simulation.advance(3600)
    assert simulation.memory_engine.calls["create_volume"] == made


@pytest.mark.parametrize("way", ["suspended", "observing"])
def test_what_a_killed_process_left_stays_where_nothing_is_to_be_touched(simulation: Simulation, way: str) -> None:
    project = simulation.add(WEB)
    simulation.advance(10)
    if way == "suspended":
        simulation.state.suspend("shop")
    else:
        simulation.policy = Policy(apply=False, heal=False)
    someone(simulation, boot=this_process().boot, pid=this_process().pid, started="1")
    before = simulation.writes()
    project.post(Cause.PERSON)
    simulation.advance(1)
    assert simulation.writes() == before


def test_what_a_killed_process_left_goes_though_nothing_is_to_be_done(simulation: Simulation) -> None:
    project = simulation.add(WEB)
    simulation.advance(10)
    someone(simulation, boot=this_process().boot, pid=this_process().pid, started="1")
    project.post(Cause.PERSON)
    simulation.advance(1)
    assert simulation.memory_engine.volumes == {}


def test_what_another_writer_does_meanwhile_counts(simulation: Simulation) -> None:
    """The plan is made again once nobody else can change anything."""
    simulation.add(WEB)
    simulation.advance(10)
    simulation.remove("shop-web-1")
    original = simulation.engine.create_volume

    def create(body: dict[str, Any]) -> None:
        original(body)
        if LOCK in (body.get("Labels") or {}):
            simulation.engine.create_volume = original
            again = Simulation(tmp, simulation.memory_engine)
            again.write(WEB)
            again.state.close()
            made = again.memory_engine.create_container("shop-web-1", {"Image": "busybox:latest"}, "")[0]
            again.memory_engine.start_container(made)

    tmp = simulation.directory / "other"
    tmp.mkdir()
    simulation.engine.create_volume = create
    simulation.advance(10)
    assert simulation.condition() is Condition.OUT_OF_SYNC
    assert "somebody made it by hand" in simulation.projects["shop"].text
    assert simulation.projects["shop"].passes.memory.failures == {}, "nothing was tried on what has moved"


@pytest.mark.parametrize("inside", [True, False])
def test_apply_and_run_on_one_machine(inside: bool, simulation: Simulation, tmp_path: Path) -> None:
    project = simulation.add(WEB)
    project.passes._around = project.passes._around._replace(locks=tmp_path)
    other = sole_writer(simulation.memory_engine, "shop", tmp_path, threading.Event())
    if inside:
        with other:
            simulation.advance(20)
            assert simulation.names() == []
    simulation.advance(20)
    assert simulation.names() == ["shop-web-1"]
