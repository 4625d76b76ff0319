"""One container of ours against what it should be, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.address import Kind
from reconciler.model.desired import ContainerResource, ImageResource
from reconciler.model.observed import ObservedContainer, normal_reference
from reconciler.model.ownership import SETTINGS, hash_declared, hash_option, parse_fingerprint
from reconciler.model.plan import FieldChange, Reason, Verb
from reconciler.model.rows import BY_NAME
from reconciler.model.values import Config, Value
from reconciler.planning.contents import content_fields
from reconciler.planning.decide import Difference
from reconciler.planning.diff import diff_config
from reconciler.planning.expand import declared_options
from reconciler.planning.expected import expected_container, observed_container
from reconciler.planning.lifetime import inputs_of_job, is_done, restarts, state_field
from reconciler.planning.sharing import donors_observed
from reconciler.planning.untold import as_far_as_told
from reconciler.planning.world import World


class Comparison(NamedTuple):
    """What differs, and the two whole configs that were compared."""

    fields: tuple[FieldChange, ...]
    expected: Config
    observed: Config

    @property
    def difference(self) -> Difference:
        if not self.fields:
            return Difference.NONE
        replaced = any(field.forces == "replace" for field in self.fields)
        return Difference.REPLACEMENT if replaced else Difference.IN_PLACE


def compare(
    world: World, resource: ContainerResource, container: ObservedContainer, *, stopped: bool = False
) -> Comparison:
    """Every field of one container of ours against what it should be; `stopped` as for its state."""
    if container.config is None:
        return Comparison((), {}, {})
    made_from = parse_fingerprint(_labels_as_applied(world, resource, container))
    image = world.images_by_id.get(container.image_id)
    supplied = image.supplies if image is not None and image.supplies is not None else None
    donor_ids, renewed = donors_observed(world, resource)
    expected = expected_container(resource, supplied or {}, world.facts, container, donor_ids)
    found = {name: world.network(name) for name in container.network_ids}
    network_ids = {name: "gone" if network is None else network.id for name, network in found.items()}
    observed = observed_container(container, expected, network_ids)
    declared = declared_options(resource)
    observed = as_far_as_told(world.facts, Kind.CONTAINER, expected, observed, declared, made_from)
    _leave_to_networks(world, expected, observed)
    _leave_to_contents(resource, container, expected, observed)
    if expected["volumes"] != observed["volumes"] and made_from.options.get("volumes") == hash_declared(
        resource.config.get("volumes")
    ):
        _forget_former_volumes(expected, observed)
    fields = diff_config(Kind.CONTAINER, expected, observed, declared, made_from)
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
    gone = [name for name, network in found.items() if network is None and name not in ("host", "none")]
    fields += _dead_endpoints(container, expected, gone)
    fields += (
        inputs_of_job(content_fields(resource, container)) if resource.is_job else content_fields(resource, container)
    )
    fields += restarts(world, resource, container)
    extra = (_image_field(world, resource, container), state_field(resource, container, stopped=stopped))
    fields = [*(field for field in extra if field is not None), *fields]
    if is_done(resource, container) and made_from.is_readable:
        # What has ended well is not run again because something moved on the engine, only when its own key changes.
        fields = [f for f in fields if f.forces != "replace" or f.reason not in (Reason.DRIFTED, Reason.DEPENDENCY)]
    return Comparison(tuple(fields), expected, observed)


def _labels_as_applied(world: World, resource: ContainerResource, container: ObservedContainer) -> Mapping[str, str]:
    """The labels, with what was changed in place since they were written, where that is remembered."""
    applied = world.request.applied.get(resource.address)
    return container.labels if applied is None else {**container.labels, SETTINGS: applied}


def _dead_endpoints(container: ObservedContainer, expected: Config, gone: list[str]) -> list[FieldChange]:
    """Endpoints that nobody wants on networks that are no more: the engine neither starts it with them nor lets go."""
    wanted = expected.get("networks")
    unwanted = [
        name for name in gone if container.network_ids[name] and not (isinstance(wanted, Mapping) and name in wanted)
    ]
    return [
        FieldChange(f"networks.{name}", {}, None, Reason.DRIFTED, "replace", shown=("(gone)", "(none)"))
        for name in unwanted
    ]


def _forget_former_volumes(expected: Config, observed: dict[str, Value]) -> None:
    """An anonymous volume that was carried over from a predecessor whose image declared it is no difference.

    Nobody can add a mount to a container by hand, and the spec has not changed.
    """
    wanted, seen = expected.get("volumes"), observed.get("volumes")
    if isinstance(wanted, Mapping) and isinstance(seen, Mapping):
        observed["volumes"] = {
            path: mount for path, mount in seen.items() if path in wanted or mount != {"type": "volume"}
        }


def _leave_to_contents(
    resource: ContainerResource, container: ObservedContainer, expected: dict[str, Value], observed: dict[str, Value]
) -> None:
    """Volumes that hold files follow from the files and from what cannot be written to: those are compared."""
    held = {*resource.holders, *(path for path, volume in container.anonymous.items() if volume in container.holders)}
    for config in (expected, observed):
        mounts = config["volumes"]
        if held and isinstance(mounts, Mapping):
            config["volumes"] = {
                path: mount for path, mount in mounts.items() if path not in held or mount != {"type": "volume"}
            }


def _leave_to_networks(world: World, expected: Config, observed: dict[str, Value]) -> None:
    """A network that is replaced takes its members off and puts them on as declared: nothing is left to do here."""
    wanted, seen = expected.get("networks"), observed.get("networks")
    if isinstance(wanted, Mapping) and isinstance(seen, Mapping):
        renewed = {
            name
            for name in seen
            if name in world.network_addresses and world.will_change(world.network_addresses[name])
        }
        kept = {name: wanted.get(name) if name in renewed else endpoint for name, endpoint in seen.items()}
        observed["networks"] = {name: endpoint for name, endpoint in kept.items() if endpoint is not None}


def _image_field(world: World, resource: ContainerResource, container: ObservedContainer) -> FieldChange | None:
    image = image_of(world, resource)
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


def image_of(world: World, resource: ContainerResource) -> ImageResource:
    """The resource that supplies the image."""
    image = world.desired.resources[resource.image]
    assert isinstance(image, ImageResource)
    return image
