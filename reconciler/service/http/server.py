"""The server: uvicorn in a thread of its own, at one socket, until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from reconciler.errors import UsageError
from reconciler.loop.telling import Told
from reconciler.service.http.answers import Veil
from reconciler.service.http.application import Answers, make_application
from reconciler.service.http.chronicle import Chronicle
from reconciler.service.http.guard import Guard
from reconciler.service.http.interface import Served
from reconciler.service.http.listening import Place, open_socket
from reconciler.service.http.rollouts import Rollouts
from reconciler.service.http.streams import Streams
from reconciler.source.webhook import RateLimit

_MOST_CONNECTIONS = 100
_LARGEST_HEAD = 32 * 1024
_KEEP_ALIVE = 30
#: seconds that the head of a request may take, and that a client may leave an answer unread
_PATIENCE = 15.0


class Server:
    """Serves until `stop`. Made and started by the main thread; `observe` is to be told what happens.

    Attributes:
        place: where it listens; with the port that was chosen, when any would do.
    """

    def __init__(self, served: Served, place: Place, names: str, complain: Callable[[str], None]) -> None:
        veil = Veil(served.secrets)
        self._chronicle, self._rollouts = Chronicle(veil), Rollouts()
        self._streams = Streams(self._chronicle)
        self._socket = open_socket(place)
        self.place = place if place.path else place._replace(port=self._socket.getsockname()[1])
        listed = frozenset(name.lower().rstrip(".") for name in names.split())
        answers = Answers(served, veil, self._streams, self._rollouts)
        allowed = None if place.path and not listed else listed
        self._uvicorn = _Uvicorn(_configuration(Guard(make_application(answers), allowed, complain)))
        self._complain = complain
        self._thread = threading.Thread(target=self._run, daemon=True, name="http")
        _hear_what_uvicorn_says(complain)

    @property
    def followers(self) -> int:
        """How many follow the events."""
        return self._streams.count

    def observe(self, told: Told) -> None:
        self._rollouts(told)  # first: whoever is told of an event may ask at once
        self._chronicle(told)

    def start(self) -> None:
        self._thread.start()
        if not self._uvicorn.began.wait(10):
            raise UsageError(f"HTTP did not begin to be served at {self.place}")

    def stop(self) -> None:
        self._uvicorn.end(self._streams.close)
        self._thread.join(5)
        if self.place.path:
            Path(self.place.path).unlink(missing_ok=True)

    def _run(self) -> None:
        try:
            asyncio.run(self._uvicorn.serve(sockets=[self._socket]))
        except Exception as error:  # the service goes on without it
            self._complain(f"HTTP is not served any more: {type(error).__name__}: {error}")


def _configuration(application: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="asyncio",
        http=_Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=_LARGEST_HEAD,
    )


class _Uvicorn(uvicorn.Server):
    """Waits for its end, where uvicorn looks ten times a second whether it has come."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.began = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None

    async def main_loop(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self.began.set()
        await self._ended.wait()

    def end(self, first: Callable[[], None]) -> None:
        """From another thread. `first` is called in the event loop."""
        if self._loop is None or self._ended is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(first)
        self._loop.call_soon_threadsafe(self._ended.set)


class _Protocol(H11Protocol):
    """Has patience with nobody for ever: neither with a head that does not come, nor with an answer that is not read.

    Who comes when all connections are taken gets the place of the one that has asked for nothing for the longest time.
    """

    _head: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _heard: float = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._heard = self.loop.time()
        if len(self.connections) >= _MOST_CONNECTIONS:
            self._take_a_place()
        self._head = self.loop.call_later(_PATIENCE, self._look_at_head)

    def data_received(self, received: bytes) -> None:
        self._heard = self.loop.time()
        super().data_received(received)
        if self._head is None and not self._is_answering():
            self._head = self.loop.call_later(_PATIENCE, self._look_at_head)

    def _take_a_place(self) -> None:
        others = [item for item in self.connections if isinstance(item, _Protocol) and item is not self]
        held = [item for item in others if not item.transport.is_closing()]
        silent = [item for item in held if not item._is_answering()]
        if len(held) >= _MOST_CONNECTIONS - 1 and silent:
            min(silent, key=lambda item: item._heard).transport.abort()

    def _look_at_head(self) -> None:
        self._head = None
        if not self._is_answering() and self.timeout_keep_alive_task is None:
            self.transport.abort()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(_PATIENCE, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._head, self._unread):
            if timer is not None:
                timer.cancel()


class _Words(logging.Handler):
    """What uvicorn logs, in our log: a line without a traceback, and now and then only: it has one for each bad request."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._complain = complain
        self._limit = RateLimit(time.monotonic, burst=5, per_second=1 / 60)

    def emit(self, record: logging.LogRecord) -> None:
        if self._limit.allows():
            self._complain(f"http: {record.getMessage().strip()}")


def _hear_what_uvicorn_says(complain: Callable[[str], None]) -> None:
    for name in ("uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = [_Words(complain)]
        logger.setLevel(logging.WARNING)
        logger.propagate = False
