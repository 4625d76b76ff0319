"""Where something stands in a TOML text. TOML parsers forget positions, so a second parser that keeps them is asked."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from reconciler.model.address import Kind
from reconciler.model.desired import Origin
from reconciler.model.forms import Form
from reconciler.model.rows import BY_NAME
from reconciler.spec.prescan import refuse
from reconciler.spec.problems import Keys
from reconciler.spec.sources import MAX_FILE_BYTES, UnreadableError, read_text

if TYPE_CHECKING:
    from tree_sitter import Node

Place = tuple[int, int]

_REFERENCE = re.compile(r"\$\{[^}]*\}|\$\w+")


def locate(file_text: str, keys: Keys) -> Place:
    """(line, column), 1-based, of the value at `keys`, or of the nearest table or list around it; (0, 0) if none is.

    A value that has a key is where its key is.
    """
    places = _places(file_text)
    for length in range(len(keys), 0, -1):
        if keys[:length] in places:
            return places[keys[:length]]
    return 0, 0


@functools.lru_cache(maxsize=8)
def _places(file_text: str) -> dict[Keys, Place]:
    import tree_sitter
    import tree_sitter_toml

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
    content = file_text.encode()
    walk = _Walk(content.split(b"\n"))
    walk.document(parser.parse(content).root_node)
    return walk.places


class _Walk:
    """Visits every key and list item of a syntax tree; the first place of a key stands."""

    def __init__(self, lines: list[bytes]) -> None:
        self.places: dict[Keys, Place] = {}
        self.lines = lines

    def document(self, root: Node) -> None:
        counts: dict[Keys, int] = {}
        for node in root.named_children:
            if node.type == "pair":
                self.pair(node, ())
            elif node.type in ("table", "table_array_element"):
                header, *rest = node.named_children or [node]
                keys = self.table(header, counts) if node.type == "table" else self.element(header, counts)
                for child in rest:
                    if child.type == "pair":
                        self.pair(child, keys)

    def table(self, header: Node, counts: dict[Keys, int]) -> Keys:
        keys: Keys = ()
        for part in _key_parts(header):
            keys = (*keys, _key_text(part))
            self.note(keys, header)
            if keys in counts:
                keys = (*keys, counts[keys] - 1)
        return keys

    def element(self, header: Node, counts: dict[Keys, int]) -> Keys:
        *parents, last = _key_parts(header)
        keys: Keys = ()
        for part in parents:
            keys = (*keys, _key_text(part))
            keys = (*keys, counts[keys] - 1) if keys in counts else keys
        keys = (*keys, _key_text(last))
        self.note(keys, header)
        counts[keys] = counts.get(keys, 0) + 1
        keys = (*keys, counts[keys] - 1)
        self.note(keys, header)
        return keys

    def pair(self, node: Node, above: Keys) -> None:
        key, *values = node.named_children
        keys = above
        for part in _key_parts(key):
            keys = (*keys, _key_text(part))
            self.note(keys, part)
        for value in values[-1:]:
            self.value(value, keys)

    def value(self, node: Node, keys: Keys) -> None:
        if node.type == "array":
            items = [child for child in node.named_children if child.type not in ("comment", "ERROR")]
            for at, item in enumerate(items):
                self.note((*keys, at), item)
                self.value(item, (*keys, at))
        elif node.type == "inline_table":
            for child in node.named_children:
                if child.type == "pair":
                    self.pair(child, keys)

    def note(self, keys: Keys, node: Node) -> None:
        row, column = node.start_point
        # The parser counts bytes, people count characters.
        self.places.setdefault(keys, (row + 1, len(self.lines[row][:column].decode(errors="replace")) + 1))


def _key_parts(node: Node) -> Iterator[Node]:
    if node.type == "dotted_key":
        for child in node.named_children:
            yield from _key_parts(child)
    else:
        yield node


def _key_text(node: Node) -> str:
    text = (node.text or b"").decode()
    if node.type != "quoted_key":
        return text
    if text.startswith("'") or "\\" not in text:
        return text[1:-1]
    import tomli

    return next(iter(tomli.loads(f"{text} = 0")))


def locate_field(origin: Origin, field_path: str) -> str:
    """`specs/api.toml:14` for a field of a plan: its line in the spec, else that of its option, else of its table.

    Args:
        origin: where the resource is declared; its file is read again.
        field_path: an option, or `option.key` with the canonical key: `environment.LOG_LEVEL`, `volumes./data.source`.

    Returns:
        The file alone when it cannot be read any more, and "" for a resource that no file declares.
    """
    if not origin.file:
        return ""
    try:
        text = read_text(origin.file, MAX_FILE_BYTES)
    except UnreadableError:
        return origin.file
    option, _, rest = field_path.partition(".")
    if origin.keys[0] == Kind.CONTAINER.value and option == "name":
        option = "container_name"
    line, _ = locate(text, (*origin.keys, option, *_entry(text, origin.keys, option, rest)))
    return f"{origin.file}:{line}" if line else origin.file


def _entry(text: str, keys: Keys, option: str, rest: str) -> Keys:
    """The key or position, below an option, that the canonical path `rest` comes from; () when it is unclear."""
    value: object = _document(text)
    for key in (*keys, option):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, dict):
        return _key_below(value, rest, prefixed=option == "networks")
    row = BY_NAME[Kind(str(keys[0]))].get(option)
    for at, item in enumerate(value if isinstance(value, list) and row else ()):
        if row and _makes(row.form, item, rest):
            return (at,)
    return ()


def _makes(form: Form, item: object, rest: str) -> bool:
    """Whether an item of a list declares what the canonical path names."""
    try:
        # What a variable holds does not matter here, if only the text has the right form.
        declared = form.declare([_REFERENCE.sub("1", item) if isinstance(item, str) else item])
    except (ValueError, TypeError, KeyError):
        return False
    return isinstance(declared, Mapping) and any(rest == key or rest.startswith(f"{key}.") for key in declared)


def _key_below(table: dict[str, object], rest: str, *, prefixed: bool = False) -> Keys:
    """The keys down to what `rest` names; `prefixed` names have the project's before their own on the engine."""
    for key, value in table.items():
        if rest == key or rest.startswith(f"{key}.") or (prefixed and f"_{key}." in f"{rest}."):
            below = rest[rest.index(key) + len(key) + 1 :]
            return (key, *_key_below(value, below)) if isinstance(value, dict) else (key,)
    return ()


@functools.lru_cache(maxsize=8)
def _document(text: str) -> dict[str, object]:
    import tomli

    if refuse(text):
        return {}
    try:
        return tomli.loads(text)
    except (tomli.TOMLDecodeError, ValueError, RecursionError):
        return {}
