"""What an engine says of itself, and the version of its API to speak."""

from __future__ import annotations

import re

from reconciler.engine.interface import Json
from reconciler.errors import EngineError
from reconciler.model.observed import EngineFacts

#: the lowest version of the API that has all we need, and the highest we were tested with
LOWEST, HIGHEST = (1, 41), (1, 51)


def negotiate(told: str) -> tuple[int, int] | None:
    """The version to speak, from the header `Api-Version` of an engine: theirs, or ours when theirs is newer.

    One whose lowest version is above ours says so when it is spoken to; see `refusals`. None: that is no version.

    Raises:
        EngineError: theirs is too old.
    """
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", told)
    if match is None:
        return None
    newest = (int(match[1]), int(match[2]))
    if newest < LOWEST:
        raise EngineError(
            f"the engine speaks API {_text(newest)}; at least {_text(LOWEST)} is needed: update it to Docker 20.10 or later"
        )
    return min(newest, HIGHEST)


def read_facts(answer: Json, spoken: tuple[int, int]) -> EngineFacts:
    """What `GET /info` tells.

    Raises:
        EngineError: it runs containers of another system than Linux.
    """
    facts = EngineFacts(
        id=str(answer.get("ID") or ""),
        name=str(answer.get("Name") or ""),
        version=str(answer.get("ServerVersion") or ""),
        api_version=spoken,
        os_type=str(answer.get("OSType") or "linux"),
        architecture=str(answer.get("Architecture") or ""),
        logging_driver=str(answer.get("LoggingDriver") or "json-file"),
        default_runtime=str(answer.get("DefaultRuntime") or "runc"),
        swap_limit=bool(answer.get("SwapLimit", True)),
        # Podman, whose builder is Buildah.
        no_buildkit="Podman has no BuildKit; leave that out on this engine" if "BuildahVersion" in answer else "",
        keeps_indexes=["driver-type", "io.containerd.snapshotter.v1"] in (answer.get("DriverStatus") or ()),
    )
    if facts.os_type != "linux":
        raise EngineError(
            f"the engine {facts.name} runs containers of {facts.os_type}; only those of Linux are known here"
        )
    return facts


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
