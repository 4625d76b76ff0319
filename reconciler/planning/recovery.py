"""What earlier runs left of a replacement, made sense of by names, labels and what is observed."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.model.desired import ContainerResource
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import FieldChange, RenameContainer, Step
from reconciler.planning.compare import Comparison, compare
from reconciler.planning.expand import ref, remove_steps
from reconciler.planning.phases import Objects
from reconciler.planning.world import NEXT, World

#: what a candidate may lack and still be finished: all of it is done in place and tells its process nothing
_IN_PLACE = frozenset({"rename", "start", "network", "update"})


class Recovery(NamedTuple):
    """How to go on.

    Attributes:
        comparison: how `serving`, or the candidate, differs.
        leftovers: what takes away all that should not be there.
        serving: what serves or served, to be changed or replaced.
        candidate: what is to be finished instead; it was made, and has not proved itself.
        predecessor: what serves again when that fails.
    """

    comparison: Comparison
    leftovers: tuple[Step, ...] = ()
    serving: ObservedContainer | None = None
    candidate: ObservedContainer | None = None
    predecessor: ObservedContainer | None = None

    @property
    def is_needed(self) -> bool:
        return bool(self.leftovers) or self.candidate is not None or self.serving is self.predecessor is not None


def recover(world: World, resource: ContainerResource, objects: Objects) -> Recovery:
    """The rules, by what is there (see docs/planning.md):

    current alone                  nothing to recover
    candidate beside a current     it was not promoted: it goes
    predecessor beside a current   it was promoted and has not proved itself: if it is as declared it has to, else the
                                   one of the two stays that is known to work
    predecessor alone              it comes back
    """
    leftovers = [step for item in objects.others for step in remove_steps(item)]
    if resource.is_job:
        return _recover_job(world, resource, objects, leftovers)
    current, predecessor = objects.current, objects.predecessor
    leftovers += remove_steps(objects.candidate) if objects.candidate is not None else []
    if current is None:
        comparison = (
            Comparison((), {}, {}) if predecessor is None else compare(world, resource, predecessor, stopped=True)
        )
        return Recovery(comparison, tuple(leftovers), predecessor, None, predecessor)
    settled = compare(world, resource, current, stopped=objects.candidate is not None)
    if predecessor is not None:
        if is_in_place(settled.fields):
            return Recovery(settled, tuple(leftovers), current, current, predecessor)
        if not _works(current):
            leftovers += remove_steps(current)
            return Recovery(
                compare(world, resource, predecessor, stopped=True), tuple(leftovers), predecessor, None, predecessor
            )
        leftovers += remove_steps(predecessor)
    if current.name == resource.name + NEXT:
        leftovers.append(Step(RenameContainer(ref(current), resource.name)))
        current = current._replace(name=resource.name)
    return Recovery(settled, tuple(leftovers), current)


def is_in_place(fields: tuple[FieldChange, ...]) -> bool:
    return all(field.forces in _IN_PLACE for field in fields)


def _works(container: ObservedContainer) -> bool:
    """As far as can be seen at one moment."""
    if container.status != "running":
        return False
    return container.health == "healthy" or (not container.health and not container.restart_count)


def _recover_job(world: World, resource: ContainerResource, objects: Objects, leftovers: list[Step]) -> Recovery:
    """A job serves nobody: its predecessor only has the log of the run before, and goes after one that ends well."""
    current, candidate, predecessor = objects.current, objects.candidate, objects.predecessor
    if current is not None:
        for item in (candidate, predecessor):
            leftovers += remove_steps(item) if item is not None else []
        return Recovery(compare(world, resource, current), tuple(leftovers), current)
    if candidate is not None:
        settled = compare(world, resource, candidate)
        if all(field.path in ("container_name", "state") and field.forces != "replace" for field in settled.fields):
            return Recovery(settled, tuple(leftovers), predecessor, candidate, predecessor)
        leftovers += remove_steps(candidate)
    comparison = Comparison((), {}, {}) if predecessor is None else compare(world, resource, predecessor, stopped=True)
    return Recovery(comparison, tuple(leftovers), predecessor, None, predecessor)
