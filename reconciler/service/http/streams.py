"""Events to whoever follows, as Server-Sent Events: they go on where they were, and nobody can be too slow for us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

from reconciler.service.http.answers import RefusalError
from reconciler.service.http.chronicle import Chronicle, Entry

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

MOST_FOLLOWERS = 32
#: milliseconds after which a browser connects again
_RETRY = 2000


class Streams:
    """All streams of events of one server; used in its event loop only."""

    def __init__(self, chronicle: Chronicle, heartbeat: float = 15.0) -> None:
        self._chronicle, self._heartbeat = chronicle, heartbeat
        self._followers: set[asyncio.Event] = set()
        self._is_closing = False

    @property
    def count(self) -> int:
        return len(self._followers)

    def close(self) -> None:
        """All of them end."""
        self._is_closing = True
        for woken in self._followers:
            woken.set()

    def open(self, last: str) -> StreamingResponse:
        """A stream behind the event of that id; from now on without one, or when it is forgotten.

        Raises:
            RefusalError: there are too many.
        """
        if len(self._followers) >= MOST_FOLLOWERS:
            raise RefusalError(503, f"{MOST_FOLLOWERS} streams of events are open, and no more are served", "try later")
        woken = asyncio.Event()
        self._followers.add(woken)
        return _Stream(self._events(last, woken), lambda: self._followers.discard(woken))

    async def _events(self, last: str, woken: asyncio.Event) -> AsyncGenerator[str]:
        chronicle, loop = self._chronicle, asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        chronicle.follow(wake)
        try:
            place = chronicle.place_of(last)
            if place is None:
                place = chronicle.newest
                # Whoever knows nothing yet, or missed something, looks at the whole.
                yield f"retry: {_RETRY}\nid: {chronicle.name_of(place)}\nevent: look\ndata: {{}}\n\n"
            else:
                yield f"retry: {_RETRY}\n\n"
            while not self._is_closing:
                woken.clear()
                entries = chronicle.after(place)
                if entries is None:
                    return  # too slow: what came next is forgotten, so it begins anew
                for entry in entries:
                    yield self._text(entry)
                    place = entry.number
                if not entries:
                    try:
                        await asyncio.wait_for(woken.wait(), self._heartbeat)
                    except TimeoutError:
                        yield ": still here\n\n"
        finally:
            chronicle.leave(wake)

    def _text(self, entry: Entry) -> str:
        return f"id: {self._chronicle.name_of(entry.number)}\nevent: {entry.event}\ndata: {entry.text}\n\n"


class _Stream(StreamingResponse):
    """However it ends, it is said."""

    def __init__(self, events: AsyncGenerator[str], leave: Callable[[], None]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers, media_type="text/event-stream")
        self._events, self._leave = events, leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
            await self._events.aclose()
