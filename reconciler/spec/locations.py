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
from reconciler.spec.keys import Keys
from reconciler.spec.prescan import refuse
from reconciler.spec.reading import MAX_FILE_BYTES, UnreadableError, read_text

if TYPE_CHECKING:
    from tree_sitter import Node

Place = tuple[int, int]

_REFERENCE = re.compile(r"\$\{[^}]*\}|\$\w+")


def locate(file_text: str, keys: Keys) -> Place:
    """(line, column), 1-based, of the value at `keys`, or of the nearest table or list around it; (0, 0) if none is.

    A value that has a key is where its key is.
    """
    return index_of(file_text).find(keys)


@functools.lru_cache(maxsize=8)
def index_of(file_text: str) -> _Index:
    """The places of a text; kept, since a file seldom has but one mistake."""
    import tree_sitter
    import tree_sitter_toml

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_toml.language()))
    content = file_text.encode()
    return _Index(parser.parse(content).root_node, content.split(b"\n"))


class _Index:
    """The place of every key and list item of one text, the first one where there are several.

    Tables and lists are looked into only when something in them is asked for: a file can hold 50,000 values, and one
    mistake must not cost a walk over all of them.
    """

    def __init__(self, root: Node, lines: list[bytes]) -> None:
        self.lines = lines
        self.places: dict[Keys, Place] = {}
        self.unread: dict[Keys, list[Node]] = {}
        self.counts: dict[Keys, int] = {}
        for node in root.named_children:
            if node.type == "pair":
                self.pair(node, ())
            elif node.type in ("table", "table_array_element") and node.named_children:
                keys = self.header(node.named_children[0], is_element=node.type != "table")
                self.unread.setdefault(keys, []).append(node)

    def find(self, keys: Keys) -> Place:
        best = 0, 0
        for length in range(1, len(keys) + 1):
            best = self.places.get(keys[:length], best)
            for node in self.unread.pop(keys[:length], ()):
                self.read(node, keys[:length])
        return best

    def header(self, header: Node, *, is_element: bool) -> Keys:
        """The keys of a table, the position in their list being one where tables stand in lists (`[[...]]`)."""
        keys: Keys = ()
        *parents, last = _key_parts(header)
        for part in parents:
            keys = self.latest((*keys, _key_text(part)), header)
        keys = (*keys, _key_text(last))
        if is_element:
            self.counts[keys] = self.counts.get(keys, 0) + 1
        return self.latest(keys, header)

    def latest(self, keys: Keys, header: Node) -> Keys:
        self.note(keys, header)
        if keys in self.counts:
            keys = (*keys, self.counts[keys] - 1)
            self.note(keys, header)
        return keys

    def read(self, node: Node, keys: Keys) -> None:
        if node.type == "array":
            items = [child for child in node.named_children if child.type not in ("comment", "ERROR")]
            for at, item in enumerate(items):
                self.note((*keys, at), item)
                self.unread[(*keys, at)] = [item]
        else:
            for child in node.named_children:
                if child.type == "pair":
                    self.pair(child, keys)

    def pair(self, node: Node, keys: Keys) -> None:
        key, *values = node.named_children
        for part in _key_parts(key):
            keys = (*keys, _key_text(part))
            self.note(keys, part)
        if values and values[-1].type in ("array", "inline_table"):
            self.unread.setdefault(keys, []).append(values[-1])

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
