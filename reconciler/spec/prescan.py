"""A look at a file before it is parsed, in linear time: TOML parsers recurse on brackets and are quadratic in dots.

10 KiB of brackets end a recursive parser, 39 KiB of dotted key keep one busy for seconds, and Python refuses to read
a number of 5,000 digits with an error of its own.
"""

from __future__ import annotations

import re

MAX_DEPTH = 32
MAX_KEY_PARTS = 32
MAX_DIGITS = 64

# Strings and comments are stepped over whole; the quantifiers never give back what they took, so nothing backtracks.
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""""{0,2})?'
    r"|'''(?:[^']|'(?!''))*+(?:''''{0,2})?"
    r'|"(?:[^"\\\n]|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|\#[^\n]*+"
    r"|(?P<digits>[0-9][0-9a-fA-FxX_]{" + str(MAX_DIGITS) + r",})"
    r"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<dot>\.)|(?P<end>[\n=,])",
    re.DOTALL,
)


def refuse(text: str) -> tuple[int, str] | None:
    """(line, reason) of the first thing in a TOML text that a parser must not be given; None when it is harmless."""
    depth = parts = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "dot":
            parts += 1
            if parts >= MAX_KEY_PARTS:
                return _line(text, match), f"a key has more than {MAX_KEY_PARTS} parts"
        elif kind == "open":
            depth, parts = depth + 1, 0
            if depth > MAX_DEPTH:
                return _line(text, match), f"brackets are nested more than {MAX_DEPTH} deep"
        elif kind == "close":
            depth, parts = max(depth - 1, 0), 0
        elif kind == "end":
            parts = 0
        elif kind == "digits":
            return _line(text, match), f"a number has more than {MAX_DIGITS} digits"
    return None


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1
