"""Real projects: the spec of a Compose file says the same as the spec of what Docker Compose resolved it to.

Runs only where RECONCILER_CORPUS names a corpus, see tests/differential: `RECONCILER_CORPUS=DIR pytest tests/convert/test_corpus.py`.
The resolved model is Compose in its long forms, without variables, extends, includes and profiles. It is imported too,
and both specs are loaded; what is left to compare is every resource as it would be made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.convert.command import import_files
from reconciler.model.desired import ContainerResource, DesiredState
from reconciler.spec.load import load

CORPUS = Path(os.environ["RECONCILER_CORPUS"])
PROJECTS = sorted(path.parent for path in (CORPUS / "dev").glob("*/config.json"))


def stage(project: Path, directory: Path) -> str:
    """A copy of a project with the files that builds and mounts need; the resolved model's text."""
    shutil.copytree(project, directory)
    for path in [directory, *directory.rglob("*")]:
        path.chmod(0o755)
    text = (project / "config.json").read_text().replace("${DIR}", str(directory))
    text = text.replace('"context": "/tmp"', f'"context": "{directory.parent.parent}"')  # its `../..`
    text = text.replace("${PROJECT}", f"corp-{project.name}")
    for service in json.loads(text)["services"].values():
        build = service.get("build")
        if build and "://" not in build["context"]:
            dockerfile = Path(build["context"], build.get("dockerfile", "Dockerfile"))
            dockerfile.parent.mkdir(parents=True, exist_ok=True)
            dockerfile.touch()
    for file in json.loads((project / "meta.json").read_text())["stage"]["files"]:
        path = Path(directory, file["path"] if isinstance(file, dict) else file)
        if path.is_relative_to(directory):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    text = re.sub(r'("core": )\{\}', r"\g<1>0", text)  # a limit of 0 is lost in the record
    return re.sub(
        r'("[^"]*)\$\$([^"]*": )', r"\1$\2", text
    )  # keys have no variables, and are escaped there all the same


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """What is set, by path. Compose notes at what shares a namespace that it is restarted too, which is so here anyway."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            yield from leaves(item, f"{path}[{at}]")
    elif value not in (None, False, "") and not path.endswith(".restart"):
        yield path, value


def resources(state: DesiredState) -> dict[str, object]:
    """Every resource as it would be made; which of two services that build one image names it says nothing."""
    found = {}
    for address, resource in state.resources.items():
        changes: dict[str, Any] = {"origin": None}
        if isinstance(resource, ContainerResource):
            changes["image"] = resource.config["image"]
        if address.kind != "image":
            found.update(leaves(resource._replace(**changes), str(address)))
    return found


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_the_spec_says_what_compose_resolved(project: Path, tmp_path: Path) -> None:
    directory = tmp_path / "above" / project.name
    text = stage(project, directory)
    (directory / "model.yaml").write_text(text)
    environment = {"HOME": "/tmp/corp-host/home", "COMPOSE_PROJECT_NAME": f"corp-{project.name}"}
    profiles = json.loads((project / "meta.json").read_text())["profiles"]
    states = []
    for name, wanted in (("compose.yaml", profiles), ("model.yaml", ["*"])):
        made = import_files([str(directory / name)], "", wanted, environment, directory)
        assert made.problems == []
        spec = directory / f"{name}.toml"
        spec.write_text(made.text)
        states.append(resources(load(spec, environment, builds=False)))
    assert states[0] == states[1]
