"""`reconciler doctor`, on engines and machines that are well, and on those that are not."""

import json
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.doctor import engine, here
from reconciler.cli.doctor.findings import Finding, Level
from reconciler.cli.main import run
from reconciler.model.lease import Holder, Lease, lease_body, lease_name
from tests.support.fake_daemon import INFO, FakeDaemon, Reply, reply
from tests.support.golden import golden

WELL = {
    **INFO,
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "CpuCfsQuota": True,
    "CPUShares": True,
    "CPUSet": True,
    "PidsLimit": True,
    "Warnings": None,
}
Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path) as running:
        running.scripts["GET", "/info"] = reply({**WELL, "SystemTime": now(), "DockerRootDir": str(tmp_path)})
        running.scripts["GET", "/volumes"] = reply({"Volumes": []})
        yield running


def now(off: float = 0.0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + off)) + ".123456789Z"


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Runs it on a machine that is well: exit code and output, without what differs from machine to machine."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.toml").write_text('[container.web]\nimage = "busybox"\n')
    (tmp_path / "bin").mkdir()
    plugin = tmp_path / "bin" / "docker-buildx"
    plugin.write_text("#!/bin/sh\necho github.com/docker/buildx v0.13.1 abc\n")
    plugin.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_BUILDKIT", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    # Another buildx of this machine is none of this one.
    path = [place for place in os.environ["PATH"].split(":") if not Path(place, "docker-buildx").exists()]
    monkeypatch.setenv("PATH", ":".join([str(tmp_path / "bin"), *path]))
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100 * 2**30, 60 * 2**30, 40 * 2**30)
    )
    monkeypatch.setattr(here, "shown_service", lambda: None)
    monkeypatch.setattr(
        here, "inotify", lambda: Finding("inotify", Level.OK, "65536 watches and 128 instances for each user")
    )

    def play(*arguments: str) -> tuple[int, str]:
        code = run(["doctor", "-H", f"unix://{tmp_path}/docker.sock", *arguments])
        captured = capsys.readouterr()
        assert captured.err == ""
        text = re.sub(r"by \d+ s\b", "by 600 s", captured.out.replace(str(tmp_path), "/home/me"))
        text = re.sub(r"for \d+s$", "for 5s", text, flags=re.MULTILINE)
        text = re.sub(r"^(ok +reconciler +).*", r"\g<1>1.0.0 on Python 3.11.2", text, flags=re.MULTILINE)
        return code, re.sub(r"^(ok +git +).*", r"\g<1>2.39.5 at /usr/bin/git", text, flags=re.MULTILINE)

    return play


def held(project: str, age: int) -> dict[str, Any]:
    """The lease of a process of another machine, as an engine lists it."""
    token, since = f"{age:016x}", int(time.time()) - age
    lease = Lease(lease_name(project, token), project, Holder("host.example", "ann", 4711), token, since=since)
    return {**lease_body(lease), "CreatedAt": now(-age)[:19] + "Z"}


def test_transcript(daemon: FakeDaemon, doctor: Doctor, tmp_path: Path) -> None:
    shown = []

    def show(title: str, *arguments: str, code: int = 0) -> None:
        found, text = doctor(*arguments)
        assert found == code, text
        shown.append(
            f"# {title}\n$ reconciler doctor{''.join(f' {word}' for word in arguments)}\n{text}"
            + f"[{code}]\n" * bool(code)
        )

    show("all is well")
    daemon.scripts["GET", "/volumes"] = reply({"Volumes": [held("shop", 5), held("blog", 90), held("blog", 100)]})
    show("somebody is at work, and somebody else was")
    daemon.scripts["GET", "/volumes"] = reply({"Volumes": None, "Warnings": ["driver slow: no answer"]})
    show("an engine that leaves volumes out", code=1)
    daemon.scripts["GET", "/volumes"] = reply({"Volumes": []})
    daemon.scripts["GET", "/info"] = reply(
        {
            **WELL,
            "CgroupVersion": "1",
            "SwapLimit": False,
            "CpuCfsQuota": False,
            "SystemTime": now(600),
            "Warnings": ["WARNING: No swap limit support", "WARNING: bridge-nf-call-iptables is disabled"],
            "DockerRootDir": str(tmp_path),
        }
    )
    (tmp_path / "bin" / "docker-buildx").unlink()
    (tmp_path / "specs" / "a.toml").write_text("[container.web]\nimages = 1\n")
    (tmp_path / "state").write_text("no directory")
    show("hardly anything is", code=1)
    (tmp_path / "config.toml").write_text('[[project]]\npath = "specs"\nnme = "x"\n')
    show("a configuration with a mistake", "--config", "config.toml", code=1)
    daemon.scripts["GET", "/_ping"] = Reply(200, b"OK", api_version="1.24")
    (tmp_path / "specs" / "a.toml").write_text('[container.web]\nimage = "busybox"\n')
    (tmp_path / "state").unlink()
    show("an engine that is too old", "specs", code=1)
    golden(Path(__file__).parent / "doctor.txt", "\n".join(shown))


def test_json(daemon: FakeDaemon, doctor: Doctor) -> None:
    code, text = doctor("--json")
    document: dict[str, Any] = json.loads(text)
    assert (code, document["healthy"], document["format_version"]) == (0, True, "1")
    assert [item["name"] for item in document["checks"]] == [
        "reconciler", "engine", "clock", "cgroups", "writer", "disk", "buildx", "git", "spec", "state", "cache", "inotify",
    ]  # fmt: skip
    assert {item["level"] for item in document["checks"]} == {"ok"}


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """One that everyone may look into, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_sockets_that_cannot_be_used(open_directory: Path) -> None:
    path = open_directory / "docker.sock"
    found = engine.socket_refusal(path)
    assert found is not None
    assert "there is no socket" in found.text
    path.write_text("")
    found = engine.socket_refusal(path)
    assert found is not None
    assert "is no socket" in found.text
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert engine.socket_refusal(path) is None
        [refused] = engine.examine(f"unix://{path}", {})  # nobody listens
        assert refused.level is Level.FAIL
        assert _as_somebody_else(lambda: engine.socket_refusal(path), path) == "may not be used by this user"


def _as_somebody_else(look: Callable[[], Finding | None], path: Path) -> str:
    """The end of what somebody without any right finds. Root becomes somebody else for that."""
    path.chmod(0)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        found = look()
        os.write(writing, (found.text if found is not None else "nothing").encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as stream:
        return stream.read().partition(f"{path} ")[2]


def test_an_address_that_is_none_and_one_that_is_open_to_everyone() -> None:
    [found] = engine.examine("gopher://x", {})
    assert (found.level, found.name) == (Level.FAIL, "engine")
    assert found.advice or "write unix://" in found.text


@pytest.mark.parametrize(
    ("off", "level"), [(0.0, Level.OK), (3.0, Level.OK), (-3.0, Level.OK), (60.0, Level.WARN), (-60.0, Level.WARN)]
)
def test_clocks(off: float, level: Level) -> None:
    clock, *_ = engine.about({**WELL, "SystemTime": now(off)}, time.time() - 0.1, time.time() + 0.1)
    assert (clock.name, clock.level) == ("clock", level)


def test_an_engine_that_tells_no_time() -> None:
    clock, *_ = engine.about({}, 0.0, 1.0)
    assert clock.level is Level.OK


def test_little_space(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil._ntuple_diskusage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000 * 2**30, 990 * 2**30, 10 * 2**30))
    assert engine.disk("/var/lib/docker").level is Level.WARN
    monkeypatch.undo()
    assert engine.disk("/nowhere/at/all").level is Level.OK


def test_git_that_is_missing_or_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.git(is_needed=True).level is Level.OK
    monkeypatch.setattr(here, "run", lambda words: "git version 1.8.3\n")
    assert (here.git(is_needed=True).level, here.git(is_needed=False).level) == (Level.FAIL, Level.WARN)
    monkeypatch.setattr(here, "find", lambda name: None)
    assert "not installed" in here.git(is_needed=True).text


def test_directories(tmp_path: Path) -> None:
    assert here.unwritable(tmp_path / "a" / "b") is None
    (tmp_path / "file").write_text("")
    assert here.unwritable(tmp_path / "file" / "b") == f"{tmp_path / 'file'} is no directory"
    assert here.state_directory(None).level is Level.WARN
    assert here.cache_directory(None).level is Level.WARN
    assert "in use" not in here.state_directory(tmp_path).text
    from reconciler.loop.keeping import StateDirectory

    state = StateDirectory(tmp_path, lambda text: None)
    state.open()
    assert here.state_directory(tmp_path).text == f"{tmp_path}, in use by a `reconciler run`"
    state.close()


def test_limits_of_inotify(tmp_path: Path) -> None:
    assert here.inotify(tmp_path).level is Level.WARN
    (tmp_path / "max_user_instances").write_text("128\n")
    (tmp_path / "max_user_watches").write_text("4096\n")
    assert here.inotify(tmp_path).level is Level.WARN
    (tmp_path / "max_user_watches").write_text("65536\n")
    assert here.inotify(tmp_path).level is Level.OK


@pytest.mark.parametrize(
    ("shown", "level", "text"),
    [
        ("LoadState=not-found\n", Level.OK, "there is no reconciler.service"),
        ("LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=0\nStatusText=shop: settled\n", Level.OK, "is active (running): shop: settled"),
        ("LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=3\n", Level.WARN, "started again 3 times"),
        ("LoadState=loaded\nActiveState=failed\nSubState=failed\n", Level.FAIL, "is failed"),
        ("LoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=enabled\n", Level.WARN, "is inactive"),
        ("", Level.OK, "there is no"),
    ],
)  # fmt: skip
def test_the_service(shown: str, level: Level, text: str) -> None:
    found = here.service(shown)
    assert found.level is level
    assert text in found.text
