"""Containers: one declared table → its instances, every name in it resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.address import Address, Kind
from reconciler.model.desired import Condition, ContainerResource, Dependency, NetworkResource, VolumeResource

from reconciler.spec.attachments import attach
from reconciler.spec.environment import merged_environment
from reconciler.spec.images import Images
from reconciler.spec.mounts import resolve_mounts
from reconciler.spec.naming import wrong_object
from reconciler.spec.problems import Keys, nearest
from reconciler.spec.scope import Scope, Table

MAX_SCALE = 500

#: Options that are resolved here and not by their form alone.
_APART = frozenset({"image", "container_name", "environment", "networks", "volumes"})
_CONDITIONS = {
    "service_started": Condition.STARTED,
    "service_healthy": Condition.HEALTHY,
    "service_completed_successfully": Condition.COMPLETED,
} | {condition.value: condition for condition in Condition}
_SHARED = ("network_mode", "pid", "ipc")


class Surroundings(NamedTuple):
    """What containers refer to: the other resources of the project, by their names in the spec."""

    images: Images
    networks: Mapping[str, NetworkResource]
    volumes: Mapping[str, VolumeResource]
    adopt: bool


def resolve_container(scope: Scope, name: str, table: Table, around: Surroundings) -> list[ContainerResource]:
    """The instances of one declared container; none after a complaint that leaves nothing to make."""
    keys: Keys = (Kind.CONTAINER.value, name)
    config = scope.config(Kind.CONTAINER, name, table, _APART)
    image = around.images.of_container(name, table)
    environment = merged_environment(scope, keys, table)
    if environment is not None:
        config["environment"] = environment
    mounts = resolve_mounts(scope, name, table.get("volumes", []), around.volumes)
    if "volumes" in table:
        config["volumes"] = mounts.config
    attachment = attach(scope, name, table, around.networks)
    if attachment.config is not None:
        config["networks"] = attachment.config
    dependencies = _dependencies(scope, name, table)
    names = _instance_names(scope, name, table)
    needs = tuple(sorted(attachment.needs | mounts.needs, key=lambda address: address.sort_key))
    if image is None:
        return []
    if image in around.images.resources:
        config["image"] = around.images.resources[image].reference
    return [
        ContainerResource(
            Address(Kind.CONTAINER, name, index),
            engine_name,
            config,
            image,
            attachment.order,
            dependencies,
            needs,
            table.get("platform", ""),
            table.get("adopt", around.adopt),
            scope.origin(Kind.CONTAINER, name),
        )
        for index, engine_name in names
    ]


def _instance_names(scope: Scope, name: str, table: Table) -> list[tuple[int, str]]:
    """(index, name on the engine) of each instance; the index of a container that is not scaled is 0."""
    scale = table.get("scale", 1)
    keys: Keys = (Kind.CONTAINER.value, name)
    if not 0 <= scale <= MAX_SCALE:
        scope.problems.at((*keys, "scale"), f"{scale} is not a number of instances", f"write one from 0 to {MAX_SCALE}")
        return []
    if "container_name" in table:
        if scale > 1:
            scope.problems.at(
                (*keys, "container_name"),
                f"{scale} instances cannot have one name",
                "leave container_name or scale out",
            )
        wrong = wrong_object(table["container_name"])
        if wrong:
            scope.problems.at((*keys, "container_name"), wrong)
        return [(0, table["container_name"])][:scale]
    if scale > 1:
        return [(index, f"{scope.project}-{name}-{index}") for index in range(1, scale + 1)]
    return [(0, f"{scope.project}-{name}-1")][:scale]


def _dependencies(scope: Scope, name: str, table: Table) -> tuple[Dependency, ...]:
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
