"""Contents in plans: what a new one takes, what is noted where labels cannot be changed, what a crash leaves."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from reconciler.model.contents import MARKER
from reconciler.model.describe import describe
from reconciler.model.plan import Change, Reason, Verb
from reconciler.planning.planner import drift_of
from tests.planning.stage import Stage, by_address, cut_off, only, writes

ALL = ("replace", "restart", "signal:SIGHUP", "ignore")


def spec(secret: str = "one", on_change: str = "replace", **more: Any) -> dict[str, Any]:
    use = {"source": "key", "on_change": on_change}
    web = {"image": "busybox:latest", "restart": "always", "secrets": [use], **more}
    return {"secret.key": {"content": secret}, "container.web": web}


def held(stage: Stage, path: str = "/run/secrets/key", name: str = "shop-web-1") -> bytes:
    return stage.engine.containers.files.look(stage.container(name), path).content


def actions(change: Change) -> list[str]:
    return [describe(step.action) for step in change.steps]


def test_a_new_container_is_given_its_files_before_it_starts(stage: Stage) -> None:
    change = by_address(stage.plan(spec()))["container.web"]
    assert actions(change) == [
        "create container shop-web-1 from busybox:latest",
        "put into shop-web-1: /run/secrets/key",
        "start container shop-web-1",
    ]
    stage.settle(spec())
    assert held(stage) == b"one"


@pytest.mark.parametrize(
    ("user", "owner"),
    [(None, (0, 0)), ("worker", (1000, 1001)), ("1000", (1000, 1001)), ("7", (7, 0)), ("7:8", (7, 8)),
     ("worker:extra", (1000, 1002)), ("0:extra", (0, 1002)), ("7:extra", (7, 1002))],
)  # fmt: skip
def test_a_file_belongs_to_the_containers_user(stage: Stage, user: str | None, owner: tuple[int, int]) -> None:
    stage.settle(spec(**({"user": user} if user else {})))
    file = stage.engine.containers.files.look(stage.container("shop-web-1"), "/run/secrets/key")
    assert ((file.uid, file.gid), file.mode) == (owner, 0o400)


@pytest.mark.parametrize("user", ["nobody-knows", "0:nobody-knows"])
def test_a_user_that_is_not_known_fails_and_leaves_nothing(stage: Stage, user: str) -> None:
    report = stage.apply(stage.write(spec(user=user)))
    assert [outcome.status.value for outcome in report.outcomes if outcome.address.name == "web"] == ["failed"]
    assert "nobody-knows" in next(outcome.message for outcome in report.outcomes if outcome.address.name == "web")
    assert stage.names() == []


@pytest.mark.parametrize("on_change", ALL)
def test_a_new_content(stage: Stage, on_change: str) -> None:
    stage.settle(spec("one", on_change))
    before = deepcopy(stage.container("shop-web-1"))
    change = only(stage.plan(spec("two", on_change)))
    field = change.fields[0]
    assert (change.reason, field.path, field.shown) == (
        Reason.CONTENT_CHANGED, "secrets.key", ("(sensitive)", "(sensitive)"),
    )  # fmt: skip
    assert (change.verb is Verb.REPLACE) is (on_change == "replace")
    assert (field.observed, field.desired, field.sensitive) == (None, None, True)
    stage.settle(spec("two", on_change))
    assert held(stage) == b"two"
    after = stage.container("shop-web-1")
    assert (after["Id"] == before["Id"]) is (on_change != "replace")
    assert (after["State"]["StartedAt"] == before["State"]["StartedAt"]) is (on_change not in ("replace", "restart"))
    told = [signal for container, signal in stage.engine.containers.signals if container == after["Id"]]
    assert told == (["SIGHUP"] if on_change.startswith("signal") else [])
    stage.settle(spec("one", on_change))
    assert held(stage) == b"one", "what an older label says is the content, and is not what the container has"


def test_the_strongest_of_several_uses_wins(stage: Stage) -> None:
    uses = [{"source": "key", "target": word.partition(":")[0], "on_change": word} for word in ALL]
    for count, verb in ((4, Verb.UPDATE), (3, Verb.UPDATE)):
        kept = uses[-count:] if count < 4 else uses[1:]
        stage.settle(spec("one", secrets=kept))
        change = only(stage.plan(spec("two", secrets=kept)))
        assert change.verb is verb
        assert sum("restart container" in action for action in actions(change)) == 1
        assert not any("send" in action for action in actions(change))
    stage.settle(spec("one", secrets=uses))
    assert only(stage.plan(spec("two", secrets=uses))).verb is Verb.REPLACE


@pytest.mark.parametrize("on_change", ALL[1:])
@pytest.mark.parametrize("done", [0, 1, 2])
def test_cut_off_in_place(stage: Stage, on_change: str, done: int) -> None:
    """Until the process was told, it is told again."""
    stage.settle(spec("one", on_change))
    before = stage.container("shop-web-1")
    change = only(stage.plan(spec("two", on_change)))
    assert actions(change)[-1] == f"put into shop-web-1: {MARKER}"
    cut_off(stage, change, min(done, len(change.steps) - 1))
    stage.engine.containers.signals.clear()
    assert only(stage.plan(spec("two", on_change))).reason is Reason.CONTENT_CHANGED
    stage.settle(spec("two", on_change))
    assert held(stage) == b"two"
    after = stage.container("shop-web-1")
    assert after["Id"] == before["Id"]
    assert bool(stage.engine.containers.signals) is on_change.startswith("signal")


def test_cut_off_before_the_files_were_there(stage: Stage) -> None:
    change = by_address(stage.plan(spec()))["container.web"]
    stage.engine.create_network(
        {"Name": "shop_default", "Labels": {"reconciler.project": "shop", "reconciler.address": "network.default"}}
    )
    cut_off(stage, change, 1)
    made = stage.container("shop-web-1")["Id"]
    change = by_address(stage.plan(spec()))["container.web"]
    assert (change.verb, change.reason) == (Verb.REPLACE, Reason.INTERRUPTED)
    stage.settle(spec())
    assert held(stage) == b"one"
    assert stage.container("shop-web-1")["Id"] != made


@pytest.mark.parametrize("done", range(1, 9))
def test_a_replacement_cut_off(stage: Stage, done: int) -> None:
    stage.settle(spec("one", read_only=True))
    change = only(stage.plan(spec("two", read_only=True)))
    cut_off(stage, change, done)
    stage.settle(spec("two", read_only=True))
    assert held(stage) == b"two"
    assert stage.names() == ["shop-web-1"]
    assert len(stage.engine.volumes) == 2, "/run/secrets and our own directory of the one that is left"


@pytest.mark.parametrize("before", [False, True])
def test_volumes_made_for_files_are_no_difference_of_their_own(stage: Stage, before: bool) -> None:
    """They come and go with `read_only`, and it is the spec that changed: nothing drifted."""
    stage.settle(spec(read_only=before))
    change = only(stage.plan(spec(read_only=not before)))
    assert [field.path for field in change.fields] == ["read_only"]
    assert change.reason is Reason.SPEC_CHANGED
    stage.settle(spec(read_only=not before))


def test_nothing_of_read_only_containers_is_left(stage: Stage) -> None:
    desired = stage.settle(spec(read_only=True))
    assert sorted(mount["Destination"] for mount in stage.container("shop-web-1")["Mounts"]) == [
        "/run/reconciler", "/run/secrets",
    ]  # fmt: skip
    first = set(stage.engine.volumes)
    stage.settle(spec(read_only=True, environment={"A": "1"}))
    assert len(stage.engine.volumes) == 2
    assert not first & set(stage.engine.volumes), "a successor has its own"
    desired = stage.settle({"container.other": {"image": "busybox:latest"}})
    assert not stage.engine.volumes
    assert desired


def test_a_create_that_fails_leaves_no_volume(stage: Stage) -> None:
    report = stage.apply(stage.write(spec(read_only=True, user="nobody-knows")))
    assert not report.is_settled
    assert (stage.names(), stage.engine.volumes) == ([], {})


def test_a_volume_left_over_is_removed(stage: Stage) -> None:
    desired = stage.settle(spec(read_only=True))
    labels = {"reconciler.holder": "shop"}
    stage.engine.create_volume({"Name": "a" * 64, "Labels": labels})
    stage.engine.create_volume({"Name": "b" * 64, "Labels": {"reconciler.holder": "other"}})
    assert (only(stage.look(desired).plan).verb, only(stage.look(desired).plan).reason) == (
        Verb.REMOVE,
        Reason.INTERRUPTED,
    )
    assert stage.apply(desired).is_settled
    assert "a" * 64 not in stage.engine.volumes
    assert "b" * 64 in stage.engine.volumes


def test_a_file_more_or_elsewhere_is_a_change_of_the_spec(stage: Stage) -> None:
    stage.settle(spec())
    moved = spec(secrets=[{"source": "key", "target": "other", "mode": "0440"}])
    change = only(stage.plan(moved))
    assert (change.verb, change.reason) == (Verb.REPLACE, Reason.SPEC_CHANGED)
    assert {field.path for field in change.fields} == {"secrets./run/secrets/key", "secrets./run/secrets/other"}
    stage.settle(moved)
    change = only(stage.plan(spec(secrets=[{"source": "key", "target": "other"}])))
    assert [(field.path, field.shown) for field in change.fields] == [
        ("secrets./run/secrets/other.mode", ('"0440"', "(none)"))
    ]


def test_what_a_change_means_is_no_change(stage: Stage) -> None:
    stage.settle(spec(on_change="replace"))
    for on_change in ALL:
        assert stage.plan(spec(on_change=on_change)).is_settled


def test_a_container_that_does_not_run_is_not_signalled(stage: Stage) -> None:
    stage.settle(spec("one", "signal:SIGHUP"))
    container = stage.container("shop-web-1")["Id"]
    stage.engine.stop_container(container, 0)
    stage.settle(spec("two", "signal:SIGHUP"))
    assert not stage.engine.containers.signals
    assert (held(stage), stage.container("shop-web-1")["Id"]) == (b"two", container)


def test_it_is_no_drift(stage: Stage) -> None:
    stage.settle(spec("one"))
    assert drift_of(stage.plan(spec("two"))).is_settled


def test_watch(stage: Stage) -> None:
    def wanted(on_change: str) -> dict[str, Any]:
        watch = [{"path": "./conf", "on_change": on_change}]
        return {"container.web": {"image": "busybox:latest", "volumes": ["./conf:/conf:ro"], "watch": watch}}

    (stage.directory / "conf").mkdir()
    for number, on_change in enumerate(ALL):
        stage.settle(wanted(on_change))
        (stage.directory / "conf" / "a").write_text(str(number))
        planned = stage.plan(wanted(on_change))
        assert planned.is_settled is (on_change == "ignore")
        if on_change != "ignore":
            change = only(planned)
            assert (change.reason, change.fields[0].path) == (Reason.CONTENT_CHANGED, "watch.conf")
            assert (change.verb is Verb.REPLACE) is (on_change == "replace")
        stage.settle(wanted(on_change))


def test_settled_costs_nothing_more(stage: Stage) -> None:
    stage.settle(spec("one", "restart"))
    stage.settle(spec("two", "restart"))
    stage.engine.calls.clear()
    assert stage.plan(spec("two", "restart")).is_settled
    assert stage.engine.calls["get_archive"] == 1
    assert not writes(stage.engine)


def test_a_saved_plan_holds_while_contents_do(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> None:
    from reconciler.cli import saved
    from reconciler.errors import StalePlanError
    from reconciler.planning.world import Request

    file = tmp_path_factory.mktemp("saved") / "plan"
    saved.save(file, str(stage.directory), Request(), stage.plan(spec("never-shown-1")))
    assert "never-shown-1" not in file.read_text()
    kept = saved.read(file)
    assert kept is not None
    assert saved.still_holds(kept, stage.plan(spec("never-shown-1"))).changes
    with pytest.raises(StalePlanError, match=r"container\.web"):
        saved.still_holds(kept, stage.plan(spec("never-shown-2")))
