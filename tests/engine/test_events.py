"""Events: the contract that the engine in memory and a real one both keep, and what a lost connection looks like."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.engine.client import DockerEngine
from reconciler.engine.endpoint import parse_address
from reconciler.engine.interface import Events
from reconciler.errors import EngineRefusedError, EngineUnavailableError
from reconciler.loop.triggers import FILTERS, EngineEvent, read_event
from tests.engine.conftest import Bench


class Listener:
    """Collects events in a thread."""

    def __init__(self, events: Events) -> None:
        self.events, self.heard = events, list[EngineEvent]()
        self.raw: list[dict[str, Any]] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for raw in self.events:
            self.raw.append(raw)
            if (event := read_event(raw)) is not None:
                self.heard.append(event)

    def actions(self, name: str) -> list[str]:
        return [event.action for event in self.heard if event.name == name]

    def until(self, name: str, action: str) -> EngineEvent:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for event in list(self.heard):
                if (event.name, event.action) == (name, action):
                    return event
            time.sleep(0.01)
        raise AssertionError(f"no {action} of {name}; heard {[str(event) for event in self.heard]}")


@contextmanager
def listening(bench: Bench, since: str = "") -> Iterator[Listener]:
    listener = Listener(bench.engine.events(since, FILTERS))
    time.sleep(0.1)  # an engine answers before it listens
    yield listener
    listener.events.close()
    listener.thread.join(5)
    assert not listener.thread.is_alive()


def test_the_life_of_a_container(bench: Bench) -> None:
    with listening(bench) as listener:
        made = bench.container("web", {"Labels": {"reconciler.project": "shop"}}, start=True)
        bench.engine.rename_container(made, bench.name("www"))
        bench.engine.stop_container(made, 0)
        bench.engine.remove_container(made)
        event = listener.until(bench.name("www"), "destroy")
    assert (event.kind, event.id, event.project) == ("container", made, "shop")
    assert event.nanos > 0
    assert listener.actions(bench.name("web")) == ["create", "start"]
    assert listener.actions(bench.name("www")) == ["rename", "die", "destroy"]


def test_an_update_in_place(bench: Bench) -> None:
    with listening(bench) as listener:
        made = bench.container("web")
        bench.engine.update_container(made, {"CpuShares": 512})
        listener.until(bench.name("web"), "update")


def test_networks_and_volumes(bench: Bench) -> None:
    with listening(bench) as listener:
        network = bench.network("net")
        made = bench.container("web", start=True)
        bench.engine.connect(network, made, {})
        assert listener.until(bench.name("net"), "connect").peer == made
        bench.engine.disconnect(network, made)
        assert listener.until(bench.name("net"), "disconnect").peer == made
        bench.engine.remove_network(network)
        gone = listener.until(bench.name("net"), "destroy")
        bench.volume("data")
        bench.engine.remove_volume(bench.name("data"))
        listener.until(bench.name("data"), "destroy")
    assert gone.id == network
    assert [event.action for event in listener.heard if event.name == bench.name("data")] == ["create", "destroy"]


def test_what_was_missed_is_told_since_a_time(bench: Bench) -> None:
    with listening(bench) as first:
        bench.container("before")
        before = first.until(bench.name("before"), "create")
    bench.container("meanwhile")
    since = f"{before.nanos // 10**9}.{before.nanos % 10**9:09}"
    with listening(bench, since) as second:
        second.until(bench.name("meanwhile"), "create")


def test_checks_of_health_are_not_told_but_their_result_is(bench: Bench) -> None:
    check = {"Test": ["CMD-SHELL", "true secret-word"], "Interval": 10**9}
    with listening(bench) as listener:
        bench.container("web", {"Healthcheck": check}, start=True)
        listener.until(bench.name("web"), "health_status: healthy")
    assert "secret-word" not in repr(listener.raw)


def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    engine = DockerEngine(parse_address(f"unix://{tmp_path}/none.sock", None, "-H"), {})
    with pytest.raises(EngineUnavailableError):
        engine.events("", FILTERS)
    engine.close()


HEAD = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'{"Type":"container","Action":"die","Actor":{"ID":"1","Attributes":{}},"timeNano":1}\n'


@contextmanager
def serving(directory: Path, *parts: bytes, close: bool = True) -> Iterator[DockerEngine]:
    """An engine that answers `/_ping`, and then `/events` with `parts`."""
    path = directory / "d.sock"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    held: list[socket.socket] = []

    def serve() -> None:
        for answer in ((b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK",), parts):
            connection, _ = server.accept()
            connection.recv(4096)
            for part in answer:
                connection.sendall(part)
            if close:
                connection.close()
            else:
                held.append(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    engine = DockerEngine(parse_address(f"unix://{path}", None, "-H"), {})
    yield engine
    engine.close()
    thread.join(5)
    server.close()
    for connection in held:
        connection.close()


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


@pytest.mark.parametrize("tail", [b"", b"0\r\n\r\n", b"40\r\n{half", b"nonsense\r\n"])
def test_however_it_ends_it_ends(tmp_path: Path, tail: bytes) -> None:
    with serving(tmp_path, HEAD, chunk(EVENT), tail) as engine:
        assert [raw["Action"] for raw in engine.events("", FILTERS)] == ["die"]


def test_events_may_come_in_any_pieces(tmp_path: Path) -> None:
    pieces = [chunk((EVENT + EVENT)[at : at + 7]) for at in range(0, 2 * len(EVENT), 7)]
    with serving(tmp_path, HEAD, *pieces, chunk(b"no json\n")) as engine:
        assert len(list(engine.events("", FILTERS))) == 2


def test_closing_ends_a_silent_stream(tmp_path: Path) -> None:
    with serving(tmp_path, HEAD, close=False) as engine:
        events = engine.events("", FILTERS)
        threading.Timer(0.1, events.close).start()
        assert list(events) == []


def test_a_refusal_is_told(tmp_path: Path) -> None:
    body = b'{"message":"invalid filter"}'
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with serving(tmp_path, head + body) as engine, pytest.raises(EngineRefusedError, match="invalid filter"):
        engine.events("", FILTERS)
