"""Jobs: run once for each key, again when they failed, and never because something else moved."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.describe import describe
from reconciler.model.plan import StartContainer, Verb, WaitContainer
from reconciler.model.report import Status
from reconciler.planning.world import Request
from tests.planning.stage import Stage, by_address, cut_off, only
from tests.support.inprocess import explain
from tests.support.memory import Behaviour, Image

BROKEN = Image({"Cmd": ["broken"]}, Behaviour(exit_code=3, output=b"first\nno such table: users\n"))
SLOW = Image({"Cmd": ["slow"]})


def spec(level: str = "1", image: str = "job:1", **more: Any) -> dict[str, Any]:
    return {"container.migrate": {"image": image, "kind": "job", "environment": {"LEVEL": level}, **more}}


def with_web(wanted: dict[str, Any], level: str = "1") -> dict[str, Any]:
    web = {"image": "busybox:latest", "depends_on": ["migrate"], "environment": {"LEVEL": level}}
    return {**wanted, "container.web": web}


def runs(stage: Stage) -> str:
    """When the job was started last."""
    return str(stage.container("shop-migrate-1")["State"]["StartedAt"])


@pytest.fixture
def broken(stage: Stage) -> Stage:
    stage.engine.images.add("broken:1", BROKEN)
    stage.engine.images.add("slow:1", SLOW)
    return stage


def test_it_runs_once(stage: Stage) -> None:
    stage.settle(with_web(spec()))
    began = runs(stage)
    stage.settle(with_web(spec()))
    assert runs(stage) == began
    assert stage.container("shop-migrate-1")["State"]["Status"] == "exited"


def test_another_key_runs_it_again_and_leaves_who_runs_alone(stage: Stage) -> None:
    stage.settle(with_web(spec()))
    web = stage.container("shop-web-1")["State"]["StartedAt"]
    change = only(stage.plan(with_web(spec("2"))))
    assert [describe(step.action) for step in change.steps][-3:] == [
        "start container shop-migrate-1",
        "wait until shop-migrate-1 is completed",
        "remove container shop-migrate-1.prev",
    ]
    stage.settle(with_web(spec("2")))
    assert stage.container("shop-web-1")["State"]["StartedAt"] == web
    assert stage.names() == ["shop-migrate-1", "shop-web-1"]


def test_what_is_changed_with_it_waits_for_it(stage: Stage) -> None:
    stage.settle(with_web(spec()))
    plan = stage.plan(with_web(spec("2"), "2"))
    assert [str(change.address) for change in plan.changes] == ["container.migrate", "container.web"]
    web = by_address(plan)["container.web"]
    assert [str(address) for address in web.after] == ["container.migrate"]
    assert not [step for step in web.steps if isinstance(step.action, WaitContainer)], "the job's own change waits"


def test_what_is_changed_in_place_does_not_run_it(stage: Stage) -> None:
    stage.settle(spec(mem_limit="64M"))
    began = runs(stage)
    change = only(stage.plan(spec(mem_limit="96M")))
    assert [describe(step.action) for step in change.steps] == [
        "update container shop-migrate-1: mem_limit, memswap_limit"
    ]
    stage.settle(spec(mem_limit="96M"))
    assert runs(stage) == began


def test_a_failure_blocks_what_needs_it_and_shows_its_last_words(broken: Stage) -> None:
    report = broken.apply(broken.write(with_web(spec(image="broken:1"))))
    outcomes = {str(outcome.address): outcome for outcome in report.outcomes}
    assert outcomes["container.migrate"].status is Status.FAILED, explain(report)
    assert "exit code 3" in outcomes["container.migrate"].message
    assert "    no such table: users" in outcomes["container.migrate"].message
    assert outcomes["container.web"].message == "it needs container.migrate, which is failed"
    assert broken.names() == ["shop-migrate-1"]
    began = runs(broken)
    change = by_address(broken.look(broken.reload()).plan)["container.migrate"]
    assert (change.verb, change.fields[0].shown) == (Verb.UPDATE, ("exited (3)", "done"))
    assert not broken.apply(broken.reload()).is_settled
    assert runs(broken) != began, "an apply by hand tries again"
    broken.settle(with_web(spec()))
    assert broken.names() == ["shop-migrate-1", "shop-web-1"]


def test_a_failed_rerun_keeps_both_until_one_ends_well(broken: Stage) -> None:
    broken.settle(with_web(spec()))
    done = broken.container("shop-migrate-1")["Id"]
    report = broken.apply(broken.write(with_web(spec("2", "broken:1"), "2")))
    assert {str(o.address): o.status for o in report.outcomes} == {
        "container.migrate": Status.FAILED,
        "container.web": Status.BLOCKED,
    }
    assert broken.names() == ["shop-migrate-1", "shop-migrate-1.prev", "shop-web-1"]
    assert broken.container("shop-migrate-1.prev")["Id"] == done
    assert broken.container("shop-web-1")["State"]["Status"] == "running", "nobody stopped it"
    retry = by_address(broken.look(broken.reload()).plan)["container.migrate"]
    assert (retry.verb, retry.reason) == (Verb.UPDATE, "drifted")
    assert not broken.apply(broken.reload()).is_settled
    assert broken.names() == ["shop-migrate-1", "shop-migrate-1.prev", "shop-web-1"]
    broken.settle(with_web(spec("2"), "2"))
    assert broken.names() == ["shop-migrate-1", "shop-web-1"]


def test_it_runs_again_on_request_and_when_it_was_removed(stage: Stage) -> None:
    desired = stage.settle(spec())
    began = runs(stage)
    report = stage.apply(desired, Request(replace=(next(a for a in desired.resources if a.name == "migrate"),)))
    assert report.is_settled, explain(report)
    again = runs(stage)
    assert again != began
    stage.engine.remove_container(stage.container("shop-migrate-1")["Id"])
    assert only(stage.plan(spec())).verb is Verb.CREATE
    stage.settle(spec())
    assert runs(stage) > again


def test_what_moves_on_the_engine_does_not_run_it_again(stage: Stage) -> None:
    """Its donor, a field nobody declares: only its own key counts."""
    base = {"container.db": {"image": "busybox:latest", "environment": {"LEVEL": "1"}}}
    stage.settle({**base, **spec(network_mode="service:db")})
    began = runs(stage)
    base["container.db"]["environment"] = {"LEVEL": "2"}
    assert only(stage.plan({**base, **spec(network_mode="service:db")})).address.name == "db"
    stage.settle({**base, **spec(network_mode="service:db")})
    stage.container("shop-migrate-1")["HostConfig"]["CpusetMems"] = "0"
    assert stage.plan({**base, **spec(network_mode="service:db")}).is_settled
    assert runs(stage) == began


def test_one_that_still_runs_is_waited_for_by_who_needs_it(broken: Stage) -> None:
    """The program was killed during the job: nothing is wrong with the job, and its dependents wait."""
    first = by_address(broken.plan(with_web(spec(image="slow:1"))))
    cut_off(broken, first["network.default"], 1)
    cut_off(broken, first["container.migrate"], 2)
    change = only(broken.look(broken.reload()).plan)
    assert next(describe(step.action) for step in change.steps) == "wait until shop-migrate-1 is completed"
    broken.engine.exit(broken.container("shop-migrate-1")["Id"], 0)
    assert broken.apply(broken.reload()).is_settled


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("done", range(1, 8))
@pytest.mark.parametrize("meanwhile", ["same", "reverted", "edited"])
def test_a_replacement_cut_off_anywhere_is_finished(done: int, code: int, meanwhile: str, broken: Stage) -> None:
    """Also when the run that was begun ends badly before anybody looks again."""
    broken.settle(spec())
    change = by_address(broken.plan(spec("2")))["container.migrate"]
    cut_off(broken, change, min(done, len(change.steps)))
    current = [c for c in broken.ours() if c["Name"] == "/shop-migrate-1" and c["State"]["Status"] == "exited"]
    if done >= 4 and current:
        current[0]["State"]["ExitCode"] = code
    level = {"same": "2", "reverted": "1", "edited": "3"}[meanwhile]
    broken.settle(spec(level))
    assert broken.names() == ["shop-migrate-1"]
    found = broken.container("shop-migrate-1")
    assert (found["State"]["Status"], found["State"]["ExitCode"]) == ("exited", 0)
    assert f"LEVEL={level}" in found["Config"]["Env"]


def test_a_predecessor_stays_while_its_successor_runs(broken: Stage) -> None:
    broken.settle(spec())
    change = by_address(broken.plan(spec("2", "slow:1")))["container.migrate"]
    cut_off(broken, change, 4)
    change = only(broken.look(broken.reload()).plan)
    assert [describe(step.action) for step in change.steps] == [
        "wait until shop-migrate-1 is completed",
        "remove container shop-migrate-1.prev",
    ]


@pytest.mark.parametrize(("on_change", "runs_again"), [("restart", True), ("signal:SIGHUP", True), ("ignore", False)])
def test_its_files_are_part_of_the_key(on_change: str, runs_again: bool, stage: Stage) -> None:
    """Nobody is there to be told of a new content, so that it runs with it or not at all."""

    def files(text: str) -> dict[str, Any]:
        use = {"source": "seed", "target": "/seed.sql", "on_change": on_change}
        return {**spec(configs=[use]), "config.seed": {"content": text}}

    stage.settle(files("one"))
    began = runs(stage)
    stage.settle(files("two"))
    assert (runs(stage) != began) is runs_again


# --- restarts with a dependency ------------------------------------------------------------------------------------


def cascade(level: str = "1", restart: bool = True) -> dict[str, Any]:
    return {
        "container.db": {"image": "busybox:latest", "environment": {"LEVEL": level}},
        "container.web": {"image": "busybox:latest", "depends_on": {"db": {"restart": restart}}},
    }


@pytest.mark.parametrize("restart", [True, False])
def test_a_dependent_is_restarted_only_when_asked(restart: bool, stage: Stage) -> None:
    stage.settle(cascade(restart=restart))
    changes = by_address(stage.plan(cascade("2", restart)))
    assert ("container.web" in changes) is restart
    if restart:
        web = changes["container.web"]
        assert (web.verb, web.reason, [str(a) for a in web.after]) == (Verb.UPDATE, "dependency", ["container.db"])
        assert [describe(step.action) for step in web.steps] == ["restart container shop-web-1 (up to 10 s)"]
    stage.settle(cascade("2", restart))


def test_a_restart_that_was_cut_off_is_made_up_for(stage: Stage) -> None:
    stage.settle(cascade())
    change = by_address(stage.plan(cascade("2")))["container.db"]
    cut_off(stage, change, len(change.steps))
    web = only(stage.look(stage.reload()).plan)
    assert (str(web.address), web.reason) == ("container.web", "dependency")
    stage.settle(cascade("2"))


def test_who_shares_a_namespace_is_restarted_with_its_donor(stage: Stage) -> None:
    """Started by this plan, or restarted by anybody: the namespace that was joined is gone."""
    shared = {
        "container.db": {"image": "busybox:latest"},
        "container.side": {"image": "busybox:latest", "network_mode": "service:db"},
    }
    stage.settle(shared)
    stage.engine.restart_container(stage.container("shop-db-1")["Id"], 1)
    side = only(stage.plan(shared))
    assert (side.verb, side.fields[0].path, side.fields[0].forces) == (Verb.UPDATE, "network_mode", "restart")
    stage.settle(shared)
    stage.engine.stop_container(stage.container("shop-db-1")["Id"], 1)
    changes = by_address(stage.plan(shared))
    assert any(isinstance(step.action, StartContainer) for step in changes["container.db"].steps)
    assert [describe(step.action) for step in changes["container.side"].steps] == [
        "restart container shop-side-1 (up to 10 s)"
    ]
    stage.settle(shared)


def test_a_donor_removed_by_hand_replaces_who_shared_it(stage: Stage) -> None:
    shared = {
        "container.db": {"image": "busybox:latest"},
        "container.side": {"image": "busybox:latest", "network_mode": "service:db"},
    }
    stage.settle(shared)
    db = stage.container("shop-db-1")["Id"]
    stage.engine.stop_container(db, 1)
    stage.engine.remove_container(db)
    assert {name: change.verb for name, change in by_address(stage.plan(shared)).items()} == {
        "container.db": Verb.CREATE,
        "container.side": Verb.REPLACE,
    }
    stage.settle(shared)


def test_an_orphaned_donor_goes_after_who_shares_it(stage: Stage) -> None:
    stage.settle(
        {
            "container.zz": {"image": "busybox:latest", "network_mode": "service:aa"},
            "container.aa": {"image": "busybox:latest"},
            "container.keep": {"image": "busybox:latest"},
        }
    )
    changes = by_address(stage.plan({"container.keep": {"image": "busybox:latest"}}))
    assert [str(address) for address in changes["container.aa"].after] == ["container.zz"]


def test_an_absent_dependency_that_is_not_required(stage: Stage) -> None:
    web = {"image": "busybox:latest", "depends_on": {"db": {"condition": "healthy", "required": False}}}
    stage.settle({"container.web": web})
