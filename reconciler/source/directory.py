"""A directory as a source; one that git keeps up is not read while git is at work in it."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from reconciler.source.interface import Fetched, Reason, Refusal, Revision

#: Files and directories of git that are there while something is only half done → what that is.
_AT_WORK = {
    "index.lock": "git is changing the index",
    "HEAD.lock": "git is changing HEAD",
    "MERGE_HEAD": "a merge is not finished",
    "CHERRY_PICK_HEAD": "a cherry-pick is not finished",
    "REVERT_HEAD": "a revert is not finished",
    "rebase-merge": "a rebase is not finished",
    "rebase-apply": "a rebase is not finished",
}
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LARGEST_INDEX = 64 * 1024**2


class DirectorySource:
    """A directory that a person, or something else, keeps up. Nothing is copied."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._index: tuple[tuple[int, int], bool] | None = None

    @property
    def directory(self) -> Path:
        return self._directory

    def current(self) -> Revision | None:
        if not self._directory.exists():
            return None
        places = _repository_of(self._directory)
        return _head(*places) if places else Revision("")

    def fetch(self) -> Fetched:
        revision = self.current()
        if revision is None:
            message = f"{self._directory} does not exist"
            return Fetched(None, None, Refusal(Reason.MISSING, message, "make it, or name another one"))
        places = _repository_of(self._directory)
        work = self._work(places[0]) if places else ""
        if work:
            message = f"{self._directory} is a checkout in which {work}"
            hint = "finish or abort it there; a lock that stays was left by a git that died, and is to be removed"
            return Fetched(revision, None, Refusal(Reason.NOT_NOW, message, hint))
        return Fetched(revision, revision)

    def take(self) -> Revision | None:
        return self.current()

    def _work(self, git: Path) -> str:
        for name, what in _AT_WORK.items():
            if (git / name).exists():
                return what
        index = git / "index"
        try:
            status = index.stat()
            seen = (status.st_mtime_ns, status.st_size)
            if self._index is None or self._index[0] != seen:
                self._index = (seen, status.st_size <= _LARGEST_INDEX and has_unmerged(index.read_bytes()))
        except OSError:
            return ""
        return "paths are not merged" if self._index[1] else ""


def has_unmerged(index: bytes) -> bool:
    """Whether an index of git has entries of a conflict; False for one of a format that is not known."""
    if index[:4] != b"DIRC" or len(index) < 12:
        return False
    version, count = struct.unpack(">II", index[4:12])
    if version not in (2, 3, 4):
        return False
    # An entry: 40 bytes of stat, the object's id, flags (two of them the stage), more flags, the name, padding.
    # The id has 20 bytes but in repositories of SHA-256, which are not looked into.
    at = 12
    for _ in range(count):
        if at + 62 > len(index):
            return False
        (flags,) = struct.unpack_from(">H", index, at + 60)
        if flags & 0x3000:
            return True
        name = at + 62 + (2 if version >= 3 and flags & 0x4000 else 0)
        # Version 4: how much of the name before is dropped, as a number of 7 bits a byte; the rest; no padding.
        while version == 4 and name < len(index) and index[name] & 0x80:
            name += 1
        end = index.find(b"\0", name + (version == 4))
        if end < 0:
            return False
        at = end + 1 if version == 4 else at + ((end - at + 8) & ~7)
    return False


def _repository_of(directory: Path) -> tuple[Path, Path] | None:
    """The git directory of a checkout and the one that its worktrees share; None outside of any."""
    for parent in (directory.absolute(), *directory.absolute().parents):
        git = parent / ".git"
        if git.is_file():  # a worktree, or a submodule
            _, _, place = _text(git).partition("gitdir: ")
            git = parent / place if place else git
        if git.is_dir() and (git / "HEAD").is_file():
            shared = _text(git / "commondir")
            return git, (git / shared if shared else git)
    return None


def _head(git: Path, shared: Path) -> Revision:
    text = _text(git / "HEAD")
    if not text.startswith("ref: "):
        return Revision(text if _COMMIT.fullmatch(text) else "", "HEAD")
    name = text.removeprefix("ref: ")
    ref = name.removeprefix("refs/heads/")
    if ".." in name or name.startswith("/"):
        return Revision("", ref)
    for place in (git, shared):
        commit = _text(place / name)
        if _COMMIT.fullmatch(commit):
            return Revision(commit, ref)
    for line in _text(shared / "packed-refs").splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name and _COMMIT.fullmatch(commit):
            return Revision(commit, ref)
    return Revision("", ref)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
