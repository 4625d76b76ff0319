"""Which object of an instance is which: the phase of a replacement stands in its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.desired import ContainerResource
from reconciler.model.observed import ObservedContainer
from reconciler.model.ownership import ADOPTED
from reconciler.model.values import Config
from reconciler.planning.world import NEXT, PREVIOUS, World

_LIVE = ("running", "paused", "restarting")


class Objects(NamedTuple):
    """Our objects for one instance, by the phase that their names and states tell.

    `current` serves, or is to; `candidate` was not promoted, `predecessor` was not removed, `others` should not be.
    """

    current: ObservedContainer | None
    candidate: ObservedContainer | None
    predecessor: ObservedContainer | None
    others: tuple[ObservedContainer, ...]

    def all(self) -> tuple[ObservedContainer, ...]:
        found = (self.current, self.candidate, self.predecessor, *self.others)
        return tuple(item for item in found if item is not None)


def sort_objects(world: World, resource: ContainerResource) -> Objects:
    """Which object is which."""
    name, containers = resource.name, world.owned_containers(resource.address)
    holder = world.containers.get(name)
    candidates = [item for item in containers if item.name.endswith(NEXT)]
    predecessors = [item for item in containers if item.name.endswith(PREVIOUS)]
    plain = [item for item in containers if item not in candidates and item not in predecessors]
    plain.sort(key=lambda item: (item.name != name, item.status != "running", item.name))
    candidates.sort(key=lambda item: (item.status not in _LIVE, item.name))
    if resource.is_job:
        if plain and predecessors and plain[0].status == "created":
            candidates.insert(0, plain.pop(0))  # it was given the name and not started: still a candidate
    elif candidates and not plain and holder is not None and candidates[0].labels.get(ADOPTED) == holder.id:
        pass  # an adoption was cut off before what is adopted gave up its name
    elif candidates and not plain:
        plain.append(candidates.pop(0))  # the name is free for it
    elif candidates and not predecessors and _has_taken_over(resource, candidates[0], plain[0]):
        predecessors.append(plain.pop(0))
        plain.insert(0, candidates.pop(0))
    extra = [*plain[1:], *candidates[1:], *predecessors[1:]]
    first = [group[0] if group else None for group in (plain, candidates, predecessors)]
    return Objects(first[0], first[1], first[2], tuple(extra))


def _has_taken_over(resource: ContainerResource, candidate: ObservedContainer, current: ObservedContainer) -> bool:
    """Start-first: it runs, and has all the aliases, which it gets when it is ready; or the other one was stopped."""
    if candidate.status not in _LIVE:
        return False
    if current.status not in _LIVE:
        return True
    wanted, seen = _endpoints(resource.config), _endpoints(candidate.config or {})
    named = [network for network, endpoint in wanted.items() if endpoint.get("aliases") and network in seen]
    return bool(named) and all(seen[network].get("aliases") for network in named)


def _endpoints(config: Config) -> dict[str, Config]:
    found = config.get("networks")
    return (
        {name: item for name, item in found.items() if isinstance(item, Mapping)} if isinstance(found, Mapping) else {}
    )


def serving(world: World, resource: ContainerResource) -> ObservedContainer | None:
    """The object that serves for an instance, or should."""
    return sort_objects(world, resource).current
