"""From what a person said to an engine: the one module that makes the real client."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.engine.client import DockerEngine
from reconciler.engine.endpoint import find_endpoint
from reconciler.engine.interface import Engine


def connect(host: str | None, environment: Mapping[str, str]) -> Engine:
    """The engine that `find_endpoint` finds; errors as there. Nothing is opened before the first call."""
    endpoint = find_endpoint(host, environment)
    if endpoint.is_open_to_everyone:
        import logging

        logging.getLogger("reconciler.engine").warning(
            "%s (%s) is not encrypted: whoever can reach it is root on that host; use TLS or ssh://",
            endpoint,
            endpoint.origin,
        )
    return DockerEngine(endpoint, environment)
