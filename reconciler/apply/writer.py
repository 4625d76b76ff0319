"""One writer for each project and engine: a lock on a file keeps out this machine, a lease on the engine everyone else.

The file is locked by `flock`, so any death releases it. The lease is a volume (`model/lease.py`): each writer makes one of its
own and then looks whether there is another. Of two at once at least the later one sees the other, and whoever sees one that
is alive takes its own away and waits. So nothing has to be exchanged in one step, which no engine can do, and what is
taken away is only ever one's own, or that of a dead process, or one that has run out.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from reconciler.engine.interface import Engine
from reconciler.engine.itself import is_dead, this_process
from reconciler.errors import EngineError, EngineRefusedError, LockedError, NotFoundError
from reconciler.model.lease import TERM, Lease, lease_body, lease_name, read_lease
from reconciler.model.values import digest

#: seconds for which somebody else's run is waited for
PATIENCE = 10.0
_ENDING = 5.0
#: what this process has on engines now; the rest of what carries its name is left over
_held: set[str] = set()


def lock_directory(environment: Mapping[str, str]) -> Path:
    """Where the locks of this user lie: root and a service share theirs; two users meet at the engine."""
    uid = os.geteuid()
    if given := environment.get("RUNTIME_DIRECTORY"):  # what systemd made for us
        return Path(given.partition(":")[0])
    if uid == 0:
        return Path("/run/reconciler")
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    return (
        Path(runtime) / "reconciler" if runtime.startswith("/") else Path(tempfile.gettempdir()) / f"reconciler-{uid}"
    )


class Writer:
    """Whoever may change a project on an engine, from `take` to `release`.

    Attributes:
        lost: why it may not any more, or "".
        doubt: why nobody on other machines is kept out, or "".
    """

    def __init__(
        self, engine: Engine, project: str, directory: Path | None, cancelled: threading.Event, term: float = TERM
    ) -> None:
        self.lost = ""
        self.doubt = ""
        self._engine, self._project, self._directory, self._cancelled = engine, project, directory, cancelled
        self._term = term
        self._file: int | None = None
        self._names: list[str] = []
        self._made_at = 0.0
        self._since = int(time.time())
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew_until_the_end, daemon=True, name=f"lease {project}")

    def take(self, patience: float, say: Callable[[str], None]) -> None:
        """Become the writer.

        Raises:
            LockedError: another one is, and was for all of `patience`; says who.
            EngineError: the engine did not answer.
        """
        until, is_said = time.monotonic() + patience, False
        while other := self._other_on_this_machine() or self._other_on_the_engine():
            if self._cancelled.is_set() or time.monotonic() >= until:
                raise LockedError(
                    f"project {self._project} is being changed by {other}; nothing was changed\n"
                    "    hint: wait until that has ended; what a process on another machine left behind ends"
                    f" by itself after {TERM} s"
                )
            if not is_said:
                say(f"waiting for {other}")
                is_said = True
            self._cancelled.wait(
                0.05 + secrets.randbelow(250) / 1000
            )  # of two that wait for each other one must be first
        if not self.doubt:
            self._renewing.start()

    def release(self) -> None:
        """Give it up. An engine that is away by now is no reason to fail: what is left there is recognised as left over."""
        self._ended.set()
        if self._renewing.ident is not None:
            self._renewing.join(_ENDING)
        for name in list(self._names):
            with suppress(EngineError):
                self._remove(name)
        _held.difference_update(name.rpartition(".")[2] for name in self._names)
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # --- this machine ------------------------------------------------------------------------------------------

    def _other_on_this_machine(self) -> str:
        """Who holds the file, or "". Where no file can be had the lease has to do."""
        if self._file is not None or self._directory is None:
            return ""
        facts = self._engine.facts()
        key = digest([facts.id or facts.name, self._project])[:16]
        try:
            opened = _open(self._directory, f"{self._project}-{key}.lock")
        except OSError:
            return ""
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            who = os.pread(opened, 200, 0).decode("utf-8", "replace").strip()
            os.close(opened)
            return who or "another process of this machine"
        self._file = opened
        with suppress(OSError):  # a full disk: it is locked all the same
            os.ftruncate(opened, 0)
            os.pwrite(opened, str(this_process()).encode(), 0)
        return ""

    # --- everyone else -----------------------------------------------------------------------------------------

    def _other_on_the_engine(self) -> str:
        """Who has a lease, or "" when we have the only one. What the dead have left goes."""
        try:
            name = self._make()
        except EngineRefusedError as error:
            # A full disk, or a proxy that lets no volume be made. Then what frees the disk must go on.
            self.doubt = f"writers on other machines are not kept out, since no lease can be made: {error}"
            return ""
        leases = self._listed()
        own = next((lease for lease in leases if lease.name == name), None)
        others = [lease for lease in leases if lease.name not in self._names]
        alive = [lease for lease in others if _is_alive(lease, own)]
        if own is None or alive:
            self._remove(name)
            return str(alive[0].holder) if alive else "somebody who removed our lease from the engine"
        sweep(self._engine, others)
        return ""

    def _make(self) -> str:
        made_at, token = time.monotonic(), secrets.token_hex(8)
        name = lease_name(self._project, token)
        lease = Lease(name, self._project, this_process(), token, seconds=int(self._term), since=self._since)
        self._names.append(name)
        _held.add(token)
        self._engine.create_volume(lease_body(lease))
        self._made_at = made_at
        return name

    def _remove(self, name: str) -> bool:
        """Take a lease of ours away; whether it was there."""
        try:
            self._engine.remove_volume(name)
            found = True
        except NotFoundError:
            found = False
        self._names.remove(name)
        _held.discard(name.rpartition(".")[2])
        return found

    def _listed(self) -> list[Lease]:
        found = (read_lease(volume) for volume in self._engine.list_volumes())
        return [lease for lease in found if lease is not None and lease.project == self._project]

    # --- as time goes by ---------------------------------------------------------------------------------------

    def _renew_until_the_end(self) -> None:
        while not self._ended.wait(self._term / 4) and not self.lost:
            try:
                self._renew()
            except EngineError as error:
                if time.monotonic() - self._made_at > self._term:
                    self._lose(f"the lease could not be renewed: {error}")

    def _renew(self) -> None:
        """A new one is there before the old one goes, so there is no moment without. It was late, or is gone: who else is there?"""
        former = list(self._names)
        is_late = time.monotonic() - self._made_at > self._term
        name = self._make()
        removed = [self._remove(old) for old in former]
        if all(removed) and not is_late:
            return
        leases = self._listed()
        own = next((lease for lease in leases if lease.name == name), None)
        others = [lease for lease in leases if lease.name not in self._names and _is_alive(lease, own)]
        if others:
            self._lose(f"{others[0].holder} has taken over meanwhile")

    def _lose(self, why: str) -> None:
        self.lost = why
        self._cancelled.set()


@contextmanager
def sole_writer(
    engine: Engine,
    project: str,
    directory: Path | None,
    cancelled: threading.Event,
    say: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    patience: float = PATIENCE,
) -> Iterator[Writer]:
    """Nobody else changes the project meanwhile. What was observed before counts no more: look again.

    Args:
        directory: where the locks of this machine lie; None: there are none.
        cancelled: ends the waiting; is set when somebody else has taken over, so that nothing more is begun.
        say: told whom we wait for.
    """
    writer = Writer(engine, project, directory, cancelled)
    try:
        writer.take(patience, say)
        yield writer
    finally:
        writer.release()


def sweep(engine: Engine, leases: Iterable[Lease]) -> None:
    """Remove leases that nobody holds any more."""
    for lease in leases:
        with suppress(EngineError):
            engine.remove_volume(lease.name)


def left_behind(leases: Iterable[Lease], project: str) -> list[Lease]:
    """Those of a project whose holders were processes of this machine and are no more."""
    return [lease for lease in leases if lease.project == project and _is_left_behind(lease)]


def holder_of(leases: Iterable[Lease], project: str) -> Lease | None:
    """Who changes a project now, as far as can be seen from here."""
    found = [lease for lease in leases if lease.project == project and not _is_left_behind(lease)]
    return found[0] if found else None


def _is_left_behind(lease: Lease) -> bool:
    return lease.token not in _held if lease.holder == this_process() else is_dead(lease.holder)


def _is_alive(lease: Lease, own: Lease | None) -> bool:
    """`own` was made just now, so that its time is the engine's own."""
    return not _is_left_behind(lease) and not has_run_out(lease, own.created if own is not None else "")


def has_run_out(lease: Lease, now: str) -> bool:
    """Whether a lease is good no more, by the engine's clock, which says `now`."""
    try:
        age = datetime.fromisoformat(now) - datetime.fromisoformat(lease.created)
        return age.total_seconds() >= lease.seconds
    except (ValueError, TypeError):
        return False  # an engine that tells no times


def _open(directory: Path, name: str) -> int:
    """The file to lock, in a directory that is ours alone.

    Raises:
        OSError: there is no such directory, and none can be made.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    uid = os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or uid not in (0, found.st_uid):
        raise PermissionError(f"{directory} is not ours")
    opened = os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if uid == 0 and found.st_uid != 0:
        os.fchown(opened, found.st_uid, -1)  # a service of its own user has to open it as well
    return opened
