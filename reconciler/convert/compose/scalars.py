"""Scalars of YAML as Compose reads them: those of its Go library, which is YAML 1.2 with the numbers of 1.1.

`yes`, `on` and `22:22` are texts; `0440` is an octal number, and so is `0o440`; `1_000` is a number.
"""

from __future__ import annotations

import math
import re

from reconciler.convert.compose.values import Text

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}


def plain_scalar(text: str) -> str | int | float | bool | None:
    """The value of a scalar that stands without quotes and without a tag."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "+-.0123456789":
        return text
    if text.lower() in _SPECIAL and text[-3:] in ("inf", "Inf", "INF", "nan", "NaN", "NAN"):
        return _SPECIAL[text.lower()]
    bare = text.replace("_", "")
    if match := _INTEGER.fullmatch(bare):
        for name, base in (("hex", 16), ("bin", 2), ("oct", 8), ("dec", 10)):
            if match[name] is not None and len(match[name]) < 64:
                number = int(match["sign"] + match[name], base)
                return number if -(2**63) <= number < 2**64 else float(number)
    if _FLOAT.fullmatch(bare):
        return float(bare)
    return text


def show_scalar(value: object) -> str:
    """What Compose makes of a scalar where a text is wanted, such as in `environment` and `labels`."""
    if isinstance(value, Text):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _show_float(value)
    return str(value)


def _show_float(value: float) -> str:
    """As Go prints it: the shortest digits, an exponent below 1e-4 and from 1e6 on."""
    if math.isinf(value) or math.isnan(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if not value or 1e-4 <= abs(value) < 1e6:
        return repr(value).removesuffix(".0")
    from decimal import Decimal

    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    number = int(exponent) + len(digits) - 1
    mantissa = "".join(map(str, digits[:1])) + ("." if digits[1:] else "") + "".join(map(str, digits[1:]))
    return f"{'-' * sign}{mantissa}e{'-' if number < 0 else '+'}{abs(number):02d}"
