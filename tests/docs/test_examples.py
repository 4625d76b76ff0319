"""Every folder of examples/: it is valid, it settles in one apply, and nothing is left after destroy."""

import re
import secrets
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.builders import need_buildx
from tests.support.engine import Project, images_of, remove_network, remove_project

ROOT = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path for path in ROOT.iterdir() if path.is_dir())
_NAME = re.compile(r'(?<=^\[project\]\nname = ")[a-z-]+(?="$)', re.MULTILINE)


class Example(Project):
    """A copy of an example as a project of its own, on a port of its own."""

    def __init__(self, source: Path, root: Path, host: str) -> None:
        super().__init__(f"ex-{secrets.token_hex(4)}", root, host)
        shutil.rmtree(self.directory)
        shutil.copytree(source, self.directory)
        self.text = ""
        for file in sorted(self.directory.glob("*.toml")):
            file.write_text(_NAME.sub(self.name, file.read_text()))
            self.text += file.read_text()
        assert self.text.count(f'name = "{self.name}"') == 1, "an example says [project] name once"
        port = 20000 + int(self.name.rpartition("-")[2], 16) % 20000
        self.environment = {
            "PORT": str(port),
            "VERSION": self.name,
            "EDGE_NETWORK": f"{self.name}-edge",
            "OLD_WEB": f"{self.name}-old-web",
        }

    @property
    def publishes(self) -> bool:
        return "${PORT" in self.text

    def reconciler(self, *args: str) -> str:
        return self.run(*args, env=self.environment).stdout


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.name)
def example(
    request: pytest.FixtureRequest, engine_host: str, docker_api: docker.APIClient, tmp_path: Path
) -> Iterator[Example]:
    made = Example(request.param, tmp_path, engine_host)
    others = request.param.name == "alongside-others"
    if request.param.name == "build-with-secrets":
        need_buildx()
    if others:
        docker_api.create_network(made.environment["EDGE_NETWORK"])
        loop = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]
        by_hand = docker_api.create_container("busybox:latest", loop, name=made.environment["OLD_WEB"])
        docker_api.start(by_hand)
    yield made
    remove_project(docker_api, made.name)
    if others:
        for container in docker_api.containers(all=True, filters={"name": made.environment["OLD_WEB"]}):
            docker_api.remove_container(container, force=True)
        remove_network(docker_api, made.environment["EDGE_NETWORK"])


def left_of(api: docker.APIClient, project: str) -> list[Any]:
    owned = {"label": f"reconciler.project={project}"}
    found = [*api.containers(all=True, filters=owned), *api.networks(filters=owned)]
    return [*found, *(api.volumes(filters=owned)["Volumes"] or []), *images_of(api, project)]


def test_example(example: Example, docker_api: docker.APIClient) -> None:
    example.reconciler("validate")
    example.reconciler("apply", "--yes", "--wait")
    example.reconciler("plan", "--detailed-exitcode")
    example.reconciler("status")
    if example.publishes and example.host.startswith("unix:"):
        with urllib.request.urlopen(f"http://127.0.0.1:{example.environment['PORT']}/", timeout=10) as page:
            assert page.read()
    example.reconciler("destroy", "--yes", "--volumes")
    assert not left_of(docker_api, example.name)
    if "EDGE_NETWORK" in example.text:
        assert docker_api.networks(names=[example.environment["EDGE_NETWORK"]]), "what is external stays"


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)
def test_is_explained(folder: Path) -> None:
    """A folder has a README, stands in the list, and its project has the folder's name."""
    assert (folder / "README.md").read_text().startswith("# ")
    assert f"({folder.name}/README.md)" in (ROOT / "README.md").read_text()
    assert any(f'[project]\nname = "{folder.name}"\n' in file.read_text() for file in folder.glob("*.toml"))


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.toml")), ids=lambda path: str(path.relative_to(ROOT)))
def test_needs_no_registry(file: Path) -> None:
    images = re.findall(r'^(?:image|reference) = "([^"]*[:/][^"]*)"', file.read_text(), re.MULTILINE)
    assert set(images) <= {"busybox:latest"}
