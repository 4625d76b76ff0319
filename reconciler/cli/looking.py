"""The commands about what runs: status, logs, restart."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.apply.writer import holder_of
from reconciler.cli.documents import print_json
from reconciler.cli.render import Painter, clean
from reconciler.cli.session import kept_hashes, load_spec, open_engine
from reconciler.errors import UsageError
from reconciler.model.address import Address, Kind, parse_address
from reconciler.model.documents import FORMAT_VERSION
from reconciler.model.observed import ObservedContainer
from reconciler.model.ownership import Owner, owner_of
from reconciler.planning.expand import grace_seconds
from reconciler.reconcile import look
from reconciler.standing import WELL, Standing, health_of, standings

if TYPE_CHECKING:
    import argparse

    from reconciler.engine.interface import Engine
    from reconciler.model.lease import Lease


def status(options: argparse.Namespace) -> int:
    """Each resource: is it as declared, and is it well."""
    desired = load_spec(options)
    made = look(desired, open_engine(options), cache=kept_hashes())
    lines = standings(made)
    settled = made.plan.is_settled
    healthy = all(line.health in WELL for line in lines)
    writer = holder_of(made.observed.leases, desired.project)
    if options.json:
        print_json(
            {
                "format_version": FORMAT_VERSION,
                "project": desired.project,
                "settled": settled,
                "healthy": healthy,
                "resources": [_document(line) for line in lines],
                "writer": None if writer is None else {**writer.holder._asdict(), "since": writer.since},
                "warnings": list(made.plan.warnings),
            }
        )
    else:
        _print_table(lines)
        if writer is not None:
            print(f"\nBeing changed by {clean(str(writer.holder))}{for_how_long(writer)}.")
        print(
            f"\n{'Settled' if settled else 'Not settled: `reconciler plan` shows the difference'}; {'healthy' if healthy else 'not healthy'}."
        )
    return 0 if settled and healthy else 2


def for_how_long(writer: Lease) -> str:
    since = ago(datetime.fromtimestamp(writer.since, UTC).isoformat()) if writer.since > 0 else ""
    return f" for {since}" if since else ""


def _document(line: Standing) -> dict[str, Any]:
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
        "rollout": None if line.beside is None else {"name": line.beside.name, "health": health_of(line.beside)},
    }


def _health_text(line: Standing) -> str:
    if line.beside is None:
        return line.health
    role = {".next": "candidate", ".prev": "predecessor"}.get(line.beside.name[-5:], "other")
    return f"{line.health}; {role} {health_of(line.beside)}"


def _print_table(lines: list[Standing]) -> None:
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
        if number and lines[number - 1].health not in WELL:
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


class _Wanted(NamedTuple):
    """A container by its address, and its project."""

    address: Address
    project: str


def _wanted(options: argparse.Namespace) -> _Wanted:
    """Raises UsageError when it is no address of a container."""
    try:
        address = parse_address(options.address)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if address.kind is not Kind.CONTAINER:
        raise UsageError(f"{options.address} is not a container's address\n    hint: write one such as container.web")
    return _Wanted(address, load_spec(options, builds=False).project)


def _find(wanted: _Wanted, engine: Engine) -> tuple[list[tuple[ObservedContainer, Address]], str]:
    """The project's containers that an address names, and the id of the one we run in. Raises UsageError when there is none."""
    from reconciler.engine.observe import observe

    found = []
    observed = observe(engine, wanted.project)
    for container in observed.containers:
        owner, address = owner_of(Kind.CONTAINER, container.labels, wanted.project)
        if (
            owner is Owner.OURS
            and address is not None
            and address.name == wanted.address.name
            and wanted.address.instance in (0, address.instance or 1)
        ):
            found.append((container, address))
    if not found:
        raise UsageError(
            f"{wanted.address} of project {wanted.project} is not on the engine\n    hint: `reconciler status` lists what is"
        )
    return sorted(found, key=lambda pair: pair[1].sort_key), observed.own


def logs(options: argparse.Namespace) -> int:
    """Print what a container wrote: its output to stdout, its errors to stderr."""
    if options.tail != "all" and not options.tail.isdigit():
        raise UsageError(f"--tail takes a number of lines or all, not {options.tail!r}")
    since = _since(options.since)
    engine = open_engine(options)
    found, _ = _find(_wanted(options), engine)
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
    from threading import Event

    from reconciler.apply.writer import lock_directory, sole_writer

    engine, wanted = open_engine(options), _wanted(options)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with sole_writer(engine, wanted.project, lock_directory(os.environ), Event(), say):
        found, own = _find(wanted, engine)
        if own and own in {container.id for container, _ in found}:
            raise UsageError(
                f"reconciler itself runs in the container {own[:12]}, and would end in the middle of this\n"
                "    hint: restart it from outside: on the host, or from another container"
            )
        for container, address in found:
            engine.restart_container(container.id, grace_seconds(container.config))
            print(f"{address}: restarted", flush=True)
    return 0
