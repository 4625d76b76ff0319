"""Git servers on loopback, each as small as it can be: HTTP with basic auth, SSH with one key, and one that hangs."""

import base64
import http.server
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.source.origin import ENVIRONMENT, ssh_key


class HttpServer:
    """`git http-backend` below a directory. `asked` holds every request line and Authorization header."""

    def __init__(
        self,
        root: Path,
        login: str = "",
        redirect: str = "",
        *,
        is_proxy: bool = False,
        port: int = 0,
        certificate: str = "",
    ) -> None:
        asked = self.asked = list[tuple[str, str]]()
        self.on_request: Callable[[], None] = lambda: None
        server = self

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                shown = self.headers.get("Authorization", "")
                asked.append((self.path, shown))
                server.on_request()
                if is_proxy:
                    asked.append((self.path, self.headers.get("Proxy-Authorization", "")))
                    self._send(407, {"Proxy-Authenticate": 'Basic realm="proxy"'}, b"")
                elif redirect:
                    self._send(302, {"Location": redirect + self.path}, b"")
                elif login and shown != "Basic " + base64.b64encode(login.encode()).decode():
                    self._send(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                else:
                    self._send(*self._backend(body))

            do_POST = do_GET  # noqa: N815 - the name is http.server's

            def _backend(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
                url = urllib.parse.urlsplit(self.path)
                environment = ENVIRONMENT | {
                    "GIT_PROJECT_ROOT": str(root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": urllib.parse.unquote(url.path),
                    "QUERY_STRING": url.query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                }
                done = subprocess.run(
                    ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
                )
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
                return int(headers.pop("Status", "200").split()[0]), headers, content

            def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(content))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *words: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> "HttpServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class SilentServer:
    """Takes connections and never says a word."""

    def __enter__(self) -> "SilentServer":
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/app"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


class SshServer:
    """A private sshd that lets `key` run git-upload-pack on what is below `root`, and nothing else."""

    def __init__(self, place: Path, root: Path) -> None:
        place.mkdir()
        self._place = place
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        host, self.key = ssh_key(place / "host"), ssh_key(place / "key")
        self.url = f"ssh://{os.environ.get('USER') or 'root'}@127.0.0.1:{self.port}"
        only = place / "only"
        only.write_text(f'#!/bin/sh\neval "set -- $SSH_ORIGINAL_COMMAND"\nexec git upload-pack {root}"$2"\n')
        only.chmod(0o755)
        (place / "authorized").write_text(f'restrict,command="{only}" {self.key.with_suffix(".pub").read_text()}')
        self.known_hosts = place / "known_hosts"
        shown = " ".join(host.with_suffix(".pub").read_text().split()[:2])
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {shown}\n")
        (place / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\nStrictModes no\nUsePAM no\n"
            f"AuthorizedKeysFile {place / 'authorized'}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "AcceptEnv GIT_PROTOCOL\n"
        )

    def __enter__(self) -> "SshServer":
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd separates privileges; it is fixed
        self._log = (self._place / "log").open("w")
        self._sshd = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", str(self._place / "config")],
            stderr=self._log,
            stdin=subprocess.DEVNULL,
        )
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self._sshd.poll() is None, (self._place / "log").read_text()
            time.sleep(0.05)
        raise AssertionError("sshd does not listen")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sshd.terminate()
        self._sshd.wait(10)
        self._log.close()
