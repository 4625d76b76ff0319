"""Real servers on loopback: logins, host keys, servers that hang or send us on."""

import base64
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.source.git import Access, Git, GitFailedError
from reconciler.source.interface import Reason
from tests.source.conftest import Follow
from tests.source.origin import Origin, ssh_key
from tests.source.servers import HttpServer, SilentServer, SshServer

TOKEN = "tok-4711-very-secret"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    origin = Origin(tmp_path_factory.mktemp("served") / "app")
    origin.commit({"hosts/a/app.toml": "one\n"})
    return origin


@pytest.fixture(scope="module")
def sshd(served: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SshServer(tmp_path_factory.mktemp("ssh") / "d", served.place.parent) as server:
        yield server


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return file


def everything(state: Path) -> bytes:
    return b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file() and not path.is_symlink())


def test_http_with_a_token(served: Origin, follow: Follow, tmp_path: Path, token_file: Path) -> None:
    with HttpServer(served.place.parent, f"git:{TOKEN}") as server:
        source = follow(url=f"{server.url}/app/.git", token_file=str(token_file))
        assert source.fetch().accepted.commit == served.head
        assert TOKEN.encode() not in everything(tmp_path / "state")
        assert all(TOKEN not in path for path, _ in server.asked)
        by_variable = follow({"TOKEN": TOKEN}, url=f"{server.url}/app/.git", token_variable="TOKEN")
        assert by_variable.fetch().refusal is None
        credentials = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
        assert follow(credentials, url=f"{server.url}/app/.git", token_file="credential:token").fetch().refusal is None


def test_a_token_is_not_seen_from_outside(served: Origin, follow: Follow, token_file: Path) -> None:
    """While git runs, nothing below /proc shows it in arguments or environment."""
    seen = list[bytes]()

    with HttpServer(served.place.parent, f"git:{TOKEN}") as server:

        def look() -> None:
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    line = (process / "cmdline").read_bytes()
                    if server.url.encode() in line:
                        seen.extend([line, (process / "environ").read_bytes()])
                except OSError:
                    continue

        server.on_request = look
        assert follow(url=f"{server.url}/app/.git", token_file=str(token_file)).fetch().refusal is None
    assert seen
    assert all(TOKEN.encode() not in text for text in seen)


@pytest.mark.parametrize("text", ["wrong", ""])
def test_http_with_a_wrong_token(served: Origin, follow: Follow, tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    with HttpServer(served.place.parent, f"git:{TOKEN}") as server:
        refusal = follow(url=f"{server.url}/app/.git", token_file=str(tmp_path / "token")).fetch().refusal
        assert refusal.reason is (Reason.UNREACHABLE if text else Reason.LOCAL)
        assert "token" in refusal.hint
        assert follow(url=f"{server.url}/app/.git").fetch().refusal.reason is Reason.UNREACHABLE


def test_a_redirect_gets_no_token(served: Origin, follow: Follow, token_file: Path) -> None:
    with (
        HttpServer(served.place.parent, f"git:{TOKEN}") as other,
        HttpServer(served.place, redirect=other.url) as server,
    ):
        refusal = follow(url=f"{server.url}/app/.git", token_file=str(token_file)).fetch().refusal
        assert refusal.reason is Reason.UNREACHABLE
        assert other.asked == []


def test_a_proxy_gets_no_token(served: Origin, follow: Follow, token_file: Path) -> None:
    with HttpServer(served.place, is_proxy=True) as proxy:
        environment = {"http_proxy": proxy.url.replace("//", "//git@")}
        refusal = follow(environment, url="http://localhost:1/app", token_file=str(token_file)).fetch().refusal
    assert refusal.reason is Reason.UNREACHABLE
    assert "could not read Password" in refusal.message, "git asked for the password of the proxy, and got none"
    shown = base64.b64encode(f"git:{TOKEN}".encode()).decode()
    assert all(shown not in header and TOKEN not in header for _, header in proxy.asked)


def commands_with(word: str) -> list[bytes]:
    """The command lines on this machine that have a word."""
    found = list[bytes]()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append((process / "cmdline").read_bytes())
    return [line for line in found if word.encode() in line]


def test_a_server_that_hangs(follow: Follow) -> None:
    with SilentServer() as server:
        source = follow(url=server.url, timeout=1.0)
        began = time.monotonic()
        refusal = source.fetch().refusal
        assert time.monotonic() - began < 5
        deadline = time.monotonic() + 5
        while commands_with(server.url) and time.monotonic() < deadline:
            time.sleep(0.05)  # what is killed takes a moment to go
        assert not commands_with(server.url), "nothing is left running"
    assert refusal.reason is Reason.UNREACHABLE
    assert "1 s" in refusal.message


def test_ssh(served: Origin, follow: Follow, sshd: SshServer) -> None:
    source = follow(url=f"{sshd.url}/app", ssh_key=str(sshd.key), known_hosts=str(sshd.known_hosts))
    fetched = source.fetch()
    assert fetched.refusal is None
    assert fetched.accepted.commit == served.head


def test_ssh_with_another_host_key(follow: Follow, sshd: SshServer, tmp_path: Path) -> None:
    other = ssh_key(tmp_path / "other").with_suffix(".pub").read_text()
    for text in ("", f"[127.0.0.1]:{sshd.port} {other}"):
        (tmp_path / "hosts").write_text(text)
        refusal = (
            follow(url=f"{sshd.url}/app", ssh_key=str(sshd.key), known_hosts=str(tmp_path / "hosts")).fetch().refusal
        )
        assert refusal.reason is Reason.UNREACHABLE
        assert "known_hosts" in refusal.hint
        assert (tmp_path / "hosts").read_text() == text


def test_ssh_with_another_key(follow: Follow, sshd: SshServer, tmp_path: Path) -> None:
    key = ssh_key(tmp_path / "stranger")
    # An agent that has the right key is not asked.
    refusal = (
        follow(
            {"SSH_AUTH_SOCK": "/nowhere"}, url=f"{sshd.url}/app", ssh_key=str(key), known_hosts=str(sshd.known_hosts)
        )
        .fetch()
        .refusal
    )
    assert refusal.reason is Reason.UNREACHABLE
    assert "deploy key" in refusal.hint
    missing = follow(url=f"{sshd.url}/app", ssh_key=str(tmp_path / "none"), known_hosts=str(sshd.known_hosts))
    assert missing.fetch().refusal.reason is Reason.LOCAL


def test_the_configuration_of_the_machine_decides_nothing(
    served: Origin, follow: Follow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither files of a home directory nor GIT_ variables reach git."""
    marker = tmp_path / "marker"
    (tmp_path / ".gitconfig").write_text(
        f'[core]\n\tsshCommand = touch {marker}\n[url "file:///nowhere"]\n\tinsteadOf = file\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {marker}")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    source = follow(dict(os.environ), url=served.url)
    assert source.fetch().accepted.commit == served.head
    follow(dict(os.environ), url="ssh://git@127.0.0.1:1/x", ssh_key="/dev/null", known_hosts="/dev/null").fetch()
    assert not marker.exists()


def test_a_token_that_comes_back_is_not_told(tmp_path: Path) -> None:
    """Whatever a server says: here git itself repeats it."""
    git = Git(tmp_path / "r.git", tmp_path, {})
    git.run("init", "--quiet", "--bare", str(tmp_path / "r.git"))
    with pytest.raises(GitFailedError) as failed:
        git.run("rev-parse", "--verify", f"no-{TOKEN}", access=Access(secrets=(TOKEN,)))
    assert TOKEN not in failed.value.text
    with pytest.raises(GitFailedError, match="no-such") as failed:
        git.run("cat-file", "-e", f"no-such-{TOKEN}", access=Access(secrets=(TOKEN,)))
    assert "no-such-(redacted)" in failed.value.text
