"""What holds in every world, on an engine in memory."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import UnsafePlanError
from reconciler.model.address import Address
from reconciler.model.desired import DesiredState
from reconciler.model.ownership import HOLDER
from reconciler.model.plan import Change, Connect, Plan, Verb, WaitContainer
from reconciler.model.report import Report, Status
from reconciler.planning.check import check
from reconciler.planning.planner import plan
from reconciler.reconcile import act
from tests.planning.sabotage import SABOTAGES
from tests.planning.stage import PLAIN, Stage, writes
from tests.planning.strategies import Scene, put_on, scenes
from tests.support.clock import Hurried
from tests.support.failing import WRONG, FailingEngine
from tests.support.inprocess import explain

Stages = Callable[[], Stage]
PROFILE = settings.get_profile(settings.get_current_profile_name())
# `stages` hands out a new directory each time it is called.
world = settings(suppress_health_check=[*PROFILE.suppress_health_check, HealthCheck.function_scoped_fixture])


def enter(stages: Stages, scene: Scene) -> tuple[Stage, DesiredState]:
    stage = stages()
    put_on(stage, scene)
    return stage, stage.write(scene.now.spec, scene.now.context)


def excused(planned: Plan) -> set[Address]:
    """What is blocked, and what comes after something that is."""
    found: set[Address] = set()
    for change in planned.changes:
        if change.verb is Verb.BLOCKED or found & set(change.after):
            found.add(change.address)
    return found


def assert_settled(report: Report) -> None:
    """Nothing is left but what is blocked and what needs it."""
    assert report.remaining is not None
    left = {change.address for change in report.remaining.changes} - excused(report.remaining)
    assert not left, explain(report)
    for outcome in report.outcomes:
        assert outcome.status in (Status.DONE, Status.BLOCKED), explain(report)


@world
@given(scene=scenes())
def test_settles(scene: Scene, stages: Stages) -> None:
    """One pass, and the plan is empty but for what is blocked."""
    stage, desired = enter(stages, scene)
    report = stage.apply(desired)
    assert_settled(report)
    if not any(change.verb is Verb.BLOCKED for change in stage.look(desired).plan.changes):
        assert report.is_settled, explain(report)


@world
@given(scene=scenes())
def test_is_idempotent(scene: Scene, stages: Stages) -> None:
    """A second pass plans the same and, when the first settled, does nothing."""
    stage, desired = enter(stages, scene)
    first = stage.apply(desired)
    before = writes(stage.engine)
    second = stage.apply(desired)
    assert second.remaining == first.remaining
    if not any(change.steps for change in (first.remaining.changes if first.remaining else ())):
        assert writes(stage.engine) == before


@world
@given(scene=scenes(), seed=st.integers(0, 2**32))
def test_is_deterministic(scene: Scene, seed: int, stages: Stages) -> None:
    """The order in which anything is listed decides nothing, not even a word."""
    stage, desired = enter(stages, scene)
    seen = stage.look(desired)
    random = Random(seed)

    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(items, len(items)))

    observed = seen.observed._replace(
        containers=shuffled(seen.observed.containers),
        images=shuffled(seen.observed.images),
        networks=shuffled(seen.observed.networks),
        volumes=shuffled(seen.observed.volumes),
    )
    resources = dict(random.sample(list(seen.desired.resources.items()), len(seen.desired.resources)))
    assert plan(seen.desired._replace(resources=resources), observed) == seen.plan


@world
@given(scene=scenes())
def test_is_ordered(scene: Scene, stages: Stages) -> None:
    """Everything stands behind all that it comes after."""
    stage, desired = enter(stages, scene)
    done: set[Address] = set()
    for change in stage.look(desired).plan.changes:
        assert change.address not in change.after or change.address in done
        assert set(change.after) <= done, change
        done.add(change.address)


def strangers(stage: Stage) -> dict[str, Any]:
    """All that was made by hand, byte for byte."""
    engine = stage.engine
    found: dict[str, Any] = {}
    for kind, objects in (
        ("container", engine.containers.all),
        ("network", engine.networks.all),
        ("volume", engine.volumes),
    ):
        found |= {f"{kind} {key}": repr(item) for key, item in objects.items() if key in stage.strangers}
    found |= {
        f"image {entry['Id']}": entry["RepoTags"] for entry in engine.list_images() if entry["Id"] in stage.strangers
    }
    return found


@world
@given(scene=scenes())
def test_is_safe(scene: Scene, stages: Stages) -> None:
    """No action names what is not ours, and what is not ours is afterwards as it was."""
    stage, desired = enter(stages, scene)
    before = strangers(stage)
    seen = stage.look(desired)
    for change in seen.plan.changes:
        for action in (action for step in change.steps for action in (step.action, *step.undo)):
            # What is waited for or joined may be somebody else's.
            parts = (
                ()
                if isinstance(action, WaitContainer)
                else action[1:]
                if isinstance(action, Connect)
                else (action, *action)
            )
            assert not [part for part in parts if getattr(part, "id", "") in stage.strangers], (change.address, action)
    stage.apply(desired)
    assert strangers(stage) == before


def kept_volumes(stage: Stage) -> set[str]:
    """All volumes but those that were made for files of ours: these go with their containers."""
    return {name for name, body in stage.engine.volumes.items() if HOLDER not in (body.get("Labels") or {})}


@world
@given(scene=scenes())
def test_keeps_what_is_in_volumes(scene: Scene, stages: Stages) -> None:
    """No volume goes without permission, not even one that nobody named."""
    stage, desired = enter(stages, scene)
    before = kept_volumes(stage)
    stage.apply(desired)
    assert before <= set(stage.engine.volumes)


def unrelated(change: Change, address: Address) -> Change:
    return change._replace(after=tuple(other for other in change.after if other != address))


@world
@given(scene=scenes())
def test_is_local(scene: Scene, stages: Stages) -> None:
    """One more resource changes nothing about the others."""
    stage, desired = enter(stages, scene)
    stage.engine.images.add("spare:1", PLAIN)
    before = stage.look(desired).plan
    more = {"image": "spare:1", "network_mode": "none"}
    more_spec = {**scene.now.spec, "container.zz": more}
    after = stage.look(stage.write(more_spec, scene.now.context)).plan
    address = next(change.address for change in after.changes if change.address.name == "zz")
    kept = [unrelated(change, address) for change in after.changes if change.address != address]
    assert kept == list(before.changes)


@world
@given(scene=scenes(), random=st.randoms(use_true_random=False))
def test_sabotage_is_refused(scene: Scene, random: Random, stages: Stages) -> None:
    """Every plan passes the second opinion, and no plan that was tampered with does."""
    stage, desired = enter(stages, scene)
    seen = stage.look(desired)
    assert check(seen.plan, seen.observed) is seen.plan
    for sabotage in SABOTAGES:
        spoilt = sabotage(seen.plan, seen.observed, random)
        if spoilt is not None:
            with pytest.raises(UnsafePlanError):
                check(spoilt, seen.observed)


def test_every_sabotage_has_its_chance(stage: Stage) -> None:
    """The list above is not empty talk: in this world each finds something to spoil."""
    spec: dict[str, Any] = {
        "container.web": {"image": "busybox:latest", "environment": {"LEVEL": "info"}, "networks": ["front"]},
        "container.api": {"image": "rich:7", "volumes": ["/tmp/pages:/var/lib/rich:ro"], "networks": ["front"]},
        "container.migrate": {"image": "job:1", "kind": "job", "environment": {"LEVEL": "info"}},
        "network.front": {},
        "volume.data": {},
    }
    stage.settle(spec)
    stage.make_stranger("guest", network="shop_front")
    spec["container.web"] |= {"environment": {"LEVEL": "debug"}, "image": "remote:1"}
    spec["container.api"] |= {"environment": {"LEVEL": "debug"}}
    spec["container.migrate"] |= {"environment": {"LEVEL": "debug"}}
    seen = stage.look(stage.write(spec))
    for sabotage in SABOTAGES:
        spoilt = sabotage(seen.plan, seen.observed, Random(1))
        assert spoilt is not None, sabotage.__name__
        with pytest.raises(UnsafePlanError):
            check(spoilt, seen.observed)


@pytest.mark.parametrize("wrong", WRONG)
@settings(max_examples=max(1, PROFILE.max_examples // 16))
@given(scene=scenes())
def test_survives_a_crash_anywhere(scene: Scene, wrong: str, stages: Stages) -> None:
    """Whichever write fails or is the last one: the next pass settles and leaves nothing half done."""
    stage, desired = enter(stages, scene)
    counting = FailingEngine(stage.engine)
    stage.apply(desired, engine=counting)
    for fail_at in range(1, len(counting.writes) + 1):
        stage, desired = enter(stages, scene)
        volumes, others = kept_volumes(stage), strangers(stage)
        failing = FailingEngine(stage.engine, fail_at, **WRONG[wrong])
        stage.apply(desired, engine=failing)
        failing.arrive()
        report = stage.apply(desired)
        assert_settled(report)
        blocked = report.remaining is not None and report.remaining.changes
        halves = [c["Name"] for c in stage.ours() if c["Name"].endswith((".next", ".prev"))]
        assert blocked or not halves, (fail_at, halves)
        assert volumes <= set(stage.engine.volumes)
        assert strangers(stage) == others


@world
@given(scene=scenes(), fail_at=st.integers(0, 12))
def test_reports_add_up(scene: Scene, fail_at: int, stages: Stages) -> None:
    """One outcome for each change, in its order; what is blocked names its cause."""
    stage, desired = enter(stages, scene)
    planned = stage.look(desired).plan
    engine = FailingEngine(stage.engine, fail_at)
    report = act(planned, engine, lambda: stage.look(desired), clock=Hurried())
    assert [(o.address, o.verb) for o in report.outcomes] == [(c.address, c.verb) for c in planned.changes]
    failed = {str(outcome.address) for outcome in report.outcomes if outcome.status is not Status.DONE}
    for change, outcome in zip(planned.changes, report.outcomes, strict=True):
        if outcome.status is Status.BLOCKED and change.verb is not Verb.BLOCKED:
            cause = outcome.message.removeprefix("it needs ").partition(",")[0]
            assert cause in failed, outcome
            assert any(str(address) == cause for address in change.after)
        elif outcome.status is not Status.DONE:
            assert outcome.message, outcome
