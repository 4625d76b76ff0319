"""What a project needs of the place where its spec comes from; a plain directory, and a git repository that is followed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from reconciler.errors import ReconcilerError, SpecError
from reconciler.loop.telling import SourceStatus
from reconciler.model.observed import ObservedState
from reconciler.source.directory import DirectorySource
from reconciler.source.git_source import GitSource
from reconciler.source.interface import Fetched, Reason, Refusal, Revision
from reconciler.source.settings import GitSettings
from reconciler.spec.naming import default_project

#: reasons that pass without anybody doing something about them
PASSING = frozenset({Reason.UNREACHABLE, Reason.NOT_NOW})
INVALID = "invalid"
_RUNNING = frozenset({"running", "paused", "restarting"})
#: loads the spec in a directory; raises SpecError
Check: TypeAlias = Callable[[Path], object]


class NotNowError(ReconcilerError):
    """Somebody is at work on the source; it is looked at again in a moment."""


class NothingYetError(ReconcilerError):
    """No revision was ever obtained. With `passes`, that is a matter of waiting; else of doing something."""

    def __init__(self, text: str, *, passes: bool) -> None:
        self.passes = passes
        super().__init__(text)


class Taken(NamedTuple):
    """What `directory` holds from now on, and what is wrong with a newer revision that was left out therefore."""

    revision: Revision | None
    problem: SpecError | None = None


class Source(Protocol):
    """A directory, or one file, whose path stays the same when what is in it changes.

    Whoever fetches does so beside the passes, and posts a trigger when there is something to `take`.
    """

    @property
    def key(self) -> object:
        """Equal for two that are the same source."""

    @property
    def directory(self) -> Path: ...

    @property
    def name(self) -> str:
        """What a project is called whose spec does not say; "": as its directory is."""

    @property
    def own(self) -> Path | None:
        """The directory in which nobody but this writes, so that it needs no watching."""

    def take(self, check: Check) -> Taken:
        """Put the newest accepted revision into `directory`, if its spec is valid.

        Raises:
            NotNowError: it is being written to.
            NothingYetError: there is none.
            SpecError: there is but one, and its spec is invalid.
        """

    def settled(self, oldest_start: float | None) -> None:
        """The engine matches what was taken last.

        Args:
            oldest_start: when the oldest running container started that mounts something of `own`.
        """

    def status(self) -> SourceStatus: ...


class Plain:
    """A directory or a file that people, or something else, write to; a git checkout is waited for while git is at work."""

    name = ""
    own = None

    def __init__(self, path: Path) -> None:
        self._source = DirectorySource(path)
        self._status = SourceStatus(str(path))

    @property
    def key(self) -> object:
        return self._source.directory

    @property
    def directory(self) -> Path:
        return self._source.directory

    def take(self, check: Check) -> Taken:
        """Nothing is judged beforehand: what is in the directory is in force, or is refused by the pass."""
        del check
        fetched = self._source.fetch()
        refusal = fetched.refusal
        seen = fetched.attempted if fetched.attempted and fetched.attempted.commit else None
        self._status = self._status._replace(attempted=seen, reason="", refusal="")
        if refusal is not None and refusal.reason is Reason.NOT_NOW:
            self._status = self._status._replace(reason=refusal.reason, refusal=str(refusal))
            raise NotNowError(str(refusal))
        self._status = self._status._replace(accepted=seen)
        return Taken(fetched.accepted)

    def settled(self, oldest_start: float | None) -> None:
        del oldest_start
        self._status = self._status._replace(applied=self._status.accepted)

    def status(self) -> SourceStatus:
        return self._status


class Git:
    """A git repository that is fetched again and again, into a directory of its own. `fetch` goes beside the passes."""

    def __init__(self, settings: GitSettings, directory: Path, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self._source = GitSource(settings, directory, environment)
        self._turn = threading.Lock()
        record, current = self._source.record, self._source.current()
        attempted, applied = record.attempted, record.applied
        self._refusal: Refusal | None = None  # what was refused in a former life may be right by now
        self._problem: SpecError | None = None
        self._status = SourceStatus(
            " ".join(part for part in (settings.url, settings.ref, settings.path) if part),
            attempted=(attempted.revision if attempted is not None else None) or current,
            accepted=current,
            applied=applied.revision if applied is not None else None,
            checked=attempted.at if attempted is not None else None,
        )

    @property
    def key(self) -> object:
        return self.settings, self._source.root

    @property
    def directory(self) -> Path:
        return self._source.directory

    @property
    def name(self) -> str:
        """That of the directory in the repository, or of the repository: never that of a checkout."""
        return default_name(self.settings)

    @property
    def own(self) -> Path | None:
        return self._source.root

    @property
    def offered(self) -> str:
        """The commit that the next pass takes, if its spec is valid: what was fetched in a former life too."""
        moment = self._source.record.accepted
        revision = moment.revision if moment is not None else self._status.accepted
        return revision.commit if revision is not None else ""

    def fetch(self) -> Fetched:
        """Look for something newer; takes as long as the network does."""
        fetched = self._source.fetch()
        with self._turn:
            self._refusal = fetched.refusal
            # What was not refused here is attempted by `take`: until then nothing is known of its spec.
            tried = fetched.attempted if fetched.refusal is not None else None
            self._status = self._status._replace(
                attempted=tried or self._status.attempted,
                checked=time.time(),
                notes=fetched.notes or self._status.notes,
            )
        return fetched

    def stop(self) -> None:
        """End a fetch that is under way, for good."""
        self._source.stop()

    def take(self, check: Check) -> Taken:
        problem: SpecError | None = None
        newest = self._source.record.accepted
        try:
            revision = tried = self._source.take(check)
        except SpecError as error:
            problem, revision = _in_repository(error, self._source.root), self._source.current()
            tried = newest.revision if newest is not None else None
        with self._turn:
            self._problem = problem
            attempted = tried if self._refusal is None and tried is not None else self._status.attempted
            self._status = self._status._replace(attempted=attempted, accepted=revision)
        if revision is not None:
            return Taken(revision, problem)
        if problem is not None:
            raise problem
        refusal = self._refusal
        passes = refusal is None or refusal.reason in PASSING
        raise NothingYetError(f"nothing was fetched yet{f': {refusal}' if refusal else ''}", passes=passes)

    def settled(self, oldest_start: float | None) -> None:
        revision = self._status.accepted
        if revision is not None and revision != self._status.applied:
            self._source.applied(revision)
            with self._turn:
                self._status = self._status._replace(applied=revision)
        self._source.tidy(oldest_start)

    def status(self) -> SourceStatus:
        with self._turn:
            status, refusal = self._status, self._refusal
        if refusal is not None:
            return status._replace(reason=refusal.reason.value, refusal=str(refusal))
        if self._problem is not None:
            short = status.attempted.short if status.attempted is not None else ""
            return status._replace(reason=INVALID, refusal=f"the spec of commit {short} is invalid: {self._problem}")
        return status


def _in_repository(error: SpecError, root: Path) -> SpecError:
    """The same with the names that files have in the repository: where we check it out says nothing to whoever pushed."""
    place = re.compile(rf"{re.escape(str(root / 'checkouts'))}/[0-9a-f]{{40,64}}(?:/|(?=\W|$))")
    found = [
        problem._replace(file=place.sub("", problem.file) or "the repository", message=place.sub("", problem.message))
        for problem in error.problems
    ]
    return SpecError(found)


def default_name(settings: GitSettings) -> str:
    """What is followed, in a word: the directory in the repository, or the repository."""
    place = settings.path.rstrip("/") or settings.url.rstrip("/").removesuffix(".git").replace(":", "/")
    return default_project(place.rpartition("/")[2])


def oldest_user(observed: ObservedState, own: Path | None) -> float | None:
    """When the oldest running container started that mounts something below a directory; None when none does."""
    if own is None:
        return None
    moments = []
    for container in observed.containers:
        mounts: Any = (container.config or {}).get("volumes") or {}
        sources = [str(mount.get("source") or "") for mount in mounts.values()]
        if container.status in _RUNNING and any(Path(source).is_relative_to(own) for source in sources):
            moments.append(_seconds(container.since))
    return min(moments, default=None)


def _seconds(moment: str) -> float:
    """Before a time in RFC 3339, by what lies between the look at a mount and the start that is recorded."""
    try:
        return datetime.fromisoformat(f"{moment[:19]}+00:00").timestamp() - 5.0
    except ValueError:
        return 0.0
