"""ONE PASS: load → observe → plan → check → execute → observe again.

`reconciler plan` stops after `check`; `apply` runs all of it once; the loop runs it again and again. There is no
second way through.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from reconciler.engine.interface import Engine
from reconciler.engine.observe import observe
from reconciler.errors import EngineError
from reconciler.model.desired import ContainerResource, DesiredState, ImageResource, PullPolicy
from reconciler.model.observed import ObservedState, normal_reference
from reconciler.model.plan import Plan
from reconciler.model.report import Report
from reconciler.planning.check import check
from reconciler.planning.planner import Locate, plan, plan_destroy
from reconciler.planning.resuming import left_unclear, put_together
from reconciler.planning.world import EVERYTHING, Request

if TYPE_CHECKING:
    from reconciler.apply.executor import Happening
    from reconciler.apply.readiness import Clock


#: seconds until it is looked at what became of a call without an answer
_AT_IT_STILL = 1.0


class Pass(NamedTuple):
    """What one look came to."""

    desired: DesiredState
    observed: ObservedState
    plan: Plan


def look(
    desired: DesiredState,
    engine: Engine,
    request: Request = EVERYTHING,
    locate: Locate | None = None,
    cache: Path | None = None,
) -> Pass:
    """Observe, plan and check. Changes nothing.

    Args:
        cache: where hashes of build contexts are kept between runs; None keeps none.

    Raises:
        SpecError: a build context cannot be read.
        EngineError: the engine cannot be observed.
        UnsafePlanError: a bug of ours.
    """
    if request.build and any(image.build is not None for image in desired.images()):
        from reconciler.engine.inputs import with_content

        desired = with_content(desired, cache)
    wanted = frozenset(normal_reference(image.reference) for image in desired.images())
    observed = observe(engine, desired.project, _adoptable(desired), wanted)
    observed, warnings = _ask_registries(desired, observed, engine)
    desired = desired._replace(warnings=(*desired.warnings, *warnings))
    planned = plan(desired, observed, request, locate)
    return Pass(desired, observed, check(planned, observed, may_lose_volumes=desired.prune or None))


def look_destroy(desired: DesiredState, engine: Engine, request: Request) -> Pass:
    """Like `look`, for taking everything down that the project owns."""
    observed = observe(engine, desired.project)
    planned = plan_destroy(desired, observed, request)
    return Pass(desired, observed, check(planned, observed, may_lose_volumes=request.volumes))


def act(
    planned: Plan,
    engine: Engine,
    look_again: Callable[[], Pass],
    notify: Callable[[Happening], None] | None = None,
    cancelled: Event | None = None,
    clock: Clock | None = None,
) -> Report:
    """Execute a plan, then look again: what is still to do did not stick.

    What a call without an answer left unclear is gone on with once, after the look. An engine that has died meanwhile
    does not take with it what is known of the changes before.
    """
    if planned.is_settled:
        return Report((), planned)
    from reconciler.apply.executor import execute, ignore
    from reconciler.apply.readiness import Clock

    outcomes = execute(planned, engine, notify or ignore, cancelled, clock)
    try:
        if not any(outcome.is_unclear for outcome in outcomes):
            return Report(outcomes, look_again().plan)
        # The engine may still be at it.
        is_stopped = (clock or Clock()).pause(_AT_IT_STILL, cancelled or Event())
        remaining = look_again().plan
        if is_stopped:
            return Report(outcomes, remaining)
        resumed = left_unclear(planned, outcomes, remaining)
        later = execute(resumed, engine, notify or ignore, cancelled, clock)
        outcomes = put_together(planned, outcomes, remaining, resumed, later)
        return Report(outcomes, look_again().plan if resumed.changes else remaining)
    except EngineError as error:
        return Report(outcomes, None, f"what the engine holds now is not known: {error}")


def _adoptable(desired: DesiredState) -> frozenset[str]:
    return frozenset(
        resource.name
        for resource in desired.resources.values()
        if isinstance(resource, ContainerResource) and resource.adopt
    )


def _ask_registries(desired: DesiredState, observed: ObservedState, engine: Engine) -> tuple[ObservedState, list[str]]:
    """For images to be pulled always: the digest that the registry has now. One that cannot be asked is warned about."""
    registry: dict[str, str] = {}
    warnings: list[str] = []
    for image in desired.images():
        if not _is_asked_for(image) or observed.image_by_reference(image.reference) is None:
            continue
        try:
            registry[image.reference] = engine.registry_digest(image.reference)
        except EngineError as error:
            warnings.append(
                f"{image.address}: the registry cannot be asked for a newer image, so the one here is kept: {error}"
            )
    return observed._replace(registry=registry), warnings


def _is_asked_for(image: ImageResource) -> bool:
    return image.build is None and image.pull_policy is PullPolicy.ALWAYS and "@" not in image.reference
