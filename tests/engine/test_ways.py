"""Ways to an engine, and the logins of registries."""

import base64
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.engine import credentials, wire
from reconciler.engine.client import DockerEngine
from reconciler.engine.connect import connect
from reconciler.engine.endpoint import find_endpoint, parse_address
from reconciler.engine.observe import observe
from reconciler.errors import (
    EngineError,
    EngineUnavailableError,
    UsageError,
)
from reconciler.spec.validated import cache_directory
from tests.support.fake_daemon import VERSION, FakeDaemon, Reply, reply

ID = "ab" * 32
HTML = b"<html><style>p {}</style><body><h1>502 Bad Gateway</h1>nginx</body></html>"


# --- ways to an engine -----------------------------------------------------------------------------------------------


def test_no_socket(tmp_path: Path) -> None:
    engine = connect(f"unix://{tmp_path}/none.sock", {})
    with pytest.raises(EngineUnavailableError, match=r"no such socket.*\n.*is the engine running"):
        engine.list_containers()


def test_nobody_listens(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path) as daemon:
        pass
    engine = connect(daemon.address, {})
    with pytest.raises(EngineUnavailableError, match="nobody listens"):
        engine.facts()
    with pytest.raises(EngineUnavailableError, match="nobody listens"):
        connect("tcp://127.0.0.1:1", {}).facts()


def test_a_socket_of_somebody_else(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(wire, "dial", forbidden)
    with pytest.raises(EngineUnavailableError, match=r"may not use that socket\n.*group.*sudo"):
        connect(daemon.address, {}).facts()


def test_an_engine_that_went_away_before_a_write(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path) as daemon:
        engine = DockerEngine(parse_address(daemon.address, None, "-H"), {})
        engine.facts()
    with pytest.raises(EngineUnavailableError, match="nobody listens"):
        engine.start_container(ID)
    engine.close()


def test_ssh_is_a_program_that_is_asked_for_the_engine(
    daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge = tmp_path / "ssh"
    bridge.write_text(
        f"""#!{sys.executable}
import os, socket, sys, threading
open({str(tmp_path / "args")!r}, "a").write(repr(sys.argv[1:]) + "\\n")
s = socket.socket(socket.AF_UNIX); s.connect({str(daemon.path)!r})
def copy(read, write):
    while block := read(): write(block)
threading.Thread(target=copy, args=(lambda: s.recv(65536), lambda b: os.write(1, b)), daemon=True).start()
copy(lambda: os.read(0, 65536), s.sendall)
""",
        encoding="utf-8",
    )
    bridge.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    daemon.scripts["POST", f"/containers/{ID}/start"] = Reply(204)
    engine = connect("ssh://me@far:2222", {})
    for path in ("/containers/json", "/images/json", "/networks"):
        daemon.scripts["GET", path] = reply([])
    daemon.scripts["GET", "/volumes"] = reply({"Volumes": None})
    assert observe(engine, "p").facts.id == "FAKE"
    engine.start_container(ID)
    engine.close()
    said = (tmp_path / "args").read_text(encoding="utf-8").splitlines()
    assert len(said) == 1, "one login for all"
    assert "'-p', '2222', '--', 'me@far', 'docker system dial-stdio'" in said[0]
    bridge.write_text(f"#!/bin/sh\necho >> {tmp_path}/tries\nexit 255\n", encoding="utf-8")
    with pytest.raises(
        EngineUnavailableError, match=r"`ssh` ended without a connection\n.*hint: what it said is above"
    ):
        observe(connect("ssh://far", {}), "p")
    assert (tmp_path / "tries").read_text(encoding="utf-8") == "\n", "it is tried once"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(EngineUnavailableError, match="`ssh` is not installed"):
        connect("ssh://far", {}).facts()


def test_plain_tcp_to_another_host_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        connect("tcp://127.0.0.1:2375", {})
        connect("tcp://localhost", {})
        assert caplog.records == []
        connect("tcp://192.0.2.1:2375", {})
    assert "not encrypted" in caplog.text


@pytest.mark.parametrize(
    "address",
    ["npipe:////./pipe/docker", "ftp://x", "unix://", "tcp://h:99999", "tcp://h/x", "ssh://-oProxyCommand=x", "ssh://"],
)
def test_addresses_that_mean_nothing(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of an engine"):
        connect(address, {})


def _context(directory: Path, name: str, host: str, tls: bool = False) -> None:
    from hashlib import sha256

    folder = sha256(name.encode()).hexdigest()
    meta = directory / "contexts" / "meta" / folder / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(
        json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}), encoding="utf-8"
    )
    if tls:
        files = directory / "contexts" / "tls" / folder / "docker"
        files.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            (files / file).write_text("", encoding="utf-8")


def test_who_names_the_engine(tmp_path: Path) -> None:
    _context(tmp_path, "far", "ssh://me@far")
    _context(tmp_path, "safe", "tcp://safe:2376", tls=True)
    (tmp_path / "config.json").write_text('{"currentContext": "far"}', encoding="utf-8")
    base = {"DOCKER_CONFIG": str(tmp_path)}
    everything = base | {"DOCKER_HOST": "tcp://h", "DOCKER_CONTEXT": "safe"}
    assert str(find_endpoint("unix:///x", everything)) == "unix:///x"
    assert str(find_endpoint(None, everything)) == "tcp://h:2375"
    assert str(find_endpoint(None, base)) == "ssh://me@far"
    assert str(find_endpoint(None, base | {"DOCKER_CONTEXT": "default"})) == "unix:///var/run/docker.sock"
    assert str(find_endpoint(None, {"DOCKER_CONFIG": str(tmp_path / "none")})) == "unix:///var/run/docker.sock"
    safe = find_endpoint(None, base | {"DOCKER_CONTEXT": "safe"})
    assert safe.tls is not None
    assert safe.tls.ca.endswith("ca.pem")
    assert safe.tls.verify
    with pytest.raises(EngineUnavailableError, match='context "gone"'):
        find_endpoint(None, base | {"DOCKER_CONTEXT": "gone"})
    (tmp_path / "ca.pem").touch()
    secured = find_endpoint(
        None, base | {"DOCKER_HOST": "tcp://h", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    )
    assert (secured.port, secured.tls is not None) == (2376, True)


# --- logins ----------------------------------------------------------------------------------------------------------


def _logins(directory: Path, config: Any, programs: dict[str, str] | None = None) -> credentials.Logins:
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name, body in (programs or {}).items():
        program = directory / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        program.chmod(0o755)
    return credentials.Logins(directory, {"PATH": f"{directory}:{os.environ['PATH']}"})


def test_logins_in_the_file(tmp_path: Path) -> None:
    auth = base64.b64encode(b"u:p:q").decode()
    config = {
        "auths": {
            "https://index.docker.io/v1/": {"auth": auth},
            "https://r.example:5000/v1/": {"username": "a", "password": "b"},
        }
    }
    logins = _logins(tmp_path, config)
    assert logins.login_of("docker.io") == {"username": "u", "password": "p:q", "serveraddress": credentials.DOCKER_HUB}
    assert logins.login_of("r.example:5000")["username"] == "a"
    assert logins.login_of("r.example") == {}
    assert logins.header_for("other.example/x") == ""
    assert json.loads(base64.urlsafe_b64decode(logins.header_for("redis:7")))["password"] == "p:q"


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("redis", "docker.io"),
        ("a/b:1", "docker.io"),
        ("localhost/x", "localhost"),
        ("h:5000/x@sha256:0", "h:5000"),
        ("ghcr.io/a/b", "ghcr.io"),
        ("docker.io/library/redis", "docker.io"),
        ("index.docker.io/x/y", "docker.io"),
    ],
)
def test_the_registry_of_a_reference(reference: str, registry: str) -> None:
    assert credentials.registry_of(reference) == registry


def test_a_program_keeps_the_login(tmp_path: Path) -> None:
    ask = f'cat > {tmp_path}/asked; echo \'{{"Username": "u", "Secret": "s"}}\''
    token = 'echo \'{"Username": "<token>", "Secret": "t"}\''
    none = "echo 'credentials not found in native keychain'; exit 1"
    config = {"credsStore": "ask", "credHelpers": {"t.example": "token", "n.example": "none"}}
    logins = _logins(tmp_path, config, {"ask": ask, "token": token, "none": none})
    assert logins.login_of("docker.io")["password"] == "s"
    assert (tmp_path / "asked").read_text(encoding="utf-8") == credentials.DOCKER_HUB
    assert logins.login_of("t.example") == {"identitytoken": "t", "serveraddress": "t.example"}
    assert logins.login_of("n.example") == {}


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("hang", "exec sleep 60", "did not answer within"),
        ("missing", None, "is not installed"),
        ("garbage", 'echo \'{"Secret": "hidden\'', "something else than a login"),
        ("list", "echo '[1]'", "something else than a login"),
        ("fails", "echo broken; exit 3", "failed when asked for r.example: broken"),
        ("../x", None, "cannot be the name"),
        ("a b", None, "cannot be the name"),
    ],
)
def test_programs_that_do_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, body: str | None, words: str
) -> None:
    monkeypatch.setattr(credentials, "_TIMEOUT", 0.3)
    logins = _logins(tmp_path, {"credsStore": name}, {name: body} if body else {})
    with pytest.raises(EngineError, match=words) as caught:
        logins.login_of("r.example")
    assert "hidden" not in str(caught.value)
    assert "config.json" in str(caught.value)


def test_a_broken_file_of_logins(tmp_path: Path, engine: DockerEngine) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(EngineError, match="cannot be read"):
        engine.pull_image("redis", "", lambda line: None)
    assert engine.facts().version == VERSION


def test_a_user_without_a_home_has_no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's account need not be in the list of users."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert str(find_endpoint(None, {})) == "unix:///var/run/docker.sock"
    assert cache_directory({}) is None
    assert cache_directory({"HOME": "/home/me"}) == Path("/home/me/.cache/reconciler")
