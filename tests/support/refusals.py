"""What an engine of the matrix cannot do: that it is refused in full, and ends the test.

While a test runs that `tests/matrix/refusals.py` names, `expected` holds the words of the refusal, and `Workbench.plan`
and `Project.run` look out for them.
"""

from __future__ import annotations

import re

#: an expression for all that is said of what is refused; "" when the test is not about a refusal
expected = ""


class Refused(Exception):  # noqa: N818 - no error: it is how such a test ends well
    """The refusal was as it should be."""


def is_expected(note: str) -> bool:
    """Whether this is the refusal that the test is to meet."""
    return bool(expected) and re.fullmatch(expected, note) is not None


def seen_by_person(words: tuple[str, ...], code: int, said: str) -> None:
    """What a run of the command line printed, and how it ended: what it refuses ends the test, where its status tells."""
    tells = {"apply": 1, "plan": 2 if "--detailed-exitcode" in words else None}.get(words[0])
    if expected and tells and (found := re.search(expected, said)):
        assert code == tells, said
        assert "Traceback" not in said
        raise Refused(found[0])
