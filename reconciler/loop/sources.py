"""Where a project's spec comes from, as far as a pass needs to know; and the plain directory."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from reconciler.errors import ReconcilerError
from reconciler.source.directory import DirectorySource
from reconciler.source.interface import Reason, Revision


class NotNowError(ReconcilerError):
    """Somebody is at work on the source; it is looked at again in a moment."""


class Source(Protocol):
    """A directory, or one file, whose path stays the same when what is in it changes.

    Whoever fetches does so beside the passes, and posts a trigger when there is something to `take`.
    """

    @property
    def directory(self) -> Path: ...

    def take(self) -> Revision | None:
        """Put the newest accepted revision into `directory`; None when there is none, or it has no name of its own.

        Raises:
            NotNowError: it is being written to.
        """


class Plain:
    """A directory or a file that people, or something else, write to; a git checkout is waited for while git is at work."""

    def __init__(self, path: Path) -> None:
        self._source = DirectorySource(path)

    @property
    def directory(self) -> Path:
        return self._source.directory

    def take(self) -> Revision | None:
        refusal = self._source.fetch().refusal
        if refusal is not None and refusal.reason is Reason.NOT_NOW:
            raise NotNowError(str(refusal))
        return self._source.take()
