"""What an engine says beside its answer: which of it means that a setting was dropped.

An engine whose kernel or control groups cannot do what it was asked for makes the container all the same, without it, and
says so in `Warnings`. A container without its limit is not what was declared, so that these are failures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from reconciler.errors import EngineRefusedError
from reconciler.model.values import Config

_DROPPED = re.compile(
    r"\bdiscarded\b|\bignored\b|(does|do) not support|\bnot supported\b|\bunsupported\b", re.IGNORECASE
)
# Said of what nobody asked for: the ports of host networking (the spec's own warning), and swap where it is not limited.
_PORTS = re.compile("published ports", re.IGNORECASE)
_SWAP = re.compile("limited without swap", re.IGNORECASE)
# A MAC address is sent in the old place too, for engines before 25.
_TWICE = re.compile("container-wide MacAddress field is now deprecated", re.IGNORECASE)
_ADVICE = "take the option out, or use a host whose kernel and control groups have it"


def refuse_dropped(warnings: Iterable[str], config: Config) -> tuple[str, ...]:
    """The warnings, when they are but that.

    Args:
        config: the options that were sent.

    Raises:
        EngineRefusedError: the engine left something out; in its words.
    """
    said = tuple(text for text in warnings if not _TWICE.search(text))
    dropped = [text for text in said if _DROPPED.search(text) and not _PORTS.search(text)]
    if config.get("memswap_limit") is None:
        dropped = [text for text in dropped if not _SWAP.search(text)]
    if dropped:
        raise EngineRefusedError(f"the engine left something out: {' '.join(dropped)}", hint=_ADVICE)
    return said
