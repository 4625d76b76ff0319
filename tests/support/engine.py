"""The real engine that tests run on: which one it is, and what a test leaves on it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound

from tests.support import refusals

NO_ENGINE = """\
these tests need a Docker Engine of their own. Run `scripts/test`, which starts one and removes it afterwards; or
    scripts/engine up && scripts/engine exec scripts/base-image && scripts/buildx
    scripts/engine exec .venv/bin/pytest ...
or set RECONCILER_TEST_HOST to an engine whose contents you can do without."""


def find_engine() -> str | None:
    """The engine meant for tests; never the one a person works with, even if DOCKER_HOST names it."""
    if host := os.environ.get("RECONCILER_TEST_HOST"):
        return host
    inside_engine_exec = "RECONCILER_ENGINE_NAME" in os.environ
    return os.environ.get("DOCKER_HOST") if inside_engine_exec else None


@dataclass(frozen=True)
class Result:
    """What a run of the command line printed, and its exit status."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        return json.loads(self.stdout)


def cli_program() -> str:
    program = Path(sys.executable).with_name("reconciler")
    if not program.exists():
        raise FileNotFoundError(f"{program} is missing: pip install -e . in this environment")
    return str(program)


class Project:
    """A project of its own for one test: a directory of specs, and the objects with its label."""

    def __init__(self, name: str, root: Path, host: str) -> None:
        self.name = name
        self.root = root
        self.host = host
        self.directory = root / "specs"
        self.directory.mkdir()
        self.write("project.toml", f'[project]\nname = "{name}"\n')

    def write(self, filename: str, text: str) -> Path:
        """Write a file of the project; `project.toml` is there already and holds the name."""
        file = self.directory / filename
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def command(self, *args: str, path: str | Path | None = "") -> list[str]:
        """The command line of `run`, for tests that need the process itself."""
        verb, *rest = args
        where = [] if path is None else [str(path or self.directory)]
        return [cli_program(), "-H", self.host, verb, *where, *rest]

    def run(
        self,
        *args: str,
        check: bool = True,
        env: Mapping[str, str | None] | None = None,
        path: str | Path | None = "",
        timeout: float = 120,
        stdin: str | None = None,
    ) -> Result:
        """Run `reconciler ARGS[0] PATH ARGS[1:]`; PATH is the project's directory, none with `path=None`.

        With `check`, an exit status other than 0 fails the test. A variable of `env` that is None is removed.
        """
        variables = {**os.environ, **(env or {})}
        completed = subprocess.run(
            self.command(*args, path=path),
            cwd=self.root,
            env={key: value for key, value in variables.items() if value is not None},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        result = Result(completed.returncode, completed.stdout, completed.stderr)
        refusals.seen_by_person(args, result.code, result.stdout + result.stderr)
        if check and result.code != 0:
            raise AssertionError(
                f"reconciler {' '.join(args)} ended with {result.code}\n{result.stdout}{result.stderr}"
            )
        return result


def inside(api: docker.APIClient, container: str, *words: str) -> str:
    """What a program prints in a container. It is run again when it said nothing.

    Of one that ends at once Podman loses the output now and then.
    """
    output = b""
    for _ in range(5):
        run = api.exec_create(container, list(words))["Id"]
        output = api.exec_start(run)
        if output or api.exec_inspect(run)["ExitCode"]:
            break
    return output.decode()


def octet(name: str) -> int:
    """The second byte of the networks 10.x.y.0/24 of the test with this project.

    No test beside it has the same one; and what engines take by themselves lies higher (Podman's from 10.88 on, those
    of scripts/engine from 10.213 on), so that neither is in the other's way.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return 20 + worker % 4 * 17 + int(name.rpartition("-")[2], 16) % 17


def remove_project(api: docker.APIClient, name: str) -> None:
    """Remove everything that carries the project's label, by id; volumes and built images too."""
    owned = {"label": f"reconciler.project={name}"}
    # Who shares a namespace goes first: Podman keeps its donor until then.
    found = [container["Id"] for container in api.containers(all=True, filters=owned)]
    for container in sorted(found, key=lambda one: not _shares(api, one)):
        with suppress(NotFound):
            api.remove_container(container, force=True, v=True)
    for network in api.networks(filters=owned):
        remove_network(api, network["Id"])
    for volume in api.volumes(filters=owned)["Volumes"] or []:
        with suppress(NotFound):
            api.remove_volume(volume["Name"], force=True)
    for lease in leases_of(api, name):  # of a run that the test killed
        with suppress(NotFound):
            api.remove_volume(lease)
    for image in images_of(api, name):
        # A conflict means that a container of the test without our label still uses it.
        with suppress(NotFound, APIError):
            api.remove_image(image, force=True)


def _shares(api: docker.APIClient, container: str) -> bool:
    with suppress(NotFound):
        host = api.inspect_container(container)["HostConfig"]
        return any(str(host.get(mode)).startswith("container:") for mode in ("NetworkMode", "PidMode", "IpcMode"))
    return False


def remove_network(api: docker.APIClient, network: str) -> None:
    """Its members leave it first. A busy engine still counts for a moment one that it has just removed."""
    deadline = time.monotonic() + 10
    while True:
        try:
            for member in api.inspect_network(network)["Containers"] or {}:
                api.disconnect_container_from_network(member, network, force=True)
            api.remove_network(network)
        except NotFound:
            return
        except APIError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def leases_of(api: docker.APIClient, name: str) -> list[str]:
    """The volumes that say who changes the project."""
    volumes = api.volumes(filters={"label": "reconciler.lock"})["Volumes"] or []
    return [item["Name"] for item in volumes if item["Name"].startswith(f"reconciler.lock.{name}.")]


def images_of(api: docker.APIClient, name: str) -> Iterator[str]:
    """Ids of the images built for the project, each once."""
    seen = set()
    for label in ("reconciler.image.project", "reconciler.project"):
        for image in api.images(filters={"label": f"{label}={name}"}):
            if image["Id"] not in seen:
                seen.add(image["Id"])
                yield image["Id"]
