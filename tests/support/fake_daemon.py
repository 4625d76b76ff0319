"""A Docker Engine that says what a test tells it to: HTTP on a unix socket, one script for each path."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

VERSION = "20.10.24"
INFO = {
    "ID": "FAKE",
    "Name": "fake",
    "ServerVersion": VERSION,
    "OSType": "linux",
    "Architecture": "x86_64",
    "SwapLimit": True,
}


class Request(NamedTuple):
    """`path` is without its query; `headers` have lower-case names."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """What is written back.

    Attributes:
        chunks: sent as a chunked body instead of `body`.
        breaks: the connection ends before the body does.
        drops: the connection ends without an answer: before the request's body is read ("before") or after it.
        wait: an event to wait for before anything is written.
        api_version: the header `Api-Version`, which engines send with each answer; "" leaves it out.
    """

    status: int = 200
    body: bytes = b""
    chunks: Iterable[bytes] | None = None
    breaks: bool = False
    drops: str = ""
    closes: bool = False
    wait: threading.Event | None = None
    api_version: str = "1.41"


Script = Callable[[Request], Reply]


def reply(answer: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(answer).encode())


def lines(*events: Any, breaks: bool = False) -> Reply:
    return Reply(chunks=[json.dumps(event).encode() + b"\r\n" for event in events], breaks=breaks)


class FakeDaemon:
    """Serves until the end of its `with` block.

    Attributes:
        scripts: (method, path without the version) → a reply, or a function that makes one. `GET /_ping` and `GET
            /info` are there already.
        requests: all that came, in order.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "docker.sock"
        self.address = f"unix://{self.path}"
        self.requests: list[Request] = []
        self.connections = 0
        self.scripts: dict[tuple[str, str], Reply | Script] = {
            ("GET", "/_ping"): Reply(200, b"OK"),
            ("GET", "/info"): reply(INFO),
        }

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError, IndexError), connection.makefile("rb") as reader:
            while self._exchange(connection, reader):
                pass
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def _exchange(self, connection: socket.socket, reader: Any) -> bool:
        method, target, _ = reader.readline().decode().split(" ", 2)
        headers: dict[str, str] = {}
        while line := reader.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        path, _, query = target.partition("?")
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        found = self.scripts.get((method, path), reply({"message": f"page not found: {path}"}, 404))
        early = isinstance(found, Reply) and found.drops == "before"
        request = Request(method, path, query, headers, b"" if early else _read_body(reader, headers))
        self.requests.append(request)
        answer = found if isinstance(found, Reply) else found(request)
        if answer.wait:
            answer.wait.wait(10)
        if answer.drops:
            return False
        connection.sendall(_head(answer))
        for chunk in answer.chunks or ():
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if answer.chunks is not None and not answer.breaks:
            connection.sendall(b"0\r\n\r\n")
        return not (answer.breaks or answer.closes)


def _head(answer: Reply) -> bytes:
    length = (
        b"Transfer-Encoding: chunked"
        if answer.chunks is not None
        else b"Content-Length: %d" % (len(answer.body) + answer.breaks)
    )
    version = f"Api-Version: {answer.api_version}\r\n".encode() if answer.api_version else b""
    close = b"Connection: close\r\n" if answer.closes else b""
    body = b"" if answer.chunks is not None else answer.body
    return b"HTTP/1.1 %d Whatever\r\n%s\r\n%s%s\r\n%s" % (answer.status, length, version, close, body)


def _read_body(reader: Any, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return bytes(reader.read(int(headers.get("content-length", 0))))
    parts = []
    while size := int(reader.readline().strip(), 16):
        parts.append(reader.read(size))
        reader.readline()
    reader.readline()
    return b"".join(parts)
