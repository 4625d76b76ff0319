"""`reconciler run` on a real engine, as systemd would start it."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import NotFound

from tests.cli.conftest import LOOP
from tests.support.engine import Project, cli_program
from tests.support.proxy import Proxy

WEB = f'[container.web]\nimage = "busybox:latest"\n{LOOP}\n'


class Systemd:
    """Listens as systemd does."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "notify")
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):
            while said := self._socket.recv(4096):
                self.heard.append(said.decode())

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()
        Path(self.path).unlink()


class Running:
    """A `reconciler run` that has been started."""

    def __init__(self, project: Project, *arguments: str, host: str = "", **environment: str) -> None:
        self.project = project
        self.log = project.root / "log"
        self.systemd = Systemd(project.root)
        command = [cli_program(), "-H", host or project.host, "run", *arguments]
        variables = {
            "NOTIFY_SOCKET": self.systemd.path,
            "WATCHDOG_USEC": "2000000",
            "STATE_DIRECTORY": str(project.root / "state"),
        }
        with self.log.open("w") as stream:
            self.process = subprocess.Popen(
                command, cwd=project.root, env={**os.environ, **variables, **environment}, stderr=stream, stdout=stream
            )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines()]

    def until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def until_ready(self) -> None:
        self.until(lambda: "READY=1" in self.systemd.heard)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def running(project: Project, *arguments: str, host: str = "", **environment: str) -> Iterator[Running]:
    made = Running(project, *arguments, host=host, **environment)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait(10)
        made.systemd.close()


@pytest.fixture
def serves(project: Project, docker_api: docker.APIClient) -> Callable[[str], str]:
    """The id of a container of the project that runs, "" for one that does not."""

    def find(name: str) -> str:
        with suppress(NotFound):
            found = docker_api.inspect_container(f"{project.name}-{name}-1")
            return str(found["Id"]) if found["State"]["Status"] == "running" else ""
        return ""

    return find


def test_heal_edit_and_an_invalid_spec(
    project: Project, docker_api: docker.APIClient, serves: Callable[[str], str]
) -> None:
    project.write("web.toml", WEB)
    with running(project, "specs") as service:
        service.until_ready()
        first = serves("web")
        assert first
        docker_api.remove_container(first, force=True)
        service.until(lambda: serves("web") not in ("", first))
        project.write("db.toml", f'[container.db]\nimage = "busybox:latest"\n{LOOP}\n')
        service.until(lambda: bool(serves("db")))
        project.write("db.toml", "[container.db\n")
        service.until(lambda: "invalid" in service.events())
        docker_api.kill(serves("db"))  # one that is stopped may end with 0, and is done then
        service.until(lambda: bool(serves("db")))
        (project.directory / "db.toml").unlink()
        service.until(lambda: not serves("db"))
        service.until(lambda: service.events()[-1] == "settled")
        assert service.end() == 0
        assert service.systemd.heard[-1].startswith("EXTEND_TIMEOUT_USEC")
        assert "STOPPING=1" in service.systemd.heard
        assert "WATCHDOG=1" in service.systemd.heard
        assert any(said.startswith("STATUS=specs: settled") for said in service.systemd.heard)
    assert project.run("plan", "--detailed-exitcode", check=False).code == 0


def test_an_engine_that_goes_and_comes(
    project: Project, docker_api: docker.APIClient, serves: Callable[[str], str]
) -> None:
    project.write("web.toml", WEB)
    proxy = Proxy(project.root, project.host)
    with running(project, "specs", host=proxy.address) as service:
        service.until_ready()
        proxy.cut()
        service.until(lambda: "engine away" in service.events())
        docker_api.remove_container(serves("web"), force=True)
        time.sleep(2)
        said = [line["event"] for line in service.lines() if line.get("level") == "warning"]
        assert said.count("engine away") <= 2, "once for the engine, at most once for the project"
        proxy.mend()
        service.until(lambda: bool(serves("web")), 40)
        service.until(lambda: service.events()[-1] == "settled")
        assert service.end() == 0
    proxy.cut()


def test_ready_only_after_the_first_good_pass(project: Project, serves: Callable[[str], str]) -> None:
    """Until then it is starting, asks for more time, and a signal to reload does not end that."""
    project.write("web.toml", "[container.web]\n")
    with running(project, "specs") as service:
        service.until(lambda: "invalid" in service.events())
        service.process.send_signal(signal.SIGHUP)
        service.until(lambda: "configuration loaded" in service.events())
        asked = service.systemd.heard.count("EXTEND_TIMEOUT_USEC=60000000")
        service.until(lambda: service.systemd.heard.count("EXTEND_TIMEOUT_USEC=60000000") > asked + 1)
        assert "READY=1" not in service.systemd.heard
        project.write("web.toml", WEB)
        service.until_ready()
        assert serves("web")
        assert service.systemd.heard.count("READY=1") == 1
        assert not any(said.startswith("RELOADING=1") for said in service.systemd.heard)


def test_one_that_is_not_kept_holds_up_no_other(project: Project, serves: Callable[[str], str]) -> None:
    project.write("web.toml", WEB)
    (project.root / "broken").mkdir()
    (project.root / "broken" / "spec.toml").write_text("[container.web\n")
    config = project.root / "config.toml"
    config.write_text('[[project]]\npath = "broken"\n[[project]]\npath = "specs"\n')
    with running(project, "--config", str(config)) as service:
        service.until_ready()
        assert serves("web")
        assert "STATUS=2 projects: 1 invalid, 1 settled" in service.systemd.heard


def test_ready_only_once_the_engine_is_there(project: Project, serves: Callable[[str], str]) -> None:
    project.write("web.toml", WEB)
    proxy = Proxy(project.root, project.host)
    proxy.cut()
    with running(project, "specs", host=proxy.address) as service:
        service.until(lambda: any("waiting for the engine" in said for said in service.systemd.heard))
        assert "READY=1" not in service.systemd.heard
        proxy.mend()
        service.until_ready()
        assert serves("web")
        assert service.end(signal.SIGINT) == 0
    proxy.cut()


def test_a_configuration_that_is_loaded_anew(project: Project, serves: Callable[[str], str]) -> None:
    project.write("web.toml", WEB)
    config = project.root / "config.toml"
    good = '[[project]]\npath = "specs"\n'
    config.write_text(good)
    with running(project, "--config", str(config)) as service:
        service.until_ready()
        config.write_text("aply = true\n" + good)
        service.process.send_signal(signal.SIGHUP)
        service.until(lambda: "configuration refused" in service.events())
        assert any(said.startswith("RELOADING=1\nMONOTONIC_USEC=") for said in service.systemd.heard)
        config.write_text("heal = false\nparallel = 3\n" + good)
        service.process.send_signal(signal.SIGHUP)
        service.until(lambda: "configuration loaded" in service.events())
        (later,) = [line for line in service.lines() if line["event"] == "not yet in force"]
        assert later["settings"] == ["parallel"]
        subprocess.run(["docker", "-H", project.host, "rm", "-f", serves("web")], check=True, capture_output=True)
        service.until(lambda: "held back" in service.events())
        assert not serves("web")
        assert service.systemd.heard.count("READY=1") == 3
        assert service.end() == 0


def test_the_unit_waits_until_the_configuration_is_in_force(project: Project) -> None:
    """Its ExecReload, as systemd would run it, and a service that takes its time."""
    project.write("web.toml", WEB)
    unit = (Path(__file__).parents[2] / "systemd" / "reconciler.service").read_text()
    (script,) = re.findall(r"^ExecReload=/bin/sh -c '(.*)'$", unit, re.MULTILINE)
    runtime, config = project.root / "runtime", project.root / "config.toml"
    runtime.mkdir()
    good = '[[project]]\npath = "specs"\n'
    config.write_text(good)

    def reload(service: Running) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "RUNTIME_DIRECTORY": str(runtime), "MAINPID": str(service.process.pid)}
        return subprocess.run(
            ["/bin/sh", "-c", script], env=variables, capture_output=True, text=True, timeout=30, check=False
        )

    with running(project, "--config", str(config), RUNTIME_DIRECTORY=str(runtime)) as service:
        service.until_ready()
        config.write_text("heal = false\n" + good)
        service.process.send_signal(signal.SIGSTOP)
        late = threading.Timer(1.5, service.process.send_signal, [signal.SIGCONT])
        late.start()
        began = time.monotonic()
        assert reload(service).returncode == 0
        assert time.monotonic() - began > 1.4
        assert service.events().count("configuration loaded") == 1
        config.write_text("aply = true\n" + good)
        refused = reload(service)
        assert refused.returncode == 1
        assert "config.toml:1:1: aply: unknown option" in refused.stderr
        assert not (runtime / "reload").exists()
        assert service.end() == 0


def test_a_directory_that_comes_under_the_root_is_a_project(project: Project, serves: Callable[[str], str]) -> None:
    project.write("web.toml", WEB)
    every = project.root / "every"
    every.mkdir()
    (project.root / "specs").rename(every / "one")
    with running(project, RECONCILER_ROOT="every") as service:
        service.until_ready()
        assert serves("web")
        fresh = every / "two"
        fresh.mkdir()
        (fresh / "spec.toml").write_text("nonsense")
        service.until(lambda: any(line["event"] == "invalid" and line["project"] == "two" for line in service.lines()))
        (every / "TWO").mkdir()
        (every / "TWO" / "spec.toml").write_text("")
        service.until(lambda: "configuration refused" in service.events())
        time.sleep(2.5)  # it is looked for again, and not told again
        assert service.events().count("configuration refused") == 1
        assert service.end() == 0


def test_stopped_in_the_middle_it_ends_in_time_and_is_finished_later(
    project: Project, serves: Callable[[str], str]
) -> None:
    slow = '[container.web]\nimage = "busybox:latest"\ncommand = ["sleep", "600"]\nstop_grace_period = "5s"\n'
    project.write("web.toml", slow)
    with running(project, "specs") as service:
        service.until_ready()
        project.write("web.toml", slow + 'environment = { A = "1" }\n')
        service.until(lambda: any("stop container" in line.get("text", "") for line in service.lines()))
        began = time.monotonic()
        assert service.end() == 0
        assert time.monotonic() - began < 15
    project.run("apply")
    assert project.run("plan", "--detailed-exitcode", check=False).code == 0
    assert serves("web")


def test_a_second_signal_ends_it_at_once(project: Project) -> None:
    slow = '[container.web]\nimage = "busybox:latest"\ncommand = ["sleep", "600"]\nstop_grace_period = "20s"\n'
    project.write("web.toml", slow)
    with running(project, "specs") as service:
        service.until_ready()
        project.write("web.toml", slow + 'environment = { A = "1" }\n')
        service.until(lambda: any("stop container" in line.get("text", "") for line in service.lines()))
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        began = time.monotonic()
        assert service.end() == 128 + signal.SIGTERM
        assert time.monotonic() - began < 5
    # What it was doing is told all the same.
    entries = project.run("history", "--json", "--state-dir", str(project.root / "state"), path=None).json()["entries"]
    assert entries[0]["result"] == "failed"
    assert entries[0]["error"].startswith("cut off at container.web: stop container")
    assert entries[1]["result"] == "done"


def test_once(project: Project, serves: Callable[[str], str]) -> None:
    project.write("web.toml", WEB)
    with running(project, "specs", "--once") as service:
        assert service.process.wait(30) == 0
    assert serves("web")
    project.write("web.toml", "nonsense")
    with running(project, "specs", "--once") as service:
        assert service.process.wait(30) == 1


def test_the_journal_of_a_service_and_of_what_is_done_by_hand(project: Project) -> None:
    state = {"STATE_DIRECTORY": str(project.root / "state")}
    project.write("web.toml", WEB)
    project.run("apply", env=state)
    refused = project.run("history", path=None, check=False, env=state)
    assert refused.code == 1
    assert "there is no journal yet" in refused.stderr
    project.write("web.toml", WEB.replace("busybox:latest", "busybox:missing"))
    with running(project, "specs", "--once") as service:
        assert service.process.wait(60) == 1
    project.write("web.toml", f"{WEB}labels = {{ by = 'hand' }}\n")
    project.run("apply", env=state)
    project.run("destroy", "--yes", env=state)
    entries = project.run("history", "--json", path=None, env=state).json()["entries"]
    found = [(item["by"], item["result"]) for item in entries]
    assert found[:2] == [("destroy", "done"), ("apply", "done")]
    assert found[-1] == ("run", "failed")
    assert {by for by, _ in found[2:]} == {"run"}  # it may have tried again before it ended
    shown = project.run("history", "show", str(entries[-1]["id"]), path=None, env=state).stdout
    assert 'image  "busybox:latest" → "busybox:missing"' in shown
    assert "busybox:missing: failed" in shown


def test_two_of_one_state_directory(project: Project) -> None:
    project.write("web.toml", WEB)
    with running(project, "specs") as service:
        service.until_ready()
        second = subprocess.run(
            [cli_program(), "-H", project.host, "run", "specs", "--state-dir", str(project.root / "state")],
            cwd=project.root, capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert second.returncode == 1
        assert "another `reconciler run` uses the state directory" in second.stderr
        assert service.end() == 0


def test_validate_config(project: Project) -> None:
    config = project.root / "config.toml"
    config.write_text('[[project]]\npath = "specs"\n')
    assert project.run("validate", "--config", str(config), path=None).stdout == f"{config} is valid: 1 project.\n"
    config.write_text('[[project]]\npth = "specs"\n')
    refused = project.run("validate", "--config", str(config), path=None, check=False)
    assert refused.code == 1
    assert f"{config}:2:1: project[0].pth: unknown option 'pth'" in refused.stderr
    assert "did you mean 'path'?" in refused.stderr
    document = project.run("validate", "--config", str(config), "--json", path=None, check=False).json()
    assert document["valid"] is False
    assert document["problems"][0]["line"] == 2


def test_http_at_a_socket_in_the_runtime_directory(project: Project) -> None:
    project.write("web.toml", WEB)
    runtime = project.root / "runtime"
    runtime.mkdir()
    token = project.root / "token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    path = runtime / "reconciler.sock"

    def ask(method: str, where: str, authorization: str = "") -> tuple[int, bytes]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(path))
            head = f"{method} {where} HTTP/1.0\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n"
            connection.sendall(head.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]

    with running(project, "specs", RUNTIME_DIRECTORY=str(runtime), RECONCILER_HTTP_TOKEN_FILE=str(token)) as service:
        service.until_ready()
        assert ask("GET", "/healthz") == (200, b"alive\n")
        assert ask("GET", "/readyz") == (200, b"ready\n")
        (shown,) = json.loads(ask("GET", "/api/v1/status")[1])["projects"]
        assert shown["condition"] == "settled"
        assert ask("POST", "/api/v1/suspend")[0] == 401
        assert ask("POST", "/api/v1/suspend", f"Bearer {token.read_text().strip()}")[0] == 202
        assert json.loads(ask("GET", "/api/v1/status")[1])["suspended"] is True
        assert service.end() == 0
        assert not path.exists()
        assert "serving" in service.events()
