"""Command lines: what Compose makes of them, as recorded from it."""

from __future__ import annotations

import pytest

from reconciler.convert.compose.words import split_words

RECORDED: dict[str, list[str]] = {
    "echo a && echo b; c > d": ["echo", "a"],
    "sh -c 'x | y' # c": ["sh", "-c", "x | y", "#", "c"],
    "": [],
}


@pytest.mark.parametrize(("text", "words"), RECORDED.items())
def test_the_words_of_a_command(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize("text", ["a (b)", "a 'b", 'a "b', "a `b", "a $(b", "a \\"])
def test_what_is_not_closed(text: str) -> None:
    with pytest.raises(ValueError, match="not closed|outside quotes"):
        split_words(text)
