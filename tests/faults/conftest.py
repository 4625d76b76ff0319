"""A second private engine, to be filled up and killed. It needs root, and a directory to mount a file system on."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.support.engine import Project

ROOT = Path(__file__).parents[2]


class Victim:
    """An engine whose data lie on a small file system in memory.

    Attributes:
        state: where that is mounted.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self.environment = {
            **os.environ, "RECONCILER_ENGINE_NAME": "victim", "RECONCILER_ENGINE_STATE": str(state)
        }  # fmt: skip
        self.host = f"unix://{state}/victim/docker.sock"

    def engine(self, *command: str) -> None:
        done = subprocess.run(
            [ROOT / "scripts" / "engine", *command], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def fill(self) -> Path:
        """Leave no room on its disk."""
        filler = self.state / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], capture_output=True, check=False)
        return filler


@pytest.fixture(scope="session")
def victim(docker_api: docker.APIClient) -> Iterator[Victim]:
    if os.geteuid() != 0:
        pytest.fail("only root may mount a file system and start a second engine", pytrace=False)
    state = Path("/var/tmp") / f"reconciler-faults-{os.getpid()}"
    state.mkdir()
    made = Victim(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "reconciler-faults", state], check=True)
    try:
        made.engine("up")
        with docker.APIClient(made.host, version="auto") as api:
            api.load_image(b"".join(docker_api.get_image("busybox:latest")))
        yield made
    finally:
        subprocess.run([ROOT / "scripts" / "engine", "down"], env=made.environment, capture_output=True, check=False)
        subprocess.run(["umount", "-l", state], check=False)
        state.rmdir()


@pytest.fixture
def shop(victim: Victim, tmp_path: Path) -> Iterator[Project]:
    made = Project(f"test-{secrets.token_hex(4)}", tmp_path, victim.host)
    yield made
    victim.engine("up")
    made.run("destroy", "--yes", "--volumes")
