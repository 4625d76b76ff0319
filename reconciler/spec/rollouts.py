"""How containers are replaced: a container's `rollout` over the project's."""

from __future__ import annotations

from typing import Any

from reconciler.model.address import Kind
from reconciler.model.rollout import DRAIN, OnFailure, Order, Rollout
from reconciler.model.scalars import declare_duration
from reconciler.spec.keys import Keys
from reconciler.spec.scope import Scope

_TIMES = ("timeout", "ready_after", "drain")


def check_project_rollout(scope: Scope) -> None:
    """Complain of the project's times that are none; once, and not for every container."""
    _times(scope, ("project", "rollout"), scope.document.get("project", {}).get("rollout", {}))


def resolve_rollout(scope: Scope, name: str) -> Rollout:
    """What holds for one container. Times that are none go to the problems of the scope."""
    project = scope.document.get("project", {}).get("rollout", {})
    own: dict[str, Any] = scope.tables(Kind.CONTAINER)[name].get("rollout", {})
    _times(scope, (Kind.CONTAINER.value, name, "rollout"), own)
    said = {**project, **own}
    return Rollout(
        order=Order(said.get("order", Order.AUTO)),
        insists=own.get("order") == Order.START_FIRST,
        ready_after=_seconds(said["ready_after"]) if "ready_after" in said else None,
        timeout=_seconds(said.get("timeout", "0s")),
        on_failure=OnFailure(said.get("on_failure", OnFailure.ROLLBACK)),
        drain=_seconds(said["drain"]) if "drain" in said else DRAIN,
        max_parallel=said.get("max_parallel", 1),
    )


def _times(scope: Scope, keys: Keys, rollout: dict[str, Any]) -> None:
    for option in _TIMES:
        try:
            declare_duration(rollout.get(option, "0s"))
        except ValueError as error:
            scope.problems.refused((*keys, option), error)


def _seconds(text: str) -> float:
    try:
        return (declare_duration(text) or 0) / 10**9
    except ValueError:
        return 0.0  # that has been complained of
