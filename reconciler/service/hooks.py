"""Webhooks: a request that says "something was pushed" hastens the fetch of one configured source, and does nothing else.

Whoever serves HTTP asks here whether to read a request at all, reads at most `source.webhook.MAX_BODY` bytes, and hands
everything over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.service.configuration import Configuration
from reconciler.source.document import Configured
from reconciler.source.interface import RefusedError
from reconciler.source.settings import file_of
from reconciler.source.webhook import Deliveries, RateLimit, Refused, concerns, verify_webhook

_LARGEST_SECRET = 4096
_NONE = (404, "there is no such webhook")


class _Hook(NamedTuple):
    """What is known of one project's webhook; it outlives a reload."""

    limit: RateLimit
    deliveries: Deliveries


class Hooks:
    """The webhooks of all projects. Safe to use from any thread.

    Args:
        hasten: fetches the source of a project now; False when there is none any more.
        hide: told each secret, so that no log shows it.
    """

    def __init__(
        self,
        configuration: Configuration,
        hasten: Callable[[str], bool],
        log: Any,
        environment: Mapping[str, str],
        hide: Callable[[Sequence[str]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._hasten, self._log, self._environment, self._hide, self._clock = hasten, log, environment, hide, clock
        self._lock = threading.Lock()
        self._sources: dict[str, Configured] = {}
        self._hooks: dict[str, _Hook] = {}
        self.reload(configuration)

    def reload(self, configuration: Configuration) -> None:
        """Go by another configuration; what was delivered stays known."""
        with self._lock:
            self._sources = {item.name: item.source for item in configuration.projects if item.source.webhook}
            fresh = {name: _Hook(RateLimit(time.monotonic), Deliveries()) for name in self._sources}
            self._hooks = fresh | {name: hook for name, hook in self._hooks.items() if name in fresh}

    def refuses(self, project: str) -> tuple[int, str] | None:
        """The status and the text to answer with before anything is read; None: it is to be read, and counts."""
        with self._lock:
            hook = self._hooks.get(project)
            if hook is None:
                return _NONE
            if not hook.limit.allows():
                return 429, "too many requests; what was pushed is fetched at the next interval"
        return None

    def receive(self, project: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int, str]:
        """The status and the text to answer with. What was wrong stands in the log, not in the answer."""
        with self._lock:
            source, hook = self._sources.get(project), self._hooks.get(project)
        if source is None or hook is None or source.git is None or source.webhook is None:
            return _NONE
        try:
            secret = self._secret(source)
        except (OSError, RefusedError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            text = f"the secret in {source.secret_file} cannot be read: {why}; put it there: openssl rand -hex 32"
            self._log.error("webhook", project=project, text=text)
            return 500, "not set up here"
        now = self._clock()
        found = verify_webhook(source.webhook, headers, body, secret, now)
        if isinstance(found, Refused):
            self._log.warning("webhook refused", project=project, status=found.status, text=found.reason)
            return found.status, "not accepted"
        if not found.is_push:
            return 200, "nothing was pushed"
        if not concerns(found, source.git):
            return 200, "that is not what is followed here"
        with self._lock:
            if found.delivery and not hook.deliveries.is_new(found.delivery, now):
                return 200, "that was delivered before"
        if not self._hasten(project):
            return _NONE
        self._log.info("webhook", project=project, text="fetching now", ref=found.ref)
        return 202, "fetching now"

    def _secret(self, source: Configured) -> str:
        """Read anew for each request, so that it can be changed while we run."""
        with file_of(source.secret_file, self._environment).open("rb") as file:
            secret = file.read(_LARGEST_SECRET).decode("utf-8", "replace").strip()
        if secret:
            self._hide([secret])
        return secret
