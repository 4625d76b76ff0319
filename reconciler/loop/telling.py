"""What the loop tells: to observers as it happens, and to whoever asks, in one piece. All of it immutable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from reconciler.apply.executor import Happening
from reconciler.errors import Problem
from reconciler.loop.judge import Held
from reconciler.loop.memory import Failure
from reconciler.loop.triggers import Trigger
from reconciler.model.address import Address
from reconciler.model.plan import Plan
from reconciler.model.report import Report
from reconciler.source.interface import Revision
from reconciler.standing import Standing


class Condition(StrEnum):
    """How a project is, the worst last."""

    STARTING = "starting"
    SETTLED = "settled"
    CHANGING = "changing"
    SUSPENDED = "suspended"
    OUT_OF_SYNC = "out of sync"
    FAILING = "failing"
    INVALID = "invalid"
    AWAY = "engine away"


class SourceStatus(NamedTuple):
    """Where a spec comes from, and how far it got. Of a directory that is no checkout there are no revisions.

    Attributes:
        description: for a person: a path, or URL, ref and directory.
        attempted: what the source had when it was asked last.
        accepted: the last one that was found good; what runs is made from it.
        applied: the last one that the engine matched whole.
        reason, refusal: why `attempted` is not `accepted`, in a word (of `source.interface.Reason`, or `invalid` for its
            spec) and in full; "" when it is.
        checked: when the source was asked last; a time of day.
        notes: what a person should know of the accepted revision.
    """

    description: str
    attempted: Revision | None = None
    accepted: Revision | None = None
    applied: Revision | None = None
    reason: str = ""
    refusal: str = ""
    checked: float | None = None
    notes: tuple[str, ...] = ()


# --- to observers --------------------------------------------------------------------------------------------------


class PassStarted(NamedTuple):
    """`at` is the time of day."""

    project: str
    pass_id: str
    triggers: tuple[Trigger, ...]
    at: float


class PlanMade(NamedTuple):
    """`plan` is whole; `held` says what of it is not carried out now, `fresh` what never was there. An empty one is told too."""

    project: str
    pass_id: str
    revision: str
    plan: Plan
    held: tuple[Held, ...]
    fresh: frozenset[Address] = frozenset()


class ActionHappened(NamedTuple):
    """From several threads at once."""

    project: str
    pass_id: str
    happening: Happening


class PassEnded(NamedTuple):
    """The end of a pass.

    Attributes:
        plan: what was carried out; None when no plan was made.
        report: None when nothing was to be done.
        error: why there is no plan; "" when there is one, or it is waited for.
    """

    project: str
    pass_id: str
    triggers: tuple[Trigger, ...]
    revision: str
    plan: Plan | None
    report: Report | None
    held: tuple[Held, ...]
    error: str
    seconds: float
    at: float


class StateChanged(NamedTuple):
    """A project's condition, or (with `project` "") the engine's, is another one; or a spec is invalid for another reason."""

    project: str
    before: Condition
    after: Condition
    text: str
    at: float


class SourceChanged(NamedTuple):
    """What a source offers, or what became of it, is something else than before."""

    project: str
    before: SourceStatus
    after: SourceStatus
    at: float


Told: TypeAlias = PassStarted | PlanMade | ActionHappened | PassEnded | StateChanged | SourceChanged
#: called from the thread where it happens; must be quick, and what it raises is logged and goes no further
Observer: TypeAlias = Callable[[Told], None]


# --- to whoever asks -----------------------------------------------------------------------------------------------


class ResourceStatus(NamedTuple):
    """One resource: how it stands, and why what differs is left so (`held`), or ""."""

    standing: Standing
    held: str
    is_suspended: bool


class ProjectStatus(NamedTuple):
    """One project.

    Attributes:
        source: where its spec comes from, with the revisions of a repository.
        attempted, applied: the revision that was tried last, and the last one that was applied whole.
        plan: what was still to do when it was last looked at.
        problems: of the spec, when it is invalid; the last good one goes on.
        last_good: when it was last settled, last_pass: when it was last looked at, next_pass: when it will be at the
            latest; times of day.
    """

    name: str
    path: str
    source: SourceStatus
    condition: Condition
    text: str
    attempted: str
    applied: str
    plan: Plan | None
    held: tuple[Held, ...]
    resources: tuple[ResourceStatus, ...]
    failures: Mapping[Address, Failure]
    problems: tuple[Problem, ...]
    is_suspended: bool
    is_running: bool
    passes: int
    last_pass: float | None
    last_good: float | None
    next_pass: float | None


class EngineStatus(NamedTuple):
    """`since` is when it came or went; `reconnects` counts lost streams of events."""

    is_connected: bool
    text: str
    name: str
    version: str
    since: float
    reconnects: int


class Snapshot(NamedTuple):
    """Everything at one moment."""

    at: float
    started: float
    is_suspended: bool
    engine: EngineStatus
    projects: tuple[ProjectStatus, ...]
