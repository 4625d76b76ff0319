"""The report: what became of each change of a plan."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from reconciler.model.address import Address
from reconciler.model.plan import Plan, Verb


class Status(StrEnum):
    DONE = "done"
    FAILED = "failed"
    RESTORED = "failed, restored"
    BLOCKED = "blocked"
    STALE = "stale"


class Kept(NamedTuple):
    """A candidate that did not prove itself and is still there; `status` is the engine's word, "" when it does not tell."""

    name: str
    status: str

    def __str__(self) -> str:
        how = {"": "", "running": " runs"}.get(self.status, f" does not run ({self.status})")
        return f"{self.name}{how}; look at it with `docker logs {self.name}`"


class Outcome(NamedTuple):
    """What became of one change.

    Attributes:
        message: why, for a person.
        warnings: the engine's own.
        is_final: the same would fail again, until the spec, the image or the engine is another one.
        is_unclear: a call was not answered, or could not be taken back safely; nothing more was done.
        is_stopped: the run was stopped while this was waited for; whether it would have worked is not known.
        kept: the candidate that `on_failure` left for a person to look at.
    """

    address: Address
    verb: Verb
    status: Status
    seconds: float = 0.0
    message: str = ""
    warnings: tuple[str, ...] = ()
    is_final: bool = False
    is_unclear: bool = False
    is_stopped: bool = False
    kept: Kept | None = None

    @property
    def has_failed(self) -> bool:
        """Whether what was tried has shown that it does not work."""
        return self.status in (Status.FAILED, Status.RESTORED) and not self.is_stopped


class Report(NamedTuple):
    """What became of a plan.

    Attributes:
        outcomes: exactly one for each change.
        remaining: the plan made of the state afterwards; None when that could not be seen.
        unseen: why it could not, or "".
    """

    outcomes: tuple[Outcome, ...]
    remaining: Plan | None
    unseen: str = ""

    @property
    def did_something(self) -> bool:
        """Whether anything was tried; else all of it waits for something else."""
        return any(outcome.status is not Status.BLOCKED for outcome in self.outcomes)

    @property
    def is_settled(self) -> bool:
        done = all(outcome.status is Status.DONE for outcome in self.outcomes)
        return done and self.remaining is not None and self.remaining.is_settled
