"""The tables of several files → one document, its strings interpolated and safe to print."""

from __future__ import annotations

import re
from typing import Any

from reconciler.model.address import Kind
from reconciler.spec.interpolate import InterpolationError, Lookup, interpolate
from reconciler.spec.keys import Keys
from reconciler.spec.prescan import MAX_DEPTH, MAX_ENTRIES
from reconciler.spec.problems import Problems, Source
from reconciler.spec.scalars import convert

Document = dict[str, Any]

MAX_RESOURCES = 1000
MAX_EXPANDED = 4 * 1024 * 1024

# Control characters break terminals and engines; bidirectional marks make a text read as what it is not.
_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: tables of tables by name
_SECTIONS = frozenset({*(kind.value for kind in Kind), "config", "secret"})


class _Expander:
    """Walks the tables of one project; `spent` is how many characters interpolation has made so far."""

    def __init__(self, lookup: Lookup, problems: Problems) -> None:
        self.lookup = lookup
        self.problems = problems
        self.spent = 0

    def value(self, source: Source, keys: Keys, value: Any) -> Any:
        """The value with its strings interpolated; a string that is at fault comes back empty."""
        if isinstance(value, str):
            return self.text(source, keys, value)
        if isinstance(value, dict | list) and len(keys) > MAX_DEPTH:
            self.problems.within(source, keys[:MAX_DEPTH], f"nested more than {MAX_DEPTH} deep")
            return None
        if isinstance(value, dict | list) and len(value) > MAX_ENTRIES:
            self.problems.within(source, keys, f"has {len(value)} entries; at most {MAX_ENTRIES} are taken")
            return None
        if isinstance(value, list):
            return [self.value(source, (*keys, at), item) for at, item in enumerate(value)]
        if isinstance(value, dict):
            for key in value:
                if _UNSAFE.search(key):
                    self.problems.within(source, keys, f"a key holds a control character: {key!r}", "remove it")
            return {key: self.value(source, (*keys, key), item) for key, item in value.items()}
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            self.problems.within(source, keys, "the number does not fit into 64 bits")
            return 0
        return value

    def text(self, source: Source, keys: Keys, text: str) -> Any:
        try:
            expanded = interpolate(text, self.lookup)
        except InterpolationError as error:
            self.problems.within(source, keys, str(error), error.hint)
            return ""
        unsafe = _UNSAFE.search(expanded)
        if unsafe is not None:
            self.problems.within(source, keys, f"the text holds a control character: {unsafe[0]!r}", "remove it")
            return ""
        if expanded is text or expanded == text:
            return text
        self.spent += len(expanded)
        if self.spent > MAX_EXPANDED:
            self.problems.within(source, keys, f"variables make more than {MAX_EXPANDED >> 20} MiB of text")
            return ""
        return convert(keys, expanded)


def merge(sources: list[Source], lookup: Lookup, problems: Problems) -> Document:
    """One document of all files: `project` and the resources by kind and name.

    A resource that two files declare is a problem; the first one stands.
    """
    expander = _Expander(lookup, problems)
    merged: Document = {}
    count = 0
    for source in sources:
        for section, table in source.document.items():
            if section not in _SECTIONS or not isinstance(table, dict):
                if _claim((section,), source, problems):
                    merged[section] = expander.value(source, (section,), table)
                continue
            resources = merged.setdefault(section, {})
            for name, resource in table.items():
                count += 1
                if count == MAX_RESOURCES + 1:
                    problems.within(
                        source, (section, name), f"more than {MAX_RESOURCES} resources", "split the project"
                    )
                if count <= MAX_RESOURCES and isinstance(resources, dict) and _claim((section, name), source, problems):
                    resources[name] = expander.value(source, (section, name), resource)
    return merged


def _claim(keys: Keys, source: Source, problems: Problems) -> bool:
    first = problems.declared_in(keys)
    if first is None:
        problems.declare(keys, source)
        return True
    from reconciler.spec.locations import locate

    line, _ = locate(first.text, keys)
    message = f"is declared already in {first.name}:{line}"
    problems.within(source, keys, message, "keep one of the two, or give one another name", breaks=False)
    return False
