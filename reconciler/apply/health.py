"""Waiting until everything of a project is healthy."""

from __future__ import annotations

import time
from collections.abc import Mapping

from reconciler.engine.interface import Engine
from reconciler.engine.observe import observe
from reconciler.model.address import Kind
from reconciler.model.observed import ObservedContainer
from reconciler.model.ownership import ADDRESS, Owner, owner_of
from reconciler.model.structures import decides_within

_POLL_SECONDS = 0.5
_MARGIN_SECONDS = 10.0
_SAMPLES = 3


def await_health(engine: Engine, project: str) -> str:
    """Poll until each container is healthy, or runs without a restart where it has no health check.

    Returns:
        "" when all were, three times in a row; else a sentence naming those that are not, after the time their
        checks need to decide.
    """
    began, calm = time.monotonic(), 0
    restarts: dict[str, int] = {}
    while True:
        owned = [item for item in observe(engine, project).containers if _is_ours(item, project)]
        failed = [item for item in owned if item.health == "unhealthy" and item.status == "running"]
        if failed:
            return f"{_named(failed)} is unhealthy; `reconciler logs ADDRESS` shows what it wrote"
        looping = [item for item in owned if item.restart_count > restarts.setdefault(item.id, item.restart_count)]
        if looping:
            return f"{_named(looping)} keeps ending and being restarted; `reconciler logs ADDRESS` shows why"
        pending = [item for item in owned if item.health == "starting" or item.status == "restarting"]
        calm = 0 if pending else calm + 1
        if calm == _SAMPLES:
            return ""
        limit = max((_deadline(item) for item in pending), default=_MARGIN_SECONDS)
        if time.monotonic() - began > limit:
            return f"{_named(pending)} is not healthy after {limit:.0f} s"
        time.sleep(_POLL_SECONDS)


def _named(containers: list[ObservedContainer]) -> str:
    return ", ".join(item.labels.get(ADDRESS, item.name) for item in containers)


def _is_ours(container: ObservedContainer, project: str) -> bool:
    return owner_of(Kind.CONTAINER, container.labels, project)[0] is Owner.OURS


def _deadline(container: ObservedContainer) -> float:
    check = (container.config or {}).get("healthcheck")
    return decides_within(check if isinstance(check, Mapping) else {})
