"""Scenarios: a project on the real engine, changed by the spec, by hand and by accident."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from reconciler.engine.connect import connect
from tests.support.engine import remove_project
from tests.support.inprocess import Workbench

LOOP = 'command = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]'


@pytest.fixture
def bench(engine_host: str, docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Workbench]:
    name = f"sc-{secrets.token_hex(4)}"
    directory = tmp_path / "specs"
    directory.mkdir()
    engine = connect(engine_host, os.environ)
    yield Workbench(name, directory, engine)
    engine.close()
    remove_project(docker_api, name)


@pytest.fixture
def port(bench: Workbench) -> int:
    """A host port of this test alone."""
    return 20000 + int(bench.name.rpartition("-")[2], 16) % 20000
