"""What the engine removes by itself as it stops, `docker run --rm`: it cannot be kept, and nobody goes on as if it were."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.model.describe import describe
from reconciler.model.plan import Verb
from reconciler.model.report import Status
from tests.planning.stage import PLAIN, Stage, by_address, cut_off
from tests.support.memory import Behaviour

NAME = "shop-web-1"
SPEC: dict[str, Any] = {
    "container.web": {
        "image": "busybox",
        "adopt": True,
        "command": ["x"],
        "network_mode": "bridge",
        "ports": ["7001:80"],
        "volumes": ["/data"],
    }
}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    host = {
        "AutoRemove": True,
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "7001"}]},
        "NetworkMode": "bridge",
    }
    body = {
        "Image": "busybox",
        "Cmd": ["x"],
        "HostConfig": host,
        "Volumes": {"/data": {}},
        "ExposedPorts": {"80/tcp": {}},
    }
    container_id, _ = stage.engine.create_container(NAME, body, "")
    stage.engine.start_container(container_id)
    return stage


def volume_of(stage: Stage) -> str:
    return str(next(item["Name"] for item in stage.container(NAME)["Mounts"] if item["Destination"] == "/data"))


def test_it_is_adopted_at_once(stage: Stage) -> None:
    volume = volume_of(stage)
    change = by_address(stage.plan(SPEC))["container.web"]
    assert change.verb is Verb.ADOPT
    assert "no way back" in change.note
    assert [describe(step.action) for step in change.steps] == [
        f"create container {NAME}.next from busybox",
        f"stop container {NAME} (up to 10 s)",
        f"wait until the engine has removed {NAME}",
        f"rename container {NAME}.next to {NAME}",
        f"start container {NAME}",
        f"wait until {NAME} is ready",
    ]
    stage.settle(SPEC)
    assert stage.names() == [NAME]
    assert volume_of(stage) == volume
    assert not stage.container(NAME)["HostConfig"]["AutoRemove"]
    assert volume in stage.engine.volumes


@pytest.mark.parametrize("done", range(1, 6))
def test_cut_off_it_goes_on(done: int, stage: Stage) -> None:
    volume = volume_of(stage)
    cut_off(stage, by_address(stage.plan(SPEC))["container.web"], done)
    stage.settle(SPEC)
    assert stage.names() == [NAME]
    assert volume_of(stage) == volume


def test_one_that_does_not_start_stays_to_be_looked_at(stage: Stage) -> None:
    stage.engine.images.add("bad:1", PLAIN._replace(seed="bad", behaviour=Behaviour(exit_code=3)))
    spec = {"container.web": {**SPEC["container.web"], "image": "bad:1"}}
    (outcome,) = [item for item in stage.apply(stage.write(spec)).outcomes if str(item.address) == "container.web"]
    assert outcome.status is Status.FAILED
    assert outcome.kept is not None
    assert (outcome.kept.name, outcome.kept.status) == (NAME, "exited")
    assert stage.names() == [NAME]
    stage.settle(SPEC)


def test_one_of_ours_that_leaves_the_spec(stage: Stage) -> None:
    """A person may have run it so with our labels; it goes like any other."""
    stage.settle(SPEC)
    stage.container(NAME)["HostConfig"]["AutoRemove"] = True
    report = stage.apply(stage.write({"volume.data": {}}))
    assert report.is_settled, report
    assert stage.names() == []
