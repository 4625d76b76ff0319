"""The client against an engine that misbehaves on request."""

import base64
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from reconciler.engine import client, credentials, wire
from reconciler.engine.client import DockerEngine
from reconciler.engine.connect import connect
from reconciler.engine.endpoint import find_endpoint, parse_address
from reconciler.engine.observe import observe
from reconciler.errors import (
    EngineError,
    EngineRefusedError,
    EngineUnavailableError,
    NotFoundError,
    OutcomeUnknownError,
    UsageError,
)
from reconciler.model.desired import Build
from reconciler.model.observed import EngineFacts
from tests.support.fake_daemon import INFO, VERSION, FakeDaemon, Reply, Request, lines, reply

ID = "ab" * 32
HTML = b"<html><style>p {}</style><body><h1>502 Bad Gateway</h1>nginx</body></html>"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path) as running:
        yield running


@pytest.fixture
def engine(daemon: FakeDaemon, tmp_path: Path) -> Iterator[DockerEngine]:
    made = DockerEngine(
        parse_address(daemon.address, None, "-H"), {"DOCKER_CONFIG": str(tmp_path), "PATH": os.environ["PATH"]}
    )
    yield made
    made.close()


def nothing(line: str) -> None:
    """Progress that nobody reads."""


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
    assert engine.facts() == EngineFacts(
        id="FAKE", name="fake", version=VERSION, api_version=(1, 41), architecture="x86_64"
    )


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


# --- streams ---------------------------------------------------------------------------------------------------------


def test_a_pull(daemon: FakeDaemon, engine: DockerEngine) -> None:
    events: list[Any] = [{"status": "Pulling from library/redis", "id": "7"}]
    for layer in ("a", "b"):
        events += [{"status": "Pulling fs layer", "id": layer}]
    for layer in ("a", "b"):
        steps = [
            {"status": "Downloading", "id": layer, "progressDetail": {"current": n * 1000, "total": 500_000}}
            for n in range(500)
        ]
        events += [*steps, {"status": "Pull complete", "id": layer}]
    daemon.scripts["POST", "/images/create"] = lines(*events, {"status": "Status: Downloaded newer image for redis:7"})
    told: list[str] = []
    engine.pull_image("redis:7", "linux/arm64", told.append)
    assert parse_qs(daemon.requests[-1].query) == {"fromImage": ["redis"], "tag": ["7"], "platform": ["linux/arm64"]}
    assert len(told) < 15
    assert told[-1] == "redis:7: Downloaded newer image for redis:7"
    assert told[-2] == "redis:7: 100 %, 2 of 2 layers done"


@pytest.mark.parametrize(
    ("events", "error", "words"),
    [
        (
            [{"errorDetail": {"message": "no space left on device"}, "error": "x"}],
            EngineRefusedError,
            "no space.*\n.*hint: the disk",
        ),
        ([{"status": "x"}, {"error": "unauthorized: authentication required"}], EngineRefusedError, "hint: log in"),
        ([{"errorDetail": "odd", "error": "words"}], EngineRefusedError, "words"),
        ([{"status": "Downloading", "id": "a"}], OutcomeUnknownError, "before its end"),
        ([], OutcomeUnknownError, "before its end"),
        (["text"], EngineRefusedError, "not understood"),
    ],
)
def test_pulls_that_fail_behind_status_200(
    daemon: FakeDaemon, engine: DockerEngine, events: list[Any], error: type[Exception], words: str
) -> None:
    daemon.scripts["POST", "/images/create"] = lines(*events)
    with pytest.raises(error, match=words):
        engine.pull_image("redis:7", "", nothing)


def test_a_pull_that_breaks_off(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["POST", "/images/create"] = lines({"status": "Status: x"}, breaks=True)
    with pytest.raises(OutcomeUnknownError):
        engine.pull_image("redis:7", "", nothing)


def test_a_line_of_fifty_megabytes(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["POST", "/images/create"] = Reply(chunks=(b"x" * 65536 for _ in range(800)))
    started = time.process_time()
    with pytest.raises(EngineRefusedError, match="longer than 1 MiB"):
        engine.pull_image("redis:7", "", nothing)
    assert time.process_time() - started < 2


def test_a_digest_is_pulled_as_one(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["POST", "/images/create"] = lines({"status": "Status: x"})
    engine.pull_image(f"r.example/a/b:1@sha256:{ID}", "", nothing)
    assert parse_qs(daemon.requests[-1].query) == {"fromImage": ["r.example/a/b"], "tag": [f"sha256:{ID}"]}


@pytest.mark.parametrize(
    "reference", ["", "../x", "a/B", "a b", "a?x=1", "a:b:c", "a/../../containers/x", "-x", "a" * 600]
)
def test_what_cannot_be_a_reference_is_not_sent(engine: DockerEngine, reference: str) -> None:
    with pytest.raises(EngineRefusedError, match="invalid reference format"):
        engine.pull_image(reference, "", nothing)
    with pytest.raises(EngineRefusedError, match="invalid reference format"):
        engine.inspect_image(reference)


def test_output_of_containers(daemon: FakeDaemon, engine: DockerEngine) -> None:
    frames = b"\x01\0\0\0\0\0\0\x03one\x02\0\0\0\0\0\0\x04twoo\x01\0\0\0\0\0\0\x05cut"
    daemon.scripts["GET", f"/containers/{ID}/json"] = reply({"Config": {"Tty": False}})
    daemon.scripts["GET", f"/containers/{ID}/logs"] = Reply(
        chunks=[frames[i : i + 5] for i in range(0, len(frames), 5)]
    )
    seen = list(engine.container_logs(ID, follow=True, tail="", timestamps=False, since=""))
    assert b"".join(part for name, part in seen if name == "stdout") == b"onecut"
    assert b"".join(part for name, part in seen if name == "stderr") == b"twoo"
    daemon.scripts["GET", f"/containers/{ID}/json"] = reply({"Config": {"Tty": True}})
    raw = b"".join(part for _, part in engine.container_logs(ID, follow=False, tail="5", timestamps=True, since="1"))
    assert raw == frames
    assert parse_qs(daemon.requests[-1].query)["tail"] == ["5"]


def test_a_log_that_nobody_reads_to_the_end(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["GET", f"/containers/{ID}/json"] = reply({"Config": {"Tty": True}})
    daemon.scripts["GET", f"/containers/{ID}/logs"] = Reply(chunks=(b"x" for _ in range(10**9)))
    log = engine.container_logs(ID, follow=True, tail="all", timestamps=False, since="")
    assert next(log)[0] == "stdout"
    log.close()
    engine.facts()


# --- builds ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path: Path) -> Build:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(
        "ARG V=1\nFROM r.example/base:$V AS b\nRUN --mount=type=cache,target=/x true\n", encoding="utf-8"
    )
    return Build(
        str(context), target="b", args={"V": "2"}, labels={"a": "1"}, platform="linux/amd64", no_cache=True, pull=True
    )


def test_a_build(daemon: FakeDaemon, engine: DockerEngine, build: Build, tmp_path: Path) -> None:
    auths = {
        "r.example": {"auth": base64.b64encode(b"u:p").decode()},
        "other.example": {"auth": base64.b64encode(b"x:y").decode()},
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")
    daemon.scripts["POST", "/build"] = lines(
        {"stream": "Step 1/2 : FROM"},
        {"stream": "\n"},
        {"aux": {"ID": "sha256:1"}},
        {"stream": "Successfully built 1\n"},
    )
    told: list[str] = []
    engine.build_image(build, ["x:1", "x:2"], {"a": "2"}, told.append)
    request = daemon.requests[-1]
    query = parse_qs(request.query)
    assert query["t"] == ["x:1", "x:2"]
    assert json.loads(query["labels"][0]) == {"a": "2"}
    assert json.loads(query["buildargs"][0]) == {"V": "2"}
    assert {key: query[key][0] for key in ("target", "platform", "nocache", "pull", "rm", "forcerm")} == {
        "target": "b",
        "platform": "linux/amd64",
        "nocache": "1",
        "pull": "1",
        "rm": "1",
        "forcerm": "1",
    }
    assert b"FROM r.example/base" in request.body
    assert list(json.loads(base64.urlsafe_b64decode(request.headers["x-registry-config"]))) == ["r.example"]
    assert told == ["Step 1/2 : FROM", "Successfully built 1"]


def test_a_build_that_fails(daemon: FakeDaemon, engine: DockerEngine, build: Build) -> None:
    steps = [{"stream": f"line {number}\n"} for number in range(50)]
    daemon.scripts["POST", "/build"] = lines(*steps, {"errorDetail": {"code": 2, "message": "the command returned 2"}})
    with pytest.raises(EngineRefusedError, match="the command returned 2") as caught:
        engine.build_image(build, ["x:1"], {}, nothing)
    text = str(caught.value)
    assert "line 49" in text
    assert "line 30" in text
    assert "line 29" not in text
    assert "RUN --mount" in text
    assert "BuildKit" in caught.value.hint


def test_a_build_without_an_end(daemon: FakeDaemon, engine: DockerEngine, build: Build) -> None:
    daemon.scripts["POST", "/build"] = lines({"stream": "Step 1\n"})
    with pytest.raises(OutcomeUnknownError):
        engine.build_image(build, ["x:1"], {}, nothing)


# --- details of single calls -----------------------------------------------------------------------------------------


def test_warnings_are_told(daemon: FakeDaemon, engine: DockerEngine) -> None:
    daemon.scripts["POST", "/containers/create"] = reply({"Id": ID, "Warnings": ["discarded"]}, 201)
    daemon.scripts["POST", "/networks/create"] = reply({"Id": ID, "Warning": ""}, 201)
    daemon.scripts["POST", f"/containers/{ID}/update"] = reply({"Warnings": None})
    assert engine.create_container("x", {"Image": "x", "A": None}, "") == (ID, ("discarded",))
    assert json.loads(daemon.requests[-1].body) == {"Image": "x", "A": None}
    assert engine.create_network({"Name": "n"}) == (ID, ())
    assert engine.update_container(ID, {}) == ()


def test_nothing_is_removed_by_force(daemon: FakeDaemon, engine: DockerEngine) -> None:
    for path in (f"/containers/{ID}", "/volumes/v", f"/networks/{ID}", "/images/a/b:1"):
        daemon.scripts["DELETE", path] = Reply(204)
    engine.remove_container(ID)
    assert daemon.requests[-1].query == "v=0&force=0"
    engine.remove_volume("v")
    engine.remove_network(ID)
    engine.remove_image("a/b:1")
    assert not any("force=1" in request.query for request in daemon.requests)


def test_proxies_and_netrc_are_not_used(
    daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: DockerEngine
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    (tmp_path / "config.json").write_text(
        '{"proxies": {"default": {"httpProxy": "http://secret@x"}}}', encoding="utf-8"
    )
    daemon.scripts["POST", "/containers/create"] = reply({"Id": ID}, 201)
    engine.create_container("x", {"Image": "x"}, "")
    assert b"secret" not in daemon.requests[-1].body
    assert "authorization" not in daemon.requests[-1].headers


def test_reads_need_no_sdk(daemon: FakeDaemon) -> None:
    code = (
        "import os, sys; from reconciler.engine.connect import connect; e = connect(sys.argv[1], os.environ);"
        "e.facts(); e.close(); sys.exit('docker' in sys.modules or 'requests' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, daemon.address], check=False).returncode == 0


# --- ways to an engine -----------------------------------------------------------------------------------------------


def test_no_socket(tmp_path: Path) -> None:
    engine = connect(f"unix://{tmp_path}/none.sock", {})
    with pytest.raises(EngineUnavailableError, match=r"no such socket.*\n.*is the engine running"):
        engine.list_containers()


def test_nobody_listens(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path) as daemon:
        pass
    engine = connect(daemon.address, {})
    with pytest.raises(EngineUnavailableError, match="nobody listens"):
        engine.facts()
    with pytest.raises(EngineUnavailableError, match="nobody listens"):
        connect("tcp://127.0.0.1:1", {}).facts()


def test_a_socket_of_somebody_else(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(wire, "dial", forbidden)
    with pytest.raises(EngineUnavailableError, match=r"may not use that socket\n.*group.*sudo"):
        connect(daemon.address, {}).facts()


def test_an_engine_that_went_away_before_a_write(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path) as daemon:
        engine = DockerEngine(parse_address(daemon.address, None, "-H"), {})
        engine.facts()
    with pytest.raises(EngineUnavailableError, match="nobody listens"):
        engine.start_container(ID)
    engine.close()


def test_ssh_is_a_program_that_is_asked_for_the_engine(
    daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge = tmp_path / "ssh"
    bridge.write_text(
        f"""#!{sys.executable}
import os, socket, sys, threading
open({str(tmp_path / "args")!r}, "a").write(repr(sys.argv[1:]) + "\\n")
s = socket.socket(socket.AF_UNIX); s.connect({str(daemon.path)!r})
def copy(read, write):
    while block := read(): write(block)
threading.Thread(target=copy, args=(lambda: s.recv(65536), lambda b: os.write(1, b)), daemon=True).start()
copy(lambda: os.read(0, 65536), s.sendall)
""",
        encoding="utf-8",
    )
    bridge.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    daemon.scripts["POST", f"/containers/{ID}/start"] = Reply(204)
    engine = connect("ssh://me@far:2222", {})
    for path in ("/containers/json", "/images/json", "/networks"):
        daemon.scripts["GET", path] = reply([])
    daemon.scripts["GET", "/volumes"] = reply({"Volumes": None})
    assert observe(engine, "p").facts.id == "FAKE"
    engine.start_container(ID)
    engine.close()
    said = (tmp_path / "args").read_text(encoding="utf-8").splitlines()
    assert len(said) == 1, "one login for all"
    assert "'-p', '2222', '--', 'me@far', 'docker system dial-stdio'" in said[0]
    bridge.write_text(f"#!/bin/sh\necho >> {tmp_path}/tries\nexit 255\n", encoding="utf-8")
    with pytest.raises(
        EngineUnavailableError, match=r"`ssh` ended without a connection\n.*hint: what it said is above"
    ):
        observe(connect("ssh://far", {}), "p")
    assert (tmp_path / "tries").read_text(encoding="utf-8") == "\n", "it is tried once"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(EngineUnavailableError, match="`ssh` is not installed"):
        connect("ssh://far", {}).facts()


def test_plain_tcp_to_another_host_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        connect("tcp://127.0.0.1:2375", {})
        connect("tcp://localhost", {})
        assert caplog.records == []
        connect("tcp://192.0.2.1:2375", {})
    assert "not encrypted" in caplog.text


@pytest.mark.parametrize(
    "address",
    ["npipe:////./pipe/docker", "ftp://x", "unix://", "tcp://h:99999", "tcp://h/x", "ssh://-oProxyCommand=x", "ssh://"],
)
def test_addresses_that_mean_nothing(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of an engine"):
        connect(address, {})


def _context(directory: Path, name: str, host: str, tls: bool = False) -> None:
    from hashlib import sha256

    folder = sha256(name.encode()).hexdigest()
    meta = directory / "contexts" / "meta" / folder / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(
        json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}), encoding="utf-8"
    )
    if tls:
        files = directory / "contexts" / "tls" / folder / "docker"
        files.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            (files / file).write_text("", encoding="utf-8")


def test_who_names_the_engine(tmp_path: Path) -> None:
    _context(tmp_path, "far", "ssh://me@far")
    _context(tmp_path, "safe", "tcp://safe:2376", tls=True)
    (tmp_path / "config.json").write_text('{"currentContext": "far"}', encoding="utf-8")
    base = {"DOCKER_CONFIG": str(tmp_path)}
    everything = base | {"DOCKER_HOST": "tcp://h", "DOCKER_CONTEXT": "safe"}
    assert str(find_endpoint("unix:///x", everything)) == "unix:///x"
    assert str(find_endpoint(None, everything)) == "tcp://h:2375"
    assert str(find_endpoint(None, base)) == "ssh://me@far"
    assert str(find_endpoint(None, base | {"DOCKER_CONTEXT": "default"})) == "unix:///var/run/docker.sock"
    assert str(find_endpoint(None, {"DOCKER_CONFIG": str(tmp_path / "none")})) == "unix:///var/run/docker.sock"
    safe = find_endpoint(None, base | {"DOCKER_CONTEXT": "safe"})
    assert safe.tls is not None
    assert safe.tls.ca.endswith("ca.pem")
    assert safe.tls.verify
    with pytest.raises(EngineUnavailableError, match='context "gone"'):
        find_endpoint(None, base | {"DOCKER_CONTEXT": "gone"})
    (tmp_path / "ca.pem").touch()
    secured = find_endpoint(
        None, base | {"DOCKER_HOST": "tcp://h", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    )
    assert (secured.port, secured.tls is not None) == (2376, True)


# --- logins ----------------------------------------------------------------------------------------------------------


def _logins(directory: Path, config: Any, helpers: dict[str, str] | None = None) -> credentials.Logins:
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name, body in (helpers or {}).items():
        program = directory / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        program.chmod(0o755)
    return credentials.Logins(directory, {"PATH": f"{directory}:{os.environ['PATH']}"})


def test_logins_in_the_file(tmp_path: Path) -> None:
    auth = base64.b64encode(b"u:p:q").decode()
    config = {
        "auths": {
            "https://index.docker.io/v1/": {"auth": auth},
            "https://r.example:5000/v1/": {"username": "a", "password": "b"},
        }
    }
    logins = _logins(tmp_path, config)
    assert logins.login_of("docker.io") == {"username": "u", "password": "p:q", "serveraddress": credentials.DOCKER_HUB}
    assert logins.login_of("r.example:5000")["username"] == "a"
    assert logins.login_of("r.example") == {}
    assert logins.header_for("other.example/x") == ""
    assert json.loads(base64.urlsafe_b64decode(logins.header_for("redis:7")))["password"] == "p:q"


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("redis", "docker.io"),
        ("a/b:1", "docker.io"),
        ("localhost/x", "localhost"),
        ("h:5000/x@sha256:0", "h:5000"),
        ("ghcr.io/a/b", "ghcr.io"),
        ("docker.io/library/redis", "docker.io"),
        ("index.docker.io/x/y", "docker.io"),
    ],
)
def test_the_registry_of_a_reference(reference: str, registry: str) -> None:
    assert credentials.registry_of(reference) == registry


def test_a_program_keeps_the_login(tmp_path: Path) -> None:
    ask = f'cat > {tmp_path}/asked; echo \'{{"Username": "u", "Secret": "s"}}\''
    token = 'echo \'{"Username": "<token>", "Secret": "t"}\''
    none = "echo 'credentials not found in native keychain'; exit 1"
    config = {"credsStore": "ask", "credHelpers": {"t.example": "token", "n.example": "none"}}
    logins = _logins(tmp_path, config, {"ask": ask, "token": token, "none": none})
    assert logins.login_of("docker.io")["password"] == "s"
    assert (tmp_path / "asked").read_text(encoding="utf-8") == credentials.DOCKER_HUB
    assert logins.login_of("t.example") == {"identitytoken": "t", "serveraddress": "t.example"}
    assert logins.login_of("n.example") == {}


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("hang", "exec sleep 60", "did not answer within"),
        ("missing", None, "is not installed"),
        ("garbage", 'echo \'{"Secret": "hidden\'', "something else than a login"),
        ("list", "echo '[1]'", "something else than a login"),
        ("fails", "echo broken; exit 3", "failed when asked for r.example: broken"),
        ("../x", None, "cannot be the name"),
        ("a b", None, "cannot be the name"),
    ],
)
def test_programs_that_do_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, body: str | None, words: str
) -> None:
    monkeypatch.setattr(credentials, "_TIMEOUT", 0.3)
    logins = _logins(tmp_path, {"credsStore": name}, {name: body} if body else {})
    with pytest.raises(EngineError, match=words) as caught:
        logins.login_of("r.example")
    assert "hidden" not in str(caught.value)
    assert "config.json" in str(caught.value)


def test_a_broken_file_of_logins(tmp_path: Path, engine: DockerEngine) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(EngineError, match="cannot be read"):
        engine.pull_image("redis", "", nothing)
    assert engine.facts().version == VERSION
