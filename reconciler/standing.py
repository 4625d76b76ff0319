"""How each resource stands after a look: in sync or not, healthy or not, since when. For `status` and the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from reconciler.model.address import Address, Kind
from reconciler.model.observed import ObservedContainer
from reconciler.model.ownership import Owner, owner_of
from reconciler.model.plan import Change, Verb
from reconciler.reconcile import Pass

_SYNC = {Verb.CREATE: "missing", Verb.REMOVE: "orphan", Verb.BLOCKED: "blocked"}
#: what needs nobody's attention
WELL = ("healthy", "running", "done", "present", "external")


class Standing(NamedTuple):
    """What is said of one resource: whether it is as declared, and, apart from that, how it is."""

    address: Address
    sync: str
    health: str
    since: str
    image: str
    ports: tuple[str, ...]
    name: str
    is_job: bool = False
    #: a second object of a container: a roll-out is under way, or was cut off
    beside: ObservedContainer | None = None


def standings(made: Pass) -> list[Standing]:
    """Every resource that is declared or planned for, in order."""
    changes: dict[Address, Change] = {}
    for change in made.plan.changes:
        changes.setdefault(change.address, change)
    owned = _owned(made)
    lines = []
    for address in sorted(
        {*made.desired.resources, *(change.address for change in made.plan.changes)}, key=lambda a: a.sort_key
    ):
        found = changes.get(address)
        sync = "in sync" if found is None else _SYNC.get(found.verb, "out of sync")
        lines.append(
            _line(
                made,
                address,
                sync,
                owned.get((address.name, address.instance or 1), []) if address.kind is Kind.CONTAINER else [],
            )
        )
    return lines


def _owned(made: Pass) -> dict[tuple[str, int], list[ObservedContainer]]:
    """Ours by resource, the one that serves first."""
    found: dict[tuple[str, int], list[ObservedContainer]] = {}
    for container in made.observed.containers:
        owner, address = owner_of(Kind.CONTAINER, container.labels, made.desired.project)
        if owner is Owner.OURS and address is not None:
            found.setdefault((address.name, address.instance or 1), []).append(container)
    for objects in found.values():
        objects.sort(key=lambda item: (item.status != "running", item.name.endswith((".next", ".prev")), item.name))
    return found


def _line(made: Pass, address: Address, sync: str, containers: list[ObservedContainer]) -> Standing:
    resource = made.desired.resources.get(address)
    name = getattr(resource, "name", "") or getattr(resource, "reference", "")
    if containers:
        container, *others = containers
        return Standing(
            address,
            sync,
            health_of(container),
            container.since,
            container.image,
            container.published,
            container.name,
            getattr(resource, "is_job", False),
            others[0] if others else None,
        )
    if address.kind is Kind.IMAGE:
        image = made.observed.image_by_reference(name) if name else None
        since = datetime.fromtimestamp(image.created, UTC).isoformat() if image is not None and image.created else ""
        return Standing(
            address,
            sync,
            "present" if image is not None else "absent",
            since,
            image.id[7:19] if image is not None else "",
            (),
            name,
        )
    if address.kind is Kind.CONTAINER:
        return Standing(address, sync, "absent", "", "", (), name)
    found = made.observed.network_by_name(name) if address.kind is Kind.NETWORK else made.observed.volume_by_name(name)
    external = getattr(resource, "external", False)
    return Standing(
        address, sync, "absent" if found is None else "external" if external else "present", "", "", (), name
    )


def health_of(container: ObservedContainer) -> str:
    if container.status == "running":
        return container.health or "running"
    if container.status == "exited":
        policy = str((container.config or {}).get("restart") or "no")
        is_done = container.exit_code == 0 and policy.partition(":")[0] in ("no", "on-failure")
        return "done" if is_done else f"exited ({container.exit_code})"
    return container.status
