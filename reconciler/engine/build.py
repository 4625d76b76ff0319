"""One call of the engine's classic builder: its parameters, its logins, and why it may fail. BuildKit: see `buildkit`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from reconciler.engine.context import INLINE_NAME
from reconciler.engine.credentials import Logins, registry_of
from reconciler.engine.dockerfile import base_images, buildkit_features
from reconciler.model.desired import Build
from reconciler.model.forms import write_ulimits


def build_parameters(build: Build, tags: Sequence[str], labels: Mapping[str, str]) -> dict[str, str | int | list[str]]:
    """The query of `POST /build`; `labels` win over those of the build."""
    params: dict[str, str | int | list[str]] = {
        "t": list(tags),
        "dockerfile": INLINE_NAME if build.inline else build.dockerfile,
        "rm": 1,
        "forcerm": 1,
        "buildargs": json.dumps(dict(build.args), sort_keys=True),
        "labels": json.dumps({**build.labels, **labels}, sort_keys=True),
    }
    optional: dict[str, str | int | list[str]] = {
        "target": build.target,
        "platform": ",".join(build.platforms),
        "nocache": int(build.no_cache),
        "pull": int(build.pull),
        "cachefrom": json.dumps(build.cache_from) if build.cache_from else "",
        "networkmode": build.network,
        "shmsize": build.shm_size,
        "extrahosts": list(build.extra_hosts),
        "ulimits": json.dumps(write_ulimits(build.ulimits)) if build.ulimits else "",
    }
    return params | {key: value for key, value in optional.items() if value}


def build_headers(build: Build, dockerfile: str, logins: Logins) -> dict[str, str]:
    """With the logins of the registries that the Dockerfile names, and no others."""
    headers = {"Content-Type": "application/x-tar"}
    registries = {registry_of(image) for image in base_images(dockerfile, build.args)}
    if config := logins.config_for(registries):
        headers["X-Registry-Config"] = config
    return headers


def classic_builder_note(dockerfile: str, reason: str) -> str:
    """What to do about a failed build when the Dockerfile wants BuildKit; "" when it does not. `reason`: why there is none."""
    features = buildkit_features(dockerfile)
    if not features:
        return ""
    return (
        f"the Dockerfile uses {', '.join(features)}: that may need BuildKit (docker buildx), and this build used the engine's classic"
        f" builder, since {reason}"
    )
