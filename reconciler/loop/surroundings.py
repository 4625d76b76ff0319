"""All that the passes of a project have to do with the outside, as whoever makes them gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.engine.interface import Engine
from reconciler.loop.judge import Rules, Suspended
from reconciler.loop.memory import Memory
from reconciler.loop.telling import Told
from reconciler.model.desired import DesiredState
from reconciler.planning.planner import Locate


class Clock(NamedTuple):
    """`now` only goes forward; `wall` is the time of day."""

    now: Callable[[], float]
    wall: Callable[[], float]


class Surroundings(NamedTuple):
    """All that a project's passes have to do with the outside.

    Attributes:
        engine: the engine as it is now; another one after a lost connection.
        rules: how long to wait, and what may be done.
        suspended: what is not to be touched, at this moment.
        keep: told the memory whenever it has changed.
        tell: told what happens, also from several threads.
        locate: where the spec declares a field.
        claim: says that the one of a name keeps the project that its spec names; whoever else does, or "".
        loaded: told each valid spec before it is used.
        locks: where the locks of this machine lie; None: there are none.
    """

    engine: Callable[[], Engine]
    clock: Clock
    rules: Callable[[], Rules]
    suspended: Callable[[str], Suspended]
    keep: Callable[[str, Memory], None]
    tell: Callable[[Told], None]
    environment: Mapping[str, str] = {}
    cache: Path | None = None
    locate: Callable[[DesiredState], Locate] | None = None
    claim: Callable[[str, str], str] = lambda name, project: ""  # noqa: ARG005
    loaded: Callable[[DesiredState], None] = lambda desired: None  # noqa: ARG005
    locks: Path | None = None
