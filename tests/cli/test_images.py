"""The life of an image that is built here: what is built when, what goes when, and what is never touched."""

import time
from collections.abc import Iterator

import docker
import pytest

from tests.cli.conftest import LOOP
from tests.support.engine import Project


@pytest.fixture
def site(project: Project) -> Project:
    project.write("site/Dockerfile", "FROM busybox:latest\nCOPY page /page\n")
    project.write("image.toml", '[image.site]\nbuild = "./site"\n')
    project.write("web.toml", f'[container.web]\nimage = "site"\n{LOOP}\n')
    page(project, "one")
    return project


def page(project: Project, text: str) -> None:
    project.write("site/page", text)


def builds(api: docker.APIClient, project: Project) -> dict[str, str]:
    """Image id by tag, of all builds of the project."""
    return {
        tag.rpartition(":")[2]: image["Id"]
        for image in api.images(name=f"{project.name}-site")
        for tag in image["RepoTags"] or ()
    }


def page_of(api: docker.APIClient, project: Project) -> str:
    run = api.exec_create(f"{project.name}-web-1", ["cat", "/page"])
    return str(api.exec_start(run["Id"]).decode())


def test_edit_build_go_back(site: Project, docker_api: docker.APIClient) -> None:
    seen = []
    for text in ("one", "two", "three"):
        page(site, text)
        applied = site.run("apply")
        assert "FROM " in applied.stderr, "it was built"
        assert page_of(docker_api, site) == text
        seen.append(docker_api.inspect_image(f"{site.name}-site")["Id"])
        time.sleep(1.1)  # images are told apart by the second in which they were made
    assert len(set(seen)) == 3
    site.run("apply")
    assert sorted(set(builds(docker_api, site).values())) == sorted(seen[1:]), "the oldest has gone"
    page(site, "two")
    back = site.run("apply")
    assert "FROM " not in back.stderr, "going back builds nothing"
    assert page_of(docker_api, site) == "two"
    assert docker_api.inspect_image(f"{site.name}-site")["Id"] == seen[1]
    assert site.run("plan", "--detailed-exitcode").code == 0


def test_what_is_not_sent_builds_nothing(site: Project) -> None:
    """Times of files, and what .dockerignore leaves out, are no content."""
    site.write("site/.dockerignore", "*.log\n")
    site.run("apply")
    site.write("site/noise.log", "noise")
    page(site, "one")
    assert site.run("plan", "--detailed-exitcode").code == 0
    site.directory.joinpath("site/page").chmod(0o755)
    assert site.run("plan", "--detailed-exitcode", check=False).code == 2


@pytest.fixture
def by_hand(site: Project, docker_api: docker.APIClient) -> Iterator[tuple[str, str]]:
    """A container that somebody ran from an image we built, and an image somebody committed of our container."""
    site.run("apply")
    image = f"{site.name}-site:latest"
    made = docker_api.create_container(image, ["sleep", "1000"], name=f"{site.name}-byhand")["Id"]
    docker_api.start(made)
    committed = docker_api.commit(f"{site.name}-web-1", repository=f"{site.name}-committed", tag="1")["Id"]
    yield made, committed
    docker_api.remove_container(made, force=True)
    docker_api.remove_image(f"{site.name}-committed:1", force=True)
    for tag in builds(docker_api, site):
        docker_api.remove_image(f"{site.name}-site:{tag}", force=True)


def test_what_others_made_of_it_survives(site: Project, docker_api: docker.APIClient, by_hand: tuple[str, str]) -> None:
    made, committed = by_hand

    def still_there() -> bool:
        state = docker_api.inspect_container(made)["State"]
        return bool(state["Running"]) and bool(docker_api.inspect_image(committed))

    assert site.run("plan", "--detailed-exitcode").code == 0, "they are no drift"
    page(site, "two")
    site.run("apply")
    assert still_there()
    site.directory.joinpath("image.toml").unlink()
    site.write("web.toml", f'[container.web]\nimage = "busybox:latest"\n{LOOP}\n')
    pruned = site.run("apply")
    assert f"{site.name}-byhand uses it" in pruned.stdout
    assert still_there()
    site.run("destroy", "--yes", "--volumes")
    assert still_there()
