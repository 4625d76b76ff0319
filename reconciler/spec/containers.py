"""Containers: one declared table → its instances, every name in it resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource, Dependency, NetworkResource, VolumeResource
from reconciler.model.values import Value
from reconciler.spec.attachments import attach
from reconciler.spec.contents import Contents, holders
from reconciler.spec.deploy import reserve_devices
from reconciler.spec.environment import labels_from_files, merged_environment
from reconciler.spec.images import Images
from reconciler.spec.jobs import check_job, is_job
from reconciler.spec.keys import Keys
from reconciler.spec.mounts import resolve_mounts
from reconciler.spec.naming import wrong_object
from reconciler.spec.requirements import check_container
from reconciler.spec.rollouts import resolve_rollout
from reconciler.spec.scope import Scope, Table
from reconciler.spec.security import with_profiles

#: Options that are resolved here and not by their form alone.
_APART = frozenset({"image", "container_name", "environment", "networks", "volumes"})


class Surroundings(NamedTuple):
    """What containers refer to: the other resources of the project, by their names in the spec."""

    images: Images
    networks: Mapping[str, NetworkResource]
    volumes: Mapping[str, VolumeResource]
    dependencies: Mapping[str, tuple[Dependency, ...]]
    adopt: bool
    contents: Contents


def resolve_container(scope: Scope, name: str, around: Surroundings) -> list[ContainerResource]:
    """The instances of one declared container; none after a complaint that leaves nothing to make."""
    keys: Keys = (Kind.CONTAINER.value, name)
    table = scope.tables(Kind.CONTAINER)[name]
    config = scope.config(Kind.CONTAINER, name, table, _APART)
    image = around.images.of_container(name, table)
    environment = merged_environment(scope, keys, table)
    if environment is not None:
        config["environment"] = environment
    if "label_file" in table:
        config["labels"] = {**labels_from_files(scope, keys, table["label_file"]), **_mapping(config.get("labels"))}
    if "security_opt" in config:
        config["security_opt"] = with_profiles(scope, (*keys, "security_opt"), config["security_opt"])
    reserve_devices(scope, name, table, config)
    mounts = resolve_mounts(scope, name, table.get("volumes", []), around.volumes, around.images)
    if "volumes" in table:
        config["volumes"] = mounts.config
    attachment = attach(scope, name, table, around.networks)
    if attachment.config is not None:
        config["networks"] = attachment.config
    check_container(scope, name, config)
    check_job(scope, name, table)
    uses = around.contents.of_container(name, table, config)
    rollout = resolve_rollout(scope, name)
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
            around.dependencies.get(name, ()),
            needs,
            table.get("platform", ""),
            table.get("adopt", around.adopt),
            is_job(table),
            scope.origin(Kind.CONTAINER, name),
            uses,
            holders(uses, config),
            rollout,
        )
        for index, engine_name in names
    ]


def _instance_names(scope: Scope, name: str, table: Table) -> list[tuple[int, str]]:
    """(index, name on the engine) of each instance; the index of a container that is not scaled is 0."""
    scale = table.get("scale", 1)
    keys: Keys = (Kind.CONTAINER.value, name)

    if "container_name" in table:
        if scale > 1:
            scope.problems.at(
                (*keys, "container_name"),
                f"{scale} instances cannot have one name",
                "leave container_name or scale out",
            )
        wrong = wrong_object(Kind.CONTAINER, table["container_name"])
        if wrong:
            scope.problems.at((*keys, "container_name"), wrong)
        return [(0, table["container_name"])][:scale]
    if scale > 1:
        return [(index, f"{scope.project}-{name}-{index}") for index in range(1, scale + 1)]
    return [(0, f"{scope.project}-{name}-1")][:scale]


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}
