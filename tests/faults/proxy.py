"""A proxy on the engine's socket that lets one call that changes something go wrong."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tests.faults.kinds import Fault
from tests.support.proxy import Proxy

_READS = ("GET", "HEAD")
_REFUSALS = {Fault.REFUSED_500: "500 Broken", Fault.REFUSED_409: "409 Conflict", Fault.REFUSED_404: "404 Not Found"}
_GARBAGE = b"\x15\x03\x01\x00\x02\x02\x16 this is not HTTP\n"
_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 27\r\n\r\n<html>Please log in</html>\n"
_LATE, _DELAY = 0.5, 1.0
#: what every run makes and takes away is not counted
_LOCK = b'"reconciler.lock.'


class Request(NamedTuple):
    method: str
    path: str
    raw: bytes
    is_upgrade: bool

    @property
    def changes(self) -> bool:
        return self.method not in _READS

    def __str__(self) -> str:
        return f"{self.method} {re.sub(r'^/v[0-9.]+', '', self.path)}"


class FaultProxy(Proxy):
    """Call number `fail_at` (from 1) of those that change something goes wrong in the way of `fault`.

    Attributes:
        changing: the calls that change something, since `arm`.
        created: the paths of those that made a container, a network or a volume.
        kill: ends the client at once.
        slowness: seconds that every call waits, reads too.
        meanwhile: by number of a call that changes something, what is done before it arrives.
    """

    def __init__(self, directory: Path, target: str) -> None:
        self.changing: list[str] = []
        self.created: list[str] = []
        self.kill: Callable[[], None] = lambda: None
        self.slowness = 0.0
        self.meanwhile: dict[int, Callable[[], None]] = {}
        self._fail_at, self._fault = 0, Fault.DELAY
        self._counting = threading.Condition()
        self._under_way = 0
        super().__init__(directory, target)

    @property
    def has_failed(self) -> bool:
        return 0 < self._fail_at <= len(self.changing)

    def arm(self, fault: Fault = Fault.DELAY, fail_at: int = 0) -> None:
        """Begin to count anew; with 0 nothing goes wrong."""
        with self._counting:
            self.changing, self._fail_at, self._fault = [], fail_at, fault

    def join(self, near: socket.socket, far: socket.socket) -> None:
        threading.Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError, EOFError), near.makefile("rb") as asked, far.makefile("rb") as answered:
            while request := _read_request(asked):
                time.sleep(self.slowness)
                if request.is_upgrade:
                    far.sendall(request.raw)
                    super().join(near, far)
                    return
                if not self._counted(request, near, far, answered):
                    break
        for end in (near, far):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            self.drop(end)

    def wait_until_idle(self) -> None:
        """Until the engine has done all that it was asked to change, also by a client that is no more."""
        with self._counting:
            assert self._counting.wait_for(lambda: not self._under_way, timeout=60), "the engine does not answer"

    def _counted(self, request: Request, near: socket.socket, far: socket.socket, answered: BinaryIO) -> bool:
        with self._counting:
            self._under_way += request.changes
        try:
            return self._answer(request, near, far, answered)
        finally:
            with self._counting:
                self._under_way -= request.changes
                self._counting.notify_all()

    def _answer(self, request: Request, near: socket.socket, far: socket.socket, answered: BinaryIO) -> bool:
        """Whether the connection goes on."""
        fault, deed = self._fault_of(request)
        if deed is not None:
            deed()
        if fault in _REFUSALS:
            words = b'{"message": "a fault, for trying out"}'
            head = (
                f"HTTP/1.1 {_REFUSALS[fault]}\r\nContent-Type: application/json\r\nContent-Length: {len(words)}\r\n\r\n"
            )
            near.sendall(head.encode() + words)
            return True
        if fault is Fault.KILL_BEFORE:
            self.kill()
        if fault in (Fault.KILL_BEFORE, Fault.CUT_BEFORE):
            return False
        if fault is Fault.LATE:
            near.shutdown(socket.SHUT_RDWR)
            time.sleep(_LATE)
        if fault is Fault.DELAY:
            time.sleep(_DELAY)
        far.sendall(request.raw)
        if fault in (None, Fault.DELAY):
            return self._relay(request, answered, near.sendall)
        answer: list[bytes] = []
        self._relay(request, answered, answer.append)
        if fault is Fault.KILL_AFTER:
            self.kill()
        elif fault is Fault.GARBLED:
            near.sendall(_GARBAGE)
        elif fault is Fault.PAGE:
            near.sendall(_PAGE)
        elif fault is Fault.TRUNCATED:
            whole = b"".join(answer)
            near.sendall(whole[: len(whole) * 2 // 3])
        return False

    def _fault_of(self, request: Request) -> tuple[Fault | None, Callable[[], None] | None]:
        with self._counting:
            if not request.changes:
                return None, None
            self.changing.append(str(request))
            number = len(self.changing)
            return self._fault if number == self._fail_at else None, self.meanwhile.pop(number, None)

    def _relay(self, request: Request, answered: BinaryIO, put: Callable[[bytes], object]) -> bool:
        head, headers = _read_head(answered)
        if not head:
            raise EOFError
        status = int(head.split(None, 2)[1])
        is_create = request.method == "POST" and request.path.split("?")[0].endswith("/create")
        if status == 201 and is_create and _LOCK not in request.raw:
            with self._counting:
                self.created.append(str(request))
        put(head)
        if request.method == "HEAD" or status in (204, 304):
            return True
        if "chunked" in headers.get("transfer-encoding", ""):
            for part in _chunks(answered):
                put(part)
            return True
        if "content-length" in headers:
            put(_exactly(answered, int(headers["content-length"])))
            return True
        while part := answered.read1(65536):  # type: ignore[attr-defined]
            put(part)
        return False


def _read_request(asked: BinaryIO) -> Request | None:
    head, headers = _read_head(asked)
    if not head:
        return None
    body = b""
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b"".join(_chunks(asked))
    elif length := int(headers.get("content-length", "0")):
        body = _exactly(asked, length)
    method, path, _ = head.decode("latin-1").split(" ", 2)
    return Request(method, path, head + body, "upgrade" in headers)


def _read_head(stream: BinaryIO) -> tuple[bytes, dict[str, str]]:
    """The bytes up to the empty line, and the headers by name; nothing at the end."""
    lines = [stream.readline()]
    while lines[-1] not in (b"\r\n", b""):
        lines.append(stream.readline())
    pairs = (line.decode("latin-1").partition(":") for line in lines[1:-1])
    return b"".join(lines), {name.lower(): value.strip().lower() for name, _, value in pairs}


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """A body in chunks, as it is, part by part."""
    while True:
        line = stream.readline()
        if not line:
            raise EOFError
        size = int(line.partition(b";")[0], 16)
        if not size:
            break
        yield line + _exactly(stream, size + 2)
    last = [line, stream.readline()]
    while last[-1] not in (b"\r\n", b""):
        last.append(stream.readline())
    yield b"".join(last)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content
