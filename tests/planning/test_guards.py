"""What is refused though it could be done, and what allows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import EngineRefusedError, OutcomeUnknownError, UnsafePlanError
from reconciler.model.address import parse_address
from reconciler.model.plan import (
    Change,
    Disconnect,
    Plan,
    Reason,
    Ref,
    RemoveContainer,
    RestartContainer,
    SignalContainer,
    Step,
    StopContainer,
    Verb,
)
from reconciler.planning.check import check
from reconciler.planning.planner import plan
from reconciler.planning.world import Request
from reconciler.reconcile import Pass, act, look, look_destroy
from tests.planning.stage import Stage, by_address, only, writes
from tests.support.clock import Hurried
from tests.support.failing import FailingEngine

ALLOWED = Request(allow_removals=True)
PLAIN: dict[str, Any] = {"image": "busybox:latest"}


def spec(count: int, **more: Any) -> dict[str, Any]:
    return {f"container.c{number}": PLAIN for number in range(count)} | more


def removals(planned: Plan) -> dict[Verb, int]:
    found = [change.verb for change in planned.changes if change.reason is Reason.ORPHAN]
    return {verb: found.count(verb) for verb in set(found)}


# --- most of a project at once -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "is_held"),
    [
        (3, 1, False),  # two may always go
        (9, 6, False),  # a third
        (8, 5, True),  # more than that
        (4, 1, True),
        (12, 8, False),
    ],
)
def test_how_much_may_leave_the_spec(before: int, after: int, is_held: bool, stage: Stage) -> None:
    stage.settle(spec(before))
    planned = stage.plan(spec(after))
    count = before - after
    assert removals(planned) == {Verb.BLOCKED if is_held else Verb.REMOVE: count}
    if is_held:
        before_it = writes(stage.engine)
        assert not stage.apply(stage.reload()).is_settled
        assert writes(stage.engine) == before_it, "nothing was touched"
        assert removals(stage.plan(spec(after), request=ALLOWED)) == {Verb.REMOVE: count}
    assert stage.apply(stage.reload(), ALLOWED).is_settled
    assert len(stage.names()) == after


def test_it_says_why_and_what_allows_it(stage: Stage) -> None:
    stage.settle(spec(4))
    (note,) = {change.note for change in stage.plan(spec(1)).changes}
    assert note == (
        "3 of 4 containers have left the spec at once, as when a file is gone by mistake; if it is meant: "
        "`apply --allow-removals`, or allow_removals = true in the configuration of `run`"
    )


def test_the_rest_goes_on(stage: Stage) -> None:
    stage.settle(spec(5, **{"network.back": {}}))
    planned = stage.plan({"container.c0": {**PLAIN, "tty": True}, "container.new": PLAIN})
    found = {str(change.address): change.verb for change in planned.changes}
    assert found == {
        "container.c0": Verb.REPLACE,
        "container.new": Verb.CREATE,
        **{f"container.c{number}": Verb.BLOCKED for number in range(1, 5)},
        "network.back": Verb.BLOCKED,
    }


def test_who_stays_keeps_its_network(stage: Stage) -> None:
    on_it = {**PLAIN, "networks": ["back"]}
    stage.settle({**{f"container.c{number}": on_it for number in range(4)}, "network.back": {}})
    change = by_address(stage.plan({"container.c0": on_it, "network.back": {"internal": True}}))["network.back"]
    assert change.verb is Verb.BLOCKED
    assert change.note.startswith(
        "what has left the spec and is not removed would lose it (shop-c1-1, shop-c2-1, shop-c3-1): 3 of 4"
    )
    assert stage.apply(stage.reload(), ALLOWED).is_settled


def test_fewer_instances_are_no_accident(stage: Stage) -> None:
    stage.settle({"container.web": {**PLAIN, "scale": 6}})
    assert removals(stage.plan({"container.web": PLAIN})) == {Verb.REMOVE: 5}


def test_whoever_names_it_means_it(stage: Stage) -> None:
    stage.settle(spec(6))
    targets = tuple(parse_address(f"container.c{number}") for number in range(1, 6))
    assert removals(stage.plan(spec(1), request=Request(targets))) == {Verb.REMOVE: 5}


def test_images_we_built_stay_as_well(stage: Stage) -> None:
    built = {"image.app": {"tag": "app:1", "build": "./app"}}
    stage.settle({**built, **spec(3)}, "one")
    planned = by_address(stage.plan({"volume.data": {}}))
    assert [address for address, change in planned.items() if change.verb is not Verb.BLOCKED] == ["volume.data"]
    assert {"image.app", "container.c0", "network.default"} <= set(planned)


def test_a_name_that_is_not_given_up_is_not_taken(stage: Stage) -> None:
    stage.settle(spec(4))
    change = by_address(stage.plan({"container.new": {**PLAIN, "container_name": "shop-c0-1"}}))["container.new"]
    assert change.verb is Verb.BLOCKED
    assert "shop-c0-1" in change.note


# --- ourselves -----------------------------------------------------------------------------------------------------


def seen_from_within(made: Pass, name: str, request: Request = Request()) -> tuple[Plan, Pass]:
    """The plan of a program that runs in a container of this name."""
    own = next(item.id for item in made.observed.containers if item.name == name)
    observed = made.observed._replace(own=own)
    planned = plan(made.desired, observed, request)
    return check(planned, observed), made._replace(observed=observed)


def test_we_do_not_end_ourselves(stage: Stage) -> None:
    """Neither by a replacement, a restart or a removal, nor by taking away the network that leads to the engine."""
    front: dict[str, Any] = {"networks": ["front"]}
    both = {"container.us": {**PLAIN, **front}, "container.other": {**PLAIN, **front}, "network.front": {}}
    stage.settle(both)
    changed = {
        "replace": {**both, "container.us": {**PLAIN, **front, "tty": True}},
        "remove": {"container.other": {**PLAIN, **front}, "network.front": {}},
        "the network": {**both, "network.front": {"internal": True}},
        "leave a network": {**both, "container.us": {**PLAIN, "networks": ["front", "back"]}, "network.back": {}},
    }
    for what, now in changed.items():
        planned, _ = seen_from_within(stage.look(stage.write(now)), "shop-us-1")
        change = next(item for item in planned.changes if str(item.address) in ("container.us", "network.front"))
        if what == "leave a network":
            assert change.verb is Verb.UPDATE, "to join another one harms nothing"
            continue
        assert change.verb is Verb.BLOCKED, what
        assert change.note == (
            "reconciler itself runs in the container shop-us-1, and would end in the middle of this; "
            "apply it from outside: on the host, or from another container"
        )
    planned, _ = seen_from_within(stage.look(stage.write(changed["replace"])), "shop-other-1")
    assert only(planned).verb is Verb.REPLACE, "others are no concern of ours"


def test_destroy_leaves_the_container_we_run_in(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    desired = stage.settle(spec(3))
    own = stage.container("shop-c1-1")["Id"]
    monkeypatch.setattr("reconciler.engine.observe.own_container", lambda ids, layers: own)

    def again() -> Pass:
        return look_destroy(desired, stage.engine, Request())

    report = act(again().plan, stage.engine, again, clock=Hurried())
    assert not report.is_settled
    assert stage.names() == ["shop-c1-1"]
    assert stage.container("shop-c1-1")["State"]["Status"] == "running"


def test_a_plan_that_ends_us_is_refused(stage: Stage) -> None:
    made = stage.look(stage.settle(spec(1)))
    _, made = seen_from_within(made, "shop-c0-1")
    ref = Ref("shop-c0-1", made.observed.own)
    ways = [
        StopContainer(ref),
        RestartContainer(ref),
        RemoveContainer(ref),
        SignalContainer(ref, "TERM"),
        Disconnect(Ref("shop_default"), ref),
    ]
    for action in ways:
        change = Change(parse_address("container.c0"), Verb.UPDATE, Reason.DRIFTED, steps=(Step(action),))
        with pytest.raises(UnsafePlanError, match="the container in which this program runs"):
            check(made.plan._replace(changes=(change,)), made.observed)


# --- half an answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("list_containers", [{"Names": ["/shop-c0-1"]}]),
        ("list_containers", [None]),
        ("list_networks", [{"Name": "shop_default"}]),
        ("list_volumes", [{"Labels": {}}]),
        ("list_images", [{}]),
        ("inspect_containers", [{"Id": "x"}]),
        ("inspect_image", {"Config": "x"}),
    ],
)
def test_half_an_answer_is_no_observation(
    method: str, answer: Any, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    desired = stage.settle(spec(3))
    monkeypatch.setattr(stage.engine, method, lambda *args: answer)
    with pytest.raises(EngineRefusedError, match=r"cannot be read whole.*\n    hint: nothing is planned from half"):
        look(desired, stage.engine)


# --- destroy -------------------------------------------------------------------------------------------------------

EVERYTHING: dict[str, Any] = {
    "image.app": {"tag": "app:1", "build": "./app"},
    "container.db": {**PLAIN, "volumes": ["data:/data", "/cache"], "networks": ["back"]},
    "container.app": {"image": "app", "depends_on": ["db"], "networks": ["back", "front"], "scale": 2},
    "container.side": {**PLAIN, "network_mode": "service:db"},
    "container.migrate": {"image": "job:1", "kind": "job", "networks": ["back"], "depends_on": ["db"]},
    "network.back": {},
    "network.front": {"external": True, "name": "front"},
    "volume.data": {},
    "volume.cache": {"prune": True},
    "volume.theirs": {"external": True, "name": "theirs"},
}


def built_up(stage: Stage) -> tuple[Stage, Callable[[], Pass], Request]:
    made = Stage(stage.directory)
    made.engine.create_network({"Name": "front"})
    made.engine.create_volume({"Name": "theirs"})
    desired = made.settle(EVERYTHING, "one")
    request = Request()
    return made, lambda: look_destroy(desired, made.engine, request), request


def test_destroy_goes_in_reverse_order(stage: Stage) -> None:
    made, again, _ = built_up(stage)
    order = [str(change.address) for change in again().plan.changes]
    at = {address: position for position, address in enumerate(order)}
    assert max(at["container.app[1]"], at["container.app[2]"]) < at["container.db"]
    assert at["container.side"] < at["container.db"] < at["network.back"]
    assert at["container.migrate"] < at["container.db"]
    assert at["container.app[1]"] < at["image.app"]
    assert not {"network.front", "volume.theirs", "volume.data", "volume.cache"} & set(at)
    engine = FailingEngine(made.engine)
    assert act(again().plan, engine, again, clock=Hurried()).is_settled
    removed = [method for method, _ in engine.writes if method.startswith("remove")]
    assert removed.count("remove_container") == 5
    assert removed.index("remove_network") > removed.index("remove_container") + 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_destroy_goes_on_wherever_it_was_killed(when: Any, stage: Stage) -> None:
    """From the k-th write on nothing is done any more; the next run finishes, and what is not ours stays."""
    made, again, _ = built_up(stage)
    counting = FailingEngine(made.engine)
    assert act(again().plan, counting, again, clock=Hurried()).is_settled
    assert len(counting.writes) >= 12
    for fail_at in range(1, len(counting.writes) + 1):
        made, again, _ = built_up(stage)
        act(again().plan, _Dying(made.engine, fail_at, when), again, clock=Hurried())
        report = act(again().plan, made.engine, again, clock=Hurried())
        assert report.is_settled, (fail_at, report)
        assert made.names() == []
        assert sorted(made.engine.volumes) == sorted({"shop_cache", "shop_data", "theirs", *_unnamed(made)})
        assert {item["Name"] for item in made.engine.networks.all.values()} & {"front", "shop_back"} == {"front"}


class _Dying(FailingEngine):
    """Dead from the failure on."""

    def _counted(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        counted = super()._counted(name, method)

        def write(*args: Any, **options: Any) -> Any:
            if self.has_failed:
                raise OutcomeUnknownError("killed")
            return counted(*args, **options)

        return write


def _unnamed(stage: Stage) -> set[str]:
    """Volumes that nobody named: they stay, as their containers' data may."""
    return {name for name in stage.engine.volumes if len(name) == 64}


def test_destroy_takes_volumes_only_when_asked(stage: Stage) -> None:
    made, _, _ = built_up(stage)
    desired, request = made.reload(), Request(volumes=True)

    def again() -> Pass:
        return look_destroy(desired, made.engine, request)

    removing = again()
    assert act(removing.plan, made.engine, again, clock=Hurried()).is_settled
    assert sorted(set(made.engine.volumes) - _unnamed(made)) == ["theirs"]
    with pytest.raises(UnsafePlanError, match="shop_cache would be removed without being asked for"):
        check(removing.plan, removing.observed, may_lose_volumes=False)
