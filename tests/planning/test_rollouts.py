"""Roll-outs: which order and why, what a successor has to prove, and what becomes of one that does not."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from reconciler.model.address import parse_address
from reconciler.model.documents import outcome_document
from reconciler.model.plan import Connect, StopContainer, Verb
from reconciler.model.report import Report, Status
from reconciler.planning.world import Request
from tests.planning.stage import Stage, by_address, cut_off, only
from tests.support.clock import Hurried
from tests.support.inprocess import explain
from tests.support.memory import Behaviour, Image

CHECK = {"test": "true", "interval": "1s"}
GOOD = Image({"Cmd": ["good"]}, seed="good")
CRASHING = Image({"Cmd": ["crash"]}, Behaviour(exit_code=3, output=b"cannot read the configuration\n"))
SICK = Image({"Cmd": ["sick"]}, Behaviour(health="unhealthy", output=b"no database\n"))
SLOW = Image({"Cmd": ["slow"]}, Behaviour(health="starting"))
NAME = "shop-web-1"


def spec(image: str = "busybox:latest", order: str = "auto", *, check: bool = True, **more: Any) -> dict[str, Any]:
    web: dict[str, Any] = {"image": image, "restart": "always", "networks": {"front": {"aliases": ["www"]}}, **more}
    web["rollout"] = {"order": order, **web.get("rollout", {})}
    return {"container.web": web | ({"healthcheck": CHECK} if check else {}), "network.front": {}}


@pytest.fixture(autouse=True)
def images(stage: Stage) -> None:
    for name, image in {"good": GOOD, "crashing": CRASHING, "sick": SICK, "slow": SLOW}.items():
        stage.engine.images.add(f"{name}:1", image)


def begin(stage: Stage, **more: Any) -> str:
    stage.settle(spec(**more))
    return str(stage.container(NAME)["Id"])


def outcome_of(report: Report) -> Any:
    return next(outcome for outcome in report.outcomes if str(outcome.address) == "container.web")


def aliases(stage: Stage, name: str) -> set[str]:
    return set(stage.container(name)["NetworkSettings"]["Networks"]["shop_front"]["Aliases"] or ())


def assert_serves(stage: Stage, container_id: str) -> None:
    assert stage.names() == [NAME]
    found = stage.container(NAME)
    assert (found["Id"], found["State"]["Status"]) == (container_id, "running")
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert {"web", "www"} <= aliases(stage, NAME)


# --- which order -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({}, "start-first: its health check tells when it is ready"),
        ({"check": False}, "stop-first: nothing tells when it is ready; a health check or ready_after would"),
        ({"check": False, "rollout": {"ready_after": "2s"}}, "start-first: ready_after tells when it is ready"),
        ({"check": False, "order": "start-first"}, "start-first: as asked for"),
        ({"order": "stop-first"}, "stop-first: as asked for"),
        ({"ports": ["80"]}, "start-first: its health check tells when it is ready"),
        ({"ports": ["7001:80"]}, "stop-first: only one container can have host port 7001/tcp"),
        ({"container_name": NAME + "x"}, "stop-first: only one container can have its container_name"),
        ({"volumes": ["data:/data"]}, "stop-first: it alone writes to shop_data at /data"),
        ({"volumes": ["data:/data:ro"]}, "start-first: its health check tells when it is ready"),
        ({"volumes": ["/run/x.sock:/x.sock"]}, "start-first: its health check tells when it is ready"),
        ({"volumes": ["/data"]}, "stop-first: it alone writes to the unnamed volume at /data"),
        ({"pid": "container:other"}, "stop-first: it shares the pid of another container"),
        (
            {"networks": {"front": {"ipv4_address": "10.50.1.9"}}},
            "stop-first: only one container can have its ipv4_address on shop_front",
        ),
    ],
)
def test_which_order_and_why(more: dict[str, Any], note: str, stage: Stage) -> None:
    extra: dict[str, Any] = {"volume.data": {}, "network.front": {"ipam": {"config": [{"subnet": "10.50.1.0/24"}]}}}
    stage.make_stranger("other")
    stage.settle(spec(**more) | extra)
    change = only(stage.plan(spec(**more, environment={"LEVEL": "debug"}) | extra))
    assert (change.verb, change.note) == (Verb.REPLACE, note)
    assert change.order == note.partition(":")[0]
    stage.settle(spec(**more, environment={"LEVEL": "debug"}) | extra)


def test_what_several_write_to_is_meant_to_be_shared(stage: Stage) -> None:
    both = {"container.other": {"image": "busybox:latest", "volumes": ["data:/data"]}, "volume.data": {}}
    stage.settle(spec(volumes=["data:/data"]) | both)
    change = only(stage.plan(spec("good:1", volumes=["data:/data"]) | both))
    assert change.order == "start-first"


def test_start_first_that_cannot_be_is_refused(stage: Stage) -> None:
    desired = stage.write(spec(order="start-first", ports=["7001:80"]))
    assert stage.look(desired).plan.warnings == (
        "container.web: start-first will not be possible: only one container can have host port 7001/tcp",
    )
    begin(stage, order="start-first", ports=["7001:80"])
    desired = stage.write(spec("good:1", "start-first", ports=["7001:80"]))
    change = only(stage.look(desired).plan)
    assert change.verb is Verb.BLOCKED
    assert change.note == (
        "start-first is not possible: only one container can have host port 7001/tcp; "
        'write order = "auto" or "stop-first"'
    )
    assert not stage.apply(desired).is_settled


def test_the_projects_start_first_gives_way(stage: Stage) -> None:
    """Only a container that asks for it itself insists."""
    project = {"project": {"name": "shop", "rollout": {"order": "start-first"}}}
    web = {"image": "busybox:latest", "ports": ["7001:80"]}
    stage.settle(project | {"container.web": web})
    change = only(stage.plan(project | {"container.web": {**web, "image": "good:1"}}))
    assert (change.verb, change.order) == (Verb.REPLACE, "stop-first")


# --- what a successor has to prove -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
@pytest.mark.parametrize(
    ("image", "check", "said"),
    [
        ("crashing:1", True, "was started again"),
        ("crashing:1", False, "cannot read the configuration"),
        ("sick:1", True, "shop-web-1{} is unhealthy; it wrote at last:\n    no database"),
        ("slow:1", True, "is not ready after 134 s: its health check has not succeeded yet"),
    ],
)
def test_what_does_not_work_gives_way(order: str, image: str, check: bool, said: str, stage: Stage) -> None:
    before = begin(stage, order=order, check=check)
    desired = stage.write(spec(image, order, check=check))
    for _ in range(2):  # an apply by hand always tries
        report = stage.apply(desired)
        outcome = outcome_of(report)
        assert outcome.status is Status.RESTORED, explain(report)
        assert outcome.kept is None
        assert said.format(".next" if order == "start-first" else "") in outcome.message
        assert_serves(stage, before)


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_of_one_that_says_nothing_no_log_is_named(order: str, stage: Stage) -> None:
    """It is gone by then, and the log under its name is that of what serves again."""
    begin(stage, order=order, check=False)
    stage.engine.images.add("silent:1", Image({"Cmd": ["silent"]}, Behaviour(exit_code=3)))
    message = outcome_of(stage.apply(stage.write(spec("silent:1", order, check=False)))).message
    assert "hint: it wrote nothing" in message
    assert "docker logs" not in message


def test_a_timeout_of_its_own(stage: Stage) -> None:
    begin(stage)
    report = stage.apply(stage.write(spec("slow:1", rollout={"timeout": "7s"})))
    assert "is not ready after 7 s" in outcome_of(report).message


def test_what_ends_well_where_that_is_done_is_ready(stage: Stage) -> None:
    once = {"image": "job:1", "restart": "no"}
    stage.settle({"container.web": once})
    stage.settle({"container.web": {**once, "environment": {"LEVEL": "debug"}}})


def test_a_container_without_its_ports_is_not_ready(stage: Stage) -> None:
    """R036: some engines start one without them."""
    before = begin(stage, check=False, ports=["7001:80"])

    def lose_ports(now: float) -> None:
        for found in stage.engine.containers.all.values():
            if found["Id"] != before:
                found["NetworkSettings"]["Ports"] = {}

    desired = stage.write(spec("good:1", check=False, ports=["7001:80"], rollout={"ready_after": "2s"}))
    report = stage.apply(desired, clock=Hurried(lose_ports))
    assert outcome_of(report).status is Status.RESTORED
    assert "it runs without its published ports: 80/tcp" in outcome_of(report).message
    assert_serves(stage, before)


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_one_that_crashes_while_it_is_waited_for(order: str, stage: Stage) -> None:
    before = begin(stage, order=order, check=False)

    def crash(now: float) -> None:
        for found in list(stage.engine.containers.all.values()):
            if found["Id"] != before and found["State"]["Status"] == "running" and now > 3:
                stage.engine.exit(found["Id"], 1)

    desired = stage.write(spec("good:1", order, check=False, rollout={"ready_after": "5s"}))
    report = stage.apply(desired, clock=Hurried(crash))
    assert outcome_of(report).status is Status.RESTORED, explain(report)
    assert_serves(stage, before)


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_a_run_that_is_stopped_does_not_wait(order: str, stage: Stage) -> None:
    """A newer spec interrupts a doomed roll-out; what served serves."""
    before = begin(stage, order=order)
    cancelled = Event()
    clock = Hurried(lambda now: cancelled.set() if now > 2 else None)
    report = stage.apply(stage.write(spec("slow:1", order)), clock=clock, cancelled=cancelled)
    assert outcome_of(report).status is Status.RESTORED
    assert "stopped while waiting for" in outcome_of(report).message
    assert_serves(stage, before)


# --- what becomes of one that does not -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "order", "left"),
    [
        ("keep", "stop-first", {NAME: "running", f"{NAME}.prev": "exited"}),
        ("stop", "stop-first", {NAME: "exited", f"{NAME}.prev": "exited"}),
        ("keep", "start-first", {NAME: "running", f"{NAME}.next": "running"}),
        ("stop", "start-first", {NAME: "running", f"{NAME}.next": "exited"}),
    ],
)
def test_on_failure(way: str, order: str, left: dict[str, str], stage: Stage) -> None:
    before = begin(stage)
    desired = stage.write(spec("sick:1", order, rollout={"on_failure": way}))
    report = stage.apply(desired)
    assert outcome_of(report).status is Status.FAILED
    assert {c["Name"][1:]: c["State"]["Status"] for c in stage.ours()} == left
    assert before in [c["Id"] for c in stage.ours()]
    kept = outcome_of(report).kept
    assert kept is not None
    assert left[kept.name] == kept.status
    assert kept.name == (NAME if order == "stop-first" else f"{NAME}.next")
    runs = "runs" if way == "keep" else "does not run (exited)"
    assert outcome_of(report).message.endswith(
        f"\n    kept: {kept.name} {runs}; look at it with `docker logs {kept.name}`"
    )
    assert outcome_document(outcome_of(report))["kept"] == {"name": kept.name, "status": kept.status}
    again = stage.apply(desired)  # and again the same
    assert outcome_of(again).status is Status.FAILED, explain(again)
    stage.settle(spec("good:1", order))
    assert stage.names() == [NAME]


def test_what_was_kept_and_becomes_ready_is_done(stage: Stage) -> None:
    begin(stage)
    desired = stage.write(spec("slow:1", "stop-first", rollout={"on_failure": "keep"}))
    assert outcome_of(stage.apply(desired)).status is Status.FAILED
    stage.engine.set_health(stage.container(NAME)["Id"], "healthy")
    assert stage.apply(desired).is_settled
    assert stage.names() == [NAME]


# --- start-first -----------------------------------------------------------------------------------------------------


def test_there_is_always_one_with_the_names(stage: Stage) -> None:
    """After every step: a container that is ready has the aliases, and none that is not."""
    stage.settle(spec())
    planned = only(stage.plan(spec("good:1")))
    for done in range(len(planned.steps) + 1):
        other = Stage(stage.directory)
        other.engine.images.add("good:1", GOOD)
        other.settle(spec())
        cut_off(other, only(other.plan(spec("good:1"))), done)
        named = [
            c
            for c in other.ours()
            if "www" in (c["NetworkSettings"]["Networks"].get("shop_front", {}).get("Aliases") or ())
            and c["State"]["Status"] == "running"
        ]
        assert named, f"after {done} steps"
        assert all(c["State"]["Health"]["Status"] == "healthy" for c in named)


def test_a_network_that_is_made_anew_before(stage: Stage) -> None:
    """The current one has joined the new network by the time it leaves the names."""
    stage.settle(spec())
    renewed = spec("good:1") | {"network.front": {"labels": {"a": "b"}}}
    report = stage.apply(stage.write(renewed))
    assert report.is_settled, explain(report)
    assert stage.names() == [NAME]
    assert {"web", "www"} <= aliases(stage, NAME)


@pytest.mark.parametrize("meanwhile", ["same", "reverted", "edited"])
@pytest.mark.parametrize("done", range(1, 14))
def test_a_start_first_cut_off_is_finished_or_undone(done: int, meanwhile: str, stage: Stage) -> None:
    stage.settle(spec())
    change = by_address(stage.plan(spec("good:1")))["container.web"]
    assert len(change.steps) == 13
    cut_off(stage, change, done)
    wanted = {"same": spec("good:1"), "reverted": spec(), "edited": spec("good:1", environment={"LEVEL": "x"})}[
        meanwhile
    ]
    plan = stage.plan(wanted)
    first_stop = [s for c in plan.changes for s in c.steps if isinstance(s.action, StopContainer)]
    running = [c for c in stage.ours() if c["State"]["Status"] == "running"]
    assert len(running) >= 1
    assert len(first_stop) <= len(running) + 1
    stage.settle(wanted)
    assert stage.names() == [NAME]
    assert {"web", "www"} <= aliases(stage, NAME)
    assert stage.container(NAME)["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_one_that_took_over_is_not_made_again(stage: Stage) -> None:
    stage.settle(spec())
    change = by_address(stage.plan(spec("good:1")))["container.web"]
    cut_off(stage, change, 6)
    successor = stage.container(f"{NAME}.next")["Id"]
    stage.settle(spec("good:1"))
    assert_serves(stage, successor)


# --- several instances -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_instances_in_turn(order: str, most: int, stage: Stage) -> None:
    rollout = {"max_parallel": most}
    stage.settle(spec(scale=4, rollout=rollout))
    plan = stage.plan(spec("good:1", order, scale=4, rollout=rollout))
    after = {c.address.instance: [a.instance for a in c.after if a.kind == "container"] for c in plan.changes}
    assert after == ({1: [], 2: [1], 3: [2], 4: [3]} if most == 1 else {1: [], 2: [], 3: [1], 4: [2]})
    least = 4

    def count(now: float) -> None:
        nonlocal least
        least = min(least, sum(c["State"]["Status"] == "running" for c in stage.ours()))

    assert stage.apply(stage.reload(), clock=Hurried(count)).is_settled
    assert least >= (4 if order == "start-first" else 4 - most)


def test_the_first_instance_that_fails_holds_up_the_others(stage: Stage) -> None:
    stage.settle(spec(scale=3))
    report = stage.apply(stage.write(spec("sick:1", scale=3)))
    assert [o.status for o in report.outcomes] == [Status.RESTORED, Status.BLOCKED, Status.BLOCKED], explain(report)
    assert all(c["State"]["Status"] == "running" for c in stage.ours())


def test_fewer_instances_come_after_the_replacements(stage: Stage) -> None:
    stage.settle(spec(scale=3))
    plan = stage.plan(spec("good:1", scale=2))
    removal = next(c for c in plan.changes if c.verb is Verb.REMOVE)
    assert {a.instance for a in removal.after if a.kind == "container"} == {1, 2}
    stage.settle(spec("good:1", scale=2))


def test_a_target_takes_no_other_instance_with_it(stage: Stage) -> None:
    stage.settle(spec(scale=3))
    desired = stage.write(spec("good:1", scale=3))
    planned = stage.look(desired, Request(targets=(parse_address("container.web[2]"),))).plan
    assert [str(change.address) for change in planned.changes] == ["container.web[2]"]


def test_who_leaves_the_names_keeps_its_address(stage: Stage) -> None:
    """One that it was given by the engine it is given again; one that was asked for is asked for again."""
    front = {"network.front": {"ipam": {"config": [{"subnet": "10.5.0.0/24"}]}}}
    fixed = {"front": {"aliases": ["www"], "ipv4_address": "10.5.0.9"}}
    stage.settle(spec(networks=fixed) | front)
    for endpoint in ({"ipv4_address": "10.5.0.9"}, {}):
        text = spec(environment={"LEVEL": str(endpoint)}) | front
        served = str(stage.container(NAME)["Id"])
        steps = by_address(stage.plan(text))["container.web"].steps
        joined = [s.action for s in steps if isinstance(s.action, Connect) and s.action.container.id == served]
        assert [action.endpoint for action in joined] == [endpoint]
        stage.settle(text)
