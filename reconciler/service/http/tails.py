"""The last lines of a managed container's log, bounded in lines, bytes and time."""

from __future__ import annotations

import time
from typing import Any

from reconciler.engine.interface import Engine
from reconciler.model.address import Address, Kind
from reconciler.model.ownership import Owner, owner_of
from reconciler.service.http.answers import RefusalError, settled_output

MOST_LINES = 1000
_MOST_BYTES = 256 * 1024
_MOST_CONTAINERS = 10
_PATIENCE = 10.0


def logs_document(engine: Engine, project: str, address: Address, lines: int) -> dict[str, Any]:
    """What each container of an address wrote last: the one that serves, a candidate, a predecessor.

    Args:
        project: as its spec names it.

    Raises:
        RefusalError: there is none.
    """
    found = _containers(engine, project, address)
    if not found:
        raise RefusalError(404, f"{address} of project {project} has no container on the engine")
    until = time.monotonic() + _PATIENCE
    return {
        "project": project,
        "address": str(address),
        "containers": [_tail(engine, *container, lines, until) for container in found[:_MOST_CONTAINERS]],
    }


def _containers(engine: Engine, project: str, address: Address) -> list[tuple[str, str, str]]:
    """Id, name and status, in the order of names."""
    found = []
    for raw in engine.list_containers():
        owner, owned = owner_of(Kind.CONTAINER, raw.get("Labels") or {}, project)
        if owner is Owner.OURS and owned is not None and address in (owned, owned.whole):
            name = str((raw.get("Names") or ["/"])[0]).lstrip("/")
            found.append((str(raw["Id"]), name, str(raw.get("State") or "")))
    return sorted(found, key=lambda item: item[1])


def _tail(engine: Engine, container_id: str, name: str, status: str, lines: int, until: float) -> dict[str, Any]:
    gathered = bytearray()
    is_cut = False
    for _, chunk in engine.container_logs(container_id, follow=False, tail=str(lines), timestamps=False, since=""):
        gathered += chunk
        if len(gathered) > 2 * _MOST_BYTES:
            del gathered[:-_MOST_BYTES]
            is_cut = True
        if time.monotonic() > until:
            is_cut = True
            break
    if len(gathered) > _MOST_BYTES:
        del gathered[:-_MOST_BYTES]
        is_cut = True
    text = settled_output(gathered.decode("utf-8", "replace")).rstrip("\n")
    return {"name": name, "status": status, "text": text, "cut": is_cut}
