"""Programs that work for us, and their private directories: what must not outlive us when we are stopped at once."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

#: ids of process groups, and directories
GROUPS: set[int] = set()
PLACES: set[Path] = set()


def end_all() -> None:
    """End them, and remove what they were given. For the last moment of this process: nobody waits for them."""
    for group in list(GROUPS):
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    if PLACES:
        from reconciler.engine.staging import remove

        for place in list(PLACES):
            with suppress(OSError):
                remove(place)
