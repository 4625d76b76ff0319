"""Events of the engine: lines of an answer that goes on → JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from reconciler.engine.interface import Json
from reconciler.engine.wire import Following


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
