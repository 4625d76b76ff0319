"""The table of options: what an option is, once.

Each option of a container, network, volume or image is one row. The codecs, the differ, the classifier of changes,
the JSON Schema, `docs/options.md` and the per-option tests are all made from these rows; a new option is a new row in
`rows.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from reconciler.model.forms import TEXT, Form
from reconciler.model.values import Value


class Cost(StrEnum):
    """What a change of an option takes, cheapest first."""

    NOTHING = "nothing"  # no object holds it: it steers what we do
    RENAME = "rename"
    UPDATE = "update"  # POST /containers/{id}/update
    NETWORK = "network"  # connect and disconnect
    REPLACE = "replace"
    DATA = "data"  # replacing a volume loses what is in it: never planned


class Silent(StrEnum):
    """What is expected of the engine where the spec says nothing."""

    DEFAULT = "default"  # the row's default, or what the image says
    ENGINE = "engine"  # a default of the engine that cannot be read anywhere: not compared


class Supplied(StrEnum):
    """What the image adds where the spec says nothing."""

    NO = "no"
    FILLS = "fills"  # the image's value stands when the spec has none
    MERGES = "merges"  # the image's entries stand below those of the spec


class Option(NamedTuple):
    """One row.

    Attributes:
        name: the key in the spec, as in Compose.
        path: where it stands in the Engine API's create body and inspect answer, dotted; "" when nowhere. A section
            alone (`HostConfig`) when it makes several keys of it.
        form: how it is written, kept, sent and read.
        cost: what changing it takes.
        default: the canonical value that "not in the spec" means.
        silent, image: what is expected where the spec says nothing.
        clears: an update in place can take the option away again.
        since: lowest API version that has it, such as (1, 44).
        parts: the same for what may stand in it: by a key anywhere in its canonical value, `key=value` or `=value`.
        declared: False for a field of the API without an option yet: compared, so that a change by hand is seen.
        summary, unit, example: for the schema and the docs; the example is TOML.
    """

    name: str
    path: str = ""
    form: Form = TEXT
    cost: Cost = Cost.REPLACE
    default: Value = None
    silent: Silent = Silent.DEFAULT
    image: Supplied = Supplied.NO
    clears: bool = False
    since: tuple[int, int] = (0, 0)
    parts: Mapping[str, tuple[int, int]] = {}
    declared: bool = True
    summary: str = ""
    unit: str = ""
    example: str = ""
