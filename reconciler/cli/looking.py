"""The commands about what runs: status, logs, restart."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.cli.documents import FORMAT_VERSION, print_json
from reconciler.cli.render import Painter, clean
from reconciler.cli.session import kept_hashes, load_spec, open_engine
from reconciler.errors import UsageError
from reconciler.model.address import Address, Kind, parse_address
from reconciler.model.observed import ObservedContainer
from reconciler.model.ownership import Owner, owner_of
from reconciler.model.plan import Change, Verb
from reconciler.planning.expand import grace_seconds
from reconciler.reconcile import Pass, look

if TYPE_CHECKING:
    import argparse

    from reconciler.engine.interface import Engine

_SYNC = {Verb.CREATE: "missing", Verb.REMOVE: "orphan", Verb.BLOCKED: "blocked"}
_WELL = ("healthy", "running", "done", "present", "external")


class Line(NamedTuple):
    """What is said of one resource."""

    address: Address
    sync: str
    health: str
    since: str
    image: str
    ports: tuple[str, ...]
    name: str
    is_job: bool = False
    beside: ObservedContainer | None = None


def status(options: argparse.Namespace) -> int:
    """Each resource: is it as declared, and is it well."""
    desired = load_spec(options)
    made = look(desired, open_engine(options), cache=kept_hashes())
    lines = _lines(made)
    settled = made.plan.is_settled
    healthy = all(line.health in _WELL for line in lines)
    if options.json:
        print_json(
            {
                "format_version": FORMAT_VERSION,
                "project": desired.project,
                "settled": settled,
                "healthy": healthy,
                "resources": [_document(line) for line in lines],
                "warnings": list(made.plan.warnings),
            }
        )
    else:
        _print_table(lines)
        print(
            f"\n{'Settled' if settled else 'Not settled: `reconciler plan` shows the difference'}; {'healthy' if healthy else 'not healthy'}."
        )
    return 0 if settled and healthy else 2


def _document(line: Line) -> dict[str, Any]:
    return {
        "address": str(line.address),
        "kind": line.address.kind.value,
        "name": line.name,
        "sync": line.sync,
        "health": line.health,
        "since": line.since,
        "image": line.image,
        "ports": list(line.ports),
        "job": line.is_job,
        "rollout": None if line.beside is None else {"name": line.beside.name, "health": _health(line.beside)},
    }


def _lines(made: Pass) -> list[Line]:
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
    """Ours by resource, the one that serves first; a second one means that a roll-out is under way, or was cut off."""
    found: dict[tuple[str, int], list[ObservedContainer]] = {}
    for container in made.observed.containers:
        owner, address = owner_of(Kind.CONTAINER, container.labels, made.desired.project)
        if owner is Owner.OURS and address is not None:
            found.setdefault((address.name, address.instance or 1), []).append(container)
    for objects in found.values():
        objects.sort(key=lambda item: (item.status != "running", item.name.endswith((".next", ".prev")), item.name))
    return found


def _line(made: Pass, address: Address, sync: str, containers: list[ObservedContainer]) -> Line:
    resource = made.desired.resources.get(address)
    name = getattr(resource, "name", "") or getattr(resource, "reference", "")
    if containers:
        container, *others = containers
        return Line(
            address,
            sync,
            _health(container),
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
        return Line(
            address,
            sync,
            "present" if image is not None else "absent",
            since,
            image.id[7:19] if image is not None else "",
            (),
            name,
        )
    if address.kind is Kind.CONTAINER:
        return Line(address, sync, "absent", "", "", (), name)
    found = made.observed.network_by_name(name) if address.kind is Kind.NETWORK else made.observed.volume_by_name(name)
    external = getattr(resource, "external", False)
    return Line(address, sync, "absent" if found is None else "external" if external else "present", "", "", (), name)


def _health(container: ObservedContainer) -> str:
    if container.status == "running":
        return container.health or "running"
    if container.status == "exited":
        policy = str((container.config or {}).get("restart") or "no")
        is_done = container.exit_code == 0 and policy.partition(":")[0] in ("no", "on-failure")
        return "done" if is_done else f"exited ({container.exit_code})"
    return container.status


def _health_text(line: Line) -> str:
    if line.beside is None:
        return line.health
    role = {".next": "candidate", ".prev": "predecessor"}.get(line.beside.name[-5:], "other")
    return f"{line.health}; {role} {_health(line.beside)}"


def _print_table(lines: list[Line]) -> None:
    painter = Painter()
    rows = [("RESOURCE", "SYNC", "HEALTH", "SINCE", "IMAGE", "PORTS")]
    rows += [
        (
            clean(str(line.address)),
            line.sync,
            _health_text(line),
            ago(line.since),
            clean(line.image),
            ", ".join(line.ports),
        )
        for line in lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    for number, row in enumerate(rows):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        if number and lines[number - 1].sync != "in sync":
            cells[1] = painter.paint(cells[1], "33")
        if number and lines[number - 1].health not in _WELL:
            cells[2] = painter.paint(cells[2], "31")
        print("  ".join(cells).rstrip())


def ago(moment: str, now: datetime | None = None) -> str:
    """`5m` for a time in RFC 3339; "" for none."""
    if not moment:
        return ""
    try:
        then = datetime.fromisoformat(moment[:19] + "+00:00" if moment.endswith("Z") else moment)
    except ValueError:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


# --- one container -------------------------------------------------------------------------------------------------


def _find(options: argparse.Namespace, engine: Engine) -> list[tuple[ObservedContainer, Address]]:
    """The project's containers that an address names.

    Raises:
        UsageError: it is no address of a container, or there is none.
    """
    from reconciler.engine.observe import observe

    try:
        wanted = parse_address(options.address)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if wanted.kind is not Kind.CONTAINER:
        raise UsageError(f"{options.address} is not a container's address\n    hint: write one such as container.web")
    project = load_spec(options, builds=False).project
    found = []
    for container in observe(engine, project).containers:
        owner, address = owner_of(Kind.CONTAINER, container.labels, project)
        if (
            owner is Owner.OURS
            and address is not None
            and address.name == wanted.name
            and wanted.instance in (0, address.instance or 1)
        ):
            found.append((container, address))
    if not found:
        raise UsageError(
            f"{options.address} of project {project} is not on the engine\n    hint: `reconciler status` lists what is"
        )
    return sorted(found, key=lambda pair: pair[1].sort_key)


def logs(options: argparse.Namespace) -> int:
    """Print what a container wrote: its output to stdout, its errors to stderr."""
    if options.tail != "all" and not options.tail.isdigit():
        raise UsageError(f"--tail takes a number of lines or all, not {options.tail!r}")
    since = _since(options.since)
    engine = open_engine(options)
    found = _find(options, engine)
    if options.follow and len(found) > 1:
        raise UsageError(
            f"{options.address} has {len(found)} instances\n    hint: follow one of them, such as {options.address}[1]"
        )
    try:
        for container, address in found:
            if len(found) > 1:
                print(f"==> {clean(str(address))} <==", file=sys.stderr, flush=True)
            chunks = engine.container_logs(
                container.id, follow=options.follow, tail=options.tail, timestamps=options.timestamps, since=since
            )
            for stream, chunk in chunks:
                target = sys.stdout if stream == "stdout" else sys.stderr
                target.buffer.write(chunk)
                target.flush()
    except KeyboardInterrupt:
        if not options.follow:
            raise
        # That is how one stops following.
    return 0


def _since(text: str) -> str:
    """Seconds since 1970 for the API, from a duration back from now or a time in ISO 8601."""
    if not text:
        return ""
    from reconciler.model.scalars import declare_duration

    try:
        return str(int(datetime.now(UTC).timestamp() - (declare_duration(text) or 0) / 10**9))
    except ValueError:
        pass
    try:
        return str(int(datetime.fromisoformat(text).timestamp()))
    except ValueError:
        raise UsageError(
            f"--since takes a duration such as 10m or a time such as 2026-01-31T10:00:00, not {text!r}"
        ) from None


def restart(options: argparse.Namespace) -> int:
    """Restart a container, or one instance after the other."""
    engine = open_engine(options)
    for container, address in _find(options, engine):
        engine.restart_container(container.id, grace_seconds(container.config))
        print(f"{address}: restarted")
    return 0
