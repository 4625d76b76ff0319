"""What a plan is made from, indexed: one look at each side, and the changes decided so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource, DesiredState, NetworkResource
from reconciler.model.observed import (
    ObservedContainer,
    ObservedImage,
    ObservedNetwork,
    ObservedState,
    ObservedVolume,
    normal_reference,
)
from reconciler.model.ownership import ADOPTED, Owner, owner_of
from reconciler.model.plan import Change, Verb
from reconciler.model.values import digest

#: an address, and whether the change removes: an image may be built anew and an old build of it removed
ChangeKey: TypeAlias = tuple[Address, bool]
#: what the name of a candidate, and of a predecessor, ends with
NEXT, PREVIOUS = ".next", ".prev"
Object: TypeAlias = ObservedContainer | ObservedNetwork | ObservedVolume | ObservedImage


class Request(NamedTuple):
    """What a person asked for besides settling.

    Attributes:
        targets: plan only these and what they need; empty means everything.
        replace: replace these even though nothing differs.
        build: images may be built; otherwise those under their tags are used as they are.
        volumes: `destroy` takes the volumes too.
        allow_removals: however much has left the spec, it goes.
        applied: by address, the settings label as it would be if labels could be changed: what was last applied in
            place. It only tells drift from a second edit.
    """

    targets: tuple[Address, ...] = ()
    replace: tuple[Address, ...] = ()
    build: bool = True
    volumes: bool = False
    allow_removals: bool = False
    applied: Mapping[Address, str] = {}


#: nothing besides settling
EVERYTHING = Request()


class World:
    """Both sides with their indexes. `changes` grows while the planner goes through the kinds in order."""

    def __init__(self, desired: DesiredState, observed: ObservedState, request: Request = EVERYTHING) -> None:
        self.desired = desired
        self.observed = observed
        self.request = request
        self.facts = observed.facts
        self.changes: dict[Address, Change] = {}
        self.warnings: list[str] = list(desired.warnings)
        self.containers = {item.name: item for item in observed.containers}
        self.containers_by_id = {item.id: item for item in observed.containers}
        self.networks: dict[str, list[ObservedNetwork]] = {}
        for network in observed.networks:
            self.networks.setdefault(network.name, []).append(network)
        self.network_addresses = {item.name: item.address for item in desired.networks()}
        self.volumes = {item.name: item for item in observed.volumes}
        self.images_by_id = {item.id: item for item in observed.images}
        self.images = {name: image for image in observed.images for name in (*image.tags, *image.digests, image.id)}
        self.instances: dict[Address, list[ContainerResource]] = {}
        for resource in sorted(desired.containers(), key=lambda item: item.address.sort_key):
            self.instances.setdefault(resource.address.whole, []).append(resource)
        #: by the address of a whole container, the instances that depend on it
        self.dependents: dict[Address, list[Address]] = {}
        for resource in desired.containers():
            for dependency in resource.depends_on:
                self.dependents.setdefault(dependency.address, []).append(resource.address)
        #: by source of a mount, how many containers may write to it; filled when first asked for
        self.writers: dict[str, int] | None = None
        self._owned: dict[tuple[Kind, str, int], list[Object]] = {}
        for kind, objects in self._kinds():
            for item in objects:
                owner, address = owner_of(kind, item.labels, desired.project)
                if owner is Owner.OURS and address is not None:
                    self._owned.setdefault(_identity(address), []).append(item)
        self._taken = self._taken_over()
        for twins in self._owned.values():
            if len(twins) > 1:
                twins.sort(key=lambda item: (getattr(item, "name", ""), getattr(item, "id", "")))

    def _kinds(self) -> Iterable[tuple[Kind, tuple[Object, ...]]]:
        yield Kind.CONTAINER, self.observed.containers
        yield Kind.NETWORK, self.observed.networks
        yield Kind.VOLUME, self.observed.volumes
        yield Kind.IMAGE, self.observed.images

    def _taken_over(self) -> set[str]:
        """Ids of predecessors without labels: an adoption was cut off between their retirement and their removal."""
        found = set()
        for objects in self._owned.values():
            for item in tuple(objects):
                taken = self.containers_by_id.get(item.labels.get(ADOPTED, ""))
                if taken is None or taken.id in found or not taken.name.endswith(PREVIOUS):
                    continue
                if owner_of(Kind.CONTAINER, taken.labels, self.desired.project)[0] is Owner.NOBODY:
                    objects.append(taken)
                    found.add(taken.id)
        return found

    def image(self, reference: str) -> ObservedImage | None:
        """What a reference names on the engine."""
        return self.images.get(normal_reference(reference)) or self.images.get(reference)

    def network(self, name: str) -> ObservedNetwork | None:
        """The network of this name; of twins (old engines allow them) ours first, and one that is in use."""
        twins = self.networks.get(name, [])
        return min(
            twins, key=lambda item: (not self.is_ours(Kind.NETWORK, item), not item.members, item.id), default=None
        )

    def former_networks(self, resource: NetworkResource) -> list[Object]:
        """Networks that were made for a resource under a name it no longer has, or twice."""
        serving = self.network(resource.name)
        made = self._owned.get(_identity(resource.address), [])
        return [] if resource.external else [item for item in made if item is not serving]

    def is_ours(self, kind: Kind, item: Object) -> bool:
        is_taken = isinstance(item, ObservedContainer) and item.id in self._taken
        return is_taken or owner_of(kind, item.labels, self.desired.project)[0] is Owner.OURS

    def owned_containers(self, address: Address) -> list[ObservedContainer]:
        return [item for item in self._owned.get(_identity(address), []) if isinstance(item, ObservedContainer)]

    def orphans(self, kind: Kind) -> list[tuple[Address, list[Object]]]:
        """Objects of ours whose resource is not declared, by the address on their label."""
        declared = {_identity(address) for address in self.desired.resources}
        found = [
            (Address(*key), objects) for key, objects in self._owned.items() if key[0] is kind and key not in declared
        ]
        return sorted(((_plain(address), objects) for address, objects in found), key=lambda pair: pair[0].sort_key)

    def will_change(self, address: Address) -> bool:
        """Whether this plan makes the object of a resource anew (or makes it at all)."""
        change = self.changes.get(address)
        return change is not None and change.verb in (Verb.CREATE, Verb.REPLACE, Verb.ADOPT)


def _identity(address: Address) -> tuple[Kind, str, int]:
    """An instance by its number: what is not scaled is instance 1."""
    return address.kind, address.name, address.instance or 1


def _plain(address: Address) -> Address:
    """`container.web` for instance 1 of what is no longer declared."""
    return Address(address.kind, address.name, 0 if address.instance == 1 else address.instance)


def fingerprint_objects(objects: Iterable[Object | None]) -> str:
    """A digest of what a plan relies on: identity, settings and state, without what moves by itself."""
    seen: list[object] = []
    for item in objects:
        if isinstance(item, ObservedContainer):
            seen.append(
                [
                    *(item.id, item.name, item.status, item.image_id, item.config),
                    *(dict(item.network_ids), dict(item.contents.hashes)),
                ]
            )
        elif isinstance(item, ObservedNetwork):
            seen.append([item.id, item.config, [list(member) for member in item.members]])
        elif isinstance(item, ObservedVolume):
            seen.append([item.name, item.config])
        elif isinstance(item, ObservedImage):
            seen.append([item.id, list(item.tags)])
        else:
            seen.append(None)
    return digest(seen)[:16]
