"""Plain calls to an engine, fast: HTTP/1.1 on kept connections; reads are written ahead of the first answer.

The SDK serves all that streams (`sdk`): pulls, builds, logs. The rest is here because of what it costs there. 200
inspects against dockerd 20.10 on a unix socket, median of 7, two processors:

    requests as the SDK uses it           209 ms   (4 threads: 194)
    the SDK's urllib3 pool                108 ms   (4 threads: 90; it is our processor that is busy)
    http.client                            75 ms
    pipelined, parsed by http.client       27 ms   (2 threads: 26; 20 ms of our processor)
    pipelined, this module                 27 ms   (13 ms of our processor: the engine is the limit)

and because `import docker` takes 125 ms, more than a whole look at an engine.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import NamedTuple

from reconciler.engine.dial import dial
from reconciler.engine.endpoint import Endpoint
from reconciler.engine.refusals import no_engine, unreachable

#: requests written ahead; 64 of some 130 bytes fit any socket's buffer, so that neither side waits for the other
_AHEAD = 64
_LONGEST_LINE = 64 * 1024
_MOST_HEADERS = 200
_LARGEST_BODY = 512 * 1024 * 1024
_LONGEST_EVENT = 1024 * 1024


class Answer(NamedTuple):
    """What came back.

    `api_version` is the header in which an engine tells the newest version of its API; only Podman sends a second one,
    with the version of its own.
    """

    status: int
    body: bytes
    api_version: str = ""
    is_podman: bool = False


class _Head(NamedTuple):
    """How an answer begins; `length` is -1 where it is not told."""

    status: int
    length: int
    chunked: bool
    api_version: str
    is_podman: bool


class _NotHttpError(Exception):
    """What came back is not HTTP."""


class LostAnswerError(Exception):
    """Something was sent and its answer did not come; its cause says how."""


class Wire:
    """Calls to one engine whose answers are read whole. Safe to use from several threads: each call has a connection to itself."""

    def __init__(self, endpoint: Endpoint, timeout: float = 60.0) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self._idle: list[_Connection] = []
        self._is_closed = False
        self._lock = threading.Lock()
        # Each connection through ssh is a login: there is one, and who comes second waits.
        self._turn: AbstractContextManager[object] = threading.Lock() if endpoint.scheme == "ssh" else nullcontext()

    def get(self, path: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
        """The answer to one GET, whatever its status.

        Raises:
            EngineUnavailableError: no connection, no whole answer in time, or one that is not HTTP.
        """
        return self.get_many([path], headers)[0]

    def get_many(self, paths: Sequence[str], headers: Sequence[tuple[str, str]] = ()) -> list[Answer]:
        """The answers in the order of `paths`; errors as those of `get`."""
        answers: list[Answer] = []
        with self._turn:
            self._ask(paths, headers, answers)
        return answers

    def send(self, method: str, path: str, body: bytes | None, timeout: float | None) -> Answer:
        """The answer to one request that may change something, whatever its status. It is sent once.

        Raises:
            EngineUnavailableError: nothing was sent.
            LostAnswerError: it was sent, or part of it, and no whole answer came within `timeout` seconds.
        """
        connection = self._take_open()
        try:
            answer = connection.tell(method, path, body, timeout)
        except (OSError, EOFError, _NotHttpError) as error:
            raise LostAnswerError from error
        else:
            connection.stream.settimeout(self.timeout)
            connection.is_whole = connection.is_kept
        finally:
            self._give_back(connection)
        return answer

    def follow(self, path: str) -> Following:
        """An answer that goes on, line by line; it has a connection of its own. Errors as those of `get`."""
        connection = self._take(fresh=True)
        try:
            return Following(connection, connection.ask_for_more(path))
        except (OSError, EOFError) as error:
            connection.close()
            raise unreachable(str(self.endpoint), error) from error
        except _NotHttpError as error:
            connection.close()
            raise no_engine(str(self.endpoint), str(error)) from error

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _ask(self, paths: Sequence[str], headers: Sequence[tuple[str, str]], answers: list[Answer]) -> None:
        fresh = False
        while len(answers) < len(paths):
            connection = self._take(fresh=fresh)
            try:
                connection.ask(paths, headers, answers)
            except (ConnectionError, EOFError) as error:
                # A read can be asked again, but not over and over: a connection that has answered before may have been
                # idle too long, or the engine restarted. A new one that answers nothing is how it is.
                if not connection.has_answered:
                    raise unreachable(str(self.endpoint), error) from error
                fresh = True
            except OSError as error:
                raise unreachable(str(self.endpoint), error) from error
            except _NotHttpError as error:
                raise no_engine(str(self.endpoint), str(error)) from error
            else:
                connection.is_whole = connection.is_kept
            finally:
                self._give_back(connection)

    def _take(self, *, fresh: bool) -> _Connection:
        if not fresh:
            with self._lock:
                if self._idle:
                    return self._idle.pop()
        try:
            return _Connection(dial(self.endpoint, self.timeout), self.endpoint)
        except OSError as error:
            raise unreachable(str(self.endpoint), error) from error

    def _take_open(self) -> _Connection:
        """A connection that the other side has not closed meanwhile: what is sent on such a one is lost, or done."""
        while True:
            connection = self._take(fresh=False)
            if not connection.has_answered or not select.select([connection.stream], [], [], 0)[0]:
                return connection
            connection.close()

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            if connection.is_whole and not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()


class Following:
    """The lines of an answer that goes on. They end, without an error, when nothing more comes, whatever the reason.

    `status` is that of the answer; of a refusal, the lines are its text.
    """

    def __init__(self, connection: _Connection, head: _Head) -> None:
        self.status = head.status
        self._connection, self._head = connection, head

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        try:
            # ValueError: it was closed from another thread as it was being read.
            with suppress(OSError, EOFError, ValueError, _NotHttpError):
                for part in self._connection.parts(self._head):
                    *lines, rest = (rest + part).split(b"\n")
                    yield from filter(None, (line.strip() for line in lines))
                    if len(rest) > _LONGEST_EVENT:
                        rest = b""
            if rest.strip():
                yield rest.strip()
        finally:  # also when whoever reads has had enough
            self._connection.close()

    def close(self) -> None:
        """End it, from any thread: whoever waits for the next line gets the end."""
        with suppress(OSError):
            self._connection.stream.shutdown(socket.SHUT_RDWR)


class _Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, stream: socket.socket, endpoint: Endpoint) -> None:
        self.stream = stream
        self.reader = stream.makefile("rb", buffering=64 * 1024)
        #: the other side keeps it open after the last answer
        self.is_kept = True
        #: nothing is left on it of a call that failed
        self.is_whole = False
        self.has_answered = False
        host = f"{endpoint.target}:{endpoint.port}" if endpoint.scheme == "tcp" else "docker"
        self._tail = f" HTTP/1.1\r\nHost: {host}\r\nUser-Agent: reconciler\r\n"

    def ask(self, paths: Sequence[str], headers: Sequence[tuple[str, str]], answers: list[Answer]) -> None:
        """Append the answers that `answers` does not hold yet, as long as the connection is kept."""
        self.is_whole = False
        tail = self._tail + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
        sent = len(answers)
        while len(answers) < len(paths):
            if sent - len(answers) <= _AHEAD // 2 and sent < len(paths):
                window = paths[sent : len(answers) + _AHEAD]
                self.stream.sendall("".join(f"GET {path}{tail}" for path in window).encode("ascii"))
                sent += len(window)
            answers.append(self._read_answer())
            self.has_answered = True
            if not self.is_kept:
                return

    def tell(self, method: str, path: str, body: bytes | None, timeout: float | None) -> Answer:
        """Send one request with a body, or none; its answer. What is PUT is a tar, all else JSON."""
        self.is_whole = False
        self.stream.settimeout(timeout)
        # An absent body is `null` to engines before 24 when the header says JSON.
        type_of_body = "application/x-tar" if method == "PUT" else "application/json"
        kind = "" if body is None else f"Content-Type: {type_of_body}\r\n"
        length = f"Content-Length: {len(body or b'')}\r\n"
        self.stream.sendall(f"{method} {path}{self._tail}{kind}{length}\r\n".encode("ascii") + (body or b""))
        answer = self._read_answer()
        self.has_answered = True
        return answer

    def ask_for_more(self, path: str) -> _Head:
        """Ask for an answer that goes on; how it begins. From then on it may be silent as long as it likes."""
        self.stream.sendall(f"GET {path}{self._tail}\r\n".encode("ascii"))
        head = self._read_head()
        self.stream.settimeout(None)
        return head

    def parts(self, head: _Head) -> Iterator[bytes]:
        """The body as it comes, to its end."""
        if not head.chunked:
            yield self._body(head.length)
            return
        while size := self._chunk_size():
            yield self._exactly(size)
            self._line()

    def close(self) -> None:
        with suppress(OSError):
            self.reader.close()
            self.stream.close()

    def _read_answer(self) -> Answer:
        head = self._read_head()
        if head.status in (204, 304):
            return Answer(head.status, b"", head.api_version, head.is_podman)
        body = self._chunks() if head.chunked else self._body(head.length)
        return Answer(head.status, body, head.api_version, head.is_podman)

    def _read_head(self) -> _Head:
        protocol, _, rest = self._line().partition(b" ")
        status = rest[:3]
        if not protocol.startswith(b"HTTP/1.") or not status.isdigit():
            raise _NotHttpError(f"it begins with {(protocol + b' ' + rest)[:40].decode('ascii', 'replace')!r}")
        length, chunked, api_version, is_podman = -1, False, "", False
        for _ in range(_MOST_HEADERS):
            line = self._line()
            if not line:
                break
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip().lower()
            if name == b"content-length" and value.isdigit():
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = b"chunked" in value
            elif name == b"connection" and value == b"close":
                self.is_kept = False
            elif name == b"api-version":
                api_version = value.decode("ascii", "replace")
            elif name == b"libpod-api-version":
                is_podman = True
        else:
            raise _NotHttpError("too many headers")
        return _Head(int(status), length, chunked, api_version, is_podman)

    def _line(self) -> bytes:
        line = self.reader.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            if len(line) == _LONGEST_LINE:
                raise _NotHttpError("a header line is too long")
            raise EOFError("the connection ended within an answer")
        return line.rstrip(b"\r\n")

    def _body(self, length: int) -> bytes:
        if length < 0:  # it lasts until the connection is closed
            self.is_kept = False
            return self._exactly(_LARGEST_BODY, or_less=True)
        return self._exactly(length)

    def _chunks(self) -> bytes:
        parts, total = [], 0
        while size := self._chunk_size():
            total += size
            if total > _LARGEST_BODY:
                raise _NotHttpError("the answer is too large")
            parts.append(self._exactly(size))
            self._line()
        while self._line():  # trailers
            pass
        return b"".join(parts)

    def _chunk_size(self) -> int:
        try:
            return int(self._line().partition(b";")[0], 16)
        except ValueError as error:
            raise _NotHttpError("a chunk has no size") from error

    def _exactly(self, size: int, *, or_less: bool = False) -> bytes:
        if size > _LARGEST_BODY:
            raise _NotHttpError("the answer is too large")
        body: bytes = self.reader.read(size)
        if len(body) < size and not or_less:
            raise EOFError("the connection ended within an answer")
        return body
