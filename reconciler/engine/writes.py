"""Calls that change something: bodies of our own, failures told apart by whether the engine may have acted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

from reconciler.engine.interface import Json
from reconciler.engine.refusals import OF_NOBODY, holder_of_name, message_of, refused
from reconciler.engine.wire import LostAnswerError, Wire
from reconciler.errors import OutcomeUnknownError

#: seconds until an engine that says nothing is given up; a write may wait for disks
WRITE_TIMEOUT = 120.0


class Writes:
    """POST, PUT and DELETE to one engine, spoken to in one version. Safe to use from several threads."""

    def __init__(self, wire: Wire, version: Callable[[], str]) -> None:
        self._wire, self._version = wire, version

    def post(
        self,
        doing: str,
        path: str,
        *names: str,
        body: Json | None = None,
        params: Mapping[str, str | int] | None = None,
        timeout: float | None = WRITE_TIMEOUT,
    ) -> Any:
        """POST a body of JSON to a path whose `{}` are filled with `names`; the answer's JSON, {} when it has none.

        Raises:
            EngineUnavailableError: nothing was sent.
            OutcomeUnknownError: it was sent, and no answer came within `timeout` seconds.
            NotFoundError, EngineRefusedError: the engine said no; `doing` completes their "cannot ...".
        """
        text = None if body is None else json.dumps(body).encode()
        return self._call("POST", doing, self._url(path, names, params), text, timeout)

    def put(self, doing: str, path: str, *names: str, content: bytes, params: Mapping[str, str | int]) -> Any:
        """PUT a tar; else as `post`."""
        return self._call("PUT", doing, self._url(path, names, params), content, WRITE_TIMEOUT)

    def delete(self, doing: str, path: str, *names: str, params: Mapping[str, str | int] | None = None) -> Any:
        """As `post`."""
        return self._call("DELETE", doing, self._url(path, names, params), None, WRITE_TIMEOUT)

    def _url(self, path: str, names: tuple[str, ...], params: Mapping[str, str | int] | None) -> str:
        filled = path.format(*(quote(name, safe="/:@") for name in names))
        return f"/v{self._version()}{filled}" + (f"?{urlencode(params)}" if params else "")

    def _call(self, method: str, doing: str, url: str, body: bytes | None, timeout: float | None) -> Any:
        try:
            answer = self._wire.send(method, url, body, timeout)
        except LostAnswerError as error:
            raise OutcomeUnknownError(
                f"the engine did not answer when asked to {doing}: it may or may not be done; look again"
            ) from error
        if answer.status >= 400:
            raise refused(doing, answer.status, self._explained(message_of(answer.body)))
        with suppress(ValueError, RecursionError):
            return json.loads(answer.body or b"{}")
        # It was done, whatever some proxy wrote under it; what is needed of the answer is looked up by its reader.
        return {}

    def _explained(self, message: str) -> str:
        """A refusal, with what the engine says of itself only when it is asked again."""
        if holder := holder_of_name(message):
            answer = self._wire.get(self._url("/containers/{}/json", (holder,), None))
            if answer.status == 404:
                return f"{message.rstrip('.')} ({OF_NOBODY})"
        return message


def created(answer: Json, what: str) -> tuple[str, tuple[str, ...]]:
    made = answer.get("Id")
    if not isinstance(made, str) or not made:
        # It was made, and only the engine knows its id now.
        raise OutcomeUnknownError(f"the engine made {what} and told no id of it; look again")
    return made, warnings_in(answer)


def warnings_in(answer: Json) -> tuple[str, ...]:
    warnings = answer.get("Warnings") or answer.get("Warning") or ()
    return tuple(filter(None, [warnings] if isinstance(warnings, str) else map(str, warnings)))
