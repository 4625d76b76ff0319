"""Dependencies with a condition: a container that runs without its published ports is not ready."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.describe import describe
from reconciler.model.report import Status
from tests.planning.stage import Stage, by_address
from tests.support.inprocess import explain
from tests.support.memory import Behaviour, Image


def spec(condition: str, *, internal: bool = False, **more: Any) -> dict[str, Any]:
    db: dict[str, Any] = {"image": "busybox:latest", "ports": ["127.0.0.1:7001:80"], "networks": ["front"]}
    if condition == "healthy":
        db["healthcheck"] = {"test": "true", "interval": "1s"}
    return {"container.db": db, "network.front": {"internal": internal}, **more}


def dependent(condition: str) -> dict[str, Any]:
    web = {"image": "busybox:latest", "network_mode": "none", "depends_on": {"db": condition}}
    return {"container.web": web}


@pytest.mark.parametrize("condition", ["started", "healthy"])
def test_without_its_ports_it_is_not_ready(condition: str, stage: Stage) -> None:
    """As after a live restore while something else had the port."""
    stage.settle(spec(condition))
    stage.container("shop-db-1")["NetworkSettings"]["Ports"] = {"80/tcp": None}
    wanted = spec(condition, **dependent(condition))
    change = by_address(stage.plan(wanted))["container.web"]
    assert describe(change.steps[0].action) == f"wait until shop-db-1 is {condition}"
    report = stage.apply(stage.reload())
    (outcome,) = report.outcomes
    assert outcome.status is Status.FAILED, explain(report)
    assert "shop-db-1 still runs without its published ports after" in outcome.message
    assert "80/tcp" in outcome.message
    assert stage.names() == ["shop-db-1"]
    stage.engine.restart_container(stage.container("shop-db-1")["Id"], 1)
    stage.settle(wanted)


@pytest.mark.parametrize("condition", ["started", "healthy"])
def test_with_its_ports_nothing_is_waited_for(condition: str, stage: Stage) -> None:
    stage.settle(spec(condition))
    change = by_address(stage.plan(spec(condition, **dependent(condition))))["container.web"]
    assert not [step for step in change.steps if describe(step.action).startswith("wait")]


@pytest.mark.parametrize("condition", ["started", "healthy"])
def test_on_internal_networks_no_ports_are_waited_for(condition: str, stage: Stage) -> None:
    stage.settle(spec(condition, internal=True))
    stage.container("shop-db-1")["NetworkSettings"]["Ports"] = {"80/tcp": None}
    stage.settle(spec(condition, internal=True, **dependent(condition)))


def test_what_a_container_wrote_is_told_without_its_secrets(stage: Stage) -> None:
    """Of what it was given in variables and files; other words stay."""
    written = (
        b"password hunter2hunter2 refused for postgres://app:tiger99@db/shop, key is k3y-of-the-file, level info\n"
    )
    stage.engine.images.add("leaky:1", Image({"Cmd": ["leaky"]}, Behaviour(exit_code=3, output=written)))
    stage.settle({"container.web": {"image": "busybox:latest"}})
    environment = {"DB_PASSWORD": "hunter2hunter2", "LEVEL": "info"}
    (stage.directory / "key.txt").write_text("k3y-of-the-file\n")
    web = {"image": "leaky:1", "environment": environment, "secrets": ["key"]}
    report = stage.apply(stage.write({"container.web": web, "secret.key": {"file": "./key.txt"}}))
    (outcome,) = report.outcomes
    assert outcome.status is Status.RESTORED, explain(report)
    said = "password (secret) refused for postgres://app:(secret)@db/shop, key is (secret), level info"
    assert said in outcome.message, outcome.message
