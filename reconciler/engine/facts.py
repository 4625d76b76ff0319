"""What an engine says of itself, and the version of its API to speak."""

from __future__ import annotations

import re

from reconciler.engine.interface import Json
from reconciler.errors import EngineError
from reconciler.model.observed import EngineFacts

#: the lowest version of the API that has all we need, and the highest we were tested with
LOWEST, HIGHEST = (1, 41), (1, 51)


def negotiate(version: Json) -> tuple[int, int]:
    """The version to speak, from the answer to an unversioned `GET /version`: theirs, or ours when theirs is newer.

    Raises:
        EngineError: there is none that both speak.
    """
    newest = _parse(version.get("ApiVersion"))
    if newest is None:
        raise EngineError("what answers is not a Docker Engine: it tells no version of its API")
    name = f"the engine (version {str(version.get('Version') or 'unknown')[:40]})"
    if newest < LOWEST:
        raise EngineError(
            f"{name} speaks API {_text(newest)}; at least {_text(LOWEST)} is needed: update it to Docker 20.10 or later"
        )
    spoken = min(newest, HIGHEST)
    oldest = _parse(version.get("MinAPIVersion"))
    if oldest is not None and oldest > spoken:
        raise EngineError(
            f"{name} speaks API {_text(oldest)} and later; we know {_text(HIGHEST)} at most: update reconciler"
        )
    return spoken


def read_facts(version: Json, answer: Json, spoken: tuple[int, int]) -> EngineFacts:
    """Both answers as one value; `answer` is that of `GET /info`.

    Raises:
        EngineError: it runs containers of another system than Linux.
    """
    facts = EngineFacts(
        id=str(answer.get("ID") or ""),
        name=str(answer.get("Name") or ""),
        version=str(version.get("Version") or answer.get("ServerVersion") or ""),
        api_version=spoken,
        os_type=str(answer.get("OSType") or "linux"),
        architecture=str(answer.get("Architecture") or ""),
        logging_driver=str(answer.get("LoggingDriver") or "json-file"),
        default_runtime=str(answer.get("DefaultRuntime") or "runc"),
        swap_limit=bool(answer.get("SwapLimit", True)),
    )
    if facts.os_type != "linux":
        raise EngineError(
            f"the engine {facts.name} runs containers of {facts.os_type}; only those of Linux are known here"
        )
    return facts


def _parse(text: object) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", text.strip()) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else None


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
