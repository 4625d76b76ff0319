"""A project of its own for each test of options."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from reconciler.engine.connect import connect
from tests.support.engine import remove_project
from tests.support.inprocess import AT_ONCE, Workbench


@pytest.fixture
def bench(engine_host: str, docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Workbench]:
    name = f"opt-{secrets.token_hex(4)}"
    (tmp_path / "conf").mkdir()
    engine = connect(engine_host, os.environ)
    yield Workbench(name, tmp_path, engine, rollout=AT_ONCE)
    engine.close()
    remove_project(docker_api, name)
