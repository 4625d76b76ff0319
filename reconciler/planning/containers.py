"""One container: what the engine holds of it, how that differs, and the change that follows."""

from __future__ import annotations

from collections.abc import Mapping

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
from reconciler.model.rollout import Order
from reconciler.planning.compare import Comparison, image_of
from reconciler.planning.contents import files_of, in_place_steps, record
from reconciler.planning.decide import Difference, Situation, decide
from reconciler.planning.expand import (
    Blueprint,
    create_steps,
    grace_seconds,
    is_removed_at_its_end,
    ref,
    remove_steps,
    update_steps,
    wait_for_end,
    wait_seconds,
)
from reconciler.planning.gates import missing_for_container
from reconciler.planning.lifetime import has_failed
from reconciler.planning.phases import Objects, serving, sort_objects
from reconciler.planning.recovery import Recovery, recover
from reconciler.planning.replacing import finish_steps, promote_job_steps, start_first_steps, stop_first_steps
from reconciler.planning.rollout import choose, publishes
from reconciler.planning.sharing import donor_refs, held_by_sharers
from reconciler.planning.unnamed import carried_over
from reconciler.planning.untold import dropped
from reconciler.planning.world import World, fingerprint_objects

#: nothing is lost by removing these before their successor is made, and an engine may not rename what is dead
_NEVER_SERVED = ("created", "dead")


def plan_container(world: World, resource: ContainerResource) -> Change | None:
    """The change of one instance, or None when it is settled."""
    objects = sort_objects(world, resource)
    holder = world.containers.get(resource.name)
    owner = Owner.OURS if objects.all() else None
    if holder is not None and not world.is_ours(Kind.CONTAINER, holder):
        owner = _owner(world, holder)  # whatever we have, a stranger has the name
    found = world.image(image_of(world, resource).reference)
    supplied = found.supplies if found is not None else None
    forbidden = missing_for_container(resource, world.facts) or dropped(
        world.facts, Kind.CONTAINER, resource.config, supplied
    )
    recovery = recover(world, resource, objects)
    comparison = recovery.comparison
    difference = Difference.INTERRUPTED if recovery.is_needed else comparison.difference
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
    change = _expand(world, resource, objects, recovery, row.verb)
    reason = row.reason or weightiest(comparison.fields)
    if held := held_by_sharers(world, change.steps):
        return Change(resource.address, Verb.BLOCKED, reason, comparison.fields, note=held, relies_on=relies_on)
    if any(isinstance(step.action, CreateContainer) for step in change.steps):
        # Where a tag points now: it may be moved before a saved plan is carried out.
        relies_on += f" {found.id if found is not None else 'no image'}"
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


def _expand(world: World, resource: ContainerResource, objects: Objects, recovery: Recovery, verb: Verb) -> Change:
    comparison, leftovers, serving = recovery.comparison, recovery.leftovers, recovery.serving
    blueprint = _blueprint(world, resource)
    if recovery.candidate is not None:
        steps = [*blueprint.waits, *leftovers, *_finish(world, blueprint, recovery)]
        return Change(resource.address, Verb.UPDATE, Reason.INTERRUPTED, comparison.fields, tuple(steps))
    if verb is Verb.ADOPT:
        serving = world.containers[resource.name]
    if serving is None:
        steps = [*leftovers, *create_steps(blueprint, {})]
        return Change(resource.address, Verb.CREATE, Reason.ABSENT, (), tuple(steps))
    if verb in (Verb.REPLACE, Verb.ADOPT) or comparison.difference is Difference.REPLACEMENT:
        return _replace(
            world, blueprint, objects, recovery, serving, Verb.ADOPT if verb is Verb.ADOPT else Verb.REPLACE
        )
    updates = _update_steps(world, blueprint, serving, comparison)
    if resource.is_job and leftovers and serving.status == "running" and serving is objects.current:
        updates.append(wait_for_end(ref(serving)))
    # A job that is not running yet runs before its predecessor goes.
    is_first = resource.is_job and objects.current is not None
    steps = [*updates, *leftovers] if is_first else [*leftovers, *updates]
    starts = any(field.forces in ("start", "restart") for field in comparison.fields)
    steps = [*blueprint.waits, *steps] if starts else steps
    return Change(resource.address, Verb.UPDATE, weightiest(comparison.fields), comparison.fields, tuple(steps))


def _finish(world: World, blueprint: Blueprint, recovery: Recovery) -> list[Step]:
    candidate, predecessor = recovery.candidate, recovery.predecessor
    assert candidate is not None
    if blueprint.resource.is_job or predecessor is None:
        return promote_job_steps(blueprint, candidate, predecessor)
    updates = _update_steps(world, blueprint, candidate, recovery.comparison)
    return finish_steps(blueprint, candidate, predecessor, updates)


def _update_steps(
    world: World, blueprint: Blueprint, container: ObservedContainer, comparison: Comparison
) -> list[Step]:
    """What changes a container in place, its contents with it."""
    resource, fields = blueprint.resource, comparison.fields
    networks = {**_attached_refs(world, resource, container), **_network_refs(world, resource)}
    updates = update_steps(resource, container, fields, comparison.expected, comparison.observed, networks)
    first, last = in_place_steps(world, resource, container, fields, grace_seconds(container.config))
    if any(isinstance(step.action, RestartContainer) for step in last):
        updates = [step for step in updates if not isinstance(step.action, RestartContainer)]  # once is enough
    return [*first, *updates, *last]


def _replace(
    world: World, blueprint: Blueprint, objects: Objects, recovery: Recovery, serving: ObservedContainer, verb: Verb
) -> Change:
    resource, fields = blueprint.resource, recovery.comparison.fields
    change = Change(resource.address, verb, weightiest(fields), fields)
    blueprint = blueprint._replace(adopts=serving.id) if verb is Verb.ADOPT else blueprint
    carried = carried_over(world, resource, serving)
    # What is left over goes first: a predecessor beside the current one has the name that this one will need.
    if serving.status in _NEVER_SERVED and verb is Verb.REPLACE:
        return change._replace(steps=(*recovery.leftovers, *remove_steps(serving), *create_steps(blueprint, carried)))
    if resource.is_job:
        steps = stop_first_steps(blueprint, serving, carried, stopped_by_us=False)
        return change._replace(steps=(*recovery.leftovers, *steps))
    choice = choose(world, resource, serving, verb, carried)
    if choice.refused:
        note = f'start-first is not possible: {choice.refused}; write order = "auto" or "stop-first"'
        return change._replace(verb=Verb.BLOCKED, note=note)
    if choice.order is Order.START_FIRST:
        steps = start_first_steps(blueprint, serving, carried)
    else:
        beside = recovery.predecessor is serving or objects.candidate is not None
        stopped_by_us = beside and serving.status == "exited"
        steps = stop_first_steps(blueprint, serving, carried, stopped_by_us=stopped_by_us)
    lost = (
        "; the engine removes it as it stops (--rm), so that there is no way back"
        if is_removed_at_its_end(serving)
        else ""
    )
    note = choice.note + (lost if choice.order is Order.STOP_FIRST else "")
    return change._replace(steps=(*recovery.leftovers, *steps), order=choice.order.value, note=note)


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
        published=publishes(world, resource),
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


def _attached_refs(world: World, resource: ContainerResource, serving: ObservedContainer) -> dict[str, Ref]:
    """The networks that it is attached to and should not be, as they are now."""
    found = {name: world.network(name) for name in serving.network_ids if name not in resource.networks}
    return {name: Ref(name, network.id) for name, network in found.items() if network is not None}


def _named(world: World, address: Address, name: str) -> bool:
    return getattr(world.desired.resources.get(address), "name", "") == name


def _waits(world: World, dependency: Dependency) -> list[WaitContainer]:
    """What has to be waited for: nothing where the condition holds already and nothing will change it.

    What is started has come to that when its own change has ended, but for ports: an engine may start it without them.
    """
    waits = []
    for instance in world.instances.get(dependency.address, ()):
        published = dependency.condition is not Condition.COMPLETED and publishes(world, instance)
        if dependency.condition is Condition.STARTED and not published:
            continue
        current = serving(world, instance)
        change = world.changes.get(instance.address)
        if change is not None and instance.is_job and any(isinstance(s.action, StartContainer) for s in change.steps):
            continue  # that change ends with the job, and comes first
        changes = change is not None
        if current is not None and not changes and _holds(current, dependency.condition, published=published):
            continue
        known = current is not None and not world.will_change(instance.address)
        target = Ref(instance.name, current.id if known and current is not None else "")
        settings = (current.config if current is not None else None) or instance.config
        if "healthcheck" in instance.config:
            settings = instance.config
        timeout = wait_seconds(settings, dependency.condition)
        waits.append(WaitContainer(target, dependency.condition, timeout, published))
    return waits


def _holds(container: ObservedContainer, condition: Condition, *, published: bool) -> bool:
    if condition is Condition.COMPLETED or (condition is Condition.STARTED and container.status == "exited"):
        return container.status == "exited" and container.exit_code == 0
    bound, ports = {place.rpartition("->")[2] for place in container.published}, (container.config or {}).get("ports")
    if published and isinstance(ports, Mapping) and not bound.issuperset(ports):
        return False
    return container.status == "running" and (condition is Condition.STARTED or container.health == "healthy")
