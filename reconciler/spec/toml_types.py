"""Building blocks of document models: what TOML type stands where, each with its description and example.

Types say only which TOML type is accepted. What a text means is decided by `form.declare` alone, so that there is
one parser. Nothing is converted: the document that was validated is the one that is resolved.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from types import GenericAlias
from typing import Annotated, Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

_KINDS = {bool: "boolean", int: "integer", float: "number", str: "text", list: "list", dict: "table"}
_WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "text": "a text",
    "list": "a list",
    "table": "a table",
}


class Table(BaseModel):
    """A TOML table with known keys only.

    Attributes:
        short: by TOML type, the key that is meant by such a value in place of the table.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    short: ClassVar[Mapping[str, str]] = {}


def table(name: str, short: Mapping[str, str] | None = None, /, **fields: Any) -> type[Table]:
    """A model of a table; each field is made by `needed` or `option`."""
    model = cast("type[Table]", create_model(name, __base__=Table, **fields))
    model.short = short or {}
    return model


def kind_of(value: object) -> str:
    """The TOML type of a value, as `one_of` names it."""
    return _KINDS.get(type(value), "")


def needed(kind: Any, description: str, example: Any) -> tuple[Any, Any]:
    """A key that must be there."""
    return kind, Field(description=description, examples=[example])


def option(kind: Any, description: str, example: Any) -> tuple[Any, Any]:
    """A key that may be left out. None only stands for that: TOML has no null."""
    return kind, Field(None, description=description, examples=[example])


def list_of(item: Any) -> Any:
    return GenericAlias(list, (item,))


def table_of(item: Any) -> Any:
    """A table with any keys, whose values are all of one type."""
    return GenericAlias(dict, (str, item))


def one_of(**members: Any) -> Any:
    """A type that takes one of several TOML types, named boolean, integer, number, text, list, table.

    The TOML type alone selects the member, so that a mistake is reported once, by the member that was meant.
    """

    def select(value: object) -> str | None:
        kind = kind_of(value)
        if kind == "integer" and kind not in members:
            kind = "number"
        return f"<{kind}>" if kind in members else None

    tagged = [Annotated[member, Tag(f"<{name}>")] for name, member in members.items()]
    named = [name for name in members if name != "integer" or "number" not in members]
    words = " or ".join(_WORDS[name] for name in named)
    chosen = Discriminator(select, custom_error_type="toml_type", custom_error_message=f"must be {words}")
    return Annotated[functools.reduce(operator.or_, tagged), chosen]


TEXTS = list_of(str)
TEXT_OR_TEXTS = one_of(text=str, list=TEXTS)
TEXT_OR_INTEGER = one_of(text=str, integer=int)
SCALAR = one_of(text=str, boolean=bool, integer=int, number=float)
MAP = one_of(table=table_of(SCALAR), list=TEXTS)
