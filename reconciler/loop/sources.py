"""Where a project's spec comes from, as far as a pass needs to know; and the plain directory."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from reconciler.errors import ReconcilerError


class NotNowError(ReconcilerError):
    """Somebody is at work on the source; it is looked at again in a moment."""


class Named(Protocol):
    """A revision that has a name of its own, such as a commit."""

    @property
    def commit(self) -> str: ...


class Source(Protocol):
    """A directory, or one file, whose path stays the same when what is in it changes.

    Whoever fetches does so beside the passes, and posts a trigger when there is something to `take`.
    """

    @property
    def directory(self) -> Path: ...

    def take(self) -> Named | None:
        """Put the newest accepted revision into `directory`; None when it has no name of its own.

        Raises:
            NotNowError: it is being written to.
        """


class Plain:
    """A directory or a file that people, or something else, write to; a git checkout is waited for while git is at work."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def directory(self) -> Path:
        return self._path

    def take(self) -> Named | None:
        git = _git_directory(self._path)
        at_work = next((name for name in _AT_WORK if git is not None and (git / name).exists()), "")
        if at_work:
            raise NotNowError(f"git is at work in {self._path} ({at_work} is there)")
        return None


_AT_WORK = (
    "index.lock",
    "MERGE_HEAD",
    "rebase-merge",
    "rebase-apply",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "BISECT_START",
)


def _git_directory(path: Path) -> Path | None:
    """Git's directory of the checkout that a path is in; None where it is in none."""
    whole = path.absolute()
    for directory in (whole, *whole.parents):
        found = directory / ".git"
        if found.is_dir():
            return found
        if found.is_file():  # of a worktree or a submodule: a file that says where
            try:
                said = found.read_text("utf-8").partition("gitdir:")[2].strip()
            except (OSError, UnicodeDecodeError):
                return None
            return directory / said if said else None
    return None
