"""The bare repository that a source is fetched into. All of it can be fetched again: what is odd is thrown away."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from reconciler.source.git import Access, Git, GitFailedError, TooMuchError, plain
from reconciler.source.interface import Reason, RefusedError, Revision
from reconciler.source.settings import GitSettings

_TIP = "refs/reconciler/tip"
_ACCEPTED = "refs/reconciler/accepted"
_MOST_PACKS = 20
_FIELDS = "%H%x00%an <%ae>%x00%cI%x00%s"
#: What servers and transports say → why nothing came, and what to do.
_SAID = (
    (r"could not read (Username|Password)|Authentication failed|HTTP.* 40[13]|error: 40[13]", Reason.UNREACHABLE,
     "the server wants another login: look at token_file and what the token may read"),
    (r"Host key verification failed|host key .* has changed|IDENTIFICATION HAS CHANGED", Reason.UNREACHABLE,
     "the server shows another key than known_hosts holds; ask its owner before you put the new one there"),
    (r"Permission denied \(", Reason.UNREACHABLE,
     "the server does not take the key: add its public half there as a deploy key, for reading only"),
    (r"unable to update url base from redirection|redirect", Reason.UNREACHABLE,
     "the server sends us elsewhere, which is not followed: write the new URL"),
    (r"SSL|certificate", Reason.UNREACHABLE, "give the server's authority as ca_file, or look at the clock"),
    (r"dubious ownership", Reason.UNREACHABLE, "the repository must belong to the user that this runs as"),
    (r"fsck|index-pack|unpack|bad object|hasDot|Could not parse|invalid", Reason.UNSAFE,
     "git finds something malformed in it, and such a thing is not read: rewrite that history"),
    (r"couldn't find remote ref|not our ref|unadvertised object", Reason.MISSING,
     "look at ref; a commit can only be followed where the server gives out single commits"),
)  # fmt: skip

#: The same failure has to have the same words each time, or it is told as another one.
_TOOK = re.compile(r" after \d+ (?:ms|milliseconds|seconds)")


class Tip(NamedTuple):
    """What a ref is on the server: its full name ("" for a commit), its object, and the commit behind that."""

    name: str
    object: str
    commit: str

    @property
    def is_tag(self) -> bool:
        return self.name.startswith("refs/tags/")


class Repository:
    def __init__(self, git: Git, settings: GitSettings) -> None:
        self._git = git
        self._settings = settings

    def tip(self, access: Access) -> Tip:
        """What the server has under the ref now. Raises RefusedError when that cannot be known."""
        ref = self._settings.ref
        if self._settings.is_pinned:
            return Tip("", ref, ref)
        names = [ref] if ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        patterns = [*names, *(f"{name}^{{}}" for name in names if name.startswith("refs/tags/"))]
        try:
            answer = self._git.run(
                "ls-remote", "--", self._settings.url, *patterns, access=access, timeout=self._settings.timeout
            ).decode("utf-8", "replace")
        except (GitFailedError, TooMuchError) as error:
            raise _why(error, Reason.UNREACHABLE, "the repository cannot be reached") from error
        found = {name: commit for commit, _, name in (line.partition("\t") for line in answer.splitlines())}
        there = [name for name in names if re.fullmatch(r"[0-9a-f]{40,64}", found.get(name, ""))]
        if not there:
            raise RefusedError(
                Reason.MISSING, f"the repository has no branch or tag {ref}", "push it, or follow another one by ref"
            )
        if len(there) > 1:
            raise RefusedError(
                Reason.MISSING, f"{ref} is a branch and a tag", f"write ref = '{names[0]}' or '{names[1]}'"
            )
        name = there[0]
        return Tip(name, found[name], found.get(f"{name}^{{}}", found[name]))

    def fetch(self, tip: Tip, access: Access) -> Tip:
        """Have all of the history of a tip here; returns what came, since the server may have moved on meanwhile."""
        limit = self._settings.limits.repository
        self._open()
        try:
            self._git.run(
                "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc",
                "--", self._settings.url, f"+{tip.name or tip.object}:{_TIP}",
                access=access, timeout=self._settings.timeout, file_size=limit,
            )  # fmt: skip
        except GitFailedError as error:
            # What writes packs is ended at the limit, and git does not say so.
            if any(part.stat().st_size >= limit for part in self._leftovers()):
                self.discard()
                raise self._too_large() from error
            raise
        if self.size() > limit:
            self.discard()
            raise self._too_large()
        return Tip(tip.name, self._id(_TIP), self._id(f"{_TIP}^{{commit}}"))

    def has(self, commit: str) -> bool:
        try:
            self._git.run("cat-file", "-e", f"{commit}^{{commit}}")
        except GitFailedError:
            return False
        return True

    def descends(self, commit: str, ancestor: str) -> bool:
        if not self.has(ancestor):
            return False
        try:
            self._git.run("merge-base", "--is-ancestor", ancestor, commit)
        except GitFailedError as error:
            if error.code == 1:
                return False
            raise
        return True

    def since(self, commit: str, ancestor: str) -> list[str]:
        """The commits that `commit` has and `ancestor` has not, on whatever way they came in."""
        return self._git.run("rev-list", commit, f"^{ancestor}", most=16 * 1024**2).decode("ascii").split()

    def describe(self, commit: str) -> Revision:
        text = self._git.run("log", "-1", "--no-show-signature", f"--format={_FIELDS}", commit).decode(
            "utf-8", "replace"
        )
        found, author, time, subject = (plain(part, 200) for part in text.split("\0", 3))
        return Revision(found, self._settings.ref, subject, author, time)

    def keep(self, commit: str) -> None:
        """What was accepted stays here, and what nobody can reach goes once there is much of it."""
        self._git.run("update-ref", _ACCEPTED, commit)
        packs = list((self._git.repository / "objects" / "pack").glob("*.pack"))
        if len(packs) > _MOST_PACKS:
            with contextlib.suppress(GitFailedError):
                self._git.run("gc", "--quiet", "--prune=now", timeout=self._settings.timeout)

    def size(self) -> int:
        return sum(path.lstat().st_size for path in self._git.repository.rglob("*"))

    def discard(self) -> None:
        shutil.rmtree(self._git.repository, ignore_errors=True)

    def refusal_of(self, error: Exception) -> RefusedError:
        """Why it cannot be fetched or read, though the server answers and it was fetched anew."""
        return _why(error, Reason.UNREACHABLE, "the repository cannot be fetched")

    def _open(self) -> None:
        place = self._git.repository
        if not (place / "HEAD").is_file():
            self.discard()
            self._git.run("init", "--quiet", "--bare", "--template=", str(place))
        # We hold the lock of the source: whoever left these is gone.
        for leftover in [*place.glob("*.lock"), *place.glob("refs/**/*.lock"), *self._leftovers()]:
            leftover.unlink(missing_ok=True)

    def _leftovers(self) -> list[Path]:
        return list((self._git.repository / "objects" / "pack").glob("tmp_*"))

    def _id(self, name: str) -> str:
        return self._git.run("rev-parse", "--verify", "--end-of-options", name).decode("ascii").strip()

    def _too_large(self) -> RefusedError:
        size = self._settings.limits.repository / 1024**2
        return RefusedError(
            Reason.TOO_LARGE, f"the repository is larger than {size:.0f} MiB", "raise max_repository, or clean it"
        )


def _why(error: Exception, otherwise: Reason, doing: str) -> RefusedError:
    text = "there is too much of it" if isinstance(error, TooMuchError) else _TOOK.sub("", str(error))
    for pattern, reason, hint in _SAID:
        if re.search(pattern, text, re.IGNORECASE):
            return RefusedError(reason, f"{doing}: {text}", hint)
    return RefusedError(otherwise, f"{doing}: {text}", "what was accepted last stays; it is tried again")
