"""A look at a file before it is parsed, in linear time: TOML parsers recurse on brackets and are quadratic in dots.

10 KiB of brackets end a recursive parser, 39 KiB of dotted key keep one busy for seconds, and Python refuses to read
a number of 5,000 digits with an error of its own. No container bears a list of 2,000 entries; such only cost time.
"""

from __future__ import annotations

import re

MAX_DEPTH = 32
MAX_KEY_PARTS = 32
MAX_ENTRIES = 2000
MAX_DIGITS = 64

# Strings and comments are stepped over whole; the quantifiers never give back what they took, so nothing backtracks.
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""""{0,2})?'
    r"|'''(?:[^']|'(?!''))*+(?:''''{0,2})?"
    r'|"(?:[^"\\\n]|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|\#[^\n]*+"
    r"|(?P<digits>[0-9][0-9a-fA-FxX_]{" + str(MAX_DIGITS) + r",})"
    r"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<dot>\.)|(?P<comma>,)|(?P<end>[\n=])",
    re.DOTALL,
)


def refuse(text: str) -> tuple[int, str] | None:
    """(line, reason) of the first thing in a TOML text that a parser must not be given; None when it is harmless."""
    parts = 0
    commas: list[int] = []  # in each bracket that is open
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind is None:
            continue
        parts = parts + 1 if kind == "dot" else 0
        if parts >= MAX_KEY_PARTS:
            return _line(text, match), f"a key has more than {MAX_KEY_PARTS} parts"
        if kind == "open":
            commas.append(0)
            if len(commas) > MAX_DEPTH:
                return _line(text, match), f"brackets are nested more than {MAX_DEPTH} deep"
        elif kind == "close" and commas:
            commas.pop()
        elif kind == "comma" and commas:
            commas[-1] += 1
            if commas[-1] > MAX_ENTRIES:
                return _line(text, match), f"a list has more than {MAX_ENTRIES} entries"
        elif kind == "digits":
            return _line(text, match), f"a number has more than {MAX_DIGITS} digits"
    return None


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1
