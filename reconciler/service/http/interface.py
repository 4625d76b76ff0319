"""What is served, and by whom it is provided. Whoever puts the service together has all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from reconciler.loop.instance import Instance
from reconciler.service.redaction import Secrets


class Journal(Protocol):
    """What was done, the newest first."""

    def entries(self, project: str, limit: int, before: int | None) -> list[dict[str, Any]]:
        """Those with an `id` below `before`; `project` "" for all."""
        ...

    def entry(self, id: int) -> dict[str, Any] | None: ...  # noqa: A002  # as the document calls it


class Hooks(Protocol):
    """Takes what a forge sends when something was pushed."""

    def refuses(self, project: str) -> tuple[int, str] | None:
        """The status to answer with before the body is read, and a text; None: read it."""
        ...

    def receive(self, project: str, headers: list[tuple[str, str]], body: bytes) -> tuple[int, str]:
        """The status to answer with, and a text."""
        ...


class Served(NamedTuple):
    """All that is served.

    Attributes:
        is_alive: whether the main thread and the projects' show signs of life.
        is_ready: whether the first good pass was there.
        token: for calls that change something; "" when there is none, and then they are refused.
        metrics: the text for Prometheus, and its content type.
    """

    instance: Instance
    secrets: Secrets
    log: Any
    is_alive: Callable[[], bool]
    is_ready: Callable[[], bool]
    token: Callable[[], str] = lambda: ""
    metrics: Callable[[], tuple[bytes, str]] | None = None
    journal: Journal | None = None
    hooks: Hooks | None = None
