"""Containers that are there to end: what does not go together with `kind = "job"`."""

from __future__ import annotations

from reconciler.model.address import Kind
from reconciler.spec.keys import Keys
from reconciler.spec.scope import Scope, Table

#: restart policies with which a container does not come to an end
ENDLESS = ("always", "unless-stopped")


def is_job(table: Table) -> bool:
    return bool(table.get("kind") == "job")


def check_job(scope: Scope, name: str, table: Table) -> None:
    """Complain of options that would keep a job from ending, or that make it unclear when it is done."""
    keys: Keys = (Kind.CONTAINER.value, name)
    if not is_job(table):
        return
    policy = table.get("restart")
    if policy in ENDLESS:
        message = f"a job is done when it has ended, and {policy!r} starts it again whenever it ends"
        scope.problems.at((*keys, "restart"), message, "write 'no' or 'on-failure:TIMES', or leave it out")
    if "rollout" in table:
        message = "a job serves nobody, so it is not rolled out: it is run anew, and the one before it stays until that has ended well"
        scope.problems.at((*keys, "rollout"), message, "leave rollout out; that of the project does not count for jobs")
    if table.get("scale", 1) > 1:
        message = "a job runs once, so it cannot have several instances"
        scope.problems.at((*keys, "scale"), message, "leave scale out, or declare several jobs")
