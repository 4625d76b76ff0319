"""Scalars: what Compose makes of them, as recorded from it."""

from __future__ import annotations

import pytest

from reconciler.convert.compose.scalars import plain_scalar, show_scalar

RECORDED = {
    "yes": "yes", "on": "on", "True": "true", "FALSE": "false", "22:22": "22:22", "0x1F": "31", "0755": "493", "0o17": "15",
    "08": "8", "0b11": "3", "1_000": "1000", "+5": "5", "-0": "0", "1.50": "1.5", "1.": "1", "1e3": "1000", "1e21": "1e+21",
    "0.00001": "1e-05", "0.0001": "0.0001", ".inf": "+Inf", "99999999999999999999": "1e+20", "1.2.3": "1.2.3",
    "1e6": "1e+06", "1234567.5": "1.2345675e+06", "100000.0": "100000", "123456789012.25": "1.2345678901225e+11", "12345.678": "12345.678",
    "18446744073709551615": "18446744073709551615", "-9223372036854775809": "-9.223372036854776e+18", "-1e-5": "-1e-05",
}  # fmt: skip


@pytest.mark.parametrize(("written", "shown"), RECORDED.items())
def test_a_plain_scalar_where_a_text_is_wanted(written: str, shown: str) -> None:
    assert show_scalar(plain_scalar(written)) == shown


@pytest.mark.parametrize("written", ["", "~", "null", "Null"])
def test_nothing(written: str) -> None:
    assert plain_scalar(written) is None
