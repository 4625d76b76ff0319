"""Engine → ObservedState: four lists, and an inspect for each container of the project. Chooses nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.engine.decode import (
    decode_container,
    decode_listed_container,
    decode_listed_image,
    decode_network,
    decode_volume,
    listed_name,
    supplies,
)
from reconciler.engine.interface import Engine, Json
from reconciler.errors import NotFoundError
from reconciler.model.address import Kind
from reconciler.model.observed import ObservedImage, ObservedState
from reconciler.model.ownership import Owner, owner_of


def observe(engine: Engine, project: str, adoptable: frozenset[str] = frozenset()) -> ObservedState:
    """Everything on the engine; containers of `project`, and unlabelled ones named in `adoptable`, with their config.

    Raises:
        EngineError: a part could not be read. There is no half observation.
    """
    listed = engine.list_containers()
    ours = {entry["Id"]: None for entry in listed if _is_inspected(entry, project, adoptable)}
    inspected = {answer["Id"]: decode_container(answer) for answer in engine.inspect_containers(list(ours))}
    others = [decode_listed_container(entry) for entry in listed if entry["Id"] not in ours]
    members, users = _attachments(listed)
    used_images = {container.image_id for container in inspected.values()}
    return ObservedState(
        facts=engine.facts(),
        images=tuple(_images(engine, used_images)),
        networks=tuple(decode_network(network, _members(network, members)) for network in engine.list_networks()),
        volumes=tuple(decode_volume(volume, users.get(volume["Name"], ())) for volume in engine.list_volumes()),
        containers=tuple(sorted([*inspected.values(), *others], key=lambda container: (container.name, container.id))),
    )


def _is_inspected(entry: Json, project: str, adoptable: frozenset[str]) -> bool:
    owner, _ = owner_of(Kind.CONTAINER, entry.get("Labels") or {}, project)
    if owner is Owner.OURS:
        return True
    return owner is Owner.NOBODY and any(name.lstrip("/") in adoptable for name in entry.get("Names") or ())


def _images(engine: Engine, used: set[str]) -> Iterable[ObservedImage]:
    images = {entry["Id"]: decode_listed_image(entry) for entry in engine.list_images()}
    for image_id in sorted(used):
        try:
            answer: dict[str, Any] = engine.inspect_image(image_id)
        except NotFoundError:
            continue  # removed by force under a running container: what it supplied is unknown
        image = images.get(image_id) or ObservedImage(image_id)
        images[image_id] = image._replace(supplies=supplies(answer))
    return images.values()


def _attachments(listed: list[Json]) -> tuple[dict[str, list[tuple[str, str]]], dict[str, list[str]]]:
    """Who is attached: (id, name) of containers by network id or name, names of containers by volume name."""
    members: dict[str, list[tuple[str, str]]] = {}
    users: dict[str, list[str]] = {}
    for entry in listed:
        name = listed_name(entry)
        for network, endpoint in ((entry.get("NetworkSettings") or {}).get("Networks") or {}).items():
            # One that has never run has no id of the network yet, only its name.
            members.setdefault((endpoint or {}).get("NetworkID") or network, []).append((entry["Id"], name))
        for mount in entry.get("Mounts") or ():
            if mount.get("Name"):
                users.setdefault(mount["Name"], []).append(name)
    return members, users


def _members(network: Json, attached: dict[str, list[tuple[str, str]]]) -> list[tuple[str, str]]:
    return [*attached.get(network["Id"], ()), *attached.get(network["Name"], ())]
