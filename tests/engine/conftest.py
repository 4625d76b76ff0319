"""Engines for the contract suite: the one in memory and a real one, with names that nobody else uses."""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.engine.client import DockerEngine
from reconciler.engine.connect import connect
from reconciler.engine.endpoint import parse_address
from reconciler.engine.interface import Engine
from reconciler.engine.podman import container_as_docker, image_as_docker
from reconciler.errors import EngineError
from tests.support.builders import CLASSIC
from tests.support.fake_daemon import FakeDaemon
from tests.support.memory import MemoryEngine

Json = dict[str, Any]


@dataclass
class Bench:
    """An engine, and short ways to what most tests need; everything made with `name` is removed afterwards."""

    engine: Engine
    prefix: str

    def name(self, short: str) -> str:
        return f"{self.prefix}-{short}"

    def container(self, short: str, body: Json | None = None, *, start: bool = False, **host: Any) -> str:
        whole = {"Image": "busybox", "Cmd": ["sleep", "60"], "HostConfig": host, **(body or {})}
        container_id, _ = self.engine.create_container(self.name(short), whole, "")
        if start:
            self.engine.start_container(container_id)
        return container_id

    def inspect(self, container_id: str) -> Json:
        """In Docker's words, as it is decoded."""
        answer = self.engine.inspect_containers([container_id])[0]
        return container_as_docker(answer) if self.engine.facts().is_podman else answer

    def image(self, reference: str) -> Json:
        answer = self.engine.inspect_image(reference)
        return image_as_docker(answer) if self.engine.facts().is_podman else answer

    def listed(self, container_id: str) -> Json:
        return next(entry for entry in self.engine.list_containers() if entry["Id"] == container_id)

    def network(self, short: str, **body: Any) -> str:
        return self.engine.create_network({"Name": self.name(short), **body})[0]

    def volume(self, short: str, **body: Any) -> str:
        self.engine.create_volume({"Name": self.name(short), **body})
        return self.name(short)

    def clean(self) -> None:
        for entry in self.engine.list_containers():
            if entry["Names"][0].startswith(f"/{self.prefix}-"):
                with suppress(EngineError):
                    self.engine.stop_container(entry["Id"], 0)
                self.engine.remove_container(entry["Id"])
        for network in self.engine.list_networks():
            if network["Name"].startswith(self.prefix):
                self.engine.remove_network(network["Id"])
        for volume in self.engine.list_volumes():
            if volume["Name"].startswith(self.prefix):
                self.engine.remove_volume(volume["Name"])
        for image in self.engine.list_images():
            for tag in image["RepoTags"] or ():
                if self.prefix in tag:
                    self.engine.remove_image(tag)


@pytest.fixture(params=["memory", "docker"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "memory":
        engine: Engine = MemoryEngine()
    else:
        engine = connect(request.getfixturevalue("engine_host"), {})
    made = Bench(engine, f"c{secrets.token_hex(4)}")
    yield made
    made.clean()
    engine.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    with FakeDaemon(tmp_path) as running:
        yield running


@pytest.fixture
def engine(daemon: FakeDaemon, tmp_path: Path) -> Iterator[DockerEngine]:
    made = DockerEngine(
        parse_address(daemon.address, None, "-H"),
        {"DOCKER_CONFIG": str(tmp_path), "PATH": os.environ["PATH"], **CLASSIC},
    )
    yield made
    made.close()
