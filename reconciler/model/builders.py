"""What a builder cannot do, known before it is asked: the engine's classic one, and BuildKit with a simple image store."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.desired import Build
from reconciler.model.observed import EngineFacts

#: the modes of BuildKit's network; "" is the first
BUILDKIT_NETWORKS = frozenset({"", "default", "host", "none"})
#: the API of the engine whose BuildKit no longer drops further options in silence (Docker 23)
_WHOLE_BUILDKIT = (1, 42)


def buildkit_options(build: Build) -> tuple[str, ...]:
    """The declared options that only BuildKit has, as the spec calls them."""
    return tuple(_buildkit_options(build))


def _buildkit_options(build: Build) -> Iterator[str]:
    named = {
        "additional_contexts": build.contexts,
        "cache_to": build.cache_to,
        "entitlements": build.entitlements,
        "privileged": build.privileged,
        "provenance": build.provenance,
        "sbom": build.sbom,
        "secrets": build.secrets,
        "ssh": build.ssh,
    }
    yield from (name for name, value in named.items() if value)
    if len(build.platforms) > 1:
        yield "platforms"
    if any("=" in source for source in build.cache_from):
        yield "cache_from with type="


def hindrance(build: Build, facts: EngineFacts) -> str:
    """Why an engine cannot build this, with what to do; "" when nothing is known to be in the way."""
    if facts.no_buildkit:
        options = buildkit_options(build)
        return f"build: {_need(options)} docker buildx, and {facts.no_buildkit}" if options else ""
    if build.network not in BUILDKIT_NETWORKS:
        return (
            f"build: BuildKit builds only in the networks default, host and none, not in {build.network};"
            " DOCKER_BUILDKIT=0 takes the classic builder"
        )
    early = {"additional_contexts": build.contexts, "shm_size": build.shm_size, "ulimits": build.ulimits}
    options = tuple(name for name, value in early.items() if value)
    if options and facts.api_version < _WHOLE_BUILDKIT:
        return (
            f"build: {_need(options)} an engine of API 1.42 (Docker 23), since the BuildKit of this one does"
            f" without; this engine speaks {facts.api_text}"
            + ("" if build.contexts else "; DOCKER_BUILDKIT=0 takes the classic builder, which has them")
        )
    options = tuple(_index_options(build))
    if options and not facts.keeps_indexes:
        return (
            f"build: {_need(options)} an engine with the containerd image store, and this one keeps one"
            " platform and nothing else under a name; turn it on in the engine's daemon.json"
            ' ("features": {"containerd-snapshotter": true}), or leave it out'
        )
    return ""


def _need(options: tuple[str, ...]) -> str:
    return f"{', '.join(options)} {'needs' if len(options) == 1 else 'need'}"


def _index_options(build: Build) -> Iterator[str]:
    """Options whose result the simple image store of an engine cannot hold, or whose way it does not have."""
    if len(build.platforms) > 1:
        yield "platforms (several)"
    for name, value in (("provenance", build.provenance), ("sbom", build.sbom)):
        if value:
            yield name
    if any("type=inline" not in target.split(",") for target in build.cache_to):
        yield "cache_to other than type=inline"
