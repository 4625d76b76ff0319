"""The lease of a writer: one volume on the engine that says who changes a project now.

A volume, since that is the only kind of object that every engine makes without an image, in a millisecond, and that costs
nothing while it is there. Each has a name of its own, so nobody ever takes away another one's by mistake. It carries a single label
whose value says everything, and none that says that it is ours: it is no part of the project.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.ownership import LOCK

#: seconds for which a lease is good
TERM = 60
#: what the names of their volumes begin with
PREFIX = f"{LOCK}."


class Holder(NamedTuple):
    """A process, told from all others.

    Attributes:
        boot: the boot of its host; space: its namespace of pids; started: when it began, in ticks since the boot.
    """

    host: str
    user: str
    pid: int
    boot: str = ""
    space: str = ""
    started: str = ""

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid})"


class Lease(NamedTuple):
    """What stands on one volume.

    Attributes:
        name: of the volume.
        created: when the engine made it, by its own clock (RFC 3339): the clocks of two machines need not agree.
        seconds: how long it is good from then on.
        since: when its holder began, a time of day in seconds by the holder's clock.
    """

    name: str
    project: str
    holder: Holder
    token: str
    created: str = ""
    seconds: int = TERM
    since: int = 0


def lease_name(project: str, token: str) -> str:
    return f"{PREFIX}{project}.{token}"


def lease_body(lease: Lease) -> dict[str, Any]:
    """What the engine is asked to make."""
    said = {**lease.holder._asdict(), "project": lease.project, "token": lease.token}
    said |= {"seconds": lease.seconds, "since": lease.since}
    return {"Name": lease.name, "Labels": {LOCK: json.dumps(said)}}


def read_lease(volume: Mapping[str, Any]) -> Lease | None:
    """The lease that an engine lists as a volume; None when it is none.

    What another version wrote may not be understood; it is a lease all the same, and its name says of which project.
    """
    text = (volume.get("Labels") or {}).get(LOCK)
    if text is None:
        return None
    name = str(volume.get("Name") or "")
    created = str(volume.get("CreatedAt") or "")
    try:
        said = json.loads(text)
        parts = {key: str(said.get(key, "")) for key in ("host", "user", "boot", "space", "started")}
        holder = Holder(pid=int(said["pid"]), **parts)
        seconds, since = int(said["seconds"]), int(said.get("since", 0))
        return Lease(name, str(said["project"]), holder, str(said["token"]), created, seconds, since)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        project = name.removeprefix(PREFIX).rpartition(".")[0]
        return Lease(name, project, Holder("an unknown host", "somebody", 0), "", created)
