"""A project of Docker Compose is taken over: import, adopt, apply. What is in its volumes stays.

What Compose makes is made here as it makes it: its names, labels and endpoints. With RECONCILER_COMPOSE set to a
`docker-compose` binary it is the real one.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.engine import Project, images_of, inside, remove_network

LOOP = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]
COMPOSE = """\
services:
  web:
    image: busybox:latest
    command: ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]
    depends_on: [db]
    networks: [front, back]
    environment: { LEVEL: info }
  db:
    image: busybox:latest
    command: ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]
    volumes: ["data:/var/lib/data", "/scratch"]
    networks: [back]
  app:
    build: ./app
    network_mode: none
networks:
  front: {}
  back: { internal: true }
volumes:
  data: {}
"""
DOCKERFILE = 'FROM busybox:latest\nCMD ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]\n'


class Stack:
    """What Compose has brought up."""

    def __init__(self, project: Project, api: docker.APIClient) -> None:
        self.project, self.api, self.name = project, api, project.name
        (project.directory / "project.toml").unlink()
        project.write("compose.yaml", f"name: {self.name}\n{COMPOSE}")
        project.write("app/Dockerfile", DOCKERFILE)

    def up(self) -> None:
        if compose := os.environ.get("RECONCILER_COMPOSE"):
            file = self.project.directory / "compose.yaml"
            environment = {**os.environ, "DOCKER_HOST": self.project.host, "DOCKER_BUILDKIT": "0"}
            subprocess.run([compose, "-f", file, "up", "-d"], env=environment, check=True, capture_output=True)
            return
        api, name = self.api, self.name
        for network, internal in (("front", False), ("back", True)):
            labels = self.labels(network=network)
            api.create_network(f"{name}_{network}", driver="bridge", internal=internal, labels=labels)
        api.create_volume(f"{name}_data", labels=self.labels(volume="data"))
        for _ in api.build(path=str(self.project.directory / "app"), tag=f"{name}-app", rm=True):
            pass
        self.start("db", ["back"], volumes=["/scratch"], binds=[f"{name}_data:/var/lib/data:rw"])
        self.start("web", ["front", "back"], environment=["LEVEL=info"])
        self.start("app", [], image=f"{name}-app", command=None)

    def labels(self, **kind: str) -> dict[str, str]:
        more = {f"com.docker.compose.{key}": value for key, value in kind.items()}
        return {"com.docker.compose.project": self.name, "com.docker.compose.version": "2.40.3", **more}

    def start(
        self,
        service: str,
        networks: list[str],
        image: str = "busybox:latest",
        command: Any = LOOP,
        binds: list[str] | None = None,
        **more: Any,
    ) -> None:
        api, name = self.api, f"{self.name}-{service}-1"
        labels = self.labels(service=service, **{"container-number": "1", "oneoff": "False", "config-hash": "0" * 64})
        first = f"{self.name}_{networks[0]}" if networks else "none"
        host = api.create_host_config(binds=binds, network_mode=first)
        endpoint = api.create_endpoint_config(aliases=[name, service]) if networks else None
        networking = api.create_networking_config({first: endpoint}) if networks else None
        made = api.create_container(
            image, command, name=name, labels=labels, host_config=host, networking_config=networking, **more
        )
        for network in networks[1:]:
            api.connect_container_to_network(made["Id"], f"{self.name}_{network}", aliases=[name, service])
        api.start(made["Id"])

    def shell(self, service: str, command: str) -> str:
        return inside(self.api, f"{self.name}-{service}-1", "sh", "-c", command)

    def networks(self) -> dict[str, tuple[str, str]]:
        found = self.api.networks(filters={"name": f"{self.name}_"})
        return {item["Name"]: (item["Id"], item["Created"]) for item in found}

    def volumes(self) -> dict[str, tuple[str, str]]:
        """The named one, and the one that nobody named, by where they are mounted."""
        mounts = self.api.inspect_container(f"{self.name}-db-1")["Mounts"]
        return {
            mount["Destination"]: (mount["Name"], self.api.inspect_volume(mount["Name"])["CreatedAt"])
            for mount in mounts
        }

    def remove(self) -> None:
        api = self.api
        for item in api.containers(all=True, filters={"name": f"{self.name}-"}):
            api.remove_container(item["Id"], force=True, v=True)
        for network in self.networks():
            remove_network(api, network)
        for volume in api.volumes(filters={"name": f"{self.name}_"})["Volumes"] or []:
            api.remove_volume(volume["Name"])
        for image in {*images_of(api, self.name), *(item["Id"] for item in api.images(f"{self.name}-app"))}:
            api.remove_image(image, force=True)


@pytest.fixture
def stack(project: Project, docker_api: docker.APIClient) -> Iterator[Stack]:
    made = Stack(project, docker_api)
    try:
        made.up()
        yield made
    finally:
        made.remove()


def imported(stack: Stack, directory: Path) -> Path:
    spec = directory / "reconciler.toml"
    stack.project.run("import", "-o", str(spec), path=str(stack.project.directory / "compose.yaml"))
    return spec


def test_a_compose_project_is_taken_over_with_its_volumes(stack: Stack, docker_api: docker.APIClient) -> None:
    project = stack.project
    stack.shell("db", "echo named | tee /var/lib/data/file; echo unnamed | tee /scratch/file")
    networks, volumes = stack.networks(), stack.volumes()
    assert set(volumes) == {"/var/lib/data", "/scratch"}
    spec = imported(stack, project.directory)
    plan = project.run("plan", "--json", path=spec).json()
    assert {change["verb"] for change in plan["changes"]} == {"blocked"}, "nothing is taken over unasked"
    assert project.run("apply", "--yes", path=spec, check=False).code == 1

    spec.write_text(spec.read_text().replace("[project]\n", "[project]\nadopt = true\n"))
    plan = project.run("plan", "--json", path=spec).json()
    found = {change["address"]: change["verb"] for change in plan["changes"]}
    assert found == dict.fromkeys(("image.app", "container.app", "container.db", "container.web"), "adopt")
    project.run("apply", "--yes", path=spec)

    assert stack.networks() == networks, "used as they are, never touched"
    assert stack.volumes() == volumes
    assert stack.shell("db", "cat /var/lib/data/file /scratch/file") == "named\nunnamed\n"
    assert project.run("plan", "--detailed-exitcode", path=spec).code == 0
    left = docker_api.containers(all=True, filters={"name": f"{stack.name}-"})
    assert sorted(item["Names"][0] for item in left) == [f"/{stack.name}-{name}-1" for name in ("app", "db", "web")]
    assert {item["Labels"].get("reconciler.project") for item in left} == {stack.name}

    project.run("destroy", "--yes", "--volumes", path=spec)
    assert stack.networks() == networks, "what we did not make stays"
    docker_api.inspect_volume(f"{stack.name}_data")


def test_what_differs_blocks_and_says_what(stack: Stack, docker_api: docker.APIClient) -> None:
    project = stack.project
    networks, volumes = stack.networks(), stack.volumes()
    spec = imported(stack, project.directory)
    text = spec.read_text().replace("[project]\n", "[project]\nadopt = true\n")
    text = text.replace("internal = true", "internal = false").replace(
        "[volume.data]", '[volume.data]\ndriver_opts = { type = "tmpfs", device = "tmpfs" }'
    )
    spec.write_text(text)
    plan = project.run("plan", path=spec).stdout
    assert "! network.back  (blocked: the name is taken)\n      internal  true → false" in plan
    assert "! volume.data  (blocked: the name is taken)\n      driver_opts" in plan
    assert "declare it as it is, or give this one another name" in plan
    failed = project.run("apply", "--yes", path=spec, check=False)
    assert failed.code == 1
    assert stack.networks() == networks
    assert stack.volumes() == volumes
    for name in ("db", "web"):  # both need what is blocked
        state = docker_api.inspect_container(f"{stack.name}-{name}-1")
        assert state["State"]["Running"]
        assert "com.docker.compose.project" in state["Config"]["Labels"], "it was not touched"


def test_what_was_run_with_rm_is_taken_over_at_once(project: Project, docker_api: docker.APIClient) -> None:
    """The engine removes it as it stops; what is in its volume that nobody named stays all the same."""
    name = f"{project.name}-web-1"
    before = subprocess.run(
        ["docker", "-H", project.host, "run", "-d", "--rm", "--name", name, "-v", "/data", "busybox:latest", *LOOP],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    inside(docker_api, before, "sh", "-c", "echo kept > /data/file; echo done")
    project.write(
        "web.toml",
        '[container.web]\nimage = "busybox:latest"\nadopt = true\nnetwork_mode = "bridge"\nvolumes = ["/data"]\n'
        f"command = {LOOP!r}\n",
    )
    done = project.run("apply", "--yes")
    assert "no way back" in done.stdout
    assert inside(docker_api, name, "cat", "/data/file").strip() == "kept"
    assert docker_api.inspect_container(name)["Id"] != before
    assert project.run("plan", "--detailed-exitcode").code == 0
