"""The two ways to build, as the environment that chooses them."""

import os

import pytest

from reconciler.engine.buildx import find_buildx

CLASSIC = {"DOCKER_BUILDKIT": "0"}
BUILDX = {"DOCKER_BUILDKIT": "1"}


def need_buildx() -> None:
    if not find_buildx(os.environ):
        pytest.fail("there is no docker-buildx: run scripts/buildx, then tests by `scripts/engine exec`", pytrace=False)
