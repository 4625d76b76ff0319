"""The engine, seen past the programs that are measured: what is there, and a hand that removes something."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode


class EngineError(Exception):
    """The engine refused a request of ours."""


class Owned(NamedTuple):
    """What carries a project's label."""

    running: frozenset[str]
    containers: frozenset[str]
    networks: frozenset[str]
    volumes: frozenset[str]

    @property
    def is_empty(self) -> bool:
        return not (self.containers or self.networks or self.volumes)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class Engine:
    """An engine on a unix socket."""

    def __init__(self, host: str) -> None:
        scheme, _, self.socket = host.partition("://")
        if scheme != "unix":
            raise EngineError(f"{host} is not a unix socket; measuring needs one")

    def owned(self, label: str) -> Owned:
        """What carries `label`, given as key=value."""
        chosen = "&" + urlencode({"filters": json.dumps({"label": [label]})})
        containers = self.ask("GET", f"/containers/json?all=1{chosen}")
        return Owned(
            running=frozenset(entry["Id"] for entry in containers if entry["State"] == "running"),
            containers=frozenset(entry["Id"] for entry in containers),
            networks=frozenset(entry["Id"] for entry in self.ask("GET", f"/networks?{chosen[1:]}")),
            volumes=frozenset(entry["Name"] for entry in self.ask("GET", f"/volumes?{chosen[1:]}")["Volumes"] or ()),
        )

    def variables(self, container: str) -> list[str]:
        """NAME=value of a container's environment."""
        return list(self.ask("GET", f"/containers/{quote(container)}/json")["Config"]["Env"])

    def remove_container(self, container: str) -> None:
        """As `docker rm -f` does."""
        self.ask("DELETE", f"/containers/{quote(container)}?force=1")

    def remove_owned(self, label: str) -> None:
        """Take away what a broken run has left."""
        found = self.owned(label)
        for container in found.containers:
            with suppress(EngineError):
                self.remove_container(container)
        for kind, names in (("networks", found.networks), ("volumes", found.volumes)):
            for name in names:
                with suppress(EngineError):
                    self.ask("DELETE", f"/{kind}/{quote(name)}")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer, None when it has none.

        Args:
            body: what is sent: bytes as they are, anything else as JSON.

        Raises:
            EngineError: the engine said no.
        """
        said = self.read(path, method, body)
        if not said.strip().startswith((b"{", b"[")):
            return None
        lines = said.splitlines()  # some answers are one document a line: what became of it stands in the last
        return json.loads(lines[-1] if len(lines) > 1 else said)

    def read(self, path: str, method: str = "GET", body: Any = None) -> bytes:
        """The bytes of an answer.

        Raises:
            EngineError: the engine said no.
        """
        is_raw = isinstance(body, bytes)
        kind = {"Content-Type": "application/x-tar" if is_raw else "application/json"} if body is not None else {}
        connection = _Connection(self.socket)
        try:
            connection.request(method, path, body if is_raw or body is None else json.dumps(body), kind)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise EngineError(f"{method} {path}: {answer.status} {said[:300].decode(errors='replace')}")
        return said
