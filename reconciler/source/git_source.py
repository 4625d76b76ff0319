"""A git repository as a source: fetch, judge, check out, and switch between two passes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import Popen

from reconciler.source.access import access_to
from reconciler.source.git import Access, Git, GitFailedError, TooMuchError, end_group
from reconciler.source.interface import Fetched, Reason, Refusal, RefusedError, Revision
from reconciler.source.record import Moment, Record, load, save
from reconciler.source.repository import Repository, Tip
from reconciler.source.settings import GitSettings
from reconciler.source.signatures import verify
from reconciler.source.tree import is_whole, read_tree, write_tree

#: However long nobody says what is in use.
_MOST_CHECKOUTS = 50
_PATIENCE = 2.0
_BROKEN = (GitFailedError, TooMuchError, EOFError, BrokenPipeError)
_STOPPED = Refusal(Reason.NOT_NOW, "nothing is fetched any more", "it is fetched at the next start")
_BUSY = Refusal(Reason.NOT_NOW, "another process is fetching into the same directory", "it is tried again")


class GitSource:
    """One source in a directory of its own, which need not be there yet.

    In it: `current`, a link to the checkout in use; `checkouts/COMMIT`; `repository-*.git`; `record.json`; `lock`.
    """

    def __init__(
        self,
        settings: GitSettings,
        directory: Path,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._environment, self._clock = settings, environment, clock
        self._root = directory
        self._checkouts = directory / "checkouts"
        self._link = directory / "current"
        self._file = directory / "record.json"
        self._whole = set[str]()
        self._given_up = ""
        self._turn = threading.Lock()  # for the record, which a fetch and the loop both write
        self._running: Popen[bytes] | None = None
        self._is_stopped = False
        self._identity = _digest(settings.url, settings.ref, settings.verify)

    @property
    def root(self) -> Path:
        """The directory of this source, in which nobody else writes."""
        return self._root

    @property
    def directory(self) -> Path:
        return self._link / self._settings.path if self._settings.path else self._link

    @property
    def record(self) -> Record:
        """What was attempted, accepted and applied last."""
        return load(self._file)

    def current(self) -> Revision | None:
        commit = self._linked()
        if not commit:
            return None
        record = self.record
        for moment in (record.taken, record.accepted):
            if moment and moment.revision and moment.revision.commit == commit:
                return moment.revision
        return Revision(commit, self._settings.ref)

    def fetch(self) -> Fetched:
        attempted, notes = list[Revision](), list[str]()
        try:
            with self._locked() as lock:
                if lock is None:
                    return Fetched(None, self._accepted(), _BUSY)
                refusal = None
                try:
                    notes += self._fetch(lock, attempted)
                except RefusedError as error:
                    if self._is_stopped:
                        return Fetched(None, self._accepted(), _STOPPED)
                    refusal = error.refusal
                tried = attempted[-1] if attempted else None
                self._note(attempted=Moment(tried, self._clock(), refusal))
        except OSError as error:
            refusal = Refusal(
                Reason.LOCAL,
                f"{error.filename or self._root}: {error.strerror}",
                "look at the disk and the permissions",
            )
        return Fetched(attempted[-1] if attempted else None, self._accepted(), refusal, tuple(notes))

    def stop(self) -> None:
        """End a fetch that is under way, and every one that is begun from now on."""
        self._is_stopped = True
        process = self._running
        if process is not None and process.returncode is None:
            end_group(process)

    def _started(self, process: Popen[bytes]) -> None:
        self._running = process
        if self._is_stopped:
            end_group(process)

    def take(self, check: Callable[[Path], object] = lambda candidate: None) -> Revision | None:  # noqa: ARG005
        """Put what was accepted last into `directory`, at once.

        Args:
            check: called with the directory of a revision before it takes the place; what it raises comes through, and
                the former one stays.
        """
        accepted = self._accepted()
        if accepted and accepted.commit != self._linked() and (self._checkouts / accepted.commit).is_dir():
            check(self._checkouts / accepted.commit / self._settings.path)
            # Where nothing can be written the old one stays, and the next fetch says so.
            with contextlib.suppress(OSError):
                os.utime(self._checkouts / accepted.commit)  # in use since now: see tidy
                partly = self._root / ".current.new"
                partly.unlink(missing_ok=True)
                partly.symlink_to(Path("checkouts", accepted.commit))
                partly.replace(self._link)
                self._note(taken=Moment(accepted, self._clock()))
        return self.current()

    def applied(self, revision: Revision) -> None:
        """The loop says that the engine matches this revision now. Where it cannot be written down, it is forgotten."""
        with contextlib.suppress(OSError):
            self._note(applied=Moment(revision, self._clock()))

    def tidy(self, oldest_start: float | None) -> None:
        """Remove checkouts that nobody uses: not the current one, nor the one before.

        Args:
            oldest_start: when the oldest running container started that mounts something of `directory`: the engine
                looked up the link at that moment, and the files it found must stay. None: there is none.
        """
        order = self._by_age()
        since = [place.stat().st_mtime for place in order]
        damaged = list(self._checkouts.glob(".damaged-*"))
        ends = [*since[1:-1], *(float(place.name.split("-")[1]) for place in damaged)]
        for place, replaced in zip([*order[2:], *damaged], ends, strict=True):
            if oldest_start is None or replaced < oldest_start:
                shutil.rmtree(place, ignore_errors=True)

    def _fetch(self, lock: int, attempted: list[Revision]) -> list[str]:
        home = self._root / "home"
        home.mkdir(exist_ok=True)
        place = self._root / f"repository-{_digest(self._settings.url)}.git"
        for other in [*self._root.glob("repository-*.git"), *self._root.glob(".keys-*")]:
            if other != place:
                shutil.rmtree(other, ignore_errors=True)
        git = Git(place, home, self._environment, (lock,), self._started)
        git.check_version()
        repository = Repository(git, self._settings)
        accepted = self._accepted()
        with access_to(self._settings, self._root, self._environment) as access:
            tip = repository.tip(access)
            if accepted and tip.commit == accepted.commit in self._whole and self._settings.verify != "tag":
                attempted.append(accepted)
                return []
            # The server answered. What fails from here on may be our copy, which is fetched anew, once for a tip.
            anew = self._given_up == tip.object
            while True:
                try:
                    return self._obtain(git, repository, tip, access, attempted)
                except _BROKEN as error:
                    if anew or self._is_stopped:
                        raise repository.refusal_of(error) from error
                anew, self._given_up = True, tip.object
                repository.discard()
                attempted.clear()

    def _obtain(
        self, git: Git, repository: Repository, tip: Tip, access: Access, attempted: list[Revision]
    ) -> list[str]:
        if not (self._settings.is_pinned and repository.has(tip.commit)):
            tip = repository.fetch(tip, access)
        revision = repository.describe(tip.commit)
        attempted.append(revision)
        self._judge(git, repository, tip)
        tree = read_tree(git, tip.commit, self._settings.limits)
        checkout = self._checkouts / tip.commit
        if not checkout.is_dir() or not is_whole(tree, checkout):
            partly = self._checkouts / ".new"
            shutil.rmtree(partly, ignore_errors=True)
            write_tree(git, tree, partly)
            # One that is not whole is moved aside: containers may use it.
            if checkout.is_dir():
                checkout.rename(self._checkouts / f".damaged-{time.time():.0f}-{tip.commit}")
            partly.rename(checkout)
        if not (checkout / self._settings.path).is_dir():
            raise RefusedError(
                Reason.MISSING,
                f"commit {revision.short} has no directory {self._settings.path}",
                "correct path, or push the directory",
            )
        repository.keep(tip.commit)
        self._whole = {tip.commit}
        self._note(accepted=Moment(revision, self._clock()))
        for place in self._by_age()[_MOST_CHECKOUTS:]:
            shutil.rmtree(place, ignore_errors=True)
        return list(tree.notes)

    def _judge(self, git: Git, repository: Repository, tip: Tip) -> None:
        """Raises RefusedError unless the tip may follow what was accepted last."""
        accepted = self._accepted() if self._is_same_source() else None
        follows = accepted is None or repository.descends(tip.commit, accepted.commit)
        if accepted is not None and not follows and not (self._settings.allow_rewind or self._settings.is_pinned):
            what = "tag" if tip.is_tag else "branch"
            raise RefusedError(
                Reason.REWOUND,
                f"{what} {self._settings.ref} was moved to {tip.commit}, which does not contain {accepted.commit}, "
                "accepted last",
                "put the branch back, or set allow_rewind = true for as long as it takes",
            )
        commits = [tip.commit]
        if accepted is not None and self._settings.verify == "commit":
            # Every way in counts: what a merge brings along was not looked at by whoever signed the merge.
            # After a rewind there is no such range, and the tip speaks for itself, as the first time.
            commits = repository.since(tip.commit, accepted.commit) if follows else commits
            commits = commits or [tip.commit]
        verify(git, self._settings, tip, commits, self._root, self._environment)

    def _accepted(self) -> Revision | None:
        accepted = self.record.accepted
        if accepted and accepted.revision and (self._checkouts / accepted.revision.commit).is_dir():
            return accepted.revision
        return self._at_hand()

    def _at_hand(self) -> Revision | None:
        """What the link says, when the record is lost."""
        commit = self._linked()
        return Revision(commit, self._settings.ref) if commit else None

    def _is_same_source(self) -> bool:
        return self.record.identity in ("", self._identity)

    def _linked(self) -> str:
        try:
            name = self._link.readlink().name
        except OSError:
            return ""
        return name if re.fullmatch(r"[0-9a-f]{40,64}", name) and self._link.is_dir() else ""

    def _by_age(self) -> list[Path]:
        """Checkouts, the current one first, then by when they came into use."""
        linked = self._linked()
        places = [place for place in self._checkouts.glob("*") if not place.name.startswith(".")]
        return sorted(places, key=lambda place: (place.name != linked, -place.stat().st_mtime))

    def _note(self, **moments: Moment) -> None:
        with self._turn:
            known = self.record
            identity = self._identity if "accepted" in moments else known.identity
            save(self._file, known._replace(identity=identity, **moments))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int | None]:
        """The lock of this directory, between processes; None when another one has it."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._checkouts.mkdir(exist_ok=True)
        lock = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield lock if _obtained(lock) else None
        finally:
            os.close(lock)


def _obtained(lock: int) -> bool:
    """Whether a lock was to be had. A git that outlives a process of ours that was killed has it for a moment."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        else:
            return True


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
