"""Which container waits for which, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.address import Address, Kind
from reconciler.model.desired import Condition, Dependency
from reconciler.spec.problems import Keys, nearest
from reconciler.spec.scope import Scope, Table

_CONDITIONS = {
    "service_started": Condition.STARTED,
    "service_healthy": Condition.HEALTHY,
    "service_completed_successfully": Condition.COMPLETED,
} | {condition.value: condition for condition in Condition}
_SHARED = ("network_mode", "pid", "ipc")


def dependencies_of(scope: Scope, name: str, table: Table) -> tuple[Dependency, ...]:
    """What must be there first, sorted by name: `depends_on`, and the containers whose namespaces are shared."""
    keys: Keys = (Kind.CONTAINER.value, name)
    conditions = {
        other: condition
        for place, other, condition in _declared_dependencies(table.get("depends_on", []))
        if _is_usable(scope, (*keys, "depends_on", place), other, condition)
    }
    for option in _SHARED:
        mode = str(table.get(option, ""))
        if mode.startswith("service:"):
            other = mode.removeprefix("service:")
            if _can_share(scope, (*keys, option), other):
                conditions.setdefault(other, Condition.STARTED)
    return tuple(Dependency(Address(Kind.CONTAINER, other), conditions[other]) for other in sorted(conditions))


def _declared_dependencies(raw: Any) -> list[tuple[str | int, str, Condition]]:
    """(key, container, condition) of each entry, in whichever form it was written."""
    if isinstance(raw, list):
        return [(at, other, Condition.STARTED) for at, other in enumerate(raw)]
    texts = {
        other: entry if isinstance(entry, str) else entry.get("condition", "started") for other, entry in raw.items()
    }
    return [(other, other, _CONDITIONS[text]) for other, text in texts.items()]


def _is_usable(scope: Scope, keys: Keys, other: str, condition: Condition) -> bool:
    containers = scope.tables(Kind.CONTAINER)
    if other not in containers:
        scope.unknown(Kind.CONTAINER, other, keys)
        return False
    if other == keys[1]:
        scope.problems.at(keys, "a container cannot depend on itself", "take it out")
        return False
    check = containers[other].get("healthcheck", {})
    if condition is Condition.HEALTHY and (check.get("disable") or check.get("test") in ("NONE", ["NONE"])):
        scope.problems.at(
            keys,
            f"'{other}' can never be healthy: its health check is disabled",
            "write 'started', or give it a health check",
        )
        return False
    return True


def _can_share(scope: Scope, keys: Keys, other: str) -> bool:
    containers = scope.tables(Kind.CONTAINER)
    if other not in containers:
        if scope.complete:
            meant = nearest(other, containers)
            hint = (
                f"did you mean 'service:{meant}'?"
                if meant
                else f"declare it, or write 'container:{other}' for one of another project"
            )
            scope.problems.at(keys, f"there is no container '{other}'", hint)
        return False
    if other == keys[1]:
        scope.problems.at(keys, "a container cannot share with itself", "name another one")
        return False
    if containers[other].get("scale", 1) != 1:
        scope.problems.at(
            keys,
            f"'{other}' is scaled: it is unclear which instance is meant",
            "share with a container of one instance",
        )
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
    table = scope.tables(Kind.CONTAINER)[cycle[0]]
    keys: Keys = (Kind.CONTAINER.value, cycle[0])
    if "depends_on" in table:
        keys = (*keys, "depends_on")
    scope.problems.at(
        keys, f"containers wait for each other: {' → '.join([*cycle, cycle[0]])}", "take one of these dependencies out"
    )
