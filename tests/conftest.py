"""Fixtures for tests on a real Docker Engine."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from tests.matrix.differences import expected
from tests.matrix.refusals import REFUSED, words_of
from tests.support import golden, refusals
from tests.support.engine import NO_ENGINE, Project, find_engine, remove_project
from tests.support.registry import Login, Registry


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write golden files anew from what the tests see")


def pytest_configure(config: pytest.Config) -> None:
    golden.rewrite = config.getoption("--golden")
    os.environ["STATE_DIRECTORY"] = os.devnull  # nothing that tests do gets into a journal of this machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What an engine of the matrix is declared to do otherwise is expected to fail there, and run all the same."""
    engine = os.environ.get("RECONCILER_MATRIX", "")
    for item in items:
        if words_of(engine, item.nodeid):
            item.add_marker(pytest.mark.xfail(reason=REFUSED, strict=True, raises=refusals.Refused))
        elif reason := expected(engine, item.nodeid):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def pytest_runtest_call(item: pytest.Item) -> None:
    """What the plan is to refuse while this test runs."""
    refusals.expected = words_of(os.environ.get("RECONCILER_MATRIX", ""), item.nodeid)


@pytest.fixture(scope="session")
def engine_host() -> str:
    """The address of an engine that tests may do anything to."""
    host = find_engine()
    if host is None:
        pytest.fail(NO_ENGINE, pytrace=False)
    return host


@pytest.fixture(scope="session")
def docker_api(engine_host: str) -> Iterator[docker.APIClient]:
    """A client of that engine, past everything under test."""
    try:
        api = docker.APIClient(engine_host, version="auto", timeout=60)
        has_base = bool(api.images("busybox:latest"))
    except DockerException as error:
        pytest.fail(f"{engine_host} does not answer: {error}\n{NO_ENGINE}", pytrace=False)
    if not has_base:
        pytest.fail(f"{engine_host} has no busybox:latest: run scripts/base-image", pytrace=False)
    with api:
        yield api


@pytest.fixture
def project(engine_host: str, docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Project]:
    """A project with a name of its own; everything with its label is removed afterwards."""
    made = Project(f"test-{secrets.token_hex(4)}", tmp_path, engine_host)
    yield made
    remove_project(docker_api, made.name)


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """An empty registry that takes anyone."""
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def private_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """An empty registry that wants a login: `private_registry.login`."""
    with Registry(tmp_path_factory.mktemp("registry"), Login("alice", "s3cret")) as running:
        yield running
