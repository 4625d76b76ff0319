"""A call without an answer: looked at, and gone on with, in the same run."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from reconciler.errors import EngineRefusedError
from reconciler.model.report import Status
from tests.planning.stage import Stage
from tests.support.clock import Hurried
from tests.support.failing import FailingEngine
from tests.support.inprocess import explain
from tests.support.memory import Behaviour, Image


def spec(level: str, image: str = "busybox:latest", **more: Any) -> dict[str, Any]:
    return {"container.web": {"image": image, "environment": {"LEVEL": level}, "restart": "always"}, **more}


@pytest.mark.parametrize("when", ["before", "after", "late"])
@pytest.mark.parametrize("fail_at", range(1, 8))
def test_one_run_settles(fail_at: int, when: Any, stage: Stage) -> None:
    """Each write of a replacement; nothing is taken back blindly."""
    stage.settle(spec("info"))
    failing = FailingEngine(stage.engine, fail_at, when)
    clock = Hurried(lambda now: failing.arrive())
    report = stage.apply(stage.write(spec("debug")), engine=failing, clock=clock)
    assert failing.has_failed
    assert report.is_settled, explain(report)
    assert [outcome.status for outcome in report.outcomes] == [Status.DONE]


def test_what_waited_for_it_goes_on(stage: Stage) -> None:
    more = {"container.api": {"image": "busybox:latest", "depends_on": ["web"]}}
    failing = FailingEngine(stage.engine, 3)
    report = stage.apply(stage.write(spec("info", **more)), engine=failing)
    assert report.is_settled, explain(report)
    assert {str(outcome.address) for outcome in report.outcomes} >= {"container.web", "container.api"}


def test_what_failed_otherwise_is_not_tried_twice(stage: Stage) -> None:
    stage.engine.images.add("broken:1", Image({"Cmd": ["broken"]}, Behaviour(start_error="exec: no such file")))
    stage.settle({"container.aa": {"image": "busybox:latest"}, "container.bb": {"image": "busybox:latest"}})
    wanted = {"container.aa": {"image": "broken:1"}, "container.bb": {"image": "busybox:latest", "user": "1"}}
    failing = FailingEngine(stage.engine)
    stage.apply(stage.write(wanted), engine=failing)
    alone = [name for name, _ in failing.writes].count("create_container")
    assert alone == 2
    stage.settle({"container.aa": {"image": "busybox:latest"}, "container.bb": {"image": "busybox:latest"}})
    cut = next(n for n, (name, args) in enumerate(failing.writes, 1) if name == "create_container" and "bb" in args[0])
    failing = FailingEngine(stage.engine, cut)
    report = stage.apply(stage.write(wanted), engine=failing)
    statuses = {str(outcome.address): outcome.status for outcome in report.outcomes}
    assert statuses == {"container.aa": Status.RESTORED, "container.bb": Status.DONE}, explain(report)


def test_a_candidate_that_cannot_be_stopped_keeps_the_other_from_being_started(stage: Stage) -> None:
    """Two of them would write to the same volumes."""
    stage.engine.images.add("sick:1", Image({"Cmd": ["sick"]}, Behaviour(health="unhealthy")))
    more = {"volumes": ["data:/data"], "healthcheck": {"test": "true", "interval": "1s"}}
    stage.settle({"container.web": {"image": "busybox:latest", **more}, "volume.data": {}})
    desired = stage.write({"container.web": {"image": "sick:1", **more}, "volume.data": {}})
    counting = FailingEngine(stage.engine)
    assert stage.apply(desired, engine=counting).outcomes[0].status is Status.RESTORED
    stops = [n for n, (name, _) in enumerate(counting.writes, 1) if name == "stop_container"]
    most = 0

    def look(now: float) -> None:
        nonlocal most
        most = max(most, sum(1 for item in stage.ours() if item["State"]["Status"] == "running"))

    failing = FailingEngine(stage.engine, stops[1], error=EngineRefusedError("it cannot be stopped", 500))
    report = stage.apply(desired, engine=failing, clock=Hurried(look))
    assert most == 1
    assert report.outcomes[0].status is Status.RESTORED, explain(report)
    assert stage.names() == ["shop-web-1"]
    assert stage.container("shop-web-1")["Config"]["Image"] == "busybox:latest"


def test_a_run_that_is_stopped_only_looks(stage: Stage) -> None:
    cancelled = Event()

    def stop(now: float) -> None:
        cancelled.set()

    desired = stage.write(spec("info"))
    report = stage.apply(
        desired, engine=FailingEngine(stage.engine, 2, "after"), clock=Hurried(stop), cancelled=cancelled
    )
    assert not report.is_settled
    assert report.outcomes[0].is_unclear or any(outcome.is_unclear for outcome in report.outcomes), explain(report)
