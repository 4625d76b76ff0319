"""Pulls from a real registry by a real engine, with logins of our own finding."""

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import docker
import pytest

from reconciler.engine.connect import connect
from reconciler.engine.interface import Engine
from reconciler.errors import EngineRefusedError, NotFoundError
from reconciler.model.desired import Build
from tests.support.builders import BUILDX, CLASSIC, need_buildx
from tests.support.registry import Registry


@pytest.fixture
def engine(engine_host: str, tmp_path: Path) -> Iterator[Engine]:
    made = connect(engine_host, {"DOCKER_CONFIG": str(tmp_path), "PATH": os.environ["PATH"]})
    yield made
    made.close()


@pytest.fixture
def connected(engine_host: str) -> Iterator[Callable[[Mapping[str, str]], Engine]]:
    """Connects with an environment; what was connected is closed, also when an expectation fails."""
    with ExitStack() as made:
        yield lambda environment: made.enter_context(closing(connect(engine_host, environment)))


def push(api: docker.APIClient, registry: Registry, name: str, tag: str = "1") -> str:
    """Put the base image into a registry; the reference there. It is not on the engine afterwards."""
    image = registry.image(name)
    login = {"username": registry.login.user, "password": registry.login.password} if registry.login else None
    api.tag("busybox:latest", image, tag)
    assert "digest: sha256:" in api.push(image, tag, auth_config=login)
    api.remove_image(f"{image}:{tag}")
    return f"{image}:{tag}"


def log_in(directory: Path, registry: Registry, password: str) -> None:
    assert registry.login is not None
    auth = base64.b64encode(f"{registry.login.user}:{password}".encode()).decode()
    (directory / "config.json").write_text(json.dumps({"auths": {registry.address: {"auth": auth}}}), encoding="utf-8")


def nothing(line: str) -> None:
    """Progress that nobody reads."""


def test_pull_tag_and_digest(docker_api: docker.APIClient, registry: Registry, engine: Engine) -> None:
    reference = push(docker_api, registry, "tools/busybox")
    digest = engine.registry_digest(reference)
    assert digest.startswith("sha256:")
    told: list[str] = []
    engine.pull_image(reference, "", told.append)
    assert told[-1].startswith(f"{reference}: ")
    name = reference.rpartition(":")[0]
    assert f"{name}@{digest}" in engine.inspect_image(reference)["RepoDigests"]
    engine.remove_image(reference)
    engine.pull_image(f"{name}@{digest}", "", nothing)
    assert engine.inspect_image(f"{name}@{digest}")["Id"] == engine.inspect_image("busybox")["Id"]
    engine.remove_image(f"{name}@{digest}")


def test_what_a_registry_does_not_have(registry: Registry, engine: Engine) -> None:
    reference = registry.image("nothing:1")
    with pytest.raises(NotFoundError, match="hint: the registry has no such image"):
        engine.pull_image(reference, "", nothing)
    with pytest.raises(EngineRefusedError):
        engine.registry_digest(reference)


def test_a_registry_that_is_down(registry: Registry, engine: Engine) -> None:
    registry.stop()
    with pytest.raises(EngineRefusedError, match="connection refused"):
        engine.pull_image(registry.image("x:1"), "", nothing)


def test_a_login_is_found_and_needed(
    docker_api: docker.APIClient, private_registry: Registry, engine: Engine, tmp_path: Path
) -> None:
    reference = push(docker_api, private_registry, "busybox")
    for call in (lambda: engine.pull_image(reference, "", nothing), lambda: engine.registry_digest(reference)):
        with pytest.raises(EngineRefusedError, match=r"hint: log in"):
            call()
    log_in(tmp_path, private_registry, "wrong")
    with pytest.raises(EngineRefusedError, match=r"hint: log in"):
        engine.pull_image(reference, "", nothing)
    assert private_registry.login is not None
    log_in(tmp_path, private_registry, private_registry.login.password)
    engine.pull_image(reference, "", nothing)
    assert engine.registry_digest(reference).startswith("sha256:")
    engine.remove_image(reference)


@pytest.mark.parametrize("builder", [BUILDX, CLASSIC], ids=["buildx", "classic"])
def test_a_build_from_a_private_registry(
    builder: dict[str, str],
    docker_api: docker.APIClient,
    private_registry: Registry,
    connected: Callable[[Mapping[str, str]], Engine],
    tmp_path: Path,
) -> None:
    need_buildx()
    engine = connected({"DOCKER_CONFIG": str(tmp_path), "PATH": os.environ["PATH"], **builder})
    reference = push(docker_api, private_registry, "base")
    root = tmp_path / "context"
    root.mkdir()
    (root / "Dockerfile").write_text(f"FROM {reference}\nLABEL x=1\n", encoding="utf-8")
    build = Build(str(root), pull=True)
    with pytest.raises(EngineRefusedError, match=r"hint: log in"):
        engine.build_image(build, ["private-build:1"], {}, nothing)
    assert private_registry.login is not None
    log_in(tmp_path, private_registry, private_registry.login.password)
    engine.build_image(build, ["private-build:1"], {}, nothing)
    engine.remove_image("private-build:1")
    with suppress(NotFoundError):  # BuildKit keeps what it fetched to itself
        engine.remove_image(reference)


def test_a_build_by_the_classic_builder(connected: Callable[[Mapping[str, str]], Engine], tmp_path: Path) -> None:
    engine = connected(CLASSIC)
    root = tmp_path / "context"
    root.mkdir()
    (root / ".dockerignore").write_text("secret\nDockerfile\n", encoding="utf-8")
    (root / "secret").write_text("s", encoding="utf-8")
    (root / "tool").write_text("t", encoding="utf-8")
    (root / "tool").chmod(0o755)
    (root / "Dockerfile").write_text(
        "FROM busybox\nCOPY . /x\nRUN test -x /x/tool && test ! -e /x/secret && test ! -e /x/Dockerfile\n",
        encoding="utf-8",
    )
    lines: list[str] = []
    engine.build_image(Build(str(root)), ["classic:1"], {"l": "1"}, lines.append)
    assert any(line.startswith("Step 1/") for line in lines)
    engine.remove_image("classic:1")
    (root / "Dockerfile").write_text("FROM busybox\nRUN --mount=type=cache,target=/c true\n", encoding="utf-8")
    with pytest.raises(EngineRefusedError, match="BuildKit"):
        engine.build_image(Build(str(root)), ["classic:1"], {}, nothing)
    (root / "Dockerfile").write_text("FROM busybox\nRUN echo telling; exit 3\n", encoding="utf-8")
    with pytest.raises(EngineRefusedError, match=r"(?s)non-zero code: 3.*telling"):
        engine.build_image(Build(str(root)), ["classic:1"], {}, nothing)
