"""Files → "something changed". Directories are watched, not files: editors and deployments replace files by renaming."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

#: seconds between looks at whether the directories are still the same ones: made again, or behind a link that has moved
_IDENTITY = 1.0
_POLL = 1.0
#: seconds that may go by between the reading of a directory and the first sign that it is watched
_GAP = 3 * _IDENTITY
#: file systems on which a change made elsewhere is never told
_SILENT_SYSTEMS = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "vboxsf",
    "prl_fs",
    "virtiofs",
    "afs",
    "ceph",
    "glusterfs",
)
_BORING = (".swp", ".swx", ".swpx", "~", ".tmp", ".part")


class Watched(NamedTuple):
    """What a project reads: directories whose own entries matter, and trees (build contexts)."""

    flat: frozenset[str] = frozenset()
    deep: frozenset[str] = frozenset()


class Watcher:
    """Watches for all projects together: one thread for directories, one for trees; `changed(project, path)` is told.

    Attributes:
        complain: told, once each, what cannot be watched as it should be.
    """

    def __init__(self, changed: Callable[[str, str], None], complain: Callable[[str], None], *, polls: bool) -> None:
        self._changed, self._complain, self._polls = changed, complain, polls
        self._lock = threading.Lock()
        self._wanted: dict[str, Watched] = {}
        self._stop = threading.Event()
        self._complaints: set[str] = set()
        self._threads = [
            threading.Thread(target=self._run, args=(deep,), daemon=True, name="trees" if deep else "files")
            for deep in (False, True)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()

    def watch(self, project: str, watched: Watched | None) -> None:
        """From now on these, for a project; None for one that is no more."""
        with self._lock:
            if watched is None:
                self._wanted.pop(project, None)
            else:
                self._wanted[project] = watched

    # --- inside ------------------------------------------------------------------------------------------------

    def _run(self, deep: bool) -> None:
        identities: dict[str, object] = {}
        while not self._stop.is_set():
            before, identities = identities, self._identities(deep)
            self._tell_of_others(before, identities, deep)
            there = sorted(path for path, identity in identities.items() if identity is not None)
            if not there:
                self._stop.wait(_IDENTITY)
                continue
            polls = self._polls or any(map(_is_silent, there))
            try:
                self._listen(there, identities, deep, polls)
            except (OSError, RuntimeError) as error:
                if not polls and not isinstance(error, FileNotFoundError):
                    self._polls = True
                    self._say(
                        f"the kernel cannot tell of changed files, so they are looked at every {_POLL:.0f} s: {error}"
                    )
                self._stop.wait(_IDENTITY)

    def _listen(self, there: Sequence[str], identities: Mapping[str, object], deep: bool, polls: bool) -> None:
        """Tell of changes until the directories are other ones. Raises OSError or RuntimeError when that cannot be done."""
        from watchfiles import watch

        found = watch(
            *there,
            watch_filter=None,
            debounce=100,
            step=50,
            stop_event=self._stop,
            rust_timeout=int(_IDENTITY * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=polls,
            poll_delay_ms=int(_POLL * 1000),
            recursive=deep,
            ignore_permission_denied=True,
        )
        is_first = True
        with closing(found):
            for changes in found:
                # What was changed after a pass had read it and before this began is told by nobody else.
                for path in there if is_first else ():
                    if _changed_lately(path, deep):
                        self._tell(path, deep)
                is_first = False
                for _, path in changes:
                    if not path.endswith(_BORING):
                        self._tell(path, deep)
                if self._identities(deep) != identities:
                    return

    def _identities(self, deep: bool) -> dict[str, object]:
        with self._lock:
            paths = {path for watched in self._wanted.values() for path in (watched.deep if deep else watched.flat)}
        return {path: _identity(path) for path in paths}

    def _tell_of_others(self, before: Mapping[str, object], now: Mapping[str, object], deep: bool) -> None:
        for path, identity in now.items():
            if path in before and before[path] != identity:
                self._tell(path, deep)

    def _tell(self, path: str, deep: bool) -> None:
        with self._lock:
            wanted = list(self._wanted.items())
        for project, watched in wanted:
            if (deep and any(path == tree or path.startswith(f"{tree}{os.sep}") for tree in watched.deep)) or (
                not deep and (path in watched.flat or str(Path(path).parent) in watched.flat)
            ):
                self._changed(project, path)

    def _say(self, text: str) -> None:
        if text not in self._complaints:
            self._complaints.add(text)
            self._complain(text)


def _identity(path: str) -> object:
    """What a path leads to now; None when it leads nowhere."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path is made for each of them every second
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _changed_lately(path: str, deep: bool) -> bool:
    """Whether something in a directory, or below it, was changed a moment ago."""
    since = time.time() - _GAP
    with suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            found = entry.stat(follow_symlinks=False)
            # The second one tells of what was renamed, which keeps its time of change.
            if max(found.st_mtime, found.st_ctime) >= since and not entry.name.endswith(_BORING):
                return True
            if deep and entry.is_dir(follow_symlinks=False) and _changed_lately(entry.path, deep):
                return True
    return False


def _is_silent(path: str) -> bool:
    """Whether a path is on a file system that tells of no changes made elsewhere."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    best, system = "", ""
    real = os.path.realpath(path)
    for line in lines:
        front, _, back = line.partition(" - ")
        point = front.split()[4].replace("\\040", " ")
        if len(point) >= len(best) and (real == point or real.startswith(point.rstrip("/") + "/")):
            best, system = point, back.split()[0]
    return system in _SILENT_SYSTEMS or system.startswith("fuse.")
