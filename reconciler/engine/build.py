"""One call of the engine's classic builder: its parameters, its logins, and why it may fail. BuildKit: see `buildkit`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from reconciler.engine.context import INLINE_NAME, archive
from reconciler.engine.credentials import Logins, registry_of
from reconciler.engine.dockerfile import base_images, buildkit_features
from reconciler.engine.interface import Progress
from reconciler.engine.sdk import Sdk
from reconciler.engine.streams import follow_build, read_lines
from reconciler.errors import EngineRefusedError
from reconciler.model.desired import Build
from reconciler.model.forms import write_ulimits
from reconciler.model.redaction import secrets_of_build


class ClassicBuilder(NamedTuple):
    """The builder that every engine has.

    Attributes:
        no_buildkit: why it is used.
        silence: how long it may say nothing.
        heeded: the ignore file that it heeds before every other, if there is one.
    """

    sdk: Sdk
    logins: Logins
    no_buildkit: str
    silence: float
    heeded: str = ""

    def build(
        self,
        build: Build,
        dockerfile: str,
        tags: Sequence[str],
        labels: Mapping[str, str],
        content: str,
        progress: Progress,
    ) -> None:
        """Send the context and follow what comes of it; `content` is its hash when the build was planned."""
        doing = f"build {tags[0] if tags else build.context}"
        chunks = self.sdk.stream(
            doing,
            "/build",
            params=build_parameters(build, tags, labels),
            headers=build_headers(build, dockerfile, self.logins),
            content=archive(build, content, self.heeded),
            silence=self.silence,
        )
        try:
            with closing(chunks):
                follow_build(read_lines(chunks, doing), doing, progress, secrets_of_build(build))
        except EngineRefusedError as error:
            if note := classic_builder_note(dockerfile, self.no_buildkit):
                raise EngineRefusedError(str(error), error.status, note) from error
            raise


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
