"""In which order a container is replaced, and why: start-first wherever two of them can run side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reconciler.model.desired import ContainerResource
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import Verb
from reconciler.model.rollout import Order
from reconciler.model.values import Config, Value
from reconciler.planning.compare import image_of
from reconciler.planning.sharing import donors
from reconciler.planning.world import World

_SHARED = ("service:", "container:")


class Choice(NamedTuple):
    """`refused` says why the order that the container insists on cannot be; "" when it can."""

    order: Order
    why: str
    refused: str = ""

    @property
    def note(self) -> str:
        return f"{self.order.value}: {self.why}"


def choose(
    world: World, resource: ContainerResource, serving: ObservedContainer, verb: Verb, carried: Mapping[str, str]
) -> Choice:
    """The order of a replacement.

    Args:
        carried: volumes nobody named that the successor takes over, by path.
    """
    wanted = resource.rollout.order
    if wanted is Order.STOP_FIRST:
        return Choice(Order.STOP_FIRST, "as asked for")
    if verb is Verb.ADOPT:
        return Choice(
            Order.STOP_FIRST,
            "it is taken over, which takes a replacement since labels cannot be added; what else it has is not known",
        )
    if serving.status != "running":
        return Choice(Order.STOP_FIRST, "what is there does not run")
    if serving.name != resource.name:
        return Choice(Order.STOP_FIRST, "its name changes too")
    hindrance = next(hindrances(world, resource, carried), "")
    if hindrance:
        return Choice(Order.STOP_FIRST, hindrance, hindrance if resource.rollout.insists else "")
    if wanted is Order.START_FIRST:
        return Choice(Order.START_FIRST, "as asked for")
    if _has_check(world, resource, serving):
        return Choice(Order.START_FIRST, "its health check tells when it is ready")
    if resource.rollout.ready_after is not None:
        return Choice(Order.START_FIRST, "ready_after tells when it is ready")
    return Choice(Order.STOP_FIRST, "nothing tells when it is ready; a health check or ready_after would")


def hindrances(world: World, resource: ContainerResource, carried: Mapping[str, str]) -> Iterator[str]:
    """Why two of it cannot run at once."""
    config = resource.config
    for port, places in sorted(_mapping(config.get("ports")).items()):
        for place in places if isinstance(places, tuple) else ():
            if number := str(place).rpartition(":")[2]:
                yield f"only one container can have host port {number}/{port.partition('/')[2]}"
    for network, endpoint in sorted(_mapping(config.get("networks")).items()):
        for option in ("ipv4_address", "ipv6_address", "mac_address"):
            if _mapping(endpoint).get(option):
                yield f"only one container can have its {option} on {network}"
    if config.get("network_mode") == "host":
        yield "it uses the network of the host"
    for option in ("network_mode", "pid", "ipc"):
        if str(config.get(option) or "").startswith(_SHARED):
            yield f"it shares the {option} of another container"
    guests = sorted(str(other.address) for other in _guests(world, resource))
    if guests:
        yield f"{guests[0]} shares its namespace or its mounts"
    if resource.name != f"{world.desired.project}-{resource.address.name}-{resource.address.instance or 1}":
        yield "only one container can have its container_name"
    yield from _exclusive_mounts(world, resource, carried)


def _guests(world: World, resource: ContainerResource) -> list[ContainerResource]:
    return [
        other
        for address in world.dependents.get(resource.address.whole, ())
        if isinstance(other := world.desired.resources.get(address), ContainerResource)
        and any(donor.address == resource.address for donor in donors(world, other).values())
    ]


def _exclusive_mounts(world: World, resource: ContainerResource, carried: Mapping[str, str]) -> Iterator[str]:
    """What it alone writes to: two at once might destroy it. What several write to by the spec is meant to be shared."""
    for path in sorted(carried):
        yield f"it alone writes to the unnamed volume at {path}"
    shared = _written_by(world)
    for target, mount in sorted(_mapping(resource.config.get("volumes")).items()):
        source = _written(_mapping(mount))
        if source and shared.get(source, 0) < 2:
            yield f"it alone writes to {source} at {target}"


def _written_by(world: World) -> dict[str, int]:
    """By source of a mount, how many containers of the project may write to it."""
    if world.writers is None:
        world.writers = {}
        for other in world.desired.containers():
            for source in {_written(_mapping(m)) for m in _mapping(other.config.get("volumes")).values()} - {""}:
                world.writers[source] = world.writers.get(source, 0) + 1
    return world.writers


def _written(mount: Config) -> str:
    """The source of a mount that can be written to; sockets are talked through, not written to."""
    source = str(mount.get("source") or "")
    return "" if mount.get("read_only") or mount.get("type") == "tmpfs" or source.endswith(".sock") else source


def _has_check(world: World, resource: ContainerResource, serving: ObservedContainer) -> bool:
    """Whether the successor has a health check: its own, or that of its image; of one not yet here, as before."""
    declared = _mapping(resource.config.get("healthcheck")).get("test")
    if declared:
        return declared != ("NONE",)
    image = world.image(image_of(world, resource).reference)
    if image is None or image.supplies is None:
        found = _mapping((serving.config or {}).get("healthcheck"))
    else:
        found = _mapping(image.supplies.get("healthcheck"))
    return found.get("test") not in (None, (), ("NONE",))


def publishes(world: World, resource: ContainerResource) -> bool:
    """Whether the engine binds the ports: on networks that are all internal it starts the container without."""
    config = resource.config
    if not config.get("ports") or config.get("network_mode") in ("host", "none"):
        return False
    declared = {network.name: network for network in world.desired.networks() if not network.external}
    for name in resource.networks:
        observed = world.network(name)
        settings = declared[name].config if name in declared else observed.config if observed is not None else {}
        if not settings.get("internal"):
            return True
    return not resource.networks


def _mapping(value: object) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}
