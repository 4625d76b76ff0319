"""What says "look again". Pure: a trigger is a fact with its time, and what follows from it is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from reconciler.model.lease import PREFIX


class Cause(StrEnum):
    """Where a trigger comes from."""

    START = "start"
    FILES = "files"
    COMMIT = "commit"
    EVENT = "event"
    RECONNECTED = "reconnected"
    RESYNC = "resync"
    RETRY = "retry"
    PERSON = "person"
    SETTINGS = "settings"


#: what may bring a newer revision: it interrupts a roll-out that is waiting
NEWS = frozenset({Cause.FILES, Cause.COMMIT})


class EngineEvent(NamedTuple):
    """One event, as far as it matters.

    Attributes:
        kind: container, network, volume or image.
        action: `start`, `die`, ...; of a health check the state follows a colon, as in `health_status: healthy`.
        id, name: of the object.
        project: what its label says; networks' and volumes' events carry none.
        peer: of a network's event, the id of the container.
        nanos: when, by the engine's clock.
    """

    kind: str
    action: str
    id: str
    name: str
    project: str = ""
    peer: str = ""
    nanos: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.name or self.id[:12]}: {self.action}"


class Trigger(NamedTuple):
    """`at` is when it came, by our own clock; `text` says what it was about, for a person."""

    cause: Cause
    at: float
    text: str = ""
    event: EngineEvent | None = None


_ACTIONS = {
    "container": ("create", "start", "die", "destroy", "rename", "update", "pause", "unpause", "health_status"),
    "network": ("create", "destroy", "remove", "connect", "disconnect"),
    "volume": ("create", "destroy"),
    "image": ("tag", "untag", "delete"),
}
#: what the engine is asked for. Never `exec_*`: their action holds the command line. Never by label: events of networks
#: and volumes carry none. A name in `event` matches as the beginning of an action, so health checks are in.
FILTERS: Mapping[str, list[str]] = {
    "type": list(_ACTIONS),
    "event": sorted({action for actions in _ACTIONS.values() for action in actions}),
}


def read_event(raw: Mapping[str, Any]) -> EngineEvent | None:
    """An event of the engine; None for what does not matter, or is no event. API 1.52 has nothing but these keys."""
    actor, kind, action = raw.get("Actor"), raw.get("Type"), raw.get("Action")
    if not isinstance(actor, dict) or not isinstance(kind, str) or not isinstance(action, str):
        return None
    if action.partition(":")[0] not in _ACTIONS.get(kind, ()):
        return None
    if kind == "volume" and str(actor.get("ID") or "").startswith(PREFIX):
        return None  # a lease: our own would wake us again and again
    attributes = actor.get("Attributes")
    about = attributes if isinstance(attributes, dict) else {}
    nanos = raw.get("timeNano")
    return EngineEvent(
        kind=kind,
        action=action,
        id=str(actor.get("ID") or ""),
        name=str(about.get("name") or (actor.get("ID") if kind == "volume" else "") or ""),
        project=str(about.get("reconciler.project") or "") if kind == "container" else "",
        peer=str(about.get("container") or ""),
        nanos=nanos if isinstance(nanos, int) else 0,
    )
