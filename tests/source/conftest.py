"""A repository to fetch from, and a source that does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.source.git_source import GitSource
from reconciler.source.settings import GitSettings
from tests.source.origin import Origin

Follow = Callable[..., GitSource]


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    made = Origin(tmp_path / "served" / "app")
    made.commit({"hosts/a/app.toml": "one\n"}, "the first")
    return made


@pytest.fixture
def follow(origin: Origin, tmp_path: Path) -> Follow:
    """Makes a source of the origin; what is given overrides its settings. The state is the same for all of a test."""

    def make(environment: dict[str, str] | None = None, **given: object) -> GitSource:
        settings = GitSettings(origin.url, path="hosts/a", timeout=20.0)
        return GitSource(settings._replace(**given), tmp_path / "state", environment or {})

    return make
