"""What the engine sends bit by bit: lines of JSON about a pull or a build, and the output of containers."""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.engine.interface import Json, Progress
from reconciler.engine.refusals import refused
from reconciler.errors import EngineRefusedError, OutcomeUnknownError

LONGEST_LINE = 1024 * 1024
_KEPT_LINES = 20
_STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}


def read_lines(chunks: Iterable[bytes], doing: str) -> Iterator[Json]:
    """The JSON objects in a stream, one a line, however it is cut into chunks.

    Each byte is looked at once, and no more than a line of 1 MiB is held.

    Raises:
        EngineRefusedError: a line is longer than that, or is not a JSON object.
    """
    parts: list[bytes] = []
    held = 0
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            text = b"".join([*parts, line])
            parts, held = [], 0
            if text.strip():
                yield _parse(text, doing)
        if rest:
            parts.append(rest)
            held += len(rest)
        if held > LONGEST_LINE:
            raise EngineRefusedError(f"cannot {doing}: the engine sent a line of progress longer than 1 MiB")
    last = b"".join(parts)
    if last.strip():
        yield _parse(last, doing)


def _parse(line: bytes, doing: str) -> Json:
    try:
        if len(line) > LONGEST_LINE:
            raise ValueError
        event = json.loads(line)
        if not isinstance(event, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise EngineRefusedError(f"cannot {doing}: the engine's progress is not understood: {line[:80]!r}") from None
    return event


def failure_in(event: Json) -> str:
    """The error that a line of progress tells of, or "". Engines from 28 on leave out the older `error`."""
    detail = event.get("errorDetail")
    message = detail.get("message") if isinstance(detail, dict) else None
    return str(message or event.get("error") or "")


def follow_pull(events: Iterable[Json], reference: str, progress: Progress) -> None:
    """Read a pull to its end.

    Raises:
        EngineRefusedError: the stream tells of an error.
        OutcomeUnknownError: it ended without telling that the image is there.
    """
    doing = f"pull {reference}"
    layers = Layers(reference, progress)
    is_done = False
    for event in events:
        if message := failure_in(event):
            raise refused(doing, _status_of(event), message)
        status = str(event.get("status") or "")
        # Docker's last word; Podman's is the image's id under a status of its own.
        is_done = status.startswith("Status: ") or (status == "Download complete" and not layers.seen(event)) or is_done
        layers.add(event)
    if not is_done:
        raise OutcomeUnknownError(
            f"the engine stopped telling about the pull of {reference} before its end; look again"
        )


def _status_of(event: Json) -> int:
    code = (event.get("errorDetail") or {}).get("code") if isinstance(event.get("errorDetail"), dict) else None
    return code if isinstance(code, int) else 0


class Layers:
    """Thousands of events about layers as a dozen lines for a person."""

    _STEP = 10

    def __init__(self, reference: str, progress: Progress) -> None:
        self._reference, self._progress = reference, progress
        self._bytes: dict[str, tuple[int, int]] = {}
        self._layers: set[str] = set()
        self._done: set[str] = set()
        self._told = -1

    def seen(self, event: Json) -> bool:
        return str(event.get("id") or "") in self._layers

    def add(self, event: Json) -> None:
        layer, status = str(event.get("id") or ""), str(event.get("status") or "")
        if status.startswith("Status: "):
            self._progress(f"{self._reference}: {status.removeprefix('Status: ')}")
        if not layer or status.startswith("Pulling from"):
            return
        self._layers.add(layer)
        if status in ("Pull complete", "Already exists"):
            self._done.add(layer)
        detail = event.get("progressDetail")
        if status == "Downloading" and isinstance(detail, dict) and isinstance(detail.get("total"), int):
            self._bytes[layer] = (int(detail.get("current") or 0), max(int(detail["total"]), 0))
        elif status in ("Download complete", "Pull complete") and layer in self._bytes:
            self._bytes[layer] = (self._bytes[layer][1],) * 2
        self._tell()

    def _tell(self) -> None:
        total = sum(size for _, size in self._bytes.values())
        if not total:
            return
        percent = min(100 * sum(current for current, _ in self._bytes.values()) // total, 100)
        # The total grows while layers are announced; a person should not see the figure fall.
        if percent // self._STEP <= self._told:
            return
        self._told = percent // self._STEP
        size = f"{total / 1e6:.1f} MB"
        self._progress(f"{self._reference}: {len(self._done)} of {len(self._layers)} layers, {percent} % of {size}")


def follow_build(events: Iterable[Json], doing: str, progress: Progress) -> str:
    """Read a build to its end; the id of the image.

    Raises:
        EngineRefusedError: the build failed; the message ends with the last 20 lines of its log.
        OutcomeUnknownError: it ended without an image and without an error.
    """
    log: deque[str] = deque(maxlen=_KEPT_LINES)
    image_id, line = "", ""
    for event in events:
        if message := failure_in(event):
            told = "\n".join(f"    | {text}" for text in [*log, line] if text)
            error = refused(doing, _status_of(event), f"{message}\n{told}" if told else message)
            raise error
        if isinstance(event.get("aux"), dict):
            image_id = str(event["aux"].get("ID") or image_id)
        *whole, line = (line + str(event.get("stream") or event.get("status") or "")).split("\n")
        if "status" in event and line:
            whole, line = [line], ""
        for text in filter(str.strip, whole):
            log.append(text.rstrip()[:500])
            progress(log[-1])
    if not image_id:
        raise OutcomeUnknownError(f"the engine stopped telling how far it is with: {doing}; look again")
    return image_id


def split_output(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """("stdout" or "stderr", bytes) of a container without a terminal: each frame has a header of 8 bytes.

    A stream that ends within a frame gives what there is of it.
    """
    buffer = bytearray()
    name, missing = "stdout", 0
    for chunk in chunks:
        buffer += chunk
        while buffer:
            if not missing:
                if len(buffer) < 8:
                    break
                kind, missing = struct.unpack(">BxxxL", buffer[:8])
                name = _STREAMS.get(kind, "stdout")
                del buffer[:8]
                continue
            piece = bytes(buffer[:missing])
            del buffer[:missing]
            missing -= len(piece)
            yield name, piece


def json_object(body: bytes, doing: str) -> Any:
    """An answer's JSON.

    Raises:
        EngineRefusedError: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise EngineRefusedError(f"cannot {doing}: the engine's answer is not understood: {body[:80]!r}") from None
