"""What can go wrong, sorted by who can fix it.

A message says what this layer was doing and what to do about it; it never repeats its cause, which is chained
with `raise ... from` and printed behind it.
"""

from __future__ import annotations

from typing import NamedTuple


class ReconcilerError(Exception):
    """Base of everything this program raises on purpose; its text is fit for a person."""


class Problem(NamedTuple):
    """One mistake in a spec, with the place where it stands.

    Attributes:
        file: path as the user gave it, or "" when no file is at fault.
        line, column: 1-based; 0 when unknown.
        path: the place in the document, such as `container.web.ports[0]`.
        message: what is wrong.
        hint: what to write instead; may be empty.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        text = ": ".join(part for part in (place, self.path, self.message) if part)
        return f"{text}\n    hint: {self.hint}" if self.hint else text


class SpecError(ReconcilerError):
    """The author of the spec must change it. Carries every problem found, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(ReconcilerError):
    """The command line asks for something that cannot be meant."""


class StalePlanError(ReconcilerError):
    """A saved plan whose objects have moved since it was made."""


class LockedError(ReconcilerError):
    """Another process changes this project now."""


class UnsafePlanError(ReconcilerError):
    """A plan that breaks a safety rule: a bug of ours, found before any harm was done."""

    def __init__(self, violations: list[str]) -> None:
        self.violations = violations
        lines = "\n".join(f"  - {violation}" for violation in violations)
        super().__init__(
            f"this plan breaks a safety rule and was refused; nothing was changed. Please report it:\n{lines}"
        )


class EngineError(ReconcilerError):
    """The Docker Engine, or the way to it."""


class EngineUnavailableError(EngineError):
    """No answer: the engine is down, the address is wrong, or we may not talk to it."""


class OutcomeUnknownError(EngineError):
    """A call was sent and its answer never came: it may or may not have taken effect. Observe before the next."""


class EngineRefusedError(EngineError):
    """The engine answered, and said no.

    Attributes:
        status: the HTTP status.
        hint: what a person can do about it.
        may_pass: it is no verdict on what was asked for: the same may work in a while.
    """

    def __init__(self, message: str, status: int = 0, hint: str = "", *, may_pass: bool = False) -> None:
        self.status = status
        self.hint = hint
        self.may_pass = may_pass
        super().__init__(f"{message}\n    hint: {hint}" if hint else message)


class NotFoundError(EngineRefusedError):
    """The object does not exist, or no longer."""
