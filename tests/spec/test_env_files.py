"""The syntax of `.env` and of what `env_file` names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.spec.env_files import parse_env_file

ENVIRONMENT = {"HOME": "/home/someone", "TAKEN": "outside"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("\n# comment\n  # another\n\nA=1\n", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("  A = 1  ", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A: 1", {"A": "1"}),
        ("A=a=b", {"A": "a=b"}),
        ("A=one two # comment", {"A": "one two"}),
        ("A=one#two", {"A": "one#two"}),
        ("A= # comment", {"A": ""}),
        ("A='$HOME # x'", {"A": "$HOME # x"}),
        ('A="$HOME # x" # comment', {"A": "/home/someone # x"}),
        (r'A="a\n\"b\"\\ \$HOME"', {"A": 'a\n"b"\\ $HOME'}),
        (r"A='a\n'", {"A": r"a\n"}),
        ('A="two\nlines"\nB=1', {"A": "two\nlines", "B": "1"}),
        ("A='two\nlines'", {"A": "two\nlines"}),
        ("A=1\nB=${A}2", {"A": "1", "B": "12"}),
        ("HOME=/x\nB=$HOME", {"HOME": "/x", "B": "/home/someone"}),
        ("A=${NOT:-default}", {"A": "default"}),
        ("TAKEN\nABSENT", {"TAKEN": "outside"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("A=1\nA=2", {"A": "2"}),
        ("a.b-c[0]=1", {"a.b-c[0]": "1"}),
    ],
)
def test_parse(text: str, expected: dict[str, str]) -> None:
    assert parse_env_file(text, ENVIRONMENT.get) == (expected, [])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A=1\nnot a line\nB=2", 2, "this line is not NAME=value"),
        ('A=1\n\nB="open', 3, "this line is not NAME=value"),
        ('A="x"y', 1, "this line is not NAME=value"),
        ("=1", 1, "this line is not NAME=value"),
        ("9=1", 1, "this line is not NAME=value"),
        ("A='two\nlines'\nB=$NOT", 3, "the variable NOT is not set"),
        ("A=1$", 1, "'$' is not a reference to a variable"),
        ("A=\x00", 1, "the value of A holds a control character"),
    ],
)
def test_mistakes_have_their_line(text: str, line: int, message: str) -> None:
    _, mistakes = parse_env_file(text, ENVIRONMENT.get)
    assert [(mistake.line, mistake.message) for mistake in mistakes] == [(line, message)]


def test_lines_after_a_mistake_are_read() -> None:
    variables, mistakes = parse_env_file("?\nA=1\n?\nB=2", {}.get)
    assert (variables, [mistake.line for mistake in mistakes]) == ({"A": "1", "B": "2"}, [1, 3])


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_read(text: str) -> None:
    parse_env_file(text, {}.get)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="'\r", exclude_categories=["Cc", "Cs"])))
def test_single_quotes_keep_everything(value: str) -> None:
    assert parse_env_file(f"A='{value}'", {}.get) == ({"A": value}, [])
