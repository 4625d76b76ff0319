"""Pulls, builds and logs of an engine that misbehaves on request, and details of single calls."""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from reconciler.engine.client import DockerEngine
from reconciler.engine.streams import follow_build
from reconciler.errors import (
    EngineRefusedError,
    OutcomeUnknownError,
)
from reconciler.model.desired import Build
from tests.support.fake_daemon import FakeDaemon, Reply, lines, reply

ID = "ab" * 32
HTML = b"<html><style>p {}</style><body><h1>502 Bad Gateway</h1>nginx</body></html>"


def nothing(line: str) -> None:
    """Progress that nobody reads."""


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
        str(context),
        target="b",
        args={"V": "2"},
        labels={"a": "1"},
        platforms=("linux/amd64",),
        no_cache=True,
        pull=True,
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


def test_a_build_tells_nothing_that_is_hidden() -> None:
    """Neither in its log, nor in why it failed; also where a line is longer than what is kept of it."""
    secret = "s" * 600
    told: list[str] = []
    events = [{"stream": f"Step 1/1 : RUN echo {secret}\n"}, {"stream": secret}, {"error": f"'{secret}' failed"}]
    with pytest.raises(EngineRefusedError) as refused:
        follow_build(iter(events), "build x", told.append, {secret})
    assert told == ["Step 1/1 : RUN echo (secret)"]
    assert "cannot build x: '(secret)' failed\n    | Step 1/1 : RUN echo (secret)\n    | (secret)" in str(refused.value)
