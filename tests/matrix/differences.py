"""What the engines do otherwise than the newest Docker, on purpose or for good: declared here and nowhere else.

A test named here is expected to fail on those engines (and is reported when it passes after all: the entry has gone
stale); it is never skipped. `docs/engines.md` prints the reasons.
"""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """`tests` are the ends of test ids; `engine` is the kind of scripts/engine; `reason` is for the reader of the docs."""

    engine: str
    reason: str
    tests: tuple[str, ...]


DIFFERENCES: tuple[Difference, ...] = ()

#: what a reader should know of each engine, beside the tests
NOTES = {
    "docker20": (
        (
            "The oldest that is supported. A MAC address is taken for the first network only, and health checks have no "
            "`start_interval`; both are refused when planned."
        ),
    ),
    "docker26": ("Volumes have `subpath` since API 1.45.",),
    "docker28": ("The newest API that is spoken, 1.51, is the one of 28.5.",),
    "docker20-odd": (
        (
            "Docker 20.10 whose defaults are not the built-in ones: "
            "`{flags}`. "
            "None of them can be read from the engine, so none is compared while a spec is silent."
        ),
    ),
    "podman5": (
        (
            "Its Docker-compatible API says 1.41 and is taken at its word; what it answers otherwise is put into Docker's "
            "words in `reconciler/engine/podman.py`."
        ),
        (
            "Health checks never run by themselves without systemd: the status stays `starting`, so `depends_on` with the "
            "condition `healthy` ends in a time-out."
        ),
        (
            "It fills in limits and settings that nobody asked for (2048 processes, 10 s to stop, the working directory, "
            "variables): they are compared only as far as the spec says them."
        ),
    ),
}


def expected(engine: str, test: str) -> str:
    """Why this test is expected to fail on this engine; "" when it is not."""
    return next((d.reason for d in DIFFERENCES if d.engine == engine and test.endswith(d.tests)), "")
