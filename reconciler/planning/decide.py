"""The decision table: one resource, what the engine holds under its name, and what follows from it.

The rows are read top-down and the first that fits decides. `docs/planning.md` shows this very table; a test compares
the two.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import NamedTuple

from reconciler.model.address import Kind
from reconciler.model.ownership import Owner
from reconciler.model.plan import Reason, Verb


class Difference(StrEnum):
    """How the object differs from the resource."""

    NONE = "equal"
    IN_PLACE = "differs in place"
    REPLACEMENT = "differs for good"
    UNDONE = "a job that did not end well"
    INTERRUPTED = "half replaced"


class Situation(NamedTuple):
    """What decides about one resource.

    Attributes:
        declared: the spec has it. external: it says that the object is somebody else's.
        owner: whose the object is; None when there is none.
        newer: it was made by a newer version of this program.
        difference: how it differs.
        adopt: the spec allows taking it over.
        strangers: containers that are not ours are attached (networks), or use it (volumes).
        prune: a volume may go.
    """

    kind: Kind
    declared: bool = True
    external: bool = False
    owner: Owner | None = None
    newer: bool = False
    difference: Difference = Difference.NONE
    adopt: bool = False
    strangers: bool = False
    prune: bool = False


class Row(NamedTuple):
    """One line of the table: conditions on a situation, the verdict, and why it is so.

    A verb of None means that nothing happens. A reason of None is the weightiest of the differing fields.
    """

    conditions: dict[str, object]
    verb: Verb | None
    reason: Reason | None
    because: str


_OURS, _THEIRS, _NOBODY = Owner.OURS, Owner.THEIRS, Owner.NOBODY

TABLE: tuple[Row, ...] = (
    Row({"declared": True, "external": True, "owner": None}, Verb.BLOCKED, Reason.ABSENT, "what is external is not made"),
    Row({"declared": True, "external": True}, None, None, "what is external is used and never touched"),
    Row({"declared": True, "owner": None}, Verb.CREATE, Reason.ABSENT, "it is not there"),
    Row({"declared": True, "owner": _THEIRS}, Verb.BLOCKED, Reason.OWNED_BY_OTHER, "another project owns it"),
    Row({"declared": True, "owner": _NOBODY, "kind": Kind.IMAGE, "adopt": False}, Verb.BLOCKED, Reason.NAME_TAKEN, "the tag is on an image that we did not build"),
    Row({"declared": True, "owner": _NOBODY, "kind": Kind.IMAGE}, Verb.ADOPT, Reason.REQUESTED, "it is built, and the tag goes over to it"),
    Row({"declared": True, "owner": _NOBODY, "adopt": False}, Verb.BLOCKED, Reason.NAME_TAKEN, "somebody made it by hand"),
    Row({"declared": True, "owner": _NOBODY, "kind": Kind.CONTAINER}, Verb.ADOPT, Reason.REQUESTED, "labels cannot be added, so it is replaced"),
    Row({"declared": True, "owner": _NOBODY, "difference": Difference.NONE}, None, None, "it is used as it is"),
    Row({"declared": True, "owner": _NOBODY}, Verb.BLOCKED, Reason.NAME_TAKEN, "it differs, and is not ours to replace"),
    Row({"declared": True, "owner": _OURS, "newer": True}, Verb.BLOCKED, Reason.OWNED_BY_OTHER, "a newer version made it"),
    Row({"declared": True, "owner": _OURS, "difference": Difference.NONE}, None, None, "it is as declared"),
    Row({"declared": True, "owner": _OURS, "difference": Difference.INTERRUPTED}, Verb.UPDATE, Reason.INTERRUPTED, "a replacement was cut off and is completed or undone"),
    Row({"declared": True, "owner": _OURS, "difference": Difference.UNDONE}, Verb.UPDATE, None, "it runs again; one that ended well does not"),
    Row({"declared": True, "owner": _OURS, "difference": Difference.IN_PLACE}, Verb.UPDATE, None, "the engine can change it in place"),
    Row({"declared": True, "owner": _OURS, "kind": Kind.VOLUME}, Verb.BLOCKED, Reason.WOULD_LOSE_DATA, "a volume cannot be changed, only replaced"),
    Row({"declared": True, "owner": _OURS, "kind": Kind.NETWORK, "strangers": True}, Verb.BLOCKED, Reason.OWNED_BY_OTHER, "containers that are not ours are attached"),
    Row({"declared": True, "owner": _OURS}, Verb.REPLACE, None, "the engine cannot change it in place"),
    Row({"declared": False, "owner": _OURS, "newer": True}, Verb.BLOCKED, Reason.OWNED_BY_OTHER, "a newer version made it"),
    Row({"declared": False, "owner": _OURS, "kind": Kind.VOLUME, "prune": False}, None, None, "a volume goes only when asked"),
    Row({"declared": False, "owner": _OURS, "strangers": True}, Verb.BLOCKED, Reason.OWNED_BY_OTHER, "containers that are not ours use it"),
    Row({"declared": False, "owner": _OURS}, Verb.REMOVE, Reason.ORPHAN, "it has left the spec"),
    Row({"declared": False}, None, None, "what is not ours is never touched"),
)  # fmt: skip


@cache
def decide(situation: Situation) -> Row:
    """The first row that fits."""
    values = situation._asdict()
    for row in TABLE:
        if all(values[name] == wanted for name, wanted in row.conditions.items()):
            return row
    raise AssertionError(situation)  # the last two rows fit everything
