"""The decision table: every row by an example, all situations at once, and the copy in docs/planning.md."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from reconciler.model.address import Kind
from reconciler.model.ownership import Owner
from reconciler.model.plan import Reason, Verb
from reconciler.planning.decide import TABLE, Difference, Row, Situation, decide
from tests.support.golden import golden

DOCUMENT = Path(__file__).parents[2] / "docs" / "planning.md"
BEGIN, END = "<!-- table: written by tests/planning/test_decide.py -->\n", "<!-- end of table -->\n"

IMAGE, NETWORK, VOLUME, CONTAINER = Kind.IMAGE, Kind.NETWORK, Kind.VOLUME, Kind.CONTAINER
OURS, THEIRS, NOBODY = Owner.OURS, Owner.THEIRS, Owner.NOBODY
IN_PLACE, FOR_GOOD, HALF = Difference.IN_PLACE, Difference.REPLACEMENT, Difference.INTERRUPTED
UNDONE = Difference.UNDONE

#: one for each row, in the order of the table: a situation, and what follows
EXAMPLES: tuple[tuple[Situation, Verb | None, Reason | None], ...] = (
    (Situation(VOLUME, external=True), Verb.BLOCKED, Reason.ABSENT),
    (Situation(NETWORK, external=True, owner=THEIRS, difference=FOR_GOOD), None, None),
    (Situation(CONTAINER), Verb.CREATE, Reason.ABSENT),
    (Situation(VOLUME, owner=THEIRS, adopt=True), Verb.BLOCKED, Reason.OWNED_BY_OTHER),
    (Situation(IMAGE, owner=NOBODY), Verb.BLOCKED, Reason.NAME_TAKEN),
    (Situation(IMAGE, owner=NOBODY, adopt=True), Verb.ADOPT, Reason.REQUESTED),
    (Situation(CONTAINER, owner=NOBODY), Verb.BLOCKED, Reason.NAME_TAKEN),
    (Situation(CONTAINER, owner=NOBODY, adopt=True), Verb.ADOPT, Reason.REQUESTED),
    (Situation(NETWORK, owner=NOBODY, adopt=True), None, None),
    (Situation(VOLUME, owner=NOBODY, adopt=True, difference=FOR_GOOD), Verb.BLOCKED, Reason.NAME_TAKEN),
    (Situation(NETWORK, owner=OURS, newer=True), Verb.BLOCKED, Reason.OWNED_BY_OTHER),
    (Situation(CONTAINER, owner=OURS), None, None),
    (Situation(CONTAINER, owner=OURS, difference=HALF), Verb.UPDATE, Reason.INTERRUPTED),
    (Situation(CONTAINER, owner=OURS, difference=UNDONE), Verb.UPDATE, None),
    (Situation(CONTAINER, owner=OURS, difference=IN_PLACE), Verb.UPDATE, None),
    (Situation(VOLUME, owner=OURS, difference=FOR_GOOD), Verb.BLOCKED, Reason.WOULD_LOSE_DATA),
    (Situation(NETWORK, owner=OURS, difference=FOR_GOOD, strangers=True), Verb.BLOCKED, Reason.OWNED_BY_OTHER),
    (Situation(NETWORK, owner=OURS, difference=FOR_GOOD), Verb.REPLACE, None),
    (Situation(VOLUME, declared=False, owner=OURS, newer=True, prune=True), Verb.BLOCKED, Reason.OWNED_BY_OTHER),
    (Situation(VOLUME, declared=False, owner=OURS), None, None),
    (Situation(VOLUME, declared=False, owner=OURS, prune=True, strangers=True), Verb.BLOCKED, Reason.OWNED_BY_OTHER),
    (Situation(VOLUME, declared=False, owner=OURS, prune=True), Verb.REMOVE, Reason.ORPHAN),
    (Situation(CONTAINER, declared=False, owner=THEIRS), None, None),
)


def every_situation() -> list[Situation]:
    flags = (False, True)
    owners = (None, *Owner)
    return [
        Situation(*values) for values in product(Kind, flags, flags, owners, flags, Difference, flags, flags, flags)
    ]


@pytest.mark.parametrize(
    ("row", "example"), list(zip(TABLE, EXAMPLES, strict=True)), ids=lambda item: getattr(item, "because", "")
)
def test_row(row: Row, example: tuple[Situation, Verb | None, Reason | None]) -> None:
    """The example comes to this row and no earlier one, with the verdict that is written here a second time."""
    situation, verb, reason = example
    assert decide(situation) is row
    assert (row.verb, row.reason) == (verb, reason)


def test_every_situation_is_decided_and_every_row_decides() -> None:
    decided = {id(decide(situation)) for situation in every_situation()}
    assert decided == {id(row) for row in TABLE}


def test_what_holds_in_every_situation() -> None:
    """The rules of ownership, against all situations."""
    for situation in every_situation():
        verb = decide(situation).verb
        if situation.owner in (THEIRS, None) or (situation.owner is NOBODY and not situation.adopt):
            assert verb in (None, Verb.BLOCKED, Verb.CREATE), situation
        if situation.owner is not None:
            assert verb is not Verb.CREATE, situation
        if situation.newer and situation.owner is OURS and not situation.external:
            assert verb is Verb.BLOCKED, situation
        if situation.kind is VOLUME:
            assert verb is not Verb.REPLACE, situation
            assert verb is not Verb.REMOVE or situation.prune, situation
        if situation.strangers and situation.kind is NETWORK:
            assert verb not in (Verb.REPLACE, Verb.REMOVE), situation
        if verb is Verb.REMOVE:
            assert not situation.declared, situation
            assert situation.owner is OURS, situation
        if verb is Verb.ADOPT:
            assert situation.adopt, situation
            assert situation.kind in (CONTAINER, IMAGE), situation


# --- the copy in the documentation ---------------------------------------------------------------------------------

_WORDS: dict[tuple[str, object], str] = {
    ("declared", True): "declared",
    ("declared", False): "not declared",
    ("external", True): "external",
    ("owner", None): "nothing has its name",
    ("owner", OURS): "ours",
    ("owner", THEIRS): "another project's",
    ("owner", NOBODY): "nobody's",
    ("newer", True): "made by a newer version",
    ("adopt", False): "without `adopt`",
    ("strangers", True): "strangers use it",
    ("prune", False): "may not be pruned",
    **{("kind", kind): f"{'an' if kind is IMAGE else 'a'} {kind.value}" for kind in Kind},
    **{("difference", difference): difference.value for difference in Difference},
}


def table_text() -> str:
    lines = ["| | situation | verb | reason | because |", "|---|---|---|---|---|"]
    for number, row in enumerate(TABLE, 1):
        words = ", ".join(_WORDS[item] for item in row.conditions.items())
        verb = row.verb.value if row.verb else "–"
        reason = row.reason.value if row.reason else "that of its fields" if row.verb else "–"
        lines.append(f"| {number} | {words} | {verb} | {reason} | {row.because} |")
    return "\n".join(lines) + "\n"


def test_the_documentation_shows_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    golden(DOCUMENT, f"{before}{BEGIN}\n{table_text()}\n{END}{after}")
