"""Kind and name: the identity of a resource in the spec and of the object that stands for it on the engine."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Kind(StrEnum):
    """What can be declared, in the order in which it is created."""

    IMAGE = "image"
    NETWORK = "network"
    VOLUME = "volume"
    CONTAINER = "container"


_ORDER = {kind: position for position, kind in enumerate(Kind)}
_SYNTAX = re.compile(r"(image|network|volume|container)\.(.+?)(?:\[(\d+)\])?")


class Address(NamedTuple):
    """`container.web`, or `container.web[2]` for one instance of a scaled container.

    `instance` is 0 for a resource that is not scaled; instances count from 1.
    """

    kind: Kind
    name: str
    instance: int = 0

    def __str__(self) -> str:
        return f"{self.kind.value}.{self.name}" + (f"[{self.instance}]" if self.instance else "")

    @property
    def whole(self) -> Address:
        """The declared resource this is an instance of; itself when it is not scaled."""
        return Address(self.kind, self.name)

    @property
    def sort_key(self) -> tuple[int, str, int]:
        return _ORDER[self.kind], self.name, self.instance


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address:
    """Read `kind.name` or `kind.name[index]`.

    Raises:
        ValueError: with a message for a person, when it is neither.
    """
    match = _SYNTAX.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an address; write kind.name, such as container.web or container.web[2]")
    return Address(Kind(match[1]), match[2], int(match[3] or 0))
