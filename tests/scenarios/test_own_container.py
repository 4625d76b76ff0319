"""The program in a container that it keeps itself: whatever would end that container is refused, however it is set up."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest

from tests.scenarios.conftest import LOOP
from tests.support.engine import Project, Result, cli_program

ROOT = Path(__file__).parents[2]
REFUSED = "reconciler itself runs in the container"
SYSTEM = ("/usr", "/lib", "/lib64")

OWN = 'cgroup = "private"\nhostname = "keeper"'

#: how a container is set up: what tells it apart is hidden more and more
SETUPS = {
    "host": 'cgroup = "host"',
    "private": 'cgroup = "private"',
    "network": 'cgroup = "private"\nnetwork_mode = "host"',
    "named": OWN,
    "shared": 'cgroup = "private"\nnetwork_mode = "service:other"',
    "files": OWN,
}


class Inside:
    """A project, one of whose containers holds this program; it is run there by `exec`."""

    def __init__(self, project: Project, api: docker.APIClient) -> None:
        self.project, self.api = project, api
        self.declare_other()

    def declare_other(self, more: str = "") -> None:
        hurried = 'rollout = { order = "stop-first", ready_after = "0s" }'
        self.project.write("other.toml", f'[container.other]\nimage = "busybox:latest"\n{LOOP}\n{hurried}\n{more}\n')

    def declare(self, name: str, more: str = "", program: str = LOOP) -> None:
        """A container in which the program can run, beside what `name` says of it."""
        read = {sys.base_prefix, sys.prefix, str(ROOT), *(path for path in SYSTEM if Path(path).exists())}
        socket, root = urlsplit(self.project.host).path, self.project.root
        volumes = [f"{socket}:{socket}", f"{root}:{root}", *(f"{path}:{path}:ro" for path in sorted(read))]
        for file in ("hostname", "hosts", "resolv.conf") if name == "files" else ():
            (root / file).write_text("127.0.0.1 localhost\n")
            volumes.append(f"{root}/{file}:/etc/{file}:ro")
        made = f'[container.{name}]\nimage = "busybox:latest"\nvolumes = {volumes}\n{program}\n{SETUPS[name]}\n{more}\n'
        self.project.write(f"{name}.toml", made)

    def id(self, name: str) -> str:
        found = self.api.inspect_container(f"{self.project.name}-{name}-1")
        assert found["State"]["Status"] == "running"
        return str(found["Id"])

    def labels(self, name: str) -> dict[str, str]:
        found = self.api.containers(filters={"name": f"^/{self.project.name}-{name}-1$"})
        return dict(found[0]["Labels"]) if found else {}

    def run(self, name: str, *arguments: str) -> Result:
        """The program in that container."""
        command = [cli_program(), "-H", self.project.host, *arguments, str(self.project.directory)]
        made = self.api.exec_create(self.id(name), command, environment={"XDG_CACHE_HOME": "/tmp"})
        out, err = self.api.exec_start(made["Id"], demux=True)
        code = self.api.exec_inspect(made["Id"])["ExitCode"]
        return Result(code, (out or b"").decode(), (err or b"").decode())


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.1)


@pytest.fixture
def inside(project: Project, docker_api: docker.APIClient) -> Inside:
    return Inside(project, docker_api)


def test_it_does_not_replace_itself(inside: Inside) -> None:
    for name in SETUPS:
        inside.declare(name)
    inside.project.run("apply")
    before = {name: inside.id(name) for name in SETUPS}
    for name in SETUPS:
        inside.declare(name, 'environment = { VERSION = "2" }')
    results = {name: inside.run(name, "apply", "--target", f"container.{name}") for name in SETUPS}
    assert {name: (result.code, REFUSED in result.stdout) for name, result in results.items()} == dict.fromkeys(
        SETUPS, (1, True)
    ), results
    assert {name: inside.id(name) for name in SETUPS} == before


def test_nor_is_it_removed_or_restarted_by_itself(inside: Inside) -> None:
    inside.declare("private")
    inside.project.run("apply")
    before = inside.id("private")
    restarted = inside.run("private", "restart", "container.private")
    assert (restarted.code, REFUSED in restarted.stderr) == (1, True), restarted
    (inside.project.directory / "private.toml").unlink()
    (change,) = inside.run("private", "plan", "--json").json()["changes"]
    assert (change["address"], change["verb"]) == ("container.private", "blocked")
    destroyed = inside.run("private", "destroy", "--yes")
    assert (destroyed.code, REFUSED in destroyed.stdout) == (1, True), destroyed
    assert inside.id("private") == before
    assert inside.labels("other") == {}
    assert inside.project.run("destroy", "--yes").code == 0, "from outside it can be done"
    assert inside.labels("private") == {}


def test_run_goes_on_beside_it(inside: Inside) -> None:
    """It is the program of the container that it keeps: what it may not do to itself it says, and does the rest."""
    project = inside.project
    words = [cli_program(), "-H", project.host, "run", str(project.directory), "--state-dir", "/tmp/state"]
    program = f'command = {words}\nrestart = "always"'
    inside.declare("private", program=program)
    project.run("apply")
    before = inside.id("private")
    inside.declare("private", 'environment = { VERSION = "2" }', program)
    until(lambda: REFUSED in inside.api.logs(before).decode())
    inside.declare_other('labels = { version = "2" }')
    until(lambda: inside.labels("other").get("version") == "2")
    assert inside.id("private") == before
    assert inside.api.inspect_container(before)["RestartCount"] == 0
    inside.api.stop(before, timeout=10)
