"""The client against an engine that misbehaves on request."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from reconciler.engine import client, wire
from reconciler.engine.client import DockerEngine
from reconciler.engine.endpoint import parse_address
from reconciler.engine.observe import observe
from reconciler.errors import (
    EngineError,
    EngineRefusedError,
    EngineUnavailableError,
    NotFoundError,
    OutcomeUnknownError,
)
from reconciler.model.observed import EngineFacts
from tests.support.fake_daemon import INFO, VERSION, FakeDaemon, Reply, Request, reply

ID = "ab" * 32
HTML = b"<html><style>p {}</style><body><h1>502 Bad Gateway</h1>nginx</body></html>"


# --- versions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("newest", "spoken"),
    [("1.41", (1, 41)), ("1.44", (1, 44)), ("1.51", (1, 51)), ("1.52", (1, 51)), ("1.99", (1, 51)), ("2.0", (1, 51))],
)
def test_the_version_is_the_lower_of_the_two(
    daemon: FakeDaemon, engine: DockerEngine, newest: str, spoken: tuple[int, int]
) -> None:
    daemon.scripts["GET", "/_ping"] = Reply(200, b"OK", api_version=newest)
    daemon.scripts["GET", "/networks"] = reply([])
    assert engine.list_networks() == []
    assert engine.facts().api_version == spoken
    assert engine.facts() is engine.facts()
    assert daemon.paths() == ["GET /_ping", "GET /networks", "GET /info"]


@pytest.mark.parametrize("status", [200, 500])
def test_an_engine_tells_its_version_whatever_ails_it(daemon: FakeDaemon, engine: DockerEngine, status: int) -> None:
    daemon.scripts["GET", "/_ping"] = Reply(status, b"")
    facts = engine.facts()._replace(no_buildkit="")  # this machine may have no buildx
    assert facts == EngineFacts(id="FAKE", name="fake", version=VERSION, api_version=(1, 41), architecture="x86_64")


def test_an_engine_that_is_too_old(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["GET", "/_ping"] = Reply(200, b"OK", api_version="1.40")
    with pytest.raises(EngineError, match=r"speaks API 1\.40; at least 1\.41 is needed: update it"):
        engine.facts()


def test_an_engine_that_is_too_new(daemon: FakeDaemon, engine: DockerEngine) -> None:
    words = "client version 1.51 is too old. Minimum supported API version is 1.55, please upgrade your client"
    daemon.scripts["GET", "/_ping"] = Reply(200, b"OK", api_version="1.60")
    for path in ("/info", "/containers/json"):
        daemon.scripts["GET", path] = reply({"message": words}, 400)
    daemon.scripts["POST", f"/containers/{ID}/start"] = reply({"message": words}, 400)
    for call in (engine.facts, engine.list_containers, lambda: engine.start_container(ID)):
        with pytest.raises(EngineRefusedError, match=r"^the engine speaks API 1\.55 .* 1\.51 .*: update reconciler$"):
            call()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Reply(404, HTML), r"status 404: 502 Bad Gateway nginx"),
        (Reply(200, HTML), r"status 200: 502 Bad Gateway nginx"),
        (Reply(403, b'{"message": "no"}'), r"status 403: no\)"),
        (Reply(200, b"OK"), "tells no version of the API"),
        (Reply(200, b"OK", api_version="nonsense"), "tells no version of the API"),
        (Reply(200, b"OK", api_version="1.41/../x"), "tells no version of the API"),
    ],
)
def test_a_server_that_is_no_engine(daemon: FakeDaemon, engine: DockerEngine, answer: Reply, words: str) -> None:
    daemon.scripts["GET", "/_ping"] = answer if answer.api_version != "1.41" else answer._replace(api_version="")
    with pytest.raises(
        EngineUnavailableError, match=f"^what answers at {daemon.address} is not a Docker Engine: .*{words}"
    ):
        engine.list_networks()
    assert daemon.paths() == ["GET /_ping"]


def test_an_engine_of_another_system(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["GET", "/info"] = reply({**INFO, "OSType": "windows"})
    with pytest.raises(EngineError, match="windows"):
        engine.facts()


def test_facts_that_are_html(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["GET", "/info"] = Reply(200, HTML)
    with pytest.raises(EngineRefusedError, match="not understood"):
        engine.facts()


# --- what went wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (404, b'{"message": "No such container: x"}', NotFoundError, "cannot start container abab.*No such container"),
        (409, b'{"message": "Conflict"}', EngineRefusedError, "Conflict"),
        (
            500,
            b'{"message": "Bind for 0.0.0.0:80 failed: port is already allocated"}',
            EngineRefusedError,
            r"hint: .*port",
        ),
        (500, b'{"message": "write /x: no space left on device"}', EngineRefusedError, "hint: the disk"),
        (400, b'{"nothing": 1}', EngineRefusedError, "nothing"),
        (400, b"[1, 2", EngineRefusedError, r"\[1, 2"),
        (500, b"", EngineRefusedError, "status 500"),
        (502, HTML, EngineRefusedError, "cannot start container abababababab: 502 Bad Gateway nginx$"),
        (500, b"\xff\xfe\x00", EngineRefusedError, "cannot start"),
        (500, b'{"message": {"deep": 1}}', EngineRefusedError, "deep"),
    ],
)
def test_refusals(
    daemon: FakeDaemon, engine: DockerEngine, status: int, body: bytes, error: type[Exception], words: str
) -> None:
    daemon.scripts["POST", f"/containers/{ID}/start"] = Reply(status, body)
    with pytest.raises(EngineRefusedError, match=words) as caught:
        engine.start_container(ID)
    assert type(caught.value) is error
    assert caught.value.status == status


def test_an_image_of_another_platform_is_not_a_missing_one(daemon: FakeDaemon, engine: DockerEngine) -> None:
    words = "image with reference x was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64"
    daemon.scripts["POST", "/containers/create"] = reply({"message": words}, 404)
    with pytest.raises(EngineRefusedError, match=r"hint: .*platform") as caught:
        engine.create_container("x", {"Image": "x"}, "linux/arm64")
    assert not isinstance(caught.value, NotFoundError)
    assert parse_qs(daemon.requests[-1].query) == {"name": ["x"], "platform": ["linux/arm64"]}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_whose_answer_never_comes(daemon: FakeDaemon, engine: DockerEngine, when: str) -> None:
    daemon.scripts["POST", "/containers/create"] = Reply(drops=when)
    with pytest.raises(OutcomeUnknownError, match="create container x"):
        engine.create_container("x", {"Image": "x"}, "")
    assert daemon.paths().count("POST /containers/create") == 1


def test_a_write_whose_answer_breaks_off(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["POST", "/containers/create"] = Reply(201, b'{"Id": "', breaks=True)
    with pytest.raises(OutcomeUnknownError):
        engine.create_container("x", {"Image": "x"}, "")


def test_a_write_that_is_too_slow(daemon: FakeDaemon, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_STOP_MARGIN", 0.2)
    daemon.scripts["POST", f"/containers/{ID}/stop"] = Reply(204, wait=(event := threading.Event()))
    with pytest.raises(OutcomeUnknownError):
        engine.stop_container(ID, 0)
    event.set()


def test_a_stop_waits_longer_than_the_container_may_take(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["POST", f"/containers/{ID}/stop"] = Reply(304)
    engine.stop_container(ID, 7)
    assert daemon.requests[-1].query == "t=7"


def test_a_read_is_tried_once_more(daemon: FakeDaemon, engine: DockerEngine) -> None:
    replies = iter([Reply(drops="after"), reply([{"Id": ID}])])
    daemon.scripts["GET", "/containers/json"] = lambda request: next(replies)
    assert engine.list_containers() == [{"Id": ID}]


def test_a_read_is_not_tried_forever(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["GET", "/containers/json"] = Reply(drops="after")
    with pytest.raises(EngineUnavailableError, match="closed the connection"):
        engine.list_containers()
    assert daemon.paths().count("GET /containers/json") == 2


def test_a_read_that_is_too_slow(daemon: FakeDaemon, engine: DockerEngine) -> None:
    engine._wire.timeout = 0.2
    daemon.scripts["GET", "/networks"] = Reply(wait=(event := threading.Event()))
    with pytest.raises(EngineUnavailableError, match="does not answer in time"):
        engine.list_networks()
    event.set()


@pytest.mark.parametrize("body", [HTML, b"{", b'{"a": 1}', b"null"])
def test_a_list_that_is_none(daemon: FakeDaemon, engine: DockerEngine, body: bytes) -> None:
    daemon.scripts["GET", "/networks"] = Reply(200, body)
    with pytest.raises(EngineRefusedError, match="not understood"):
        engine.list_networks()


# --- observing -------------------------------------------------------------------------------------------------------

_READS: dict[str, Any] = {
    "/info": INFO,
    "/images/json": [{"Id": "sha256:1"}],
    "/networks": [],
    "/volumes": {"Volumes": []},
    "/containers/json": [{"Id": ID, "Names": ["/x"], "Labels": {}}],
    f"/containers/{ID}/json": {"Id": ID, "Name": "/x", "Image": "sha256:1", "Config": {}, "HostConfig": {}},
    "/images/sha256:1/json": {"Id": "sha256:1"},
}


@pytest.fixture
def observed(daemon: FakeDaemon) -> FakeDaemon:
    daemon.scripts |= {("GET", path): reply(answer) for path, answer in _READS.items()}
    return daemon


def test_what_does_not_depend_on_each_other_is_read_at_once(observed: FakeDaemon, engine: DockerEngine) -> None:
    volumes_asked = threading.Event()
    observed.scripts["GET", "/containers/json"] = reply(_READS["/containers/json"])._replace(wait=volumes_asked)
    observed.scripts["GET", "/volumes"] = lambda request: volumes_asked.set() or reply({"Volumes": []})
    began = time.monotonic()
    state = observe(engine, "p", frozenset({"x"}))
    assert time.monotonic() - began < 5
    assert (state.facts.id, [container.name for container in state.containers]) == ("FAKE", ["x"])
    assert sorted(observed.paths()) == sorted(f"GET {path}" for path in ("/_ping", *_READS))


@pytest.mark.parametrize("path", ["/_ping", *_READS])
@pytest.mark.parametrize("answer", [reply({"message": "boom"}, 500), Reply(drops="after")])
def test_whatever_part_fails_raises(observed: FakeDaemon, engine: DockerEngine, path: str, answer: Reply) -> None:
    observed.scripts["GET", path] = answer._replace(api_version="")
    words = "closed the connection" if answer.drops else "boom"
    with pytest.raises(EngineError, match=words):
        observe(engine, "p", frozenset({"x"}))


# --- reading many ----------------------------------------------------------------------------------------------------


def _inspects(daemon: FakeDaemon, count: int, answer: Callable[[int, Request], Reply]) -> list[str]:
    ids = [f"{number:064x}" for number in range(count)]
    for number, name in enumerate(ids):
        daemon.scripts["GET", f"/containers/{name}/json"] = lambda request, number=number: answer(number, request)
    return ids


def test_many_inspects_on_one_connection(daemon: FakeDaemon, engine: DockerEngine) -> None:
    ids = _inspects(daemon, 150, lambda number, request: reply({"Id": number, "Text": "ü" * 5000}))
    del daemon.scripts["GET", f"/containers/{ids[3]}/json"]
    found = engine.inspect_containers(ids)
    assert [entry["Id"] for entry in found] == [number for number in range(150) if number != 3]
    assert daemon.connections == 1


def test_chunked_answers(daemon: FakeDaemon, engine: DockerEngine) -> None:
    ids = _inspects(daemon, 3, lambda number, request: Reply(chunks=[b'{"I', b'd": ', b"%d}" % number]))
    assert engine.inspect_containers(ids) == [{"Id": 0}, {"Id": 1}, {"Id": 2}]


def test_a_connection_that_breaks_among_many(daemon: FakeDaemon, engine: DockerEngine) -> None:
    broken = iter([True])
    ids = _inspects(
        daemon,
        20,
        lambda number, request: Reply(drops="after") if number == 7 and next(broken, False) else reply({"Id": number}),
    )
    assert [entry["Id"] for entry in engine.inspect_containers(ids)] == list(range(20))


def test_an_engine_that_closes_after_each_answer(daemon: FakeDaemon, engine: DockerEngine) -> None:
    ids = _inspects(daemon, 5, lambda number, request: reply({"Id": number})._replace(closes=True))
    assert len(engine.inspect_containers(ids)) == 5


def test_one_sick_container_is_not_a_missing_one(daemon: FakeDaemon, engine: DockerEngine) -> None:
    ids = _inspects(
        daemon,
        3,
        lambda number, request: reply({"message": "RWLayer is unexpectedly nil"}, 500 if number == 1 else 200),
    )
    with pytest.raises(EngineRefusedError, match="RWLayer"):
        engine.inspect_containers(ids)
    assert engine.inspect_containers(ids[:1])


@pytest.mark.parametrize("is_there", [True, False])
def test_a_name_that_the_engine_keeps_for_nobody(daemon: FakeDaemon, engine: DockerEngine, is_there: bool) -> None:
    holder = "e" * 64
    conflict = (
        f'Conflict. The container name "/shop-web-1" is already in use by container "{holder}". You have to remove'
    )
    daemon.scripts["POST", "/containers/create"] = reply({"message": conflict}, 409)
    daemon.scripts["GET", f"/containers/{holder}/json"] = (
        reply({"Id": holder}) if is_there else reply({"message": f"No such container: {holder}"}, 404)
    )
    with pytest.raises(EngineRefusedError, match=holder) as caught:
        engine.create_container("shop-web-1", {}, "")
    assert caught.value.status == 409
    assert ("restart the engine" in caught.value.hint) is not is_there
    assert ("no container has that id" in str(caught.value)) is not is_there


@pytest.mark.parametrize(
    "noise",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70000,
    ],
)
def test_something_that_is_no_engine(tmp_path: Path, noise: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeDaemon(tmp_path) as daemon:
        monkeypatch.setattr("tests.support.fake_daemon._head", lambda answer: noise)
        engine = DockerEngine(parse_address(daemon.address, None, "-H"), {})
        with pytest.raises(EngineError, match="not a Docker Engine"):
            engine.facts()
        engine.close()


def test_an_answer_without_end(daemon: FakeDaemon, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_LARGEST_BODY", 10_000)
    daemon.scripts["GET", "/networks"] = Reply(chunks=(b"x" * 1000 for _ in range(1_000_000)))
    with pytest.raises(EngineError, match="too large"):
        engine.list_networks()


def test_threads_do_not_disturb_each_other(daemon: FakeDaemon, engine: DockerEngine) -> None:
    ids = _inspects(daemon, 40, lambda number, request: reply({"Id": number}))
    for name in ids:
        daemon.scripts["POST", f"/containers/{name}/start"] = Reply(204)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(10):
                assert engine.inspect_containers([ids[number]]) == [{"Id": number}]
                engine.start_container(ids[number])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
