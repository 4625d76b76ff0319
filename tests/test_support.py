"""The test equipment itself: what later tests take for granted."""

from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from tests.support import golden
from tests.support.engine import Project, find_engine, images_of, remove_project
from tests.support.registry import Registry


def test_a_persons_own_engine_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    monkeypatch.delenv("RECONCILER_ENGINE_NAME", raising=False)
    monkeypatch.delenv("RECONCILER_TEST_HOST", raising=False)
    assert find_engine() is None


def test_removing_a_project_leaves_nothing_of_it_and_all_else(docker_api: docker.APIClient, project: Project) -> None:
    labels = {"reconciler.project": project.name}
    other = docker_api.create_volume()["Name"]
    network = docker_api.create_network(f"{project.name}_n", labels=labels)["Id"]
    volume = docker_api.create_volume(f"{project.name}_v", labels=labels)["Name"]
    container = docker_api.create_container("busybox", ["sleep", "60"], labels=labels)["Id"]
    docker_api.connect_container_to_network(container, network)
    docker_api.start(container)
    commit = docker_api.commit(container, changes=f"LABEL reconciler.image.project={project.name}")["Id"]

    remove_project(docker_api, project.name)

    owned = {"label": f"reconciler.project={project.name}"}
    assert docker_api.containers(all=True, filters=owned) == []
    assert docker_api.networks(filters=owned) == []
    assert volume not in [v["Name"] for v in docker_api.volumes()["Volumes"]]
    assert commit not in list(images_of(docker_api, project.name))
    docker_api.remove_volume(other)  # still there


def test_an_image_goes_through_the_registry(docker_api: docker.APIClient, registry: Registry) -> None:
    name = registry.image("tools/busybox")
    docker_api.tag("busybox:latest", name, "1")
    assert "digest: sha256:" in docker_api.push(name, "1")
    docker_api.remove_image(f"{name}:1")
    docker_api.pull(name, "1")
    docker_api.remove_image(f"{name}:1")


def test_the_private_registry_wants_the_login(docker_api: docker.APIClient, private_registry: Registry) -> None:
    name = private_registry.image("busybox")
    login = private_registry.login
    assert login is not None
    docker_api.tag("busybox:latest", name, "1")
    try:
        with pytest.raises(APIError, match="no basic auth credentials"):
            docker_api.pull(name, "1")
        auth = {"username": login.user, "password": login.password}
        assert "digest: sha256:" in docker_api.push(name, "1", auth_config=auth)
        docker_api.pull(name, "1", auth_config=auth)
    finally:
        docker_api.remove_image(f"{name}:1")


def test_golden_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a" / "plan.txt"
    monkeypatch.setattr(golden, "rewrite", False)
    with pytest.raises(pytest.fail.Exception, match="make golden"):
        golden.golden(file, "one\n")
    monkeypatch.setattr(golden, "rewrite", True)
    golden.golden(file, "one\n")
    monkeypatch.setattr(golden, "rewrite", False)
    golden.golden(file, "one\n")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)-one\n\+two"):
        golden.golden(file, "two\n")


def test_the_command_line_runs_on_the_project(project: Project) -> None:
    project.write("store.toml", "[volume.data]\n")
    planned = project.run("plan", "--json").json()
    assert (planned["project"], planned["summary"]["create"]) == (project.name, 1)
    project.run("apply", "--yes")
    assert project.run("plan", "--json").json()["changes"] == []
    assert project.run("nonsense", check=False, path=None).code == 1
