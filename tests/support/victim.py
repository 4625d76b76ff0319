"""A second private engine, to be filled up, killed and restarted. It needs root."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker

ROOT = Path(__file__).parents[2]
#: stands in for dockerd: starts it again when it was killed, as systemd does, while containers go on
_KEEPER = """\
#!/bin/sh
while :; do
    rm -f /run/docker.pid
    {dockerd} "$@" --live-restore
    sleep 0.3
done
"""


class Victim:
    """An engine whose data lie on a small file system in memory.

    Attributes:
        state: where that is mounted.
    """

    def __init__(self, state: Path, *, lives_on: bool = False) -> None:
        """`lives_on`: its containers survive its death, and it is started again at once."""
        self.state = state
        self.environment = {
            **os.environ, "RECONCILER_ENGINE_NAME": "victim", "RECONCILER_ENGINE_STATE": str(state)
        }  # fmt: skip
        if lives_on:
            keeper = state / "bin" / "dockerd"
            keeper.parent.mkdir()
            keeper.write_text(_KEEPER.format(dockerd=shutil.which("dockerd", path="/usr/bin:/usr/sbin:/sbin")))
            keeper.chmod(0o755)
            self.environment["PATH"] = f"{keeper.parent}:{os.environ['PATH']}"
        self.host = f"unix://{state}/victim/docker.sock"

    def engine(self, *command: str) -> None:
        done = subprocess.run(
            [ROOT / "scripts" / "engine", *command], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def end_alone(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the engine's own process and no container's: at once, or with SIGTERM as `systemctl restart docker` does."""
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (place / "cmdline").read_bytes().split(b"\0")
                if self.host.encode() in words and (place / "exe").readlink().name == "dockerd":
                    os.kill(int(place.name), number)

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + 60
        while True:
            try:
                with docker.APIClient(self.host, version="1.41", timeout=5) as api:
                    api.ping()
                    return
            except (docker.errors.DockerException, OSError):
                assert time.monotonic() < deadline, f"the engine does not come back:\n{self._last_words()}"
                time.sleep(0.2)

    def _last_words(self) -> str:
        return "\n".join((self.state / "victim" / "log").read_text(errors="replace").splitlines()[-60:])

    def fill(self) -> Path:
        """Leave no room on its disk."""
        filler = self.state / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], capture_output=True, check=False)
        return filler


@contextmanager
def victim_engine(docker_api: docker.APIClient, *, lives_on: bool = False) -> Iterator[Victim]:
    """An engine to be harmed, with the base image. Its data lie on a file system of 100 MB."""
    state = Path("/var/tmp") / f"reconciler-victim-{os.getpid()}-{int(lives_on)}"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "reconciler-victim", state], check=True)
    made = Victim(state, lives_on=lives_on)
    try:
        made.engine("up")
        with docker.APIClient(made.host, version="auto") as api:
            api.load_image(b"".join(docker_api.get_image("busybox:latest")))
        yield made
    finally:
        subprocess.run([ROOT / "scripts" / "engine", "down"], env=made.environment, capture_output=True, check=False)
        subprocess.run(["umount", "-l", state], check=False)
        state.rmdir()
