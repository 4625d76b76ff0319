"""Volumes that nobody named: an image declares them, or a path stands alone in the spec."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.desired import ContainerResource, ImageResource
from reconciler.model.observed import ObservedContainer, ObservedImage
from reconciler.planning.world import World


def carried_over(world: World, resource: ContainerResource, serving: ObservedContainer) -> dict[str, str]:
    """The volumes nobody named that the successor takes over, by path: those of the image, and those still declared."""
    image = world.images_by_id.get(serving.image_id)
    if image is None or image.supplies is None:
        return {path: volume for path, volume in serving.anonymous.items() if volume not in serving.holders}
    declared = resource.config.get("volumes")
    named = dict(declared) if isinstance(declared, Mapping) else {}
    wanted = {target for target, mount in named.items() if isinstance(mount, Mapping) and "source" not in mount}
    wanted |= set(_supplied(resource, image))
    return {
        path: volume for path, volume in serving.anonymous.items() if path in wanted and volume not in serving.holders
    }


def warnings(world: World) -> list[str]:
    """A sentence for each container whose image declares volumes that the spec does not name."""
    found = []
    for whole, instances in world.instances.items():
        resource = instances[0]
        source = world.desired.resources.get(resource.image)
        image = world.image(source.reference) if isinstance(source, ImageResource) else None
        paths = sorted(_supplied(resource, image)) if image is not None else []
        if paths:
            found.append(
                f"{whole}: its image declares {'the volume' if len(paths) == 1 else 'volumes at'} {', '.join(paths)}, "
                "which the spec does not name: a replacement carries over what is in it, but once the container is "
                f'removed nobody finds it again; name it while it is empty: volumes = ["{whole.name}-data:{paths[0]}"]'
            )
    return found


def _supplied(resource: ContainerResource, image: ObservedImage) -> list[str]:
    """Where the image has volumes and the spec mounts nothing."""
    declared, tmpfs = resource.config.get("volumes"), resource.config.get("tmpfs")
    covered = {
        *resource.holders,
        *(declared if isinstance(declared, Mapping) else ()),
        *(tmpfs if isinstance(tmpfs, Mapping) else ()),
    }
    supplied = (image.supplies or {}).get("volumes")
    return [path for path in (supplied if isinstance(supplied, Mapping) else ()) if path not in covered]
