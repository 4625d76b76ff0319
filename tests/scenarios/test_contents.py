"""Configs and secrets on the real engine: who can read them, what a new one does, and that they are shown nowhere."""

import base64
import json
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest

from reconciler.model.plan import Verb
from tests.support.engine import Project, inside
from tests.support.inprocess import Workbench

LOOP = (
    """command = ["sh", "-c", "trap exit TERM; trap 'cat /run/secrets/key; echo' HUP; while :; do sleep 0.1; done"]"""
)


def spec(more: str = "", key: str = '["key"]') -> str:
    return f"""
[secret.key]
file = "./key"
[config.motd]
content = "Welcome."
[container.web]
image = "busybox:latest"
{LOOP}
secrets = {key}
configs = [{{ source = "motd", target = "/etc/app/motd" }}]
{more}
"""


def inspect(api: docker.APIClient, bench: Workbench) -> dict[str, Any]:
    found: dict[str, Any] = api.inspect_container(f"{bench.name}-web-1")
    return found


@pytest.fixture
def key(bench: Workbench) -> Path:
    file = bench.directory / "key"
    file.write_text("first")
    return file


HARDENED = 'read_only = true\ntmpfs = ["/run", "/tmp"]\ncap_drop = ["ALL"]'


@pytest.mark.parametrize("hardened", [False, True], ids=["ordinary", "read-only"])
@pytest.mark.parametrize(
    ("user", "owner"), [("", "0:0"), ('user = "nobody"', "65534:65534"), ('user = "1000:1001"', "1000:1001")]
)
def test_its_user_can_read_them_and_nobody_else(
    bench: Workbench, key: Path, docker_api: docker.APIClient, user: str, owner: str, hardened: bool
) -> None:
    bench.settle(spec(f"{user}\n{HARDENED if hardened else ''}"))
    container = f"{bench.name}-web-1"
    shown = inside(docker_api, container, "stat", "-c", "%a %u:%g", "/run/secrets/key", "/etc/app/motd")
    assert shown.splitlines() == [f"400 {owner}", f"444 {owner}"]
    assert inside(docker_api, container, "cat", "/run/secrets/key", "/etc/app/motd") == "firstWelcome."
    docker_api.restart(container, timeout=1)
    assert inside(docker_api, container, "cat", "/run/secrets/key", "/etc/app/motd") == "firstWelcome."
    assert bench.plan().is_settled
    mine = {"label": f"reconciler.holder={bench.name}"}
    before = docker_api.volumes(filters=mine)["Volumes"] or []
    bench.write(spec(f'environment = {{ NEW = "1" }}\n{user}\n{HARDENED if hardened else ""}'))
    bench.settle()
    assert len(docker_api.volumes(filters=mine)["Volumes"] or []) == len(before), (
        "a replacement leaves no volume of its predecessor"
    )
    bench.destroy()
    holders = docker_api.volumes(filters=mine)["Volumes"]
    assert not holders


@pytest.mark.parametrize("hardened", [False, True], ids=["ordinary", "read-only"])
@pytest.mark.parametrize("on_change", ["replace", "restart", "signal:SIGHUP", "ignore"])
def test_a_new_secret(
    bench: Workbench, key: Path, docker_api: docker.APIClient, on_change: str, hardened: bool
) -> None:
    use = f'[{{ source = "key", on_change = "{on_change}" }}]'
    bench.settle(spec(HARDENED if hardened else "", use))
    before = inspect(docker_api, bench)
    key.write_text("second")
    change = bench.change("container.web")
    assert [(field.path, field.reason) for field in change.fields] == [("secrets.key", "content-changed")]
    assert (change.verb is Verb.REPLACE) is (on_change == "replace")
    bench.settle()
    after = inspect(docker_api, bench)
    assert (after["Id"] != before["Id"]) is (on_change == "replace")
    assert (after["State"]["StartedAt"] != before["State"]["StartedAt"]) is (on_change in ("replace", "restart"))
    assert inside(docker_api, f"{bench.name}-web-1", "cat", "/run/secrets/key") == "second"
    if on_change.startswith("signal"):
        deadline = time.monotonic() + 10
        while b"second" not in docker_api.logs(f"{bench.name}-web-1"):
            assert time.monotonic() < deadline, "it was told, and found the new one"
            time.sleep(0.05)
    key.write_text("first")
    bench.settle()
    assert inside(docker_api, f"{bench.name}-web-1", "cat", "/run/secrets/key") == "first"


def test_what_is_watched_is_told(bench: Workbench, key: Path, docker_api: docker.APIClient) -> None:
    (bench.directory / "conf").mkdir()
    (bench.directory / "conf" / "a").write_text("one")
    text = spec('volumes = ["./conf:/conf:ro"]\nwatch = [{ path = "./conf", on_change = "restart" }]\nread_only = true')
    bench.settle(text)
    before = inspect(docker_api, bench)
    (bench.directory / "conf" / "a").write_text("two")
    bench.settle()
    after = inspect(docker_api, bench)
    assert after["Id"] == before["Id"]
    assert after["State"]["StartedAt"] != before["State"]["StartedAt"]


def test_another_machine_sees_no_change(bench: Workbench, key: Path, tmp_path: Path) -> None:
    bench.settle(spec())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "key").write_text("first")
    other = Workbench(bench.name, elsewhere, bench.engine, {"HOME": str(elsewhere)})
    other.write(spec())
    assert other.plan().is_settled
    (elsewhere / "key").write_text("other")
    assert other.change("container.web").reason == "content-changed"


def test_what_has_no_place_in_the_image(bench: Workbench, key: Path) -> None:
    bench.write(spec('user = "nobody-knows"'))
    outcome = next(item for item in bench.apply().outcomes if item.address.name == "web")
    says = "the image has no such user" if bench.engine.facts().is_podman else "the user 'nobody-knows'"
    assert says in outcome.message
    assert not [item for item in bench.look().observed.containers if item.name.startswith(bench.name)]


# --- an engine that is not on this machine, as far as it can tell ----------------------------------------------------


class Relay:
    """A TCP port that leads to a unix socket."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as engine:
            engine.connect(self.target)
            back = threading.Thread(target=self._pass_on, args=(engine, client), daemon=True)
            back.start()
            self._pass_on(client, engine)
            back.join()

    @staticmethod
    def _pass_on(one: socket.socket, other: socket.socket) -> None:
        try:
            while part := one.recv(65536):
                other.sendall(part)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def relay(engine_host: str) -> Iterator[Relay]:
    made = Relay(engine_host.removeprefix("unix://"))
    with closing(made.listener):
        yield made


@pytest.mark.parametrize("kind", ["replace", "restart", "read-only"])
def test_it_is_shown_nowhere(project: Project, relay: Relay, docker_api: docker.APIClient, kind: str) -> None:
    """Every command, loud and in JSON, failing ones too; every label; the saved plan; the directories of the user."""
    marks = [f"never-shown-{secrets.token_hex(8)}" for _ in range(3)]
    seen: list[str] = []
    home = project.root / "home"
    home.mkdir()

    def command(*args: str, **environment: str) -> None:
        variables = {"KEY": marks[0], "HOME": str(home), "DOCKER_HOST": relay.address, **environment}
        result = project.run(*args, "-v", check=False, env={**variables, "XDG_CACHE_HOME": None})
        seen.extend([result.stdout, result.stderr])

    remote = Project.__new__(Project)
    remote.__dict__.update(project.__dict__ | {"host": relay.address})
    project = remote
    use = "restart" if kind == "restart" else "replace"
    text = f"""
[secret.key]
environment = "KEY"
[container.web]
image = "busybox:latest"
command = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]
secrets = [{{ source = "key", on_change = "{use}" }}]
read_only = {str(kind == "read-only").lower()}
"""
    project.write("web.toml", text)
    plan = project.root / "plan"
    for loud in ([], ["--json"]):
        command("validate")
        command("plan", "--out", str(plan), *loud)
        command("apply", "--yes", *loud)
        command("plan", "--out", str(plan), *loud, KEY=marks[1])
        seen.append(plan.read_text())
        command("drift", *loud)
        command("status", *loud)
        command("apply", "--yes", *loud, KEY=marks[1])
        project.write("web.toml", text + 'user = "nobody-knows"\n')
        command("apply", "--yes", *loud, KEY=marks[2])
        project.write("web.toml", text + "ports = 5\n")
        command("plan", *loud, KEY=marks[2])
        project.write("web.toml", text)
    container = f"{project.name}-web-1"
    assert inside(docker_api, container, "cat", "/run/secrets/key") == marks[1]
    seen.append(json.dumps(docker_api.inspect_container(container)))
    seen.append(json.dumps(docker_api.volumes()))
    command("destroy", "--yes")
    seen += [file.read_text() for file in home.rglob("*") if file.is_file()]
    seen += [name for _, _, names in os.walk(home) for name in names]
    assert any("secrets.key" in text for text in seen)
    assert any("sensitive" in text for text in seen)
    for mark in marks:
        for form in (mark, base64.b64encode(mark.encode()).decode().rstrip("="), mark.encode().hex()):
            assert not [text for text in seen if form in text]


def test_a_secret_is_no_argument_of_a_process(bench: Workbench, key: Path) -> None:
    """What is put into a container goes through no other program."""
    mark = f"never-shown-{secrets.token_hex(8)}"
    key.write_text(mark)
    bench.settle(spec())
    assert mark not in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("read_only", ["false", "true"])
def test_into_a_volume_that_the_image_declares(
    bench: Workbench, key: Path, docker_api: docker.APIClient, read_only: str
) -> None:
    """The volume hides what the image has there, and must not hide the file."""
    made = docker_api.create_container("busybox:latest")["Id"]
    docker_api.commit(made, repository=bench.name, tag="volume", changes="VOLUME /etc/app")
    docker_api.remove_container(made)
    try:
        text = spec(f"read_only = {read_only}").replace("busybox:latest", f"{bench.name}:volume")
        bench.settle(text)
        assert inside(docker_api, f"{bench.name}-web-1", "cat", "/etc/app/motd") == "Welcome."
        bench.settle(text.replace("Welcome.", "Hello."))
        assert inside(docker_api, f"{bench.name}-web-1", "cat", "/etc/app/motd") == "Hello."
    finally:
        bench.destroy()
        docker_api.remove_image(f"{bench.name}:volume")
