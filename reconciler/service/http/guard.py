"""What stands around every request: who asks by which name, how long it may take, what a browser may do with the answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from reconciler.service.http.answers import refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: seconds that an answer may take; streams of events have no end
_LONGEST = 30.0
EVENTS = "/api/v1/events"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
_LOCAL = ("localhost", "127.0.0.1", "[::1]")


class Guard:
    """An ASGI application around another.

    Args:
        names: by which it may be asked for, beside those of loopback: a page elsewhere whose name suddenly leads here
            (DNS rebinding) asks by its own. None: by any, as at a unix socket, which no browser reaches.
    """

    def __init__(self, application: ASGIApp, names: frozenset[str] | None, complain: Callable[[str], None]) -> None:
        self._application, self._names, self._complain = application, names, complain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        has_begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message["headers"] = [*message.get("headers", []), *_RAW_HEADERS]
            await send(message)

        try:
            if not self._is_meant(scope):
                hint = "ask for localhost, or add the name of your proxy to http.names"
                await refusal(421, "it is not known by this name", hint)(scope, receive, send_guarded)
                return
            async with asyncio.timeout(None if scope["path"] == EVENTS else _LONGEST):
                await self._application(scope, receive, send_guarded)
        except ClientDisconnect:
            return
        except TimeoutError:
            if not has_begun:
                answer = refusal(503, "it took too long", "the engine may be busy; try again")
                await answer(scope, receive, send_guarded)
        except Exception as error:
            self._complain(f"a bug in reconciler, at {scope['path']!r}: {type(error).__name__}: {error}")

    def _is_meant(self, scope: MutableMapping[str, Any]) -> bool:
        if self._names is None:
            return True
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return False
        name = re.sub(r":\d+$", "", hosts[0]).lower().rstrip(".")
        return name in _LOCAL or name in self._names
