"""What is written is what is read again, whatever is in it."""

from __future__ import annotations

from typing import Any

import tomli
from hypothesis import given, strategies

from reconciler.convert.compose.values import Text
from reconciler.convert.output import Output, Section
from reconciler.convert.toml import WIDTH, write
from reconciler.spec.interpolate import interpolate

TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=40)
VALUES = strategies.recursive(
    TEXTS | strategies.booleans() | strategies.integers(-(2**62), 2**62) | strategies.floats(allow_nan=False),
    lambda inner: strategies.lists(inner, max_size=4) | strategies.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def read(value: Any) -> Any:
    """As the loader reads it, but for keys, which hold no variables."""
    if isinstance(value, str):
        return interpolate(value, lambda _: None)
    if isinstance(value, list):
        return [read(item) for item in value]
    return {key: read(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(strategies.dictionaries(TEXTS, VALUES, max_size=5))
def test_a_table_comes_back(table: dict[str, Any]) -> None:
    section = Section("container", "web")
    section.table |= table
    assert read(tomli.loads(write(Output([], [section], [])))) == {"container": {"web": table}}


def test_a_variable_stays_one() -> None:
    section = Section("container", "web")
    section.table["image"] = Text("nginx:1", "nginx:${TAG}")
    assert 'image = "nginx:${TAG}"' in write(Output([], [section], []))


def test_long_lists_are_wrapped_and_short_ones_are_not() -> None:
    section = Section("container", "web")
    section.table |= {"short": ["a", "b"], "long": ["x" * 40] * 4}
    lines = write(Output([], [section], [])).splitlines()
    assert 'short = ["a", "b"]' in lines
    assert all(len(line) <= WIDTH for line in lines)
