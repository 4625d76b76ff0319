"""Desired state: all resources of one project, resolved. Names are those of the engine, paths are absolute."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from reconciler.model.address import Address
from reconciler.model.contents import Content, Use
from reconciler.model.rollout import Rollout
from reconciler.model.values import Config


class Condition(StrEnum):
    """What a dependency must have reached."""

    STARTED = "started"
    HEALTHY = "healthy"
    COMPLETED = "completed"


class PullPolicy(StrEnum):
    ALWAYS = "always"
    MISSING = "missing"
    NEVER = "never"


class Dependency(NamedTuple):
    """A container that must have reached a condition first; `address` names the whole, not an instance.

    `restart`: whoever depends on it is restarted after it was made anew or started again.
    """

    address: Address
    condition: Condition
    restart: bool = False


class Origin(NamedTuple):
    """Where a resource is declared: the file as the user gave it, and the keys down to its table."""

    file: str
    keys: tuple[str, ...]


class BuildSecret(NamedTuple):
    """A secret that a build may read while it runs, under `id`; no trace of it is in the image."""

    id: str
    content: Content


#: what a further context of a build begins with that is an image
IMAGE_CONTEXT = "docker-image://"


class Build(NamedTuple):
    """How an image is built; paths are absolute.

    Attributes:
        context: a directory.
        dockerfile: a path inside it.
        inline: the Dockerfile's text itself, in place of `dockerfile`.
        contexts: further contexts by name: a directory, or `docker-image://NAME`.
        extra_hosts, ulimits: canonical, as those of a container.
        ssh: `default`, or ID=PATH of a key or of an agent's socket.
        sources: the images of the project that it begins with or copies from, with the content of each; known when the
            contexts have been read.
        provenance, sbom: "" for none; else what `docker buildx build` takes.
    """

    context: str
    dockerfile: str = "Dockerfile"
    target: str = ""
    args: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    platforms: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    inline: str = ""
    contexts: Mapping[str, str] = {}
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    network: str = ""
    shm_size: int = 0
    extra_hosts: tuple[str, ...] = ()
    ulimits: Mapping[str, str] = {}
    privileged: bool = False
    entitlements: tuple[str, ...] = ()
    secrets: tuple[BuildSecret, ...] = ()
    ssh: tuple[str, ...] = ()
    provenance: str = ""
    sbom: str = ""
    sources: Mapping[Address, str] = {}


class ImageResource(NamedTuple):
    """An image that is built (`build` is set; `reference` is its tag, `tags` are further ones) or pulled.

    `implied` marks an image that only a container names. `content` is the hash of all that the build reads; it is ""
    until the context has been read. With `adopt`, a tag that is on somebody else's image goes over to what is built.
    """

    address: Address
    reference: str
    build: Build | None = None
    pull_policy: PullPolicy = PullPolicy.MISSING
    platform: str = ""
    implied: bool = False
    content: str = ""
    origin: Origin = Origin("", ())
    tags: tuple[str, ...] = ()
    adopt: bool = False


class NetworkResource(NamedTuple):
    """`config` holds the declared options of the table, canonical."""

    address: Address
    name: str
    config: Config = {}
    external: bool = False
    adopt: bool = False
    origin: Origin = Origin("", ())


class VolumeResource(NamedTuple):
    address: Address
    name: str
    config: Config = {}
    external: bool = False
    prune: bool = False
    adopt: bool = False
    origin: Origin = Origin("", ())


class ContainerResource(NamedTuple):
    """One instance. Scaled containers have one resource an instance, with indexes from 1.

    Attributes:
        name: its name on the engine.
        config: the declared options, canonical; `networks` and `volumes` name engine objects, `env_file` is merged
            into `environment`; a shared namespace is still `service:NAME`.
        image: the resource that supplies the image.
        networks: the networks' names in the order of attachment, the primary one first.
        depends_on: what must be there first, the containers whose namespaces it shares included.
        needs: the declared networks and volumes that it uses, external ones too: what is missing holds it up.
        adopt: an unlabelled container with this name may be taken over.
        is_job: it is there to end well, once; a container that is no job is there to run.
        contents: what it is given as files, and what it watches.
        rollout: how it is replaced.
        holders: directories at which volumes of its own hold those files, where the engine cannot write otherwise.
    """

    address: Address
    name: str
    config: Config
    image: Address
    networks: tuple[str, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    needs: tuple[Address, ...] = ()
    platform: str = ""
    adopt: bool = False
    is_job: bool = False
    origin: Origin = Origin("", ())
    contents: tuple[Use, ...] = ()
    holders: tuple[str, ...] = ()
    rollout: Rollout = Rollout()


Resource: TypeAlias = ImageResource | NetworkResource | VolumeResource | ContainerResource


class DesiredState(NamedTuple):
    """What one project declares.

    Attributes:
        project: its name.
        resources: by address, instances apart.
        prune: volumes that leave the spec are removed when the run is confirmed.
        warnings: what the spec's author should know although it is no error.
        files: the spec files that were read, as the user would name them.
        reads: all else that was read and counts: env files, configs, secrets, what is watched; absolute paths.
        secrets: the declared secrets, by name.
    """

    project: str
    resources: Mapping[Address, Resource]
    prune: bool = False
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    secrets: Mapping[str, Content] = {}

    def images(self) -> list[ImageResource]:
        return [resource for resource in self.resources.values() if isinstance(resource, ImageResource)]

    def networks(self) -> list[NetworkResource]:
        return [resource for resource in self.resources.values() if isinstance(resource, NetworkResource)]

    def volumes(self) -> list[VolumeResource]:
        return [resource for resource in self.resources.values() if isinstance(resource, VolumeResource)]

    def containers(self) -> list[ContainerResource]:
        return [resource for resource in self.resources.values() if isinstance(resource, ContainerResource)]

    def instances(self, address: Address) -> list[ContainerResource]:
        """The containers that stand for a declared one, all of them when it is scaled."""
        return [resource for resource in self.containers() if resource.address.whole == address.whole]
