"""What a source is, and what it says of a revision."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from reconciler.errors import ReconcilerError


class Revision(NamedTuple):
    """One state of a source.

    Attributes:
        commit: the full commit id; "" for a directory that is no checkout.
        ref: what was followed to get there, such as `main`.
        subject, author, time: of the commit, without control characters; "" where it would take git to know.
    """

    commit: str
    ref: str = ""
    subject: str = ""
    author: str = ""
    time: str = ""

    @property
    def short(self) -> str:
        return self.commit[:12] or "(no commit)"


class Reason(StrEnum):
    """Why there is nothing new to apply, by what it takes to get on."""

    UNREACHABLE = "unreachable"  # passes by itself, or is a login
    NOT_NOW = "not-now"  # passes by itself: something else is at work there
    MISSING = "missing"  # no such ref, commit or directory
    REWOUND = "rewound"  # not a descendant of what was accepted last
    UNSIGNED = "unsigned"  # a signature is missing, or not one that counts
    TOO_LARGE = "too-large"
    UNSAFE = "unsafe"  # something in it would leave the tree, or git finds it malformed
    LOCAL = "local"  # git is missing or too old, a key cannot be read, the disk is full


class Refusal(NamedTuple):
    """Why a revision was not accepted. `message` names the commits or files at fault, `hint` says what to do."""

    reason: Reason
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message}\n    hint: {self.hint}" if self.hint else self.message


class Fetched(NamedTuple):
    """What a look at the source came to.

    Attributes:
        attempted: what the source has now; None when that cannot be known.
        accepted: the last good revision, which is `attempted` unless there is a refusal; None before the first.
        refusal: why `attempted` was not accepted.
        notes: what a person should know of an accepted revision.
    """

    attempted: Revision | None
    accepted: Revision | None
    refusal: Refusal | None = None
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """Where a spec comes from."""

    @property
    def directory(self) -> Path:
        """Where to read the spec. Its path stays the same when what is in it changes."""

    def current(self) -> Revision | None:
        """What is in `directory`; None when there is nothing yet. Asks nobody else, and starts no program."""

    def fetch(self) -> Fetched:
        """Look for something newer. Raises nothing that the outside may cause, and leaves `directory` alone.

        May take as long as the network does: run it beside the passes.
        """

    def take(self) -> Revision | None:
        """Put what was accepted last into `directory`, at once. Call it between two passes, from any thread."""


class RefusedError(ReconcilerError):
    """Carries a refusal out of the depth of a fetch."""

    def __init__(self, reason: Reason, message: str, hint: str = "") -> None:
        self.refusal = Refusal(reason, message, hint)
        super().__init__(str(self.refusal))
