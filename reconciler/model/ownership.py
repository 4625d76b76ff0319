"""What we write on the objects we make, and what we read from it: whose an object is, and what it was made from.

A fingerprint holds one short hash for each option that was declared, `1:command=3f2a…,ports=…`, not one for all. So
an option that has left the spec is noticed even where the engine's default cannot be read, and a difference can be
laid to the spec or to drift option by option.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from reconciler.model.address import Address, Kind, parse_address
from reconciler.model.options import Cost
from reconciler.model.rows import BY_NAME
from reconciler.model.values import Config, Value, digest

PREFIX = "reconciler."
PROJECT = "reconciler.project"
ADDRESS = "reconciler.address"
FINGERPRINT = "reconciler.fingerprint"
SETTINGS = "reconciler.settings"
PRUNE = "reconciler.prune"
#: on a container, what it was given; on a volume that holds such files, the project
CONTENTS = "reconciler.contents"
HOLDER = "reconciler.holder"
#: on a container, the id of the one that it takes over from: that has no labels to tell that it is our predecessor
ADOPTED = "reconciler.adopted"
#: the only label of a lease: an object that has it is no part of any project
LOCK = "reconciler.lock"
IMAGE_PROJECT = "reconciler.image.project"
IMAGE_ADDRESS = "reconciler.image.address"
IMAGE_CONTENT = "reconciler.image.content"

FINGERPRINT_VERSION = 1


class Owner(StrEnum):
    """Whose an object is, seen from one project."""

    OURS = "ours"
    THEIRS = "theirs"
    NOBODY = "nobody"


class Fingerprint(NamedTuple):
    """What an object was made from: a hash by option. `version` 0 is an object without one."""

    version: int
    options: Mapping[str, str]

    @property
    def is_newer(self) -> bool:
        return self.version > FINGERPRINT_VERSION

    @property
    def is_readable(self) -> bool:
        """Whether its hashes can be compared with ours; those of an older version cannot, and change nothing."""
        return self.version == FINGERPRINT_VERSION


def hash_option(value: Value) -> str:
    return digest(value)[:10]


def hash_declared(value: Value) -> str | None:
    """The hash of an option as it stands in a fingerprint; None when it is not declared, and so is not there."""
    return None if value is None else hash_option(value)


def fingerprint_text(kind: Kind, config: Config, *, in_place: bool) -> str:
    """The label's value over the declared options that are changed in place, or over those that are not."""
    hashes = []
    for name in sorted(config):
        cost = BY_NAME[kind][name].cost
        if cost is Cost.NOTHING or (cost in (Cost.UPDATE, Cost.NETWORK, Cost.RENAME)) is not in_place:
            continue
        value = config[name]
        if cost is Cost.NETWORK and isinstance(value, Mapping):
            hashes += [f"{name}.{key}={hash_option(value[key])}" for key in sorted(value)]
        else:
            hashes.append(f"{name}={hash_option(value)}")
    return f"{FINGERPRINT_VERSION}:{','.join(hashes)}"


def parse_fingerprint(labels: Mapping[str, str]) -> Fingerprint:
    """Both labels of an object as one; foreign labels are untrusted, so nonsense reads as none."""
    version = 0
    options: dict[str, str] = {}
    for key in (FINGERPRINT, SETTINGS):
        number, _, rest = labels.get(key, "").partition(":")
        if number.isdecimal() and len(number) < 9:
            version = max(version, int(number))
            pairs = (item.rpartition("=") for item in rest.split(",") if "=" in item)
            options.update({name: value for name, _, value in pairs})
    return Fingerprint(version, options)


def owner_labels(project: str, address: Address, config: Config) -> dict[str, str]:
    """The labels of an object that is made for a resource."""
    return {
        PROJECT: project,
        ADDRESS: str(address),
        FINGERPRINT: fingerprint_text(address.kind, config, in_place=False),
        SETTINGS: fingerprint_text(address.kind, config, in_place=True),
    }


def owner_of(kind: Kind, labels: Mapping[str, str], project: str) -> tuple[Owner, Address | None]:
    """Whose an object of this kind is, and which resource it stands for.

    Containers and commits inherit the labels of an image, so an address counts only on an object of its own kind.
    """
    project_key, address_key = (IMAGE_PROJECT, IMAGE_ADDRESS) if kind is Kind.IMAGE else (PROJECT, ADDRESS)
    try:
        address = parse_address(labels.get(address_key, ""))
    except ValueError:
        return Owner.NOBODY, None
    if address.kind is not kind or not labels.get(project_key):
        return Owner.NOBODY, None
    return (Owner.OURS if labels[project_key] == project else Owner.THEIRS), address


def foreign_labels(labels: Mapping[str, Value]) -> dict[str, Value]:
    """Without those that this program writes."""
    return {key: value for key, value in labels.items() if not key.startswith(PREFIX)}
