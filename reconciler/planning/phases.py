"""Which object of an instance is which: the phase of a replacement stands in its name."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.model.desired import ContainerResource
from reconciler.model.observed import ObservedContainer
from reconciler.planning.world import World

NEXT, PREVIOUS = ".next", ".prev"


class Objects(NamedTuple):
    """Our objects for one instance, by the phase that their names tell.

    `current` serves, `candidate` was not promoted, `predecessor` was not removed, `others` should not be.
    """

    current: ObservedContainer | None
    candidate: ObservedContainer | None
    predecessor: ObservedContainer | None
    others: tuple[ObservedContainer, ...]

    def all(self) -> tuple[ObservedContainer, ...]:
        found = (self.current, self.candidate, self.predecessor, *self.others)
        return tuple(item for item in found if item is not None)


def sort_objects(name: str, containers: list[ObservedContainer]) -> Objects:
    candidates = [item for item in containers if item.name.endswith(NEXT)]
    predecessors = [item for item in containers if item.name.endswith(PREVIOUS)]
    plain = [item for item in containers if item not in candidates and item not in predecessors]
    plain.sort(key=lambda item: (item.name != name, item.status != "running", item.name))
    if plain and predecessors and plain[0].status == "created":
        candidates.insert(0, plain.pop(0))  # it was given the name and not started: still a candidate
    extra = [*plain[1:], *candidates[1:], *predecessors[1:]]
    first = [group[0] if group else None for group in (plain, candidates, predecessors)]
    return Objects(first[0], first[1], first[2], tuple(extra))


def serving(world: World, resource: ContainerResource) -> ObservedContainer | None:
    """The object that serves for an instance, or should."""
    return sort_objects(resource.name, world.owned_containers(resource.address)).current
