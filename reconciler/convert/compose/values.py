"""The values of a Compose file: plain Python, with the place where each stands and the text as it was written.

A `Text` is its interpolated value; whatever takes it apart gets plain strings, and so can never write a reference
where it does not belong.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias


class Place(NamedTuple):
    """Where something stands: the file as the user would write it, and the line, 1-based."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


NOWHERE = Place("", 0)


class Text(str):
    """A string; `raw` is how a spec says it with its variables, the value itself when it has none."""

    __slots__ = ("raw",)
    raw: str

    def __new__(cls, value: str, raw: str | None = None) -> Text:
        text = super().__new__(cls, value)
        text.raw = value.replace("$", "$$") if raw is None else raw
        return text


class Map(dict[str, Any]):
    """A mapping; `places` says where each key stands, `own` is its own place."""

    def __init__(self, own: Place = NOWHERE) -> None:
        super().__init__()
        self.own = own
        self.places: dict[str, Place] = {}

    def put(self, key: str, value: Any, place: Place) -> None:
        self[key] = value
        self.places[key] = place

    def place(self, key: str) -> Place:
        return self.places.get(key, self.own)

    def copy(self) -> Map:
        made = Map(self.own)
        made.update(self)
        made.places = dict(self.places)
        return made


class Seq(list[Any]):
    """A sequence; `places` says where each entry stands, `own` is its own place."""

    def __init__(self, own: Place = NOWHERE) -> None:
        super().__init__()
        self.own = own
        self.places: list[Place] = []

    def add(self, value: Any, place: Place) -> None:
        self.append(value)
        self.places.append(place)

    def entries(self) -> list[tuple[Any, Place]]:
        places = self.places if len(self.places) == len(self) else [self.own] * len(self)
        return list(zip(self, places, strict=True))


class Reset:
    """`!reset`: whatever an earlier file or the extended service said here goes."""


class Override(NamedTuple):
    """`!override`: it takes the place of what an earlier file or the extended service said here."""

    value: Any


Node: TypeAlias = Any


def place_of(node: Node, keys: tuple[str | int, ...], start: Place) -> Place:
    """The place of the deepest thing on the way down `keys` that has one."""
    place = start
    for key in keys:
        if isinstance(node, Override):
            node = node.value
        if isinstance(node, Map) and isinstance(key, str) and key in node:
            place, node = node.place(key), node[key]
        elif isinstance(node, Seq) and isinstance(key, int) and key < len(node):
            place, node = node.entries()[key][1], node[key]
        else:
            break
    return place


def has_variables(value: object) -> bool:
    """Whether the spec says it with a reference."""
    return isinstance(value, Text) and value.raw != Text(str(value)).raw


def number(value: Any) -> Any:
    """A whole number from a text, unless it is written with variables, which a spec resolves itself."""
    if isinstance(value, Text) and not has_variables(value):
        try:
            return int(value, 0)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


_TRUE, _FALSE = ("true", "y", "yes", "on", "1"), ("false", "n", "no", "off", "0")


def flag(value: Any) -> Any:
    """True or false from a text, unless it is written with variables."""
    if isinstance(value, Text) and not (has_variables(value) and value in ("true", "false")):
        word = value.lower()
        return True if word in _TRUE else False if word in _FALSE else value
    return value
