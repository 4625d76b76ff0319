"""How a container is replaced: what `rollout` says, with the project's where the container is silent."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

#: seconds that a replacement without a health check has to run; what cannot start mostly says so sooner
READY_AFTER = 1.0
#: seconds that the old one still serves without its names: what was under way when it left them is sent again by then
DRAIN = 2.0


class Order(StrEnum):
    """Whether the successor starts beside the one that serves, or in its place."""

    AUTO = "auto"
    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"


class OnFailure(StrEnum):
    """What becomes of a successor that does not become ready."""

    ROLLBACK = "rollback"
    KEEP = "keep"
    STOP = "stop"


class Rollout(NamedTuple):
    """Times are in seconds.

    Attributes:
        insists: the container itself asks for start-first, so that anything else is refused.
        ready_after: None when nobody said it.
        timeout: 0 for as long as the health check needs to decide.
    """

    order: Order = Order.AUTO
    insists: bool = False
    ready_after: float | None = None
    timeout: float = 0.0
    on_failure: OnFailure = OnFailure.ROLLBACK
    drain: float = DRAIN
    max_parallel: int = 1
