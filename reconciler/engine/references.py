"""References of images, taken apart as the engine's API wants them."""

from __future__ import annotations

import re

from reconciler.engine.refusals import hint_for
from reconciler.errors import EngineRefusedError

_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?"
_NAME = rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*"
#: compiled at the first use: it takes 4 ms
_REFERENCE = rf"({_NAME})(?::(\w[\w.-]{{0,127}}))?(?:@([a-z0-9+._-]+:[0-9a-fA-F]{{32,}}))?"


def split_reference(reference: str) -> tuple[str, str]:
    """(name, tag or digest) of a reference; the tag is `latest` when there is neither, and gives way to a digest.

    Raises:
        EngineRefusedError: it is none. It is refused here because it becomes part of a path.
    """
    match = re.fullmatch(_REFERENCE, reference, re.ASCII) if len(reference) <= 512 else None
    if match is None:
        message = "invalid reference format"
        raise EngineRefusedError(f"{reference!r} cannot name an image: {message}", 400, hint_for(message))
    return match[1], match[3] or match[2] or "latest"
