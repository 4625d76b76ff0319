"""TLS to an engine: who it is, and who we are."""

import os
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.engine.connect import connect
from reconciler.errors import EngineUnavailableError, UsageError
from reconciler.model.desired import Build
from tests.support.builders import BUILDX, need_buildx
from tests.support.fake_daemon import FakeDaemon, Reply

ID = "cd" * 32


def _openssl(directory: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split()], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and cert.pem and key.pem for localhost, signed by it."""
    if shutil.which("openssl") is None:
        pytest.fail("openssl is missing: install the package openssl", pytrace=False)
    directory = tmp_path_factory.mktemp("tls")
    _openssl(directory, "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem")
    _openssl(directory, "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out request")
    (directory / "names").write_text("subjectAltName=DNS:localhost", encoding="utf-8")
    sign = "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem"
    _openssl(directory, sign)
    return directory


@pytest.fixture
def port(certificates: Path, tmp_path: Path) -> Iterator[int]:
    """The port of an engine behind TLS that wants a certificate of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with FakeDaemon(tmp_path) as daemon, socket.create_server(("127.0.0.1", 0)) as listener:
        daemon.scripts["POST", f"/containers/{ID}/start"] = Reply(204)
        stopped = threading.Event()
        threading.Thread(target=_serve, args=(listener, context, str(daemon.path), stopped), daemon=True).start()
        yield listener.getsockname()[1]
        stopped.set()


def _serve(listener: socket.socket, context: ssl.SSLContext, path: str, stopped: threading.Event) -> None:
    listener.settimeout(0.1)
    while not stopped.is_set():
        with suppress(OSError):
            plain, _ = listener.accept()
            plain.settimeout(5)
            try:
                secured = context.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                continue
            threading.Thread(target=_forward, args=(secured, path), daemon=True).start()


def _forward(secured: ssl.SSLSocket, path: str) -> None:
    """Requests and answers in turn, which is all that these tests need."""
    with suppress(OSError), secured, socket.socket(socket.AF_UNIX) as inner:
        inner.connect(path)
        while request := secured.recv(65536):
            inner.sendall(request)
            secured.sendall(inner.recv(65536))


def test_both_sides_are_known(port: int, certificates: Path) -> None:
    engine = connect(f"tcp://localhost:{port}", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)})
    assert engine.facts().id == "FAKE"
    engine.start_container(ID)
    engine.close()


def _serve_both_ways(listener: socket.socket, context: ssl.SSLContext, path: str) -> None:
    """A way through TLS for what is no request and answer."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    with suppress(OSError):
        while True:
            plain, _ = listener.accept()
            inner = socket.socket(socket.AF_UNIX)
            inner.connect(path)
            secured = context.wrap_socket(plain, server_side=True)
            for pair in ((secured, inner), (inner, secured)):
                threading.Thread(target=pump, args=pair, daemon=True).start()


def test_buildx_goes_the_same_way(certificates: Path, engine_host: str, tmp_path: Path) -> None:
    need_buildx()
    assert engine_host.startswith("unix://"), "this test stands in front of a socket"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\nRUN --mount=type=cache,target=/c true\n")
    tag, environment = f"tls-{secrets.token_hex(4)}:1", {**os.environ, **BUILDX}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = (listener, context, engine_host.removeprefix("unix://"))
        threading.Thread(target=_serve_both_ways, args=words, daemon=True).start()
        environment |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)}
        engine = connect(f"tcp://localhost:{listener.getsockname()[1]}", environment)
        engine.build_image(Build(str(tmp_path)), [tag], {}, lambda line: None)
        assert engine.inspect_image(tag)["RepoTags"] == [tag]
        engine.remove_image(tag)
        engine.close()
        listener.shutdown(socket.SHUT_RDWR)


def test_an_engine_under_another_name(port: int, certificates: Path) -> None:
    engine = connect(f"tcp://127.0.0.1:{port}", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)})
    with pytest.raises(EngineUnavailableError, match=r"no TLS with it \(.*127\.0\.0\.1.*\)\n.*DOCKER_CERT_PATH"):
        engine.facts()


def test_an_engine_that_nobody_vouches_for(port: int, tmp_path: Path) -> None:
    _openssl(tmp_path, "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout ca.key -out ca.pem")
    engine = connect(f"tcp://localhost:{port}", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)})
    with pytest.raises(EngineUnavailableError, match="no TLS with it"):
        engine.facts()


def test_without_ca_nothing_is_tried(certificates: Path, tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        shutil.copy(certificates / name, tmp_path / name)
    for variables in ({"DOCKER_CERT_PATH": str(tmp_path)}, {"DOCKER_CERT_PATH": "/no/such"}, {"HOME": str(tmp_path)}):
        directory = variables.get("DOCKER_CERT_PATH", f"{tmp_path}/.docker")
        base = {"DOCKER_TLS_VERIFY": "1", **variables}
        for host, more in (("tcp://localhost", {}), (None, {"DOCKER_HOST": "tcp://localhost"})):
            with pytest.raises(UsageError, match=f"there is no file {directory}/ca.pem"):
                connect(host, base | more)
        connect("unix:///x", base).close()
    connect("https://localhost", {"DOCKER_CERT_PATH": str(tmp_path)}).close()


def test_a_client_without_a_certificate(port: int, certificates: Path, tmp_path: Path) -> None:
    shutil.copy(certificates / "ca.pem", tmp_path / "ca.pem")
    engine = connect(f"tcp://localhost:{port}", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)})
    with pytest.raises(EngineUnavailableError, match="no engine at tcp://localhost"):
        engine.facts()


def test_plain_words_to_a_port_of_tls(port: int) -> None:
    with pytest.raises(EngineUnavailableError, match="closed the connection"):
        connect(f"tcp://127.0.0.1:{port}", {}).facts()
