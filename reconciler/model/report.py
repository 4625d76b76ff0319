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


class Outcome(NamedTuple):
    """What became of one change.

    Attributes:
        message: why, for a person.
        warnings: the engine's own.
        is_final: the same would fail again, until the spec, the image or the engine is another one.
        is_unclear: a call was not answered, or could not be taken back safely; nothing more was done.
        is_stopped: the run was stopped while this was waited for; whether it would have worked is not known.
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
    def is_settled(self) -> bool:
        done = all(outcome.status is Status.DONE for outcome in self.outcomes)
        return done and self.remaining is not None and self.remaining.is_settled
