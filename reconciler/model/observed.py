"""Observed state: what the engine holds at one moment. It may be old by the time it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.contents import NOTHING_RECORDED, Recorded
from reconciler.model.lease import Lease
from reconciler.model.values import Config


class EngineFacts(NamedTuple):
    """What an engine says of itself, as far as defaults depend on it.

    `api_version` is the one that is spoken, as (major, minor); `swap_limit` whether the kernel accounts for swap;
    `is_podman` that it is Podman, which speaks most of this API; `no_buildkit` why builds cannot go through BuildKit, ""
    when they do; `keeps_indexes` whether its image store can hold several platforms under one name.
    """

    id: str = ""
    name: str = ""
    version: str = ""
    api_version: tuple[int, int] = (1, 41)
    os_type: str = "linux"
    architecture: str = ""
    logging_driver: str = "json-file"
    default_runtime: str = "runc"
    swap_limit: bool = True
    is_podman: bool = False
    no_buildkit: str = ""
    keeps_indexes: bool = False

    @property
    def api_text(self) -> str:
        return f"{self.api_version[0]}.{self.api_version[1]}"


class ObservedImage(NamedTuple):
    """An image. `supplies` holds the options it adds to containers, canonical; None when it was not inspected."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    created: float = 0.0
    supplies: Config | None = None


class ObservedNetwork(NamedTuple):
    """A network. `members` are (container id, container name), running or not."""

    id: str
    name: str
    labels: Mapping[str, str] = {}
    config: Config = {}
    members: tuple[tuple[str, str], ...] = ()


class ObservedVolume(NamedTuple):
    """A volume; its name is its identity. `users` are the names of the containers that mount it."""

    name: str
    labels: Mapping[str, str] = {}
    config: Config = {}
    users: tuple[str, ...] = ()


class ObservedContainer(NamedTuple):
    """A container.

    Attributes:
        status: created, running, paused, restarting, removing, exited or dead.
        health: healthy, unhealthy, starting, or "" without a health check.
        since: when it started or ended, as the engine writes it (RFC 3339), or "".
        created: when it was made, written likewise.
        image_id, image: the id it runs, and the reference it was made with.
        config: every option of the table, canonical; None when it was not inspected (it is not ours).
        network_ids: the id of each network it is attached to, by name: a network may have been made anew.
        anonymous: the name of each volume nobody named, by path in the container.
        published: (port, address) pairs that are bound now.
        contents: what was recorded of the contents it was given, or was last told of.
        holders: the names of the volumes that were made to hold its files.
        mac_address: the one it was asked to have on its first network, or "".
    """

    id: str
    name: str
    labels: Mapping[str, str] = {}
    status: str = "running"
    exit_code: int = 0
    error: str = ""
    health: str = ""
    since: str = ""
    created: str = ""
    image_id: str = ""
    image: str = ""
    config: Config | None = None
    network_ids: Mapping[str, str] = {}
    anonymous: Mapping[str, str] = {}
    published: tuple[str, ...] = ()
    restart_count: int = 0
    contents: Recorded = NOTHING_RECORDED
    holders: tuple[str, ...] = ()
    mac_address: str = ""


class ObservedState(NamedTuple):
    """Everything on the engine, ours or not. Nothing is chosen here: several objects may have one address."""

    facts: EngineFacts
    images: tuple[ObservedImage, ...] = ()
    networks: tuple[ObservedNetwork, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()
    containers: tuple[ObservedContainer, ...] = ()
    #: pulled images whose registry holds a newer one, by reference: the digest there, or "" when it could not be asked
    registry: Mapping[str, str] = {}
    #: who changes a project now, or did when it was killed; they are no volumes of anybody's
    leases: tuple[Lease, ...] = ()
    #: the id of the container in which this program runs, or ""
    own: str = ""

    def image_by_reference(self, reference: str) -> ObservedImage | None:
        """The image a reference names on this engine; `name` means `name:latest`."""
        wanted = normal_reference(reference)
        for image in self.images:
            if wanted in image.tags or wanted in image.digests or reference == image.id:
                return image
        return None

    def image_by_id(self, image_id: str) -> ObservedImage | None:
        return next((image for image in self.images if image.id == image_id), None)

    def network_by_name(self, name: str) -> ObservedNetwork | None:
        return next((network for network in self.networks if network.name == name), None)

    def volume_by_name(self, name: str) -> ObservedVolume | None:
        return next((volume for volume in self.volumes if volume.name == name), None)

    def container_by_name(self, name: str) -> ObservedContainer | None:
        return next((container for container in self.containers if container.name == name), None)


def normal_reference(reference: str) -> str:
    """A reference as the engine lists it: short Docker Hub names, `:latest` when there is neither tag nor digest."""
    for prefix in ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/"):
        if reference.startswith(prefix):
            reference = reference[len(prefix) :]
            break
    name, at, digest = reference.partition("@")
    if at:
        head, colon, tag = name.rpartition(":")
        return f"{head if colon and '/' not in tag else name}@{digest}"
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
