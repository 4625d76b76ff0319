"""Namespaces and mounts that containers share: whose they are, and whether this plan makes them anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import VOLUMES_FROM, AwaitRemoval, Ref, RemoveContainer, Step
from reconciler.planning.phases import serving
from reconciler.planning.world import World

_SHARING = ("network_mode", "pid", "ipc")


def donors(world: World, resource: ContainerResource) -> dict[str, ContainerResource]:
    """By option, or `volumes_from.DONOR`, the container of this project whose namespace or mounts are shared."""
    named = {option: resource.config.get(option) for option in _SHARING}
    mounting = resource.config.get("volumes_from")
    named |= {f"{VOLUMES_FROM}{donor}": donor for donor in (mounting if isinstance(mounting, Mapping) else ())}
    shared = {}
    for option, value in named.items():
        if isinstance(value, str) and value.startswith("service:"):
            instances = world.instances.get(Address(Kind.CONTAINER, value.partition(":")[2]), [])
            if instances:
                shared[option] = instances[0]
    return shared


def donors_observed(world: World, resource: ContainerResource) -> tuple[dict[str, str], list[str]]:
    """By option, the donor's id; and the options whose donor this plan makes anew."""
    ids, renewed = {}, []
    for option, donor in donors(world, resource).items():
        current = serving(world, donor)
        if world.will_change(donor.address) or current is None:
            renewed.append(option)
        ids[option] = current.id if current is not None else ""
    for option in _SHARING:
        value = resource.config.get(option)
        if isinstance(value, str) and value.startswith("container:"):
            named = value.partition(":")[2]
            found = world.containers.get(named) or world.containers_by_id.get(named)
            ids[option] = found.id if found is not None else named
    return ids, renewed


def donor_refs(world: World, resource: ContainerResource) -> dict[str, Ref]:
    """By option, the donor: by its id, or by its name where this plan makes it."""
    refs = {}
    for option, donor in donors(world, resource).items():
        current = serving(world, donor)
        renewed = world.will_change(donor.address) or current is None
        refs[option] = Ref(donor.name, "" if renewed or current is None else current.id)
    return refs


def donor_ids(container: ObservedContainer) -> list[str]:
    """The ids of the containers whose namespaces one shares on the engine."""
    modes = [str((container.config or {}).get(option) or "") for option in _SHARING]
    return [mode.partition(":")[2] for mode in modes if mode.startswith("container:")]


def held_by_sharers(world: World, steps: Iterable[Step]) -> str:
    """Why these steps cannot be done on Podman, which removes no container whose namespaces others share; or ""."""
    if not world.facts.is_podman:
        return ""
    removed = {step.action.container.id for step in steps if isinstance(step.action, RemoveContainer | AwaitRemoval)}
    sharers = sorted(c.name for c in world.containers_by_id.values() if removed.intersection(donor_ids(c)))
    if not sharers:
        return ""
    return (
        f"Podman removes no container whose namespaces others share: remove {', '.join(sharers)} first "
        f"(`podman rm --force {' '.join(sharers)}`), then apply again"
    )
