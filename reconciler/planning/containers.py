"""One container: what the engine holds of it, how that differs, and the change that follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.address import Address, Kind
from reconciler.model.desired import Condition, ContainerResource, Dependency, ImageResource
from reconciler.model.observed import ObservedContainer, normal_reference
from reconciler.model.ownership import Owner, hash_option, owner_of, parse_fingerprint
from reconciler.model.plan import WEIGHT, Change, FieldChange, Reason, Ref, Step, Verb, WaitContainer
from reconciler.model.rows import BY_NAME
from reconciler.model.values import Config
from reconciler.planning.decide import Difference, Situation, decide
from reconciler.planning.diff import diff_config
from reconciler.planning.expand import (
    NEXT,
    PREVIOUS,
    Blueprint,
    create_steps,
    declared_options,
    promote_steps,
    ref,
    remove_steps,
    replace_steps,
    update_steps,
    wait_seconds,
)
from reconciler.planning.expected import expected_container, observed_container
from reconciler.planning.world import World, fingerprint_objects

_SHARING = ("network_mode", "pid", "ipc")
_SINCE = {"healthcheck.start_interval": (1, 44), "volumes.subpath": (1, 45)}


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


class Comparison(NamedTuple):
    fields: tuple[FieldChange, ...]
    expected: Config
    observed: Config

    @property
    def difference(self) -> Difference:
        if not self.fields:
            return Difference.NONE
        replaced = any(field.forces == "replace" for field in self.fields)
        return Difference.REPLACEMENT if replaced else Difference.IN_PLACE


def sort_objects(name: str, containers: list[ObservedContainer]) -> Objects:
    candidates = [item for item in containers if item.name.endswith(NEXT)]
    predecessors = [item for item in containers if item.name.endswith(PREVIOUS)]
    plain = [item for item in containers if item not in candidates and item not in predecessors]
    plain.sort(key=lambda item: (item.name != name, item.status != "running", item.name))
    extra = [*plain[1:], *candidates[1:], *predecessors[1:]]
    first = [group[0] if group else None for group in (plain, candidates, predecessors)]
    return Objects(first[0], first[1], first[2], tuple(extra))


def plan_container(world: World, resource: ContainerResource) -> Change | None:
    """The change of one instance, or None when it is settled."""
    objects = sort_objects(resource.name, world.owned_containers(resource.address))
    holder = world.containers.get(resource.name)
    owner = Owner.OURS if objects.all() else _owner(world, holder)
    if owner is Owner.OURS and holder is not None and not world.is_ours(Kind.CONTAINER, holder):
        owner = _owner(world, holder)  # ours goes by another name, and a stranger has taken this one
    relies_on = fingerprint_objects([*objects.all(), holder])
    forbidden = _unsupported(world, resource)
    comparison, recovery = _compare_objects(world, resource, objects)
    interrupted = bool(recovery) or (objects.current is None and objects.predecessor is not None)
    situation = Situation(
        kind=Kind.CONTAINER,
        owner=owner,
        newer=any(parse_fingerprint(item.labels).is_newer for item in objects.all()),
        difference=Difference.INTERRUPTED if interrupted else comparison.difference,
        adopt=resource.adopt,
    )
    if resource.address in world.request.replace and situation.difference is not Difference.INTERRUPTED:
        situation = situation._replace(difference=Difference.REPLACEMENT)
    row = decide(situation)
    if row.verb is None:
        return None
    if row.verb is Verb.BLOCKED or forbidden:
        note = forbidden or _blocked_note(resource, row.because, holder)
        reason = row.reason or weightiest(comparison.fields)
        return Change(resource.address, Verb.BLOCKED, reason, comparison.fields, note=note, relies_on=relies_on)
    change = _expand(world, resource, objects, comparison, recovery, row.verb)
    reason = row.reason or weightiest(comparison.fields)
    return change._replace(reason=reason, relies_on=relies_on)


def weightiest(fields: tuple[FieldChange, ...]) -> Reason:
    return min((field.reason for field in fields), key=WEIGHT.__getitem__, default=Reason.REQUESTED)


def _owner(world: World, holder: ObservedContainer | None) -> Owner | None:
    return None if holder is None else owner_of(Kind.CONTAINER, holder.labels, world.desired.project)[0]


def _blocked_note(resource: ContainerResource, because: str, holder: ObservedContainer | None) -> str:
    if holder is None:
        return because
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
        if all(field.path in ("container_name", "state") for field in settled.fields):
            steps = leftovers + promote_steps(ref(candidate), resource.name)
            return settled, steps + (remove_steps(predecessor) if predecessor is not None else [])
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
        steps = [*recovery, *create_steps(blueprint)]
        return Change(resource.address, Verb.CREATE, Reason.ABSENT, (), tuple(steps))
    difference = comparison.difference
    if verb in (Verb.REPLACE, Verb.ADOPT) or difference is Difference.REPLACEMENT:
        # A predecessor beside the current one is in the way of the next, so what is left over goes first.
        verb = Verb.ADOPT if verb is Verb.ADOPT else Verb.REPLACE
        steps = [*recovery, *replace_steps(blueprint, serving, _carried_over(world, resource, serving))]
    elif any(field.path == "state" and field.forces == "replace" for field in comparison.fields):
        steps = [*recovery, *remove_steps(serving), *create_steps(blueprint)]
    else:
        verb = Verb.UPDATE
        networks = _network_refs(world, resource)
        updates = update_steps(resource, serving, comparison.fields, comparison.expected, comparison.observed, networks)
        # A current one that is not running yet is started before its predecessor goes.
        steps = [*updates, *recovery] if objects.current is not None else [*recovery, *updates]
        starts = any(field.path == "state" for field in comparison.fields)
        steps = [*blueprint.waits, *steps] if starts else steps
    return Change(resource.address, verb, weightiest(comparison.fields), comparison.fields, tuple(steps))


def _carried_over(world: World, resource: ContainerResource, serving: ObservedContainer) -> dict[str, str]:
    """The volumes nobody named that the successor takes over, by path: those of the image, and those still declared."""
    image = world.images_by_id.get(serving.image_id)
    if image is None or image.supplies is None:
        return dict(serving.anonymous)
    declared, supplied = resource.config.get("volumes"), image.supplies.get("volumes")
    named = dict(declared) if isinstance(declared, Mapping) else {}
    wanted = {target for target, mount in named.items() if isinstance(mount, Mapping) and "source" not in mount}
    wanted |= {target for target in (supplied if isinstance(supplied, Mapping) else ()) if target not in named}
    return {path: volume for path, volume in serving.anonymous.items() if path in wanted}


# --- comparing -----------------------------------------------------------------------------------------------------


def compare(world: World, resource: ContainerResource, container: ObservedContainer) -> Comparison:
    """Every field of one container of ours against what it should be."""
    if container.config is None:
        return Comparison((), {}, {})
    made_from = parse_fingerprint(container.labels)
    image = world.images_by_id.get(container.image_id)
    supplied = image.supplies if image is not None and image.supplies is not None else None
    donor_ids, renewed = _donors_observed(world, resource)
    expected = expected_container(resource, supplied or {}, world.facts, container, donor_ids)
    network_ids = {name: network.id for name in resource.networks if (network := world.network(name)) is not None}
    observed = observed_container(container, expected, network_ids)
    fields = diff_config(Kind.CONTAINER, expected, observed, declared_options(resource), made_from)
    if supplied is None:  # the image is gone, and what it supplied cannot be told from what was changed
        rows = BY_NAME[Kind.CONTAINER]
        fields = [f for f in fields if (name := f.path.partition(".")[0]) not in rows or rows[name].image == "no"]
    fields = [field for field in fields if field.path not in renewed]
    for option in renewed:
        fields.append(
            FieldChange(
                option, observed.get(option), None, Reason.DEPENDENCY, "replace", shown=("(shared)", "(made anew)")
            )
        )
    extra = (_image_field(world, resource, container), _state_field(resource, container))
    return Comparison((*(field for field in extra if field is not None), *fields), expected, observed)


def _image_field(world: World, resource: ContainerResource, container: ObservedContainer) -> FieldChange | None:
    image = _image_of(world, resource)
    change = world.changes.get(resource.image)
    pending = change is not None and change.verb in (Verb.CREATE, Verb.REPLACE)
    found = world.image(image.reference)
    if not pending and (found is None or found.id == container.image_id):
        return None
    if pending and change is not None and change.reason is Reason.CONTENT_CHANGED:
        reason = Reason.CONTENT_CHANGED
    else:
        declared = hash_option(resource.config.get("image"))
        then = parse_fingerprint(container.labels).options.get("image", declared)
        reason = Reason.IMAGE_CHANGED if then == declared else Reason.SPEC_CHANGED
    before, after = container.image, image.reference
    if normal_reference(before) == normal_reference(after):
        before = f"{before} ({container.image_id[7:19]})"
        after = f"{after} ({'made by this plan' if pending or found is None else found.id[7:19]})"
    return FieldChange("image", before, after, reason, "replace", shown=(f'"{before}"', f'"{after}"'))


def _state_field(resource: ContainerResource, container: ObservedContainer) -> FieldChange | None:
    """What is not running is judged by its restart policy: exit 0 under `no` or `on-failure` is done."""
    status = container.status
    if status in ("running", "restarting", "removing"):
        return None
    policy = str(resource.config.get("restart") or "no")
    ended_well = status == "exited" and container.exit_code == 0 and (policy == "no" or policy.startswith("on-failure"))
    if ended_well and not container.name.endswith(PREVIOUS):  # a predecessor did not end, it was stopped
        return None
    seen = f"exited ({container.exit_code})" if status == "exited" else status
    # What was created and could not be started is made anew: a second start may come up without its ports.
    forces = "replace" if status == "dead" or (status == "created" and container.error) else "start"
    reason = Reason.INTERRUPTED if status == "created" else Reason.DRIFTED
    return FieldChange("state", seen, "running", reason, forces, shown=(seen, "running"))


def _image_of(world: World, resource: ContainerResource) -> ImageResource:
    image = world.desired.resources[resource.image]
    assert isinstance(image, ImageResource)
    return image


def _unsupported(world: World, resource: ContainerResource) -> str:
    """What the engine's API version would drop in silence, as a note; "" when it knows everything."""
    version, config = world.facts.api_version, resource.config
    needed = {name: BY_NAME[Kind.CONTAINER][name].since for name in config}
    check, mounts = config.get("healthcheck"), config.get("volumes")
    if isinstance(check, Mapping) and "start_interval" in check:
        needed["healthcheck.start_interval"] = _SINCE["healthcheck.start_interval"]
    if isinstance(mounts, Mapping) and any(isinstance(m, Mapping) and "subpath" in m for m in mounts.values()):
        needed["volumes.subpath"] = _SINCE["volumes.subpath"]
    missing = [f"{name} needs API {since[0]}.{since[1]}" for name, since in needed.items() if since > version]
    return f"{', '.join(missing)}; this engine speaks {world.facts.api_text}" if missing else ""


# --- what it is made with ------------------------------------------------------------------------------------------


def _blueprint(world: World, resource: ContainerResource) -> Blueprint:
    return Blueprint(
        resource,
        world.desired.project,
        _image_of(world, resource).reference,
        world.facts,
        donors=_donor_refs(world, resource),
        networks=_network_refs(world, resource),
        waits=[wait for item in resource.depends_on for wait in _waits(world, item)],
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


def _shared_with(world: World, resource: ContainerResource) -> dict[str, ContainerResource]:
    """By option, the container of this project whose namespace is shared."""
    shared = {}
    for option in _SHARING:
        value = resource.config.get(option)
        if isinstance(value, str) and value.startswith("service:"):
            instances = world.instances.get(Address(Kind.CONTAINER, value.partition(":")[2]), [])
            if instances:
                shared[option] = instances[0]
    return shared


def _serving(world: World, resource: ContainerResource) -> ObservedContainer | None:
    return sort_objects(resource.name, world.owned_containers(resource.address)).current


def _donors_observed(world: World, resource: ContainerResource) -> tuple[dict[str, str], list[str]]:
    """By option, the donor's id; and the options whose donor this plan makes anew."""
    ids, renewed = {}, []
    for option, donor in _shared_with(world, resource).items():
        serving = _serving(world, donor)
        if world.will_change(donor.address) or serving is None:
            renewed.append(option)
        ids[option] = serving.id if serving is not None else ""
    for option in _SHARING:
        value = resource.config.get(option)
        if isinstance(value, str) and value.startswith("container:"):
            named = value.partition(":")[2]
            found = world.containers.get(named) or world.containers_by_id.get(named)
            ids[option] = found.id if found is not None else named
    return ids, renewed


def _donor_refs(world: World, resource: ContainerResource) -> dict[str, Ref]:
    refs = {}
    for option, donor in _shared_with(world, resource).items():
        serving = _serving(world, donor)
        renewed = world.will_change(donor.address) or serving is None
        refs[option] = Ref(donor.name, "" if renewed or serving is None else serving.id)
    return refs


def _waits(world: World, dependency: Dependency) -> list[WaitContainer]:
    """What has to be waited for: nothing where the condition holds already and nothing will change it."""
    if dependency.condition is Condition.STARTED:
        return []
    waits = []
    for instance in world.instances.get(dependency.address, ()):
        serving = _serving(world, instance)
        changes = instance.address in world.changes
        if serving is not None and not changes and _holds(serving, dependency.condition):
            continue
        known = serving is not None and not world.will_change(instance.address)
        target = Ref(instance.name, serving.id if known and serving is not None else "")
        settings = (serving.config if serving is not None else None) or instance.config
        if "healthcheck" in instance.config:
            settings = instance.config
        waits.append(WaitContainer(target, dependency.condition, wait_seconds(settings, dependency.condition)))
    return waits


def _holds(container: ObservedContainer, condition: Condition) -> bool:
    if condition is Condition.HEALTHY:
        return container.status == "running" and container.health == "healthy"
    return container.status == "exited" and container.exit_code == 0
