"""A second private engine, to be filled up and killed. It needs root, and a directory to mount a file system on."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.support.engine import Project
from tests.support.victim import Victim, victim_engine


@pytest.fixture(scope="session")
def victim(docker_api: docker.APIClient) -> Iterator[Victim]:
    yield from start_victim(docker_api)


def start_victim(docker_api: docker.APIClient, *, lives_on: bool = False) -> Iterator[Victim]:
    if os.geteuid() != 0:
        pytest.fail("only root may mount a file system and start a second engine", pytrace=False)
    with victim_engine(docker_api, lives_on=lives_on) as made:
        yield made


@pytest.fixture
def shop(victim: Victim, tmp_path: Path) -> Iterator[Project]:
    made = Project(f"test-{secrets.token_hex(4)}", tmp_path, victim.host)
    yield made
    victim.engine("up")
    made.run("destroy", "--yes", "--volumes")
