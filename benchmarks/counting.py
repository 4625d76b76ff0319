"""A unix socket in front of the engine's that counts the requests passing through."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
_NAMED = {"containers", "networks", "volumes", "images", "distribution"}
_FIXED = {"json", "create", "prune", "search", "load", "get"}
_BLOCK = 64 * 1024


def shape(method: str, target: str) -> str:
    """A request without version, query and names: `GET /containers/*/json`."""
    first, *rest = _VERSION.sub("", target.partition("?")[0]).strip("/").split("/")
    if first in _NAMED and rest and rest[0] not in _FIXED:
        # The name of an image may hold slashes.
        verb = rest[-1:] if len(rest) > 1 else []
        rest = ["*", *verb]
    return f"{method} /{'/'.join([first, *rest])}"


class RequestReader:
    """Finds the requests in what a client sends on one connection; `note` is told the shape of each."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._buffer = b""
        self._skip = 0
        self._chunked = False

    def feed(self, sent: bytes) -> None:
        self._buffer += sent
        while self._buffer and self._step():
            pass

    def _step(self) -> bool:
        """Whether something was taken off the buffer."""
        if self._skip:
            taken = min(self._skip, len(self._buffer))
            self._skip -= taken
            self._buffer = self._buffer[taken:]
            return True
        end = b"\r\n" if self._chunked else b"\r\n\r\n"
        head, found, rest = self._buffer.partition(end)
        if not found:
            return False
        self._buffer = rest
        if self._chunked:
            size = int(head.partition(b";")[0], 16)
            self._skip, self._chunked = size + 2, size > 0
        else:
            self._read_head(head.decode("latin-1"))
        return True

    def _read_head(self, head: str) -> None:
        line, *headers = head.split("\r\n")
        method, target, _ = line.split(" ", 2)
        self._note(shape(method, target))
        for header in headers:
            name, _, value = header.partition(":")
            if name.lower() == "content-length":
                self._skip = int(value)
            elif name.lower() == "transfer-encoding" and "chunked" in value.lower():
                self._chunked = True


class CountingProxy:
    """`with CountingProxy(engine_socket, path) as proxy`: listens on `path`; `proxy.take()` gives the counts so far."""

    def __init__(self, engine_socket: str, path: Path) -> None:
        self._engine_socket, self._path = engine_socket, path
        self._counts: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="proxy")

    def take(self) -> Counter[str]:
        """What was counted since the last call."""
        taken, self._counts = self._counts, Counter()
        return taken

    def __enter__(self) -> CountingProxy:
        self._thread.start()
        # Compose opens a connection for each container at once.
        serving = asyncio.start_unix_server(self._serve, str(self._path), backlog=1024)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._path.unlink(missing_ok=True)

    async def _stop(self) -> None:
        self._server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine_reader, engine_writer = await asyncio.open_unix_connection(self._engine_socket)
        requests = RequestReader(lambda request: self._counts.update([request]))
        with suppress(ConnectionError):
            await asyncio.gather(
                _pump(reader, engine_writer, requests.feed), _pump(engine_reader, writer, lambda _: None)
            )
        for stream in (writer, engine_writer):
            stream.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, see: Callable[[bytes], None]) -> None:
    while block := await source.read(_BLOCK):
        see(block)
        sink.write(block)
        await sink.drain()
    with suppress(OSError):
        sink.write_eof()
