"""Measure how long a push takes to be live: by the interval over ssh and http, and by a webhook.

    scripts/engine exec .venv/bin/python -m benchmarks.gitops [--turns 5]

From the moment when the branch has moved to the one when a container of the new version runs, on the engine in
DOCKER_HOST; and from the moment when a webhook is sent over HTTP to the one when git asks its server. Beside it what the engine itself takes to make and start such a container, and git to fetch: the rest is ours.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker
import structlog

from reconciler.engine.connect import connect
from reconciler.loop.instance import Instance, Outside, ProjectSettings, Settings
from reconciler.loop.keeping import StateDirectory
from reconciler.loop.sources import Git
from reconciler.loop.telling import Condition
from reconciler.service.configuration import configure
from reconciler.service.hooks import Hooks
from reconciler.service.http.interface import Served
from reconciler.service.http.listening import Place
from reconciler.service.http.server import Server
from reconciler.service.redaction import Secrets
from tests.source.origin import Origin
from tests.source.servers import HttpServer, SshServer

SECRET = "a-secret-of-some-length"
LOOP = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]


class Push:
    """A repository, and an instance in this process that follows it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = f"bench-{secrets.token_hex(3)}"
        self.api: Any = docker.APIClient(os.environ["DOCKER_HOST"], version="auto", timeout=120)
        self.origin = Origin(root / "served" / "app")
        self.commit("0")

    def commit(self, version: str) -> None:
        text = f'[project]\nname = "{self.name}"\nrollout = {{ order = "stop-first", ready_after = "0s" }}\n'
        text += f'[container.web]\nimage = "busybox:latest"\nnetwork_mode = "none"\ncommand = {json.dumps(LOOP)}\n'
        self.origin.commit({"hosts/a/web.toml": f'{text}labels = {{ version = "{version}" }}\n'})

    def runs(self, version: str) -> bool:
        owned = {"label": f"reconciler.project={self.name}"}
        return [item["Labels"].get("version") for item in self.api.containers(filters=owned)] == [version]

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit("it does not come")
            time.sleep(0.005)

    @contextmanager
    def following(self, source: str) -> Iterator[tuple[Instance, Hooks]]:
        config = self.root / "config.toml"
        config.write_text(f'[[project]]\nname = "shop"\n[project.source]\npath = "hosts/a"\n{source}\n')
        configuration = configure(str(config), None, {})
        entry = configuration.projects[0]
        assert entry.source.git is not None
        state = StateDirectory(self.root / secrets.token_hex(3), print)
        state.open()
        outside = Outside(lambda: connect(os.environ["DOCKER_HOST"], {}), state, print)
        assert state.path is not None
        git = Git(entry.source.git, state.path / "sources" / "shop", os.environ)
        instance = Instance(outside, Settings((ProjectSettings("shop", git),), configuration.timing))
        log = structlog.wrap_logger(structlog.ReturnLogger())
        instance.start()
        try:
            self.until(lambda: instance.snapshot().projects[0].condition is Condition.SETTLED)
            yield instance, Hooks(configuration, instance.hasten, log, {}, list)
        finally:
            instance.stop(30)

    def turns(self, number: int, kind: str, after: Callable[[], None] = lambda: None) -> list[float]:
        found = []
        for turn in range(number):
            version = f"{kind}-{turn}"
            self.commit(version)
            began = time.monotonic()
            after()
            self.until(lambda wanted=version: self.runs(wanted))
            found.append(time.monotonic() - began)
            time.sleep(0.3)
        return found

    def engine_alone(self, number: int) -> list[float]:
        found = []
        for _ in range(number):
            began = time.monotonic()
            made = self.api.create_container("busybox:latest", LOOP)
            self.api.start(made)
            found.append(time.monotonic() - began)
            self.api.remove_container(made, force=True)
        return found


@contextmanager
def served(instance: Instance, hooks: Hooks) -> Iterator[Place]:
    log = structlog.wrap_logger(structlog.ReturnLogger())
    server = Server(
        Served(instance, Secrets(), log, lambda: True, lambda: True, hooks=hooks), Place(host="127.0.0.1"), "", print
    )
    server.start()
    try:
        yield server.place
    finally:
        server.stop()


def told_at(place: Place, url: str) -> Callable[[], None]:
    """A webhook as GitHub sends it, over HTTP."""

    def send() -> None:
        body = json.dumps({"after": secrets.token_hex(20), "ref": "refs/heads/main", "repository": {"clone_url": url}})
        signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Event": "push",
                   "Content-Type": "application/json"}  # fmt: skip
        connection = http.client.HTTPConnection(place.host, place.port, timeout=10)
        connection.request("POST", "/hooks/shop", body, headers)
        status = connection.getresponse().status
        connection.close()
        if status != 202:
            raise SystemExit(f"the webhook was answered by {status}")

    return send


def until_git_asks(push: Push, server: HttpServer, send: Callable[[], None], number: int) -> list[float]:
    """From sending a webhook to the first request of git, with nothing new to fetch."""
    found = []
    for _ in range(number):
        asked = len(server.asked)
        began = time.monotonic()
        send()
        push.until(lambda before=asked: len(server.asked) > before)
        found.append(time.monotonic() - began)
        time.sleep(1.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        push = Push(Path(directory))
        (push.root / "secret").write_text(SECRET)
        root = push.origin.place.parent
        ssh, web = stack.enter_context(SshServer(push.root / "ssh", root)), stack.enter_context(HttpServer(root))
        by_ssh = f'git = "{ssh.url}/app/.git"\nssh_key = "{ssh.key}"\nknown_hosts = "{ssh.known_hosts}"\n'
        by_http = f'git = "{web.url}/app/.git"\n'
        hook = 'interval = "1h"\nwebhook = { kind = "github", secret_file = "secret" }'
        found = {"engine alone: create and start": push.engine_alone(turns)}
        for kind, source in (("ssh", by_ssh), ("http", by_http)):
            with push.following(source + 'interval = "1s"'):
                found[f"{kind}, every second"] = push.turns(turns, kind)
            with push.following(source + hook) as (instance, hooks), served(instance, hooks) as place:
                send = told_at(place, f"{(ssh if kind == 'ssh' else web).url}/app/.git")
                found[f"{kind}, by webhook"] = push.turns(turns, f"{kind}-hook", send)
                if kind == "http":
                    found["http, webhook until git asks"] = until_git_asks(push, web, send, turns)
        for container in push.api.containers(all=True, filters={"label": f"reconciler.project={push.name}"}):
            push.api.remove_container(container, force=True)
    for name, seconds in found.items():
        print(f"{name:32} median {statistics.median(seconds):6.2f} s   most {max(seconds):6.2f} s   of {len(seconds)}")


if __name__ == "__main__":
    main()
