"""A local image registry (Debian's docker-registry) on the loopback that the engine shares with the tests."""

import base64
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

CONFIG = """\
version: 0.1
log: {{level: info}}
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {blobs}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}", secret: test}}
"""
AUTH = "auth:\n  htpasswd: {{realm: test, path: {file}}}\n"


@dataclass(frozen=True)
class Login:
    user: str
    password: str

    def header(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Registry:
    """A registry process, ended on leaving the `with` block. `address` is what image names begin with."""

    def __init__(self, directory: Path, login: Login | None = None) -> None:
        self.directory = directory
        self.login = login
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"

    def image(self, name: str) -> str:
        return f"{self.address}/{name}"

    def __enter__(self) -> Self:
        config = CONFIG.format(blobs=self.directory / "blobs", port=self.port)
        if self.login:
            config += AUTH.format(file=self._password_file(self.login))
        file = self.directory / "config.yml"
        file.write_text(config, encoding="utf-8")
        self.log = self.directory / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [installed("docker-registry"), "serve", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process; a registry that is down is a test case too."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _password_file(self, login: Login) -> Path:
        # The registry takes bcrypt only.
        command = [installed("htpasswd"), "-nbB", "-C", "5", login.user, login.password]
        line = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        file = self.directory / "htpasswd"
        file.write_text(line, encoding="utf-8")
        return file

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.05)
        raise RuntimeError(f"the registry did not start:\n{self.log.read_text(encoding='utf-8')}")

    def _answers(self) -> bool:
        request = urllib.request.Request(f"http://{self.address}/v2/")
        if self.login:
            request.add_header("Authorization", self.login.header())
        # Not through a proxy that the environment may name: this is the loopback.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


def installed(program: str) -> str:
    path = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    if path is None:
        raise FileNotFoundError(
            f"{program} is missing: `scripts/engine need docker-registry apache2-utils`, or run `scripts/test`"
        )
    return path


def free_port() -> int:
    """One of the ports that scripts/engine names to Podman, which trusts no registry by its address alone."""
    for port in random.sample(range(28500, 28600), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


def digest_of(repository: str, tag: str) -> str:
    """What a registry that takes anyone says of an image; an engine's own answer to a push may leave it out."""
    address, _, name = repository.partition("/")
    kinds = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
    request = urllib.request.Request(
        f"http://{address}/v2/{name}/manifests/{tag}", method="HEAD", headers={"Accept": kinds}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return str(answer.headers["Docker-Content-Digest"])
