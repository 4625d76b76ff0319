"""What to write instead of a value of the wrong type: the same in the form that belongs there, or an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, Tag

from reconciler.spec.toml_types import Table, kind_of

Place = tuple[str | int, ...]

#: what of a text is repeated in a hint: no more than a word, since a longer one may hold a secret; else _SAME stands for it
_WORD = re.compile(r"[A-Za-z0-9][\w.:/-]{0,59}|\.{0,2}/[\w./-]{0,59}")
_SAME = "..."
_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}")


class _Spot(NamedTuple):
    """What may stand at a place, and the nearest option around it with its example."""

    annotation: Any
    option: str
    example: Any


def advice(place: Place, value: Any, root: type[BaseModel], *, is_missing: bool = False) -> str:
    """What to write at a place of the document; "" when there is not even an example."""
    value = _SAME if isinstance(value, str) and (place[0] == "secret" or not _WORD.fullmatch(value)) else value
    keys = [part for part in place if not (isinstance(part, str) and part.startswith("<"))]
    spot = _spot(place, root)
    if not is_missing:
        fitted = _fitted(spot.annotation, value) if len(keys) > 1 else ""
        if fitted:
            return f"write {_line(keys[-1], fitted)}"
        if header := _header(keys, spot):
            return f"write {header}, and its options below"
    return f"for example {_line(spot.option, in_toml(spot.example))}" if spot.example is not None else ""


def _header(keys: list[str | int], spot: _Spot) -> str:
    """The header of a table that is written under one of its own."""
    bare = _bare(spot.annotation)
    if len(keys) == 1:
        form = "[[{}]]" if get_origin(bare) is list else "[{}.NAME]" if get_origin(bare) is dict else "[{}]"
        return form.format(keys[0]) if _fields(bare) or get_args(bare) else ""
    return f"[{keys[0]}.{_key(str(keys[1]))}]" if len(keys) == 2 and spot.option == keys[0] and _fields(bare) else ""


def _line(key: str | int, text: str) -> str:
    return f"{key} = {text}" if isinstance(key, str) and _BARE.fullmatch(key) else text


def _fitted(annotation: Any, value: Any) -> str:
    """The value in a form that may stand there; "" when none is known, or it is too long to be repeated."""
    members = list(_members(annotation))
    for model in members:
        if isinstance(model, type) and issubclass(model, Table):
            key = model.short.get(kind_of(value), "")
            if key and _is_short(value):
                return in_toml({key: value})
            if value is False and "disable" in model.model_fields:
                return in_toml({"disable": True})
    is_map = any(get_origin(member) is dict and str in _members(get_args(member)[1]) for member in members)
    for member in members:
        if get_origin(member) is list and not is_map and not isinstance(value, list | bool):
            items = list(_members(get_args(member)[0]))
            if type(value) in items and value != _SAME:
                return in_toml([value])
            if isinstance(value, dict) and any(_is_of(value, item) for item in items):
                return "[{ ... }]"
    return ""


def _is_of(value: dict[str, Any], model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, Table) and value.keys() <= model.model_fields.keys()


def _is_short(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 5 and all(map(_is_short, value))
    return isinstance(value, int | float) or (
        isinstance(value, str) and (value == _SAME or bool(_WORD.fullmatch(value)))
    )


# --- the types -----------------------------------------------------------------------------------------------------


def _spot(place: Place, root: type[BaseModel]) -> _Spot:
    spot = _Spot(root, "", None)
    for part in place:
        field = _fields(spot.annotation).get(str(part))
        if field is not None:
            spot = _Spot(field.annotation, str(part), (field.examples or (None,))[0])
        else:
            spot = spot._replace(annotation=_below(spot.annotation, part))
    return spot


def known_keys(place: Place, root: type[BaseModel]) -> list[str]:
    """The keys of the table at `place`, found by walking down the types."""
    return sorted(_fields(_spot(place, root).annotation))


def _fields(annotation: Any) -> Mapping[str, Any]:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation.model_fields if is_model else {}


def _below(annotation: Any, part: str | int) -> Any:
    annotation = _bare(annotation)
    members = get_args(annotation)
    if isinstance(part, str) and part.startswith("<"):
        return next(
            m.__origin__
            for m in members
            if any(isinstance(t, Tag) and t.tag == part for t in getattr(m, "__metadata__", ()))
        )
    return members[-1] if get_origin(annotation) in (dict, list) else None


def _bare(annotation: Any) -> Any:
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    return annotation


def _members(annotation: Any) -> Iterator[Any]:
    """The types of which one may stand there."""
    bare = _bare(annotation)
    is_union = get_origin(bare) is not None and get_origin(bare) not in (list, dict) and bool(get_args(bare))
    if is_union:
        for member in get_args(bare):
            yield from _members(member)
    else:
        yield bare


# --- as it is written ----------------------------------------------------------------------------------------------


def in_toml(value: Any) -> str:
    """A value in one line of TOML."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key)} = {in_toml(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(in_toml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)
