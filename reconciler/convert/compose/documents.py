"""A YAML text → plain values with places. What a parser must not be given is refused before."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reconciler.convert.compose.scalars import plain_scalar
from reconciler.convert.compose.values import Map, Node, Override, Place, Reset, Seq, Text
from reconciler.errors import Problem, SpecError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

#: What a Compose file may hold once its aliases are followed, and how deep: an alias can stand for a million others.
MAX_NODES = 100_000
MAX_DEPTH = 64

_TAG = "tag:yaml.org,2002:"
_NUMBERS = frozenset({_TAG + "int", _TAG + "float", _TAG + "bool", _TAG + "null"})
_OPENING = re.compile(r"[\[{]")

#: a text as written → a text with its references replaced
Interpolate = Callable[[str, Place], Text]


def fail(place: Place, message: str, hint: str = "", path: str = "") -> SpecError:
    """The error of one mistake."""
    return SpecError([Problem(place.file, place.line, 0, path, message, hint)])


def read_documents(name: str, text: str, interpolate: Interpolate) -> list[Map]:
    """The documents of a YAML file, each a mapping; an empty one is left out.

    Raises:
        SpecError: it is not YAML, or a document is no mapping, or it is too large.
    """
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if len(_OPENING.findall(text)) > MAX_NODES:
        raise fail(Place(name, 0), f"holds more than {MAX_NODES} values", "no Compose file needs that")
    try:
        return _Reader(name, interpolate).documents(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise fail(Place(name, line), f"not valid YAML: {error.problem or error.context}", _hint(str(error))) from None
    except YAMLError as error:
        raise fail(Place(name, 0), f"not valid YAML: {str(error).splitlines()[0]}") from None
    except (RecursionError, ValueError) as error:
        what = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise fail(Place(name, 0), f"not valid YAML: {what}") from None


def _hint(message: str) -> str:
    if "'\\t'" in message:
        return "indent with spaces"
    if "undefined alias" in message:
        return "define the anchor with '&' above its first use"
    return "check the indentation, and the quotes, above this line too"


class _Reader:
    """Turns the nodes of one file into values; `count` is how many it has made."""

    def __init__(self, name: str, interpolate: Interpolate) -> None:
        self.name = name
        self.interpolate = interpolate
        self.count = 0

    def documents(self, text: str) -> list[Map]:
        from ruamel.yaml import YAML

        yaml = YAML(typ="safe", pure=True)
        yaml.get_constructor_parser(text)
        found = []
        while yaml.composer.check_node():
            node = yaml.composer.get_node()
            value = self.value(node, 0)
            if isinstance(value, Map):
                found.append(value)
            elif value is not None:
                hint = "a Compose file begins with keys such as services:"
                raise fail(self.place(node), "is not a mapping", hint)
        return found

    def place(self, node: Any) -> Place:
        return Place(self.name, node.start_mark.line + 1)

    def value(self, node: Any, depth: int) -> Node:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        self.count += 1
        if self.count > MAX_NODES:
            raise fail(self.place(node), f"holds more than {MAX_NODES} values, aliases followed", "write less of them")
        if depth > MAX_DEPTH:
            raise fail(self.place(node), f"is nested more than {MAX_DEPTH} deep", "no Compose file needs that")
        tag = str(node.tag)
        if tag == "!reset":
            return Reset()
        if isinstance(node, MappingNode):
            value: Node = self.mapping(node, depth)
        elif isinstance(node, SequenceNode):
            value = self.sequence(node, depth)
        else:
            value = self.scalar(node, tag)
        return Override(value) if tag == "!override" else value

    def scalar(self, node: ScalarNode, tag: str) -> Node:
        text: str = node.value
        is_text = node.style is not None or (tag.startswith("!") and tag != "!override") or tag == _TAG + "binary"
        value = text if is_text and tag not in _NUMBERS else plain_scalar(text)
        return self.interpolate(value, self.place(node)) if isinstance(value, str) else value

    def sequence(self, node: SequenceNode, depth: int) -> Seq:
        made = Seq(self.place(node))
        for item in node.value:
            made.add(self.value(item, depth + 1), self.place(item))
        return made

    def mapping(self, node: MappingNode, depth: int) -> Map:
        made = Map(self.place(node))
        merged: list[Map] = []
        for key_node, value_node in node.value:
            key, place = self.key(key_node), self.place(key_node)
            if key == "<<" and getattr(key_node, "style", None) is None:
                merged += self.merged(value_node, depth)
            elif key in made:
                raise fail(place, f"the key {key!r} stands twice, first in line {made.place(key).line}", "keep one")
            else:
                made.put(key, self.value(value_node, depth + 1), place)
        for mapping in merged:
            for key, value in mapping.items():
                if key not in made:
                    made.put(key, value, mapping.place(key))
        return made

    def key(self, node: Any) -> str:
        if not isinstance(node.value, str):
            raise fail(self.place(node), "a key must be a text")
        return node.value

    def merged(self, node: Any, depth: int) -> list[Map]:
        """The mappings that `<<` names; of two the first one wins."""
        value = self.value(node, depth + 1)
        found = value if isinstance(value, Seq) else [value]
        if not all(isinstance(item, Map) for item in found):
            raise fail(self.place(node), "'<<' takes a mapping, or a list of mappings", "name an anchor: <<: *name")
        return list(found)
