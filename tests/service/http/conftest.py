"""An instance on the engine in memory, served for real: at a unix socket or at a port of loopback."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reconciler.loop.instance import Instance
from reconciler.loop.telling import Condition
from reconciler.service.http.interface import Hooks, Journal, Served
from reconciler.service.http.listening import Place
from reconciler.service.http.server import Server
from reconciler.service.redaction import Secrets
from tests.loop.conftest import WEB
from tests.loop.test_instance import World, until

TOKEN = "a-token-that-is-long-enough"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return self._note

    def _note(self, event: str, **about: Any) -> None:
        self.lines.append((event, about))


class Site:
    """A world that is served."""

    def __init__(self, world: World, instance: Instance, place: Place, **more: Any) -> None:
        self.world, self.instance, self.log, self.secrets = world, instance, Log(), Secrets()
        self.ready, self.alive, self.token = True, True, TOKEN
        self.complaints: list[str] = []
        names = more.pop("names", "")
        served = Served(
            instance, self.secrets, self.log, lambda: self.alive, lambda: self.ready, lambda: self.token, **more
        )
        self.server = Server(served, place, names, self.complaints.append)
        instance.observers.insert(0, self.server.observe)
        self.server.start()

    def connect(self) -> http.client.HTTPConnection:
        place = self.server.place
        if place.path:
            return _UnixConnection(place.path)
        return http.client.HTTPConnection(place.host, place.port, timeout=10)

    def raw(self) -> socket.socket:
        """A socket, connected."""
        connection = self.connect()
        connection.connect()
        return connection.sock

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        connection = self.connect()
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, content, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        connection.close()
        return found

    def order(self, what: str, token: str = TOKEN, **about: str) -> Answer:
        return self.ask(f"/api/v1/{what}", "POST", about, Authorization=f"Bearer {token}")

    def status(self) -> Any:
        return self.ask("/api/v1/status").json()

    def project(self, name: str = "shop") -> Any:
        return next(item for item in self.status()["projects"] if item["name"] == name)

    def settle(self, name: str = "shop") -> None:
        until(lambda: self.world.status(name).condition is Condition.SETTLED)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for instance in made.instances:
        assert instance.stop(5)


class Serve:
    """Starts sites, with the projects that were written."""

    def __init__(self, world: World, sites: list[Site]) -> None:
        self._world, self._sites = world, sites

    def __call__(
        self,
        *projects: str,
        place: Place = Place(host="127.0.0.1"),
        names: str = "",
        journal: Journal | None = None,
        hooks: Hooks | None = None,
        metrics: Callable[[], tuple[bytes, str]] | None = None,
    ) -> Site:
        instance = self._world.make(*projects)
        site = Site(self._world, instance, place, names=names, journal=journal, hooks=hooks, metrics=metrics)
        self._sites.append(site)
        instance.start()
        return site


@pytest.fixture
def serve(world: World) -> Iterator[Serve]:
    sites: list[Site] = []
    yield Serve(world, sites)
    for site in sites:
        site.server.stop()
        assert site.complaints == []


@pytest.fixture
def site(world: World, serve: Serve) -> Site:
    """One settled project, `shop`, with one container."""
    world.write("shop", WEB)
    made = serve("shop")
    made.settle()
    return made
