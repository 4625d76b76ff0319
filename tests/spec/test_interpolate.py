"""References to variables, as Compose has them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.spec.interpolate import InterpolationError, interpolate

VARIABLES = {"SET": "value", "EMPTY": "", "DOLLAR": "$SET ${X}", "_1": "one"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a${SET}b$SET-c", "avaluebvalue-c"),
        ("$_1", "one"),
        ("${EMPTY}", ""),
        ("$$SET $$", "$SET $"),
        ("$$$SET", "$value"),
        ("${SET:-other}", "value"),
        ("${UNSET:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY-other}", ""),
        ("${UNSET-other}", "other"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a b:c-d?e}", "a b:c-d?e"),
        ("${UNSET:-${SET}}", "value"),
        ("${UNSET:-${ALSO:-${SET}-x}}y", "value-xy"),
        ("${UNSET:-$$}", "$"),
        ("${SET:-${UNSET}}", "value"),
        ("${SET:?not used}", "value"),
        ("${SET:+yes}", "yes"),
        ("${EMPTY:+yes}", ""),
        ("${EMPTY+yes}", "yes"),
        ("${UNSET+yes}", ""),
        ("${DOLLAR}", "$SET ${X}"),
        ("{} }", "{} }"),
        ('{"a": "${SET}"}', '{"a": "value"}'),
    ],
)
def test_interpolate(text: str, expected: str) -> None:
    assert interpolate(text, VARIABLES.get) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("$UNSET", "the variable UNSET is not set", "${UNSET:-value}"),
        ("${UNSET?}", "the variable UNSET is not set", "set UNSET"),
        ("${UNSET:?say $SET}", "the variable UNSET is not set: say value", "set UNSET"),
        ("${EMPTY:?say}", "the variable EMPTY is empty: say", "set EMPTY"),
        ("${UNSET:-${ALSO}}", "the variable ALSO is not set", "set ALSO"),
        ("100$", "'$' is not a reference", "$$"),
        ("$1", "'$1' is not a reference", "$$"),
        ("${}", "'${}' is not a reference", "$$"),
        ("${A B}", "'${A B}' is not a reference", "$$"),
        ("${SET", "'${SET' is not a reference", "$$"),
        ("${SET:-x", "'${SET:-x' is not closed", "'}'"),
        ("${A:-" * 20, "nested more than 16 deep", "write"),
    ],
)
def test_mistakes(text: str, message: str, hint: str) -> None:
    with pytest.raises(InterpolationError) as raised:
        interpolate(text, VARIABLES.get)
    assert message in str(raised.value)
    assert hint in raised.value.hint


def test_a_variable_cannot_fill_the_memory() -> None:
    with pytest.raises(InterpolationError, match="grows beyond 256 KiB"):
        interpolate("$BIG" * 10_000, {"BIG": "x" * 100_000}.get)


@given(st.text())
def test_a_text_whose_dollars_are_doubled_is_itself(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), {}.get) == text


@given(st.text(alphabet="${}:-?+AB ", max_size=40), st.dictionaries(st.sampled_from("AB"), st.text()))
def test_any_text_is_replaced_or_refused(text: str, variables: dict[str, str]) -> None:
    with contextlib.suppress(InterpolationError):
        interpolate(text, variables.get)


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="$}")))
def test_what_a_variable_holds_is_taken_as_it_is(value: str, default: str) -> None:
    assert interpolate("${A:-" + default + "}", {"A": value}.get) == (value or default)
