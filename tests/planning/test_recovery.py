"""Recovery by names: a replacement cut off after any step, with what may have happened meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.describe import describe
from reconciler.model.plan import CreateContainer, Verb
from reconciler.model.report import Status
from tests.planning.stage import Stage, by_address, cut_off, only
from tests.support.inprocess import explain
from tests.support.memory import Behaviour, Image

BROKEN = Image({"Cmd": ["broken"]}, Behaviour(start_error="exec: no such file"))
STEPS = range(1, 7)


def spec(level: str = "info", image: str = "busybox:latest", **more: Any) -> dict[str, Any]:
    web = {"image": image, "restart": "always", "environment": {"LEVEL": level}, **more}
    return {"container.web": web}


def begin(stage: Stage, wanted: dict[str, Any], done: int) -> str:
    """Settle, then begin to replace and be killed; the id of what served before."""
    stage.settle(spec())
    before = str(stage.container("shop-web-1")["Id"])
    cut_off(stage, by_address(stage.plan(wanted))["container.web"], done)
    return before


def assert_serves(stage: Stage, container_id: str = "") -> dict[str, Any]:
    """One container, under its name, running, with its own restart policy."""
    assert stage.names() == ["shop-web-1"]
    found = stage.container("shop-web-1")
    assert found["State"]["Status"] == "running"
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert container_id in ("", found["Id"])
    return found


@pytest.mark.parametrize("done", STEPS)
@pytest.mark.parametrize("meanwhile", ["same", "reverted", "edited"])
def test_it_is_finished_or_undone(done: int, meanwhile: str, stage: Stage) -> None:
    before = begin(stage, spec("debug"), done)
    level = {"same": "debug", "reverted": "info", "edited": "trace"}[meanwhile]
    stage.settle(spec(level))
    found = assert_serves(stage)
    assert f"LEVEL={level}" in found["Config"]["Env"]
    if meanwhile == "reverted" and done < 6:
        assert found["Id"] == before, "what is as declared is not made again"


@pytest.mark.parametrize("done", range(1, 5))
def test_what_was_promoted_is_not_made_a_second_time(done: int, stage: Stage) -> None:
    begin(stage, spec("debug"), done)
    change = only(stage.plan(spec("debug")))
    makes = [step for step in change.steps if isinstance(step.action, CreateContainer)]
    assert (change.reason, bool(makes)) == ("interrupted", done < 4)


@pytest.mark.parametrize("done", STEPS)
def test_a_candidate_that_cannot_start_gives_way(done: int, stage: Stage) -> None:
    """Cut off on the way to something broken: whoever served before serves again, pass after pass."""
    stage.engine.images.add("broken:1", BROKEN)
    before = begin(stage, spec(image="broken:1"), min(done, 5))
    for _ in range(2):
        report = stage.apply(stage.reload())
        assert not report.is_settled
        found = next(c for c in stage.ours() if c["Id"] == before)
        assert found["State"]["Status"] == "running", (explain(report), stage.names())
    stage.settle(spec())
    assert_serves(stage, before)


@pytest.mark.parametrize("done", STEPS)
def test_the_edited_spec_is_broken(done: int, stage: Stage) -> None:
    """Cut off on the way to something good, then the spec is edited into something broken."""
    stage.engine.images.add("broken:1", BROKEN)
    begin(stage, spec("debug"), done)
    report = stage.apply(stage.write(spec(image="broken:1")))
    assert [outcome.status for outcome in report.outcomes if outcome.status is not Status.DONE] != []
    serving = [c for c in stage.ours() if c["State"]["Status"] == "running"]
    # Killed between making the candidate its name and starting it, there is nothing that is known to work but the old one.
    assert len(serving) == 1, (explain(report), stage.names())


def test_a_failed_start_is_taken_back(stage: Stage) -> None:
    stage.engine.images.add("broken:1", BROKEN)
    stage.settle(spec())
    before = str(stage.container("shop-web-1")["Id"])
    report = stage.apply(stage.write(spec(image="broken:1")))
    assert [outcome.status for outcome in report.outcomes] == [Status.RESTORED]
    assert_serves(stage, before)


def test_a_failed_create_stops_nothing(stage: Stage) -> None:
    """Made by the name of the candidate first, so that a refusal harms nobody."""
    stage.settle(spec())
    started = stage.container("shop-web-1")["State"]["StartedAt"]
    desired = stage.write(spec("debug", network_mode="container:nobody"))
    report = stage.apply(desired)
    outcome = next(outcome for outcome in report.outcomes if outcome.verb is Verb.REPLACE)
    assert outcome.status in (Status.FAILED, Status.STALE), explain(report)
    assert assert_serves(stage)["State"]["StartedAt"] == started


def test_twins_of_one_address(stage: Stage) -> None:
    """Two objects with one address, however that came: the one with the name stays."""
    stage.settle(spec())
    before = stage.container("shop-web-1")
    body = {"Image": "busybox", "Labels": before["Config"]["Labels"]}
    stage.engine.create_container("shop-web-9", body, "")
    change = only(stage.plan(spec()))
    assert (change.verb, change.reason) == (Verb.UPDATE, "interrupted")
    assert [describe(step.action) for step in change.steps] == ["remove container shop-web-9"]
    stage.settle(spec())
    assert_serves(stage, before["Id"])


def test_unreadable_labels_change_nothing(stage: Stage) -> None:
    """Hashes of an older version replace nothing; nonsense is harmless; a newer version is left alone."""
    stage.settle(spec())
    for text, verb in (("0:image=old", None), ("nonsense", None), ("", None), ("2:x=y", Verb.BLOCKED)):
        for key in ("reconciler.fingerprint", "reconciler.settings"):
            stage.container("shop-web-1")["Config"]["Labels"][key] = text
        changes = stage.plan(spec()).changes
        assert [change.verb for change in changes] == ([verb] if verb else []), (text, changes)


def test_a_difference_under_unreadable_labels_is_drift(stage: Stage) -> None:
    stage.settle(spec())
    stage.container("shop-web-1")["Config"]["Labels"]["reconciler.fingerprint"] = "0:image=old"
    stage.container("shop-web-1")["Config"]["Labels"]["reconciler.settings"] = ""
    change = only(stage.plan(spec("debug")))
    assert {field.reason for field in change.fields} == {"drifted"}


def test_a_commit_of_ours_is_nobodys(stage: Stage) -> None:
    """It inherits every label, and is left alone."""
    stage.settle(spec())
    stage.commit("shop-web-1", "committed:1")
    stage.run_committed("committed:1", "debugging")
    assert stage.plan(spec()).is_settled
    assert [str(change.address) for change in stage.plan({"volume.data": {}}).changes].count("container.web") == 1
    stage.settle({"volume.data": {}})
    assert stage.names() == ["debugging"]


def test_labels_inherited_from_an_image_are_not_ownership(stage: Stage) -> None:
    """A container of a build of ours that somebody else runs is somebody else's."""
    built = {"reconciler.image.project": "shop", "reconciler.image.address": "image.api"}
    stage.engine.images.add("shop-api:1", Image({"Cmd": ["sh"], "Labels": built}))
    stage.run_committed("shop-api:1", "guest")
    assert stage.plan({"volume.data": {}}).summary()["remove"] == 0
