"""Which container waits for which, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.address import Address, Kind
from reconciler.model.desired import Condition, Dependency
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


def dependencies_of(scope: Scope, name: str, table: Table) -> tuple[Dependency, ...]:
    """What must be there first, sorted by name: `depends_on`, and the containers whose namespaces are shared."""
    keys: Keys = (Kind.CONTAINER.value, name)
    depends_on = table.get("depends_on", [])
    conditions = {
        other: condition
        for place, other, condition in _declared_dependencies(depends_on)
        if not _may_be_missing(scope, depends_on, other)
        and _is_usable(scope, (*keys, "depends_on", place), other, condition)
    }
    for option in _SHARED:
        mode = str(table.get(option, ""))
        if mode.startswith("service:"):
            other = mode.removeprefix("service:")
            if _can_share(scope, (*keys, option), other):
                conditions.setdefault(other, Condition.STARTED)
    for at, item in enumerate(table.get("volumes_from", [])):
        other = item.removeprefix("service:").partition(":")[0]
        if not item.startswith("container:") and _can_share(scope, (*keys, "volumes_from", at), other):
            conditions.setdefault(other, Condition.STARTED)
    for at, item in enumerate(table.get("links", [])):
        other = item.partition(":")[0]
        if _is_usable(scope, (*keys, "links", at), other, Condition.STARTED):
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


def _may_be_missing(scope: Scope, raw: Any, other: str) -> bool:
    """Whether it is not part of the project, and need not be (`required = false`)."""
    entry = raw.get(other) if isinstance(raw, Mapping) else None
    return isinstance(entry, Mapping) and entry.get("required") is False and other not in scope.tables(Kind.CONTAINER)


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
    if "depends_on" in table:
        keys = (*keys, "depends_on")
    message = f"containers wait for each other: {' → '.join([*shown, cycle[0]])}"
    scope.problems.at(keys, message, "take one of these dependencies out")
