"""A web server and clients that ask it in a loop, as an image for the engine; counted is what failed."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from benchmarks.engine import Engine, EngineError

PORT = 80
_PROGRAMS = {name: Path(__file__).with_name("programs") / f"{name}.c" for name in ("server", "client")}
#: what is made of other sources is another image
IMAGE = f"rollout-bench:{hashlib.sha256(b''.join(file.read_bytes() for file in _PROGRAMS.values())).hexdigest()[:12]}"


class Count(NamedTuple):
    """What became of the requests of some clients.

    Attributes:
        failed: by kind: refused, reset, no_name, no_route, timeout, other.
        longest_gap: milliseconds in which no request at all was answered.
        slowest: milliseconds that the slowest answered request took.
    """

    requests: int
    retried: int
    failed: dict[str, int]
    longest_gap: float
    slowest: float

    @property
    def failures(self) -> int:
        return sum(self.failed.values())

    @property
    def kinds(self) -> str:
        return ", ".join(f"{count} {kind}" for kind, count in self.failed.items() if count) or "none"


def make_image(engine: Engine, scratch: Path) -> None:
    """Compile the two programs, and make an image that holds nothing else, unless it is there.

    Raises:
        OSError: there is no C compiler with a static C library (Debian: gcc, libc6-dev).
    """
    # Two at once would give the tag to one image after the other.
    with Path(tempfile.gettempdir(), f"{IMAGE.replace(':', '-')}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(EngineError):
            engine.ask("GET", f"/images/{IMAGE}/json")
            return
        _import_image(engine, scratch)


def _import_image(engine: Engine, scratch: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, source in _PROGRAMS.items():
            program = scratch / name
            command = ["cc", "-O2", "-Wall", "-static", "-pthread", "-o", str(program), str(source)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise OSError(f"{' '.join(command)} failed:\n{done.stderr}")
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = program.stat().st_size, 0o755
            with program.open("rb") as file:
                tar.addfile(entry, file)
    name, tag = IMAGE.split(":")
    query = urlencode({"fromSrc": "-", "repo": name, "tag": tag})
    engine.ask("POST", f"/images/create?{query}", stream.getvalue())
    engine.ask("GET", f"/images/{IMAGE}/json")


class Clients:
    """Clients on a network, from `begin` to `count`."""

    def __init__(self, engine: Engine, network: str, alias: str, *, retry_ms: int, clients: int = 8) -> None:
        self._engine = engine
        words = ["/client", alias, str(PORT), str(clients), str(retry_ms)]
        self._words, self._network, self._id = words, network, ""

    def begin(self) -> None:
        body: dict[str, Any] = {"Image": IMAGE, "Cmd": self._words, "HostConfig": {"NetworkMode": self._network}}
        self._id = self._engine.ask("POST", "/containers/create", body)["Id"]
        self._engine.ask("POST", f"/containers/{self._id}/start")

    def count(self) -> Count:
        """End them."""
        try:
            self._engine.ask("POST", f"/containers/{self._id}/stop?t=30")
            found = _last_line(self._engine, self._id)
        finally:
            self._engine.remove_container(self._id)
        kinds = ("refused", "reset", "no_name", "no_route", "timeout", "other")
        failed = {kind: found[kind] for kind in kinds}
        return Count(found["requests"], found["retried"], failed, found["longest_gap_ms"], found["slowest_ms"])


def _last_line(engine: Engine, container_id: str) -> dict[str, Any]:
    text = engine.read(f"/containers/{quote(container_id)}/logs?stdout=1&stderr=1")
    start = text.find(b"{")
    if start < 0:
        raise EngineError(f"the clients said nothing: {text!r}")
    return dict(json.loads(text[start:]))


def serve(engine: Engine, name: str, network: str, alias: str, manner: str = "graceful", work_ms: int = 0) -> str:
    """A server with an alias on a network, answering; its id."""
    body = {
        "Image": IMAGE,
        "Cmd": ["/server", str(PORT), manner, str(work_ms)],
        "HostConfig": {"NetworkMode": network},
        "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": [alias]}}},
    }
    container_id: str = engine.ask("POST", f"/containers/create?name={name}", body)["Id"]
    engine.ask("POST", f"/containers/{container_id}/start")
    time.sleep(0.3)
    return container_id
