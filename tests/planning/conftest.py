"""Profiles of hypothesis, and a stage for each test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.planning.stage import Stage

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
#: `ci` finds the same on every machine; `search` looks further, with HYPOTHESIS_PROFILE=search
settings.register_profile(
    "ci", max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=_SLOW
)
settings.register_profile("search", max_examples=1500, deadline=None, suppress_health_check=_SLOW)
settings.register_profile(
    "quick", max_examples=10, deadline=None, phases=(Phase.generate,), suppress_health_check=_SLOW
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A project without anything."""
    return Stage(tmp_path)


@pytest.fixture(scope="module")
def stages() -> Iterator[Callable[[], Stage]]:
    """Makes a fresh stage each time: a test of hypothesis runs many worlds."""
    with TemporaryDirectory() as directory:
        numbers = iter(range(10**9))

        def make() -> Stage:
            path = Path(directory) / str(next(numbers))
            path.mkdir()
            return Stage(path)

        yield make
