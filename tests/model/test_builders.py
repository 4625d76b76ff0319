"""What a builder cannot do is known before it is asked."""

import pytest

from reconciler.model.builders import buildkit_options, hindrance
from reconciler.model.contents import Content
from reconciler.model.desired import Build, BuildSecret
from reconciler.model.observed import EngineFacts

CLASSIC = EngineFacts(no_buildkit="it is not installed here; install it")
OLD, NEW = EngineFacts(api_version=(1, 41)), EngineFacts(api_version=(1, 51))
INDEXES = NEW._replace(keeps_indexes=True)
SECRET = BuildSecret("token", Content("secrets", "token", b"x"))


@pytest.mark.parametrize(
    "build",
    [
        Build("/c"),
        Build("/c", inline="FROM x\n", target="a", args={"A": "1"}, labels={"a": "b"}, no_cache=True, pull=True),
        Build("/c", platforms=("linux/amd64",), cache_from=("shop:cache",), network="host", extra_hosts=("a:1.2.3.4",)),
    ],
)
def test_what_every_builder_does(build: Build) -> None:
    assert [hindrance(build, facts) for facts in (CLASSIC, OLD, NEW, INDEXES)] == ["", "", "", ""]


@pytest.mark.parametrize(
    ("build", "option"),
    [
        (Build("/c", contexts={"a": "/a"}), "additional_contexts"),
        (Build("/c", cache_to=("type=inline",)), "cache_to"),
        (Build("/c", cache_from=("type=local,src=/x",)), "cache_from with type="),
        (Build("/c", entitlements=("network.host",)), "entitlements"),
        (Build("/c", privileged=True), "privileged"),
        (Build("/c", provenance="mode=max"), "provenance"),
        (Build("/c", sbom="true"), "sbom"),
        (Build("/c", secrets=(SECRET,)), "secrets"),
        (Build("/c", ssh=("default",)), "ssh"),
        (Build("/c", platforms=("linux/amd64", "linux/arm64")), "platforms"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_only_buildkit_does(build: Build, option: str) -> None:
    assert buildkit_options(build) == (option,)
    assert hindrance(build, CLASSIC) == (
        f"build: {option} needs docker buildx, and it is not installed here; install it"
    )
    assert hindrance(build, INDEXES) == ""


def test_what_an_early_buildkit_drops_in_silence() -> None:
    for build in (Build("/c", shm_size=1), Build("/c", ulimits={"nofile": "1:1"})):
        assert hindrance(build, CLASSIC) == hindrance(build, NEW) == ""
        assert hindrance(build, OLD).endswith(
            "this engine speaks 1.41; DOCKER_BUILDKIT=0 takes the classic builder, which has them"
        )
    assert hindrance(Build("/c", contexts={"a": "/a"}), OLD).endswith("this engine speaks 1.41")


def test_what_an_image_store_cannot_hold() -> None:
    for build, option in (
        (Build("/c", platforms=("linux/amd64", "linux/arm64")), "platforms (several)"),
        (Build("/c", provenance="true"), "provenance"),
        (Build("/c", cache_to=("type=registry,ref=x/y",)), "cache_to other than type=inline"),
        (Build("/c", cache_to=("x/y:cache",)), "cache_to other than type=inline"),
    ):
        assert hindrance(build, NEW).startswith(f"build: {option} needs an engine with the containerd image store")
        assert hindrance(build, INDEXES) == ""


def test_networks_of_the_engine() -> None:
    build = Build("/c", network="shop_backend")
    assert hindrance(build, CLASSIC) == ""
    assert "only in the networks default, host and none" in hindrance(build, NEW)
