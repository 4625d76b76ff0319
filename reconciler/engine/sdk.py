"""Everything that streams, a pull, a build, a log, goes through the Docker SDK, here and nowhere else.

In:     paths and parameters of the Engine API, made by us: the SDK's types drop and invent settings.
Out:    bytes as they come; failures as our errors.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import docker
import requests
import urllib3
from docker.errors import DockerException
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

from reconciler.engine.dial import dial
from reconciler.engine.endpoint import Endpoint
from reconciler.engine.refusals import message_of, refused, unreachable
from reconciler.errors import EngineError, OutcomeUnknownError

#: a `docker.APIClient`, whose low-level methods its types leave out
_Client: TypeAlias = Any
Parameters: TypeAlias = "Mapping[str, str | int] | Mapping[str, str | int | list[str]]"
_BASE = "http+docker://localhost"
#: seconds until an engine that says nothing is given up; a write may wait for disks and registries
WRITE_TIMEOUT = 120.0


class _NotConnectedError(OSError):
    """There was no connection, because of its cause; so nothing was sent."""


class _Connection(UnixHTTPConnection):
    """The SDK's connection, on a socket of our own making: one way to TLS and ssh for reads and writes."""

    endpoint: Endpoint

    def connect(self) -> None:
        try:
            self.sock = dial(self.endpoint, self.timeout)
        except OSError as error:
            raise _NotConnectedError(str(error)) from error


class _Pool(UnixHTTPConnectionPool):
    endpoint: Endpoint

    def _new_conn(self) -> Any:
        connection = _Connection(_BASE, "", int(WRITE_TIMEOUT))
        connection.endpoint = self.endpoint
        return connection


class _Adapter(UnixHTTPAdapter):
    """The SDK's adapter for unix sockets, with the pool above."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__("http+unix:///")
        pool = _Pool(_BASE, "", self.timeout, maxsize=1)
        pool.endpoint = endpoint
        self._pool = pool

    def get_connection(self, url: Any, proxies: Any = None) -> _Pool:  # noqa: ARG002 - the SDK's signature
        return self._pool

    def close(self) -> None:
        self._pool.close()
        super().close()


class Sdk:
    """Calls to one engine, spoken to in one version. Each call has an `APIClient` to itself: they are not thread-safe."""

    def __init__(self, endpoint: Endpoint, version: str) -> None:
        self._endpoint, self._version = endpoint, version
        self._idle: list[_Client] = []
        self._lock = threading.Lock()

    def stream(
        self,
        doing: str,
        path: str,
        *names: str,
        params: Parameters,
        headers: Mapping[str, str] | None = None,
        content: Iterator[bytes] | None = None,
        silence: float | None,
        is_read: bool = False,
    ) -> Generator[bytes, None, None]:
        """The answer to a POST (a GET with `is_read`) as it comes; `silence` is how many seconds may pass between parts.

        Closing the iterator ends the call. At any step:

        Raises:
            EngineUnavailableError: nothing was sent.
            OutcomeUnknownError: it was sent, and its answer broke off.
            NotFoundError, EngineRefusedError: the engine said no; `doing` completes their "cannot ...".
        """
        with self._client() as client, self._errors(doing):
            call = client._get if is_read else client._post
            more = {} if is_read else {"data": content}
            url = client._url(path, *names)
            answer = call(url, params=params, headers=dict(headers or {}), timeout=silence, stream=True, **more)
            with answer:
                if answer.status_code >= 400:
                    raise refused(doing, answer.status_code, message_of(answer.content))
                yield from answer.iter_content(None)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    @contextmanager
    def _client(self) -> Iterator[_Client]:
        with self._lock:
            client = self._idle.pop() if self._idle else None
        client = client or self._make()
        try:
            yield client
        except BaseException:
            client.close()
            raise
        with self._lock:
            self._idle.append(client)

    def _make(self) -> _Client:
        try:
            # The address only makes it choose its kind of transport; it connects to nothing.
            client: _Client = docker.APIClient(
                "unix:///var/run/docker.sock", version=self._version, timeout=int(WRITE_TIMEOUT)
            )
        except (DockerException, ValueError, TypeError, AttributeError, KeyError) as error:
            raise EngineError("Docker's config.json cannot be read; correct it") from error
        # No proxies, and no passwords from ~/.netrc: the engine is named, and there is nothing in between.
        client.trust_env = False
        client._custom_adapter.close()
        client._custom_adapter = _Adapter(self._endpoint)
        client.mount("http+docker://", client._custom_adapter)
        return client

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if (cause := _never_sent(error)) is not None:
                raise unreachable(str(self._endpoint), cause) from error
            raise OutcomeUnknownError(
                f"the engine did not answer when asked to {doing}: it may or may not be done; look again"
            ) from error


def _never_sent(error: BaseException) -> BaseException | None:
    """What kept a call from being sent at all; None when it may have arrived.

    Each layer of the SDK wraps the error of the one below, as an argument more often than as a cause.
    """
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        item = pending.pop()
        if isinstance(item, _NotConnectedError):
            return item.__cause__
        if isinstance(item, BaseException) and id(item) not in seen:
            seen.add(id(item))
            pending += [*item.args, item.__cause__, getattr(item, "reason", None)]
    return None
