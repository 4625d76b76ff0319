"""Engine → ObservedState: four lists, and an inspect for each container of the project. Chooses nothing.

Looking is waiting for the engine, so that what does not depend on each other is asked for at the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from reconciler.engine.archives import with_note
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
from reconciler.engine.itself import own_container
from reconciler.engine.podman import (
    container_as_docker,
    image_as_docker,
    listed_as_docker,
    network_as_docker,
    volume_as_docker,
)
from reconciler.errors import EngineRefusedError, NotFoundError
from reconciler.model.address import Kind
from reconciler.model.lease import read_lease
from reconciler.model.observed import ObservedImage, ObservedState, normal_reference
from reconciler.model.ownership import ADDRESS, ADOPTED, FINGERPRINT, PROJECT, SETTINGS, Owner, foreign_labels, owner_of

_Answer = TypeVar("_Answer")


class _Aside(Generic[_Answer]):
    """A read that is under way while others are. It may be left alone: it ends by itself."""

    def __init__(self, read: Callable[[], _Answer]) -> None:
        self._read = read
        self._answers: list[_Answer] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="observe")
        self._thread.start()

    def answer(self) -> _Answer:
        """The answer, or the error, as if the read were made now."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._answers[0]

    def _run(self) -> None:
        try:
            self._answers.append(self._read())
        except BaseException as error:
            self._error = error


def observe(
    engine: Engine, project: str, adoptable: frozenset[str] = frozenset(), wanted: frozenset[str] = frozenset()
) -> ObservedState:
    """Everything on the engine; containers of `project`, and unlabelled ones named in `adoptable`, with their config.

    Args:
        wanted: what containers are to be made of. What those images supply is looked at where it decides whether they
            can be made, which is on Podman; elsewhere it is enough to know it of the images in use.

    Raises:
        EngineError: a part could not be read. There is no half observation.
    """
    try:
        return _observe(engine, project, adoptable, wanted)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EngineRefusedError(
            f"what the engine holds cannot be read whole: an answer is not as it should be ({type(error).__name__}: {error})",
            hint="nothing is planned from half an answer; a proxy may be in between, else please report it",
        ) from error


def _observe(engine: Engine, project: str, adoptable: frozenset[str], wanted: frozenset[str]) -> ObservedState:
    # Once, before anyone else asks: if there is no engine, that is tried and told once.
    engine.ping()
    asked_images = _Aside(engine.list_images)
    asked_rest = _Aside(lambda: (engine.facts(), engine.list_networks(), engine.list_volumes()))
    answered, images = engine.list_containers(), asked_images.answer()
    facts, networks, volumes = asked_rest.answer()
    is_podman = facts.is_podman
    if is_podman:
        answered = [listed_as_docker(entry) for entry in answered]
        images = [image_as_docker(entry) for entry in images]
    listed = _without_inherited_labels(answered, images)
    taken = frozenset((entry.get("Labels") or {}).get(ADOPTED) for entry in listed)
    ours = {entry["Id"]: None for entry in listed if _is_inspected(entry, project, adoptable, taken)}
    answers = engine.inspect_containers(list(ours))
    if is_podman:
        answers = [container_as_docker(answer) for answer in answers]
    inspected = {answer["Id"]: with_note(engine, decode_container(answer)) for answer in answers}
    others = [decode_listed_container(entry) for entry in listed if entry["Id"] not in ours]
    members, users = _attachments(listed)
    used_images = {container.image_id for container in inspected.values()}
    if is_podman:
        used_images |= {
            entry["Id"] for entry in images if wanted.intersection(map(normal_reference, entry.get("RepoTags") or ()))
        }
    supplied = tuple(_images(engine, images, used_images))
    if is_podman:
        networks = [network_as_docker(network) for network in networks]
        volumes = [volume_as_docker(volume) for volume in volumes]
    leases = tuple(sorted(lease for lease in map(read_lease, volumes) if lease is not None))
    return ObservedState(
        facts=facts,
        images=supplied,
        networks=tuple(decode_network(network, _members(network, members)) for network in networks),
        volumes=tuple(
            decode_volume(volume, users.get(volume["Name"], ())) for volume in volumes if read_lease(volume) is None
        ),
        containers=tuple(sorted([*inspected.values(), *others], key=lambda container: (container.name, container.id))),
        leases=leases,
        own=own_container((entry["Id"] for entry in listed), {answer["Id"]: _layer(answer) for answer in answers}),
    )


def _layer(answer: Json) -> str:
    """The directory with what a container writes to its root; "" where the engine keeps it otherwise than by overlayfs."""
    return ((answer.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir") or ""


def _without_inherited_labels(containers: list[Json], images: list[Json]) -> list[Json]:
    """A container of an image that was committed from one of ours carries our labels and is not ours.

    It shows in its image carrying the very same: what it was made from, which project, which resource.
    """
    marked = {image["Id"]: image["Labels"] for image in images if FINGERPRINT in (image.get("Labels") or {})}
    return [
        {**entry, "Labels": foreign_labels(labels)}
        if _is_inherited(labels, marked.get(entry.get("ImageID") or ""))
        else entry
        for entry in containers
        for labels in [entry.get("Labels") or {}]
    ]


def _is_inherited(labels: Json, image_labels: Json | None) -> bool:
    return image_labels is not None and all(
        labels.get(key) == image_labels.get(key) for key in (PROJECT, ADDRESS, FINGERPRINT, SETTINGS)
    )


def _is_inspected(entry: Json, project: str, adoptable: frozenset[str], taken: frozenset[str | None]) -> bool:
    owner, _ = owner_of(Kind.CONTAINER, entry.get("Labels") or {}, project)
    if owner is Owner.OURS:
        return True
    named = any(name.lstrip("/") in adoptable for name in entry.get("Names") or ())
    return owner is Owner.NOBODY and (named or entry["Id"] in taken)


def _images(engine: Engine, listed: list[Json], used: set[str]) -> Iterable[ObservedImage]:
    images = {entry["Id"]: decode_listed_image(entry) for entry in listed}
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
