"""One container: what the engine holds of it, how that differs, and the change that follows."""

from __future__ import annotations

from reconciler.model.address import Address, Kind
from reconciler.model.desired import Condition, ContainerResource, Dependency
from reconciler.model.observed import ObservedContainer
from reconciler.model.ownership import PROJECT, Owner, owner_of, parse_fingerprint
from reconciler.model.plan import (
    WEIGHT,
    Change,
    CreateContainer,
    FieldChange,
    Reason,
    Ref,
    RestartContainer,
    StartContainer,
    Step,
    Verb,
    WaitContainer,
)
from reconciler.planning.compare import Comparison, compare, image_of
from reconciler.planning.contents import files_of, in_place_steps, record
from reconciler.planning.decide import Difference, Situation, decide
from reconciler.planning.expand import (
    Blueprint,
    create_steps,
    grace_seconds,
    recover_steps,
    ref,
    remove_steps,
    replace_steps,
    update_steps,
    wait_for_end,
    wait_seconds,
)
from reconciler.planning.gates import missing_for_container
from reconciler.planning.lifetime import has_failed
from reconciler.planning.phases import Objects, serving, sort_objects
from reconciler.planning.sharing import donor_refs
from reconciler.planning.unnamed import carried_over
from reconciler.planning.untold import dropped
from reconciler.planning.world import World, fingerprint_objects

#: nothing is lost by removing these before their successor is made, and an engine may not rename what is dead
_NEVER_SERVED = ("created", "dead")


def plan_container(world: World, resource: ContainerResource) -> Change | None:
    """The change of one instance, or None when it is settled."""
    objects = sort_objects(resource.name, world.owned_containers(resource.address))
    holder = world.containers.get(resource.name)
    owner = Owner.OURS if objects.all() else None
    if holder is not None and not world.is_ours(Kind.CONTAINER, holder):
        owner = _owner(world, holder)  # whatever we have, a stranger has the name
    forbidden = missing_for_container(resource, world.facts) or dropped(world.facts, Kind.CONTAINER, resource.config)
    comparison, recovery = _compare_objects(world, resource, objects)
    interrupted = bool(recovery) or (objects.current is None and objects.predecessor is not None)
    difference = Difference.INTERRUPTED if interrupted else comparison.difference
    if resource.is_job and has_failed(objects.current) and difference in (Difference.INTERRUPTED, Difference.IN_PLACE):
        difference = Difference.UNDONE  # a predecessor beside it waits for a run that ends well
    situation = Situation(
        kind=Kind.CONTAINER,
        owner=owner,
        newer=any(parse_fingerprint(item.labels).is_newer for item in objects.all()),
        difference=difference,
        adopt=resource.adopt,
    )
    if resource.address in world.request.replace and situation.difference is not Difference.INTERRUPTED:
        situation = situation._replace(difference=Difference.REPLACEMENT)
    row = decide(situation)
    if row.verb is None:
        return None
    relies_on = fingerprint_objects([*objects.all(), holder])
    if row.verb is Verb.BLOCKED or forbidden:
        note = forbidden or _blocked_note(resource, row.because, holder, owner)
        reason = row.reason or weightiest(comparison.fields)
        return Change(resource.address, Verb.BLOCKED, reason, comparison.fields, note=note, relies_on=relies_on)
    change = _expand(world, resource, objects, comparison, recovery, row.verb)
    reason = row.reason or weightiest(comparison.fields)
    if any(isinstance(step.action, CreateContainer) for step in change.steps):
        # Where a tag points now: it may be moved before a saved plan is carried out.
        image = world.image(image_of(world, resource).reference)
        relies_on += f" {image.id if image is not None else 'no image'}"
    return change._replace(reason=reason, relies_on=relies_on)


def weightiest(fields: tuple[FieldChange, ...]) -> Reason:
    """The reason of a change: of the fields that take most, the one that weighs most."""
    return (
        min(fields, key=lambda field: (field.forces != "replace", WEIGHT[field.reason])).reason
        if fields
        else Reason.REQUESTED
    )


def _owner(world: World, holder: ObservedContainer | None) -> Owner | None:
    return None if holder is None else owner_of(Kind.CONTAINER, holder.labels, world.desired.project)[0]


def _blocked_note(
    resource: ContainerResource, because: str, holder: ObservedContainer | None, owner: Owner | None
) -> str:
    if owner is Owner.OURS or holder is None:
        return f"the container {resource.name}: {because}; update reconciler here"
    if owner is Owner.THEIRS:
        project = holder.labels.get(PROJECT, "")
        return f"the container {resource.name} belongs to project {project}; give this one another container_name"
    return (
        f"a container named {resource.name} exists and is not this project's: {because}. "
        "Rename or remove it, give this one another container_name, or take it over with adopt = true"
    )


def _compare_objects(world: World, resource: ContainerResource, objects: Objects) -> tuple[Comparison, list[Step]]:
    """How the object that serves (or served) differs, and the steps that finish an interrupted replacement.

    The rules of recovery, by what is there (see docs/planning.md):
        current alone                  nothing to recover
        candidate beside a current     it was not promoted: it goes
        predecessor beside a current   it was promoted: start it if need be, the predecessor goes
        predecessor, no current        promote the candidate if it is as declared, else the predecessor comes back
        candidate alone                promote it if it is as declared, else it goes
    """
    nothing = Comparison((), {}, {})
    leftovers = [step for item in objects.others for step in remove_steps(item)]
    current, candidate, predecessor = objects.current, objects.candidate, objects.predecessor
    if current is not None:
        comparison = compare(world, resource, current)
        for item in (candidate, predecessor):
            leftovers += remove_steps(item) if item is not None else []
        return comparison, leftovers
    if candidate is not None:
        settled = compare(world, resource, candidate)
        if all(field.path in ("container_name", "state") and field.forces != "replace" for field in settled.fields):
            return settled, leftovers + recover_steps(resource, candidate, predecessor)
        leftovers += remove_steps(candidate)
    if predecessor is not None:
        return compare(world, resource, predecessor), leftovers
    return nothing, leftovers


def _expand(
    world: World,
    resource: ContainerResource,
    objects: Objects,
    comparison: Comparison,
    recovery: list[Step],
    verb: Verb,
) -> Change:
    serving = objects.current or objects.predecessor
    promoted = objects.current is None and any(step.commits for step in recovery)
    blueprint = _blueprint(world, resource)
    if promoted:
        return Change(
            resource.address, Verb.UPDATE, Reason.INTERRUPTED, comparison.fields, (*blueprint.waits, *recovery)
        )
    if verb is Verb.ADOPT:
        serving = world.containers[resource.name]
    if serving is None:
        steps = [*recovery, *create_steps(blueprint, {})]
        return Change(resource.address, Verb.CREATE, Reason.ABSENT, (), tuple(steps))
    if verb in (Verb.REPLACE, Verb.ADOPT) or comparison.difference is Difference.REPLACEMENT:
        verb = Verb.ADOPT if verb is Verb.ADOPT else Verb.REPLACE
        carried = carried_over(world, resource, serving)
        # What is left over goes first: a predecessor beside the current one has the name that this one will need.
        if serving.status in _NEVER_SERVED and verb is Verb.REPLACE:
            steps = [*recovery, *remove_steps(serving), *create_steps(blueprint, carried)]
        else:
            beside = objects.predecessor is serving or objects.candidate is not None
            stopped_by_us = beside and serving.status == "exited" and not resource.is_job
            steps = [*recovery, *replace_steps(blueprint, serving, carried, stopped_by_us=stopped_by_us)]
    else:
        verb = Verb.UPDATE
        networks = _network_refs(world, resource)
        updates = update_steps(resource, serving, comparison.fields, comparison.expected, comparison.observed, networks)
        first, last = in_place_steps(world, resource, serving, comparison.fields, grace_seconds(serving.config))
        if any(isinstance(step.action, RestartContainer) for step in last):
            updates = [step for step in updates if not isinstance(step.action, RestartContainer)]  # once is enough
        updates = [*first, *updates, *last]
        if resource.is_job and recovery and serving.status == "running" and serving is objects.current:
            updates.append(wait_for_end(ref(serving)))
        # A current one that is not running yet is started before its predecessor goes.
        steps = [*updates, *recovery] if objects.current is not None else [*recovery, *updates]
        starts = any(field.forces in ("start", "restart") for field in comparison.fields)
        steps = [*blueprint.waits, *steps] if starts else steps
    return Change(resource.address, verb, weightiest(comparison.fields), comparison.fields, tuple(steps))


# --- what it is made with ------------------------------------------------------------------------------------------


def _blueprint(world: World, resource: ContainerResource) -> Blueprint:
    return Blueprint(
        resource,
        world.desired.project,
        image_of(world, resource).reference,
        world.facts,
        donors=donor_refs(world, resource),
        networks=_network_refs(world, resource),
        waits=tuple(Step(wait) for item in resource.depends_on for wait in _waits(world, item)),
        files=files_of(world, resource),
        record=record(world, resource),
    )


def _network_refs(world: World, resource: ContainerResource) -> dict[str, Ref]:
    refs = {}
    for name in resource.networks:
        network = world.network(name)
        renewed = any(
            world.will_change(item)
            for item in resource.needs
            if item.kind is Kind.NETWORK and _named(world, item, name)
        )
        refs[name] = Ref(name, "" if network is None or renewed else network.id)
    return refs


def _named(world: World, address: Address, name: str) -> bool:
    return getattr(world.desired.resources.get(address), "name", "") == name


def _waits(world: World, dependency: Dependency) -> list[WaitContainer]:
    """What has to be waited for: nothing where the condition holds already and nothing will change it."""
    if dependency.condition is Condition.STARTED:
        return []
    waits = []
    for instance in world.instances.get(dependency.address, ()):
        current = serving(world, instance)
        change = world.changes.get(instance.address)
        if change is not None and instance.is_job and any(isinstance(s.action, StartContainer) for s in change.steps):
            continue  # that change ends with the job, and comes first
        changes = change is not None
        if current is not None and not changes and _holds(current, dependency.condition):
            continue
        known = current is not None and not world.will_change(instance.address)
        target = Ref(instance.name, current.id if known and current is not None else "")
        settings = (current.config if current is not None else None) or instance.config
        if "healthcheck" in instance.config:
            settings = instance.config
        waits.append(WaitContainer(target, dependency.condition, wait_seconds(settings, dependency.condition)))
    return waits


def _holds(container: ObservedContainer, condition: Condition) -> bool:
    if condition is Condition.HEALTHY:
        return container.status == "running" and container.health == "healthy"
    return container.status == "exited" and container.exit_code == 0
