"""TLS to an engine: who it is, and who we are."""

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
