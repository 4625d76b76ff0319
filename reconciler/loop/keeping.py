"""The state directory: what is remembered over restarts, written whole or not at all; one writer at a time.

    STATE/lock                 held while a `run` uses the directory
    STATE/suspended.json       what is suspended
    STATE/projects/NAME.json   the memory of a project

A file that cannot be read is left aside with a word about it: correctness never depends on it.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import UsageError
from reconciler.loop.judge import Suspended
from reconciler.loop.memory import Memory, from_json, to_json
from reconciler.model.address import Address, parse_address

#: told of what could not be read or written
Complain = Callable[[str], None]
#: the name under which the instance as a whole is suspended
EVERYTHING = ""


class StateDirectory:
    """The directory of one instance. Without one (`path` is None) nothing outlives the process."""

    def __init__(self, path: Path | None, complain: Complain) -> None:
        self.path = path
        self._complain = complain
        self._lock: int | None = None
        # Replaced as wholes: they are read from other threads.
        self._whole: frozenset[str] = frozenset()
        self._addresses: dict[str, frozenset[Address]] = {}
        self._changing = threading.Lock()

    def open(self) -> None:
        """Make it, and keep others out.

        Raises:
            UsageError: it cannot be made or written, or another `run` uses it.
        """
        if self.path is None:
            return
        try:
            (self.path / "projects").mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(
                f"the state directory {self.path} cannot be used: {error.strerror}\n    hint: give another by --state-dir"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise UsageError(
                f"another `reconciler run` uses the state directory {self.path}\n"
                "    hint: stop it, or give this one another directory by --state-dir"
            ) from error
        self._read_suspended()

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- memories ----------------------------------------------------------------------------------------------

    def memory_of(self, project: str) -> Memory:
        document = self._read(self._memory_file(project))
        if document is None:
            return Memory()
        try:
            return from_json(document)
        except ValueError as error:
            self._complain(f"what was remembered of project {project} is left aside: {error}")
            return Memory()

    def remember(self, project: str, memory: Memory) -> None:
        self._write(self._memory_file(project), to_json(memory))

    def _memory_file(self, project: str) -> Path | None:
        return None if self.path is None else self.path / "projects" / f"{project}.json"

    # --- what is suspended -------------------------------------------------------------------------------------

    @property
    def is_suspended(self) -> bool:
        """The instance as a whole."""
        return EVERYTHING in self._whole

    def suspended_in(self, project: str) -> Suspended:
        whole = bool({EVERYTHING, project} & self._whole)
        return Suspended(whole, self._addresses.get(project, frozenset()))

    def suspend(self, project: str = EVERYTHING, address: Address | None = None) -> None:
        """From now on nothing of it is touched: of the whole instance, a project, or a resource."""
        with self._changing:
            if address is None:
                self._whole = self._whole | {project}
            else:
                self._addresses = {**self._addresses, project: self._addresses.get(project, frozenset()) | {address}}
            self._write_suspended()

    def resume(self, project: str = EVERYTHING, address: Address | None = None) -> None:
        """The same level again; what is suspended at another one stays so."""
        with self._changing:
            if address is None:
                self._whole = self._whole - {project}
            else:
                self._addresses = {**self._addresses, project: self._addresses.get(project, frozenset()) - {address}}
            self._write_suspended()

    def _read_suspended(self) -> None:
        document = self._read(self.path / "suspended.json" if self.path is not None else None)
        try:
            self._whole = frozenset(map(str, document["whole"])) if document is not None else frozenset()
            resources = document["resources"] if document is not None else {}
            self._addresses = {name: frozenset(map(parse_address, found)) for name, found in resources.items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            # Rather too much than too little: a person suspended something, and we do not know what.
            self._complain(f"what is suspended cannot be read, so everything is; `resume` goes on: {error!r}")
            self._whole = frozenset({EVERYTHING})

    def _write_suspended(self) -> None:
        resources = {name: sorted(map(str, found)) for name, found in self._addresses.items() if found}
        document = {"whole": sorted(self._whole), "resources": resources}
        self._write(self.path / "suspended.json" if self.path is not None else None, document)

    # --- files -------------------------------------------------------------------------------------------------

    def _read(self, file: Path | None) -> Any:
        if file is None:
            return None
        try:
            return json.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._complain(f"{file} is left aside: {error}")
            return {}

    def _write(self, file: Path | None, document: Mapping[str, Any]) -> None:
        if file is None:
            return
        fresh = file.with_suffix(".new")
        try:
            with fresh.open("w", encoding="utf-8") as stream:
                json.dump(document, stream, indent=1, sort_keys=True)
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(file)
        except OSError as error:
            self._complain(f"{file} cannot be written, so it is forgotten at the next start: {error.strerror}")


def default_directory(environment: Mapping[str, str]) -> Path | None:
    """Where systemd says, else in the user's state directory; None for a user without a home."""
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    home = environment.get("HOME", "")
    state = environment.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    return Path(state) / "reconciler" if state.startswith("/") else None
