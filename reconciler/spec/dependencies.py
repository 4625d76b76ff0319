"""Which container waits for which, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.address import Address, Kind
from reconciler.model.desired import Condition, Dependency
from reconciler.spec.jobs import ENDLESS, is_job
from reconciler.spec.keys import Keys
from reconciler.spec.scope import Scope, Table

#: A cycle of more containers is not written out.
MAX_SHOWN = 12

_CONDITIONS = {
    "service_started": Condition.STARTED,
    "service_healthy": Condition.HEALTHY,
    "service_completed_successfully": Condition.COMPLETED,
} | {condition.value: condition for condition in Condition}
_SHARED = ("network_mode", "pid", "ipc")


class _Declared(NamedTuple):
    """One entry of `depends_on`, in whichever form it was written. `place` is its key there."""

    place: str | int
    other: str
    condition: Condition
    restart: bool = False
    required: bool = True


def dependencies_of(scope: Scope, name: str, table: Table) -> tuple[Dependency, ...]:
    """What must be there first, sorted by name: `depends_on`, and the containers whose namespaces are shared."""
    keys: Keys = (Kind.CONTAINER.value, name)
    found = {
        declared.other: Dependency(Address(Kind.CONTAINER, declared.other), declared.condition, declared.restart)
        for declared in _declared_dependencies(scope, table.get("depends_on", []))
        if _is_usable(scope, (*keys, "depends_on", declared.place), declared)
    }
    for option in _SHARED:
        mode = str(table.get(option, ""))
        if mode.startswith("service:"):
            other = mode.removeprefix("service:")
            if _can_share(scope, (*keys, option), other):
                found.setdefault(other, Dependency(Address(Kind.CONTAINER, other), Condition.STARTED))
    for at, item in enumerate(table.get("volumes_from", [])):
        other = item.removeprefix("service:").partition(":")[0]
        if not item.startswith("container:") and _can_share(scope, (*keys, "volumes_from", at), other):
            found.setdefault(other, Dependency(Address(Kind.CONTAINER, other), Condition.STARTED))
    for at, item in enumerate(table.get("links", [])):
        declared = _Declared(at, item.partition(":")[0], Condition.STARTED)
        if _is_usable(scope, (*keys, "links", at), declared):
            found.setdefault(declared.other, Dependency(Address(Kind.CONTAINER, declared.other), Condition.STARTED))
    return tuple(found[other] for other in sorted(found))


def _declared_dependencies(scope: Scope, raw: Any) -> list[_Declared]:
    """Each entry; what says no condition waits for the end of a job and for the start of anything else."""
    containers = scope.tables(Kind.CONTAINER)

    def condition(other: str, text: str | None) -> Condition:
        if text is not None:
            return _CONDITIONS[text]
        return Condition.COMPLETED if is_job(containers.get(other, {})) else Condition.STARTED

    if isinstance(raw, list):
        return [_Declared(at, other, condition(other, None)) for at, other in enumerate(raw)]
    tables: dict[str, Any] = {
        other: {"condition": entry} if isinstance(entry, str) else entry for other, entry in raw.items()
    }
    return [
        _Declared(
            other,
            other,
            condition(other, entry.get("condition")),
            entry.get("restart", False),
            entry.get("required", True),
        )
        for other, entry in tables.items()
    ]


def _is_usable(scope: Scope, keys: Keys, declared: _Declared) -> bool:
    containers = scope.tables(Kind.CONTAINER)
    other, condition = declared.other, declared.condition
    if other not in containers:
        if declared.required:
            scope.unknown(Kind.CONTAINER, other, keys)
        return False
    if other == keys[1]:
        scope.problems.at(keys, "a container cannot depend on itself", "take it out")
        return False
    if is_job(containers[other]) and condition is not Condition.COMPLETED:
        scope.problems.at(keys, f"'{other}' is a job, and what depends on it waits for its end", "write 'completed'")
        return False
    policy = containers[other].get("restart")
    if condition is Condition.COMPLETED and policy in ENDLESS:
        message = f"'{other}' can never be completed: its restart policy {policy!r} starts it again whenever it ends"
        scope.problems.at(keys, message, "write 'started' or 'healthy', or give it another restart policy")
        return False
    if declared.restart and is_job(containers[str(keys[1])]):
        scope.problems.at(keys, "a job runs once, so it is not restarted with another", "take restart out")
        return False
    check = containers[other].get("healthcheck", {})
    if condition is Condition.HEALTHY and (check.get("disable") or check.get("test") in ("NONE", ["NONE"])):
        message = f"'{other}' can never be healthy: its health check is disabled"
        scope.problems.at(keys, message, "write 'started', or give it a health check")
        return False
    return True


def _can_share(scope: Scope, keys: Keys, other: str) -> bool:
    containers = scope.tables(Kind.CONTAINER)
    if other not in containers:
        scope.unknown(Kind.CONTAINER, other, keys, f"declare it, or write 'container:{other}' for a foreign one")
        return False
    if other == keys[1]:
        scope.problems.at(keys, "a container cannot share with itself", "name another one")
        return False
    if containers[other].get("scale", 1) != 1:
        message = f"'{other}' has not one instance, so that it is unclear which is meant"
        scope.problems.at(keys, message, "share with a container that is not scaled")
        return False
    if is_job(containers[other]):
        message = f"'{other}' is a job: its namespaces are gone when it has ended"
        scope.problems.at(keys, message, "share with a container that keeps running")
        return False
    return True


def check_cycles(scope: Scope, dependencies: Mapping[str, tuple[Dependency, ...]]) -> None:
    """Complain of each cycle once, at the container that comes first in it. Not recursive: a chain may be long."""
    graph = {name: [dependency.address.name for dependency in wanted] for name, wanted in dependencies.items()}
    done: set[str] = set()
    for start in sorted(graph):
        path: dict[str, None] = {}
        steps = [iter([start])]
        while steps:
            name = next(steps[-1], None)
            if name is None:
                steps.pop()
                if path:
                    done.add(path.popitem()[0])
            elif name in path:
                _report_cycle(scope, list(path)[list(path).index(name) :])
            elif name not in done and name in graph:
                path[name] = None
                steps.append(iter(graph[name]))


def _report_cycle(scope: Scope, cycle: list[str]) -> None:
    first = cycle.index(min(cycle))
    cycle = cycle[first:] + cycle[:first]
    shown = cycle if len(cycle) <= MAX_SHOWN else [*cycle[: MAX_SHOWN - 1], "…"]
    table = scope.tables(Kind.CONTAINER)[cycle[0]]
    keys: Keys = (Kind.CONTAINER.value, cycle[0])
    follows = cycle[1] if len(cycle) > 1 else cycle[0]
    shared = next((option for option in _SHARED if table.get(option) == f"service:{follows}"), "")
    if shared and follows not in table.get("depends_on", ()):
        keys = (*keys, shared)
    elif "depends_on" in table:
        keys = (*keys, "depends_on")
    message = f"containers wait for each other: {' → '.join([*shown, cycle[0]])}"
    scope.problems.at(keys, message, "take one of these dependencies out")
