"""What is remembered of a project between passes, and over restarts: failures, corrections, what was last applied.

Pure. Losing it loses nothing but patience: what has failed is tried once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.address import Address, Kind, parse_address
from reconciler.model.contents import Content, hash_content, salt_of
from reconciler.model.desired import ContainerResource, DesiredState, Origin, Resource
from reconciler.model.ownership import fingerprint_text
from reconciler.model.values import digest
from reconciler.planning.expand import declared_options

FORMAT = 1


class Failure(NamedTuple):
    """A change that failed.

    Attributes:
        key: what was tried: another spec, image or engine is another key, and is tried at once.
        tries: how often in a row.
        is_final: it is not tried again before the key is another one, or a person says so.
        next_at, since: times of day, in seconds.
        restores: how often of these it was taken back, so that what was stopped for it serves again.
    """

    key: str
    tries: int
    is_final: bool
    message: str
    next_at: float
    since: float
    restores: int = 0


class Applied(NamedTuple):
    """What was last applied of a resource: a digest of its declaration, and its settings label as it would be now."""

    declared: str
    settings: str = ""


class Corrections(NamedTuple):
    """When a resource was put back to what was applied, lately; with the digest of that.

    Attributes:
        fields: what differed the last time.
        sticks: it was as declared afterwards; else it is no use to try.
    """

    declared: str
    times: tuple[float, ...] = ()
    is_flapping: bool = False
    fields: tuple[str, ...] = ()
    sticks: bool = True


class Memory(NamedTuple):
    """Of one project."""

    revision: str = ""
    applied: Mapping[Address, Applied] = {}
    failures: Mapping[Address, Failure] = {}
    corrections: Mapping[Address, Corrections] = {}

    def forget_failures(self, address: Address | None) -> Memory:
        """A person wants it tried again: one resource, or all of them."""

        def keeps(other: Address) -> bool:
            return address is not None and address not in (other, other.whole)

        return self._replace(
            failures={key: value for key, value in self.failures.items() if keeps(key)},
            corrections={key: value for key, value in self.corrections.items() if keeps(key)},
        )


def declaration_of(resource: Resource) -> str:
    """A digest of all that a resource declares; where it stands in the files does not count."""
    return digest(_plain(resource._replace(origin=Origin("", ()))))[:16]


def revision_of(desired: DesiredState) -> str:
    """A name for what is declared, where the source has none: the same for the same resources."""
    named = {str(address): declaration_of(resource) for address, resource in desired.resources.items()}
    return digest([desired.project, desired.prune, named])[:12]


def applied_of(resource: Resource) -> Applied:
    settings = ""
    if isinstance(resource, ContainerResource):
        settings = fingerprint_text(Kind.CONTAINER, declared_options(resource), in_place=True)
    return Applied(declaration_of(resource), settings)


def _plain(value: Any) -> Any:
    """As JSON can write it. Named tuples are lists, keys are texts; of contents there is only a hash, of secrets a slow one."""
    if isinstance(value, Content):
        return [value.key, hash_content(value, salt_of("", "declaration", value))]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | frozenset):
        items = [_plain(item) for item in value]
        return sorted(items, key=str) if isinstance(value, frozenset) else items
    return value


# --- as JSON -------------------------------------------------------------------------------------------------------


def to_json(memory: Memory) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "revision": memory.revision,
        "applied": {str(key): value._asdict() for key, value in memory.applied.items()},
        "failures": {str(key): value._asdict() for key, value in memory.failures.items()},
        "corrections": {str(key): value._asdict() for key, value in memory.corrections.items()},
    }


def from_json(document: Any) -> Memory:
    """Raises ValueError for what is no memory of ours; a newer program's is none."""
    try:
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}, and {FORMAT} is known")
        corrections = {
            parse_address(key): Corrections(
                str(value["declared"]),
                tuple(float(time) for time in value["times"]),
                bool(value["is_flapping"]),
                tuple(str(field) for field in value.get("fields", ())),
                bool(value.get("sticks", True)),
            )
            for key, value in document["corrections"].items()
        }
        failures = {
            parse_address(key): Failure(
                str(value["key"]),
                int(value["tries"]),
                bool(value["is_final"]),
                str(value["message"]),
                float(value["next_at"]),
                float(value["since"]),
                int(value.get("restores", 0)),
            )
            for key, value in document["failures"].items()
        }
        applied = {
            parse_address(key): Applied(str(value["declared"]), str(value["settings"]))
            for key, value in document["applied"].items()
        }
        return Memory(str(document["revision"]), applied, failures, corrections)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it has not the form of a memory: {error!r}") from error
