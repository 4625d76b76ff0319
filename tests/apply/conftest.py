"""A stage for each test."""

from pathlib import Path

import pytest

from tests.planning.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A project without anything."""
    return Stage(tmp_path)
