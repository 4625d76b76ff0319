"""The journal: what each pass did, in one SQLite file beside the rest of the state. To lose it is to lose history, nothing else.

    STATE/journal.db            the passes, the newest last; its owner alone may read it
    STATE/journal.db.damaged    a file that could not be read any more

Who reads opens the file anew for each question, so that any thread and any process may. Who writes is one thread, beside
the passes; what it writes is made in `recording`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from reconciler.errors import ReconcilerError

FILE = "journal.db"
#: each brings a file from the version that is its position to the next; the version stands in the file
MIGRATIONS = (
    """
    CREATE TABLE passes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        project TEXT NOT NULL,
        at REAL NOT NULL,
        until REAL NOT NULL,
        times INTEGER NOT NULL DEFAULT 1,
        mark TEXT NOT NULL,
        summary TEXT NOT NULL,
        whole TEXT NOT NULL
    );
    CREATE INDEX passes_of_a_project ON passes (project, id);
    """,
)
#: seconds to wait for another process that writes
_BUSY = 5.0
_LARGEST_NUMBER = 2**63 - 1  # of SQLite
#: characters of one entry; what is longer loses the fields of its changes, and all changes but so many
_LARGEST, _MOST = 1_000_000, 1000


class JournalError(ReconcilerError):
    """The journal cannot be read or written; why, for a person."""


class Bounds(NamedTuple):
    """How many entries are kept, and for how many days."""

    keep: int = 10_000
    days: float = 90.0


class Entry(NamedTuple):
    """What is written of one pass.

    Attributes:
        at, until: times of day: when it began, and when it was so for the last time.
        mark: what makes the next one the same as this one, so that it is only counted; "" for what is never the same.
        summary: a line of the list; `details` is what is there besides.
    """

    project: str
    at: float
    until: float
    mark: str
    summary: Mapping[str, Any]
    details: Mapping[str, Any]


# --- reading -------------------------------------------------------------------------------------------------------


class Journal:
    """Answers questions about what was done. Each is one short transaction, on a connection of its own."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def entries(self, project: str = "", limit: int = 50, before: int | None = None) -> list[dict[str, Any]]:
        """Summaries, the newest first: of one project or of all, with ids below `before`.

        Raises:
            JournalError: it is there and cannot be read.
        """
        query = "SELECT id, at, until, times, summary FROM passes WHERE (? = '' OR project = ?) AND id < ? ORDER BY id DESC LIMIT ?"
        rows = self._ask(query, (project, project, 2**62 if before is None else before, max(0, limit)))
        return [_shown(*row) for row in rows]

    def entry(self, id: int) -> dict[str, Any] | None:  # noqa: A002 - the word that everyone reads in the list
        """All of one pass; None when there is none of that id.

        Raises:
            JournalError: it is there and cannot be read.
        """
        rows = self._ask("SELECT id, at, until, times, summary, whole FROM passes WHERE id = ?", (id,))
        return next((_shown(*row[:5]) | json.loads(row[5]) for row in rows), None)

    def _ask(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if not is_there(self.file):
            return []
        try:
            with opened(self.file, "ro") as connection:
                if not connection.execute("PRAGMA user_version").fetchone()[0]:
                    return []
                numbers = [min(value, _LARGEST_NUMBER) if isinstance(value, int) else value for value in values]
                return connection.execute(query, numbers).fetchall()
        except (sqlite3.Error, ValueError) as error:
            raise JournalError(f"the journal {self.file} cannot be read: {error}{_hint(self.file)}") from error


def is_there(file: Path) -> bool:
    """Raises JournalError when that cannot be said."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:  # its directory is closed to us
        raise JournalError(f"the journal {file} cannot be read: {error.strerror}{_hint(file)}") from error
    return True


def _hint(file: Path) -> str:
    """What to do about a journal that cannot be read."""
    if os.access(file, os.R_OK):
        return "\n    hint: a `run` moves a damaged one aside, at its next start at the latest; so may you: it holds history and nothing else"
    return "\n    hint: only the user whose `run` writes it may read it, and root: try it with sudo"


def _shown(number: int, at: float, until: float, times: int, summary: str) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(summary)
    return {"id": number, "at": moment(at), "until": moment(until), "times": times, **about}


def moment(at: float) -> str:
    """A time of day as `2026-01-31T10:00:00.250Z`."""
    seconds, millis = divmod(int(at * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{millis:03d}Z"


# --- writing -------------------------------------------------------------------------------------------------------


class Writer:
    """Writes entries. Used by one thread; whatever befalls the file is said once, until it goes well again."""

    def __init__(self, file: Path, bounds: Callable[[], Bounds], complain: Callable[[str], None]) -> None:
        self.file = file
        self._bounds, self._complain = bounds, complain
        self._connection: sqlite3.Connection | None = None
        self._opened: os.stat_result | None = None
        self._complained = ""

    def write(self, entry: Entry) -> None:
        """Write it, or count it where the last one of its project says the same; then forget what is too old."""
        for is_last_try in (False, True):
            try:
                self._write(entry)
            except sqlite3.OperationalError as error:  # a full disk, a lock, a directory that cannot be written
                return self._failed(str(error))
            except sqlite3.DatabaseError as error:
                self.close()
                if is_last_try:
                    return self._failed(str(error))
                self._set_aside(str(error))
            except (OSError, JournalError) as error:
                return self._failed(str(error))
            else:
                self._complained = ""
                return None
        return None

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _write(self, entry: Entry) -> None:
        if self._connection is not None and not self._is_still_there():
            self.close()
            self._complain(f"the journal {self.file} was taken away while it was written, and begins anew")
        if self._connection is None:
            self._connection = _open_to_write(self.file)
            self._opened = self.file.stat()
        bounds = self._bounds()
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            if not (entry.mark and _counted(connection, entry)):
                summary, whole = _texts(entry)
                connection.execute(
                    "INSERT INTO passes (project, at, until, mark, summary, whole) VALUES (?, ?, ?, ?, ?, ?)",
                    (entry.project, entry.at, entry.until, entry.mark, summary, whole),
                )
            connection.execute(
                "DELETE FROM passes WHERE id <= (SELECT id FROM passes ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (bounds.keep,),
            )
            connection.execute("DELETE FROM passes WHERE until < ?", (entry.until - bounds.days * 86400,))

    def _is_still_there(self) -> bool:
        """Whether the file is the one that was opened: what goes into one that was removed is seen by nobody."""
        try:
            return self._opened is not None and os.path.samestat(self.file.stat(), self._opened)
        except OSError:
            return False

    def _failed(self, why: str) -> None:
        self.close()
        if why != self._complained:
            self._complained = why
            self._complain(f"the journal {self.file} cannot be written, so this is not remembered: {why}")

    def _set_aside(self, why: str) -> None:
        aside = self.file.with_name(f"{FILE}.damaged")
        try:
            self.file.replace(aside)
            for ending in ("-wal", "-shm"):
                self.file.with_name(FILE + ending).unlink(missing_ok=True)
        except OSError as error:
            why = f"{why}; and it cannot be moved: {error.strerror}"
        self._complain(f"the journal was damaged and begins anew; what there was is in {aside}: {why}")


def _counted(connection: sqlite3.Connection, entry: Entry) -> bool:
    """Whether the last entry of the project says the same and now counts this one too."""
    query = "SELECT id, mark FROM passes WHERE project = ? ORDER BY id DESC LIMIT 1"
    last = connection.execute(query, (entry.project,)).fetchone()
    if last is None or last[1] != entry.mark:
        return False
    connection.execute("UPDATE passes SET times = times + 1, until = ? WHERE id = ?", (entry.until, last[0]))
    return True


def _texts(entry: Entry) -> tuple[str, str]:
    summary = json.dumps(entry.summary, ensure_ascii=False)
    whole = json.dumps(entry.details, ensure_ascii=False)
    if len(whole) > _LARGEST:
        details = entry.details
        changes = [{**change, "fields": [], "actions": []} for change in details.get("changes", ())[:_MOST]]
        outcomes = [
            {**outcome, "message": outcome["message"][-500:]} for outcome in details.get("outcomes", ())[:_MOST]
        ]
        cut = {**details, "changes": changes, "outcomes": outcomes, "remaining": [], "held": [], "is_cut": True}
        whole = json.dumps(cut, ensure_ascii=False)
    # A file name may hold what is no character; the engine's texts are clean.
    return summary.encode("utf-8", "replace").decode(), whole.encode("utf-8", "replace").decode()


def _open_to_write(file: Path) -> sqlite3.Connection:
    """Made when it is not there, brought to the present form, and looked through once.

    Raises:
        sqlite3.Error, OSError: it cannot be used. JournalError: a newer version of this program wrote it.
    """
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    file.chmod(0o600)
    connection = _connect(file, "rw")
    try:
        if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(found)
        connection.execute("BEGIN IMMEDIATE")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise JournalError(f"a newer version of reconciler made it (its form is {version})")
        for statement in ";".join(MIGRATIONS[version:]).split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
        connection.execute("PRAGMA synchronous = NORMAL")
        # When another one is at work just now this fails, and is done by whoever opens it next.
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    address = f"{file.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=_BUSY, isolation_level=None, check_same_thread=False)


@contextmanager
def opened(file: Path, mode: str) -> Iterator[sqlite3.Connection]:
    connection = _connect(file, mode)
    try:
        yield connection
    finally:
        connection.close()
