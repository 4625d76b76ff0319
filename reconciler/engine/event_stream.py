"""Events of the engine: lines of an answer that goes on → JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlencode

from reconciler.engine.interface import Json
from reconciler.engine.refusals import message_of, refused
from reconciler.engine.wire import Following, Wire


def follow_events(wire: Wire, version: str, since: str, filters: Mapping[str, Sequence[str]]) -> EventStream:
    """See `interface.Engine.events`."""
    parameters = {"filters": json.dumps(filters)} | ({"since": since} if since else {})
    followed = wire.follow(f"/v{version}/events?{urlencode(parameters)}")
    if followed.status >= 400:
        raise refused("follow the engine's events", followed.status, message_of(b"\n".join(followed)))
    return EventStream(followed)


class EventStream:
    """See `interface.Events`. What is not JSON is left out: a look at the whole makes up for a lost event."""

    def __init__(self, followed: Following) -> None:
        self._followed = followed

    def __iter__(self) -> Iterator[Json]:
        for line in self._followed:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event

    def close(self) -> None:
        self._followed.close()
