"""Webhooks as they arrive: who may hasten what, and that nothing else comes of it."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.service.configuration import Configuration, configure
from reconciler.service.hooks import Hooks

SECRET = "0123456789abcdef-secret"
CONFIG = """
[[project]]
name = "shop"
source = { git = "https://example.com/team/hosts.git", webhook = { kind = "github", secret_file = "hook" } }
[[project]]
name = "lab"
source = { git = "https://example.com/team/lab.git" }
"""


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **about: self.lines.append((level, event, about))


class World:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "hook").write_text(SECRET + "\n")
        self.hastened: list[str] = []
        self.hidden: list[str] = []
        self.log = Log()
        self.time = 1_700_000_000.0
        self.hooks = Hooks(self.read(CONFIG), self.hasten, self.log, {}, self.hidden.extend, lambda: self.time)

    def hasten(self, project: str) -> bool:
        self.hastened.append(project)
        return True

    def read(self, text: str) -> Configuration:
        (self.directory / "config.toml").write_text(text)
        return configure(str(self.directory / "config.toml"), None, {})

    def push(
        self, project: str = "shop", ref: str = "refs/heads/main", secret: str = SECRET, delivery: str = "1", event: str = "push",
        repository: str = "https://example.com/team/hosts.git", after: str = "a1",
    ) -> tuple[int, str]:  # fmt: skip
        if (refused := self.hooks.refuses(project)) is not None:
            return refused
        body = json.dumps({"ref": ref, "after": after, "repository": {"clone_url": repository}}).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = [
            ("X-Hub-Signature-256", f"sha256={signature}"), ("X-GitHub-Event", event), ("X-GitHub-Delivery", delivery),
            ("Content-Type", "application/json"),
        ]  # fmt: skip
        return self.hooks.receive(project, headers, body)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_push_hastens_once(world: World) -> None:
    assert world.push() == (202, "fetching now")
    assert world.push() == (200, "that was delivered before")
    assert world.push(delivery="2")[1] == "that was delivered before", "its id is not signed: anybody can change it"
    assert world.push(after="b2")[0] == 202
    assert world.hastened == ["shop", "shop"]
    assert SECRET in world.hidden


def test_a_generic_sender_that_always_says_the_same_hastens_each_time(world: World) -> None:
    world.hooks.reload(world.read(CONFIG.replace("github", "generic")))
    signature = hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest()
    answers = [world.hooks.receive("shop", [("X-Signature-256", signature)], b"{}")[0] for _ in range(2)]
    assert answers == [202, 202]


def test_what_hastens_nothing(world: World) -> None:
    assert world.push(ref="refs/heads/other", delivery="2")[0] == 200
    assert world.push(repository="https://example.com/team/else.git", delivery="3")[0] == 200
    assert world.push(event="ping", delivery="4") == (200, "nothing was pushed")
    assert world.push(secret="another-secret-of-length")[0] == 401
    assert world.push("lab") == world.push("nobody") == (404, "there is no such webhook")
    assert world.hastened == []
    assert [line[1] for line in world.log.lines] == ["webhook refused"]


def test_the_secret_is_read_when_it_is_needed(world: World) -> None:
    (world.directory / "hook").unlink()
    assert world.push() == (500, "not set up here")
    assert "hook cannot be read: No such file or directory; put it there" in world.log.lines[0][2]["text"]
    (world.directory / "hook").write_text("short")
    assert world.push(secret="short")[0] == 500
    (world.directory / "hook").write_text("quite-another-secret")
    assert world.push()[0] == 401
    assert world.push(secret="quite-another-secret")[0] == 202


def test_a_flood_is_refused_before_it_is_judged(world: World) -> None:
    answers = [world.push(secret="wrong-but-long-enough")[0] for _ in range(40)]
    assert set(answers) == {401, 429}
    assert answers.index(429) == 30


def test_a_reload_brings_and_takes_webhooks_and_forgets_no_delivery(world: World) -> None:
    assert world.push()[0] == 202
    world.hooks.reload(
        world.read(CONFIG.replace('lab.git"', 'lab.git", webhook = { kind = "github", secret_file = "hook" }'))
    )
    assert world.push()[1] == "that was delivered before"
    assert world.push("lab", repository="https://example.com/team/lab.git")[0] == 202
    world.hooks.reload(world.read('[[project]]\npath = "x"\n'))
    assert world.push()[0] == 404
