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
    """What became of one change. `message` says why, for a person; `warnings` are the engine's own."""

    address: Address
    verb: Verb
    status: Status
    seconds: float = 0.0
    message: str = ""
    warnings: tuple[str, ...] = ()


class Report(NamedTuple):
    """Every change has exactly one outcome; `remaining` is the plan made of the state afterwards."""

    outcomes: tuple[Outcome, ...]
    remaining: Plan | None = None

    @property
    def is_settled(self) -> bool:
        done = all(outcome.status is Status.DONE for outcome in self.outcomes)
        return done and (self.remaining is None or self.remaining.is_settled)
