"""What a project knew of the engine after its last look: whether an event is its business, and says anything new.

So events of strangers cost nothing, and those of our own doing, which come after we have looked, start no pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.loop.triggers import EngineEvent
from reconciler.model.address import Kind
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, normal_reference
from reconciler.model.ownership import Owner, owner_of

_ALIVE = ("running", "restarting")


class Seen(NamedTuple):
    """One container."""

    name: str
    status: str
    health: str


class Known(NamedTuple):
    """Containers by id, those of strangers too; members are container ids, by network id; the names that are used."""

    project: str
    containers: Mapping[str, Seen]
    networks: Mapping[str, frozenset[str]]
    volumes: frozenset[str]
    tags: frozenset[str]
    names: frozenset[tuple[str, str]]

    def concerns(self, event: EngineEvent) -> bool:
        """Whether it is about an object of the project, or a name that the project uses."""
        if event.project == self.project:
            return True
        name = normal_reference(event.name) if event.kind == "image" else event.name
        return (event.kind, name) in self.names or (event.kind, event.id) in self.names

    def explains(self, event: EngineEvent) -> bool:
        """Whether what was seen already shows what the event says."""
        match event.kind:
            case "container":
                return self._explains_container(event)
            case "network":
                return self._explains_network(event)
            case "volume":
                return (event.id in self.volumes) is (event.action == "create")
        return False

    def _explains_container(self, event: EngineEvent) -> bool:
        seen = self.containers.get(event.id)
        action, _, health = event.action.partition(": ")
        if seen is None:
            return action in ("destroy", "die")
        match action:
            case "create":
                return True
            case "start" | "unpause":
                return seen.status in _ALIVE
            case "die":
                return seen.status not in (*_ALIVE, "paused")
            case "pause":
                return seen.status == "paused"
            case "rename":
                return seen.name == event.name
            case "health_status":
                return seen.health == health
        return False

    def _explains_network(self, event: EngineEvent) -> bool:
        members = self.networks.get(event.id)
        match event.action:
            case "create":
                return members is not None
            case "connect":
                return members is not None and event.peer in members
            case "disconnect":
                # One that ended has left, and is still listed as a member.
                seen = self.containers.get(event.peer)
                ended = seen is None or seen.status not in _ALIVE
                return members is None or event.peer not in members or ended
        return members is None


#: of a project that has nothing to look for: no event is its business; no project is called so
NOTHING = Known("/", {}, {}, frozenset(), frozenset(), frozenset())


def known_of(desired: DesiredState, observed: ObservedState) -> Known:
    """What a look came to."""
    names: set[tuple[str, str]] = set()
    names |= {("container", item.name) for item in desired.containers()}
    names |= {("network", item.name) for item in desired.networks()}
    names |= {("volume", item.name) for item in desired.volumes()}
    names |= {("image", normal_reference(item.reference)) for item in desired.images()}
    used = {item.name for item in desired.networks()}
    for network in observed.networks:
        if network.name in used or _is_ours(Kind.NETWORK, network.labels, desired.project):
            names |= {("network", network.id), ("network", network.name)}
    for volume in observed.volumes:
        if _is_ours(Kind.VOLUME, volume.labels, desired.project):
            names.add(("volume", volume.name))
    for container in observed.containers:
        if _is_ours(Kind.CONTAINER, container.labels, desired.project):
            names |= {("container", container.id), ("image", container.image_id)}
    return Known(
        project=desired.project,
        containers={item.id: Seen(item.name, item.status, item.health) for item in observed.containers},
        networks={item.id: frozenset(member for member, _ in item.members) for item in observed.networks},
        volumes=frozenset(item.name for item in observed.volumes),
        tags=frozenset(tag for image in observed.images for tag in image.tags),
        names=frozenset(names),
    )


def _is_ours(kind: Kind, labels: Mapping[str, str], project: str) -> bool:
    return owner_of(kind, labels, project)[0] is Owner.OURS
