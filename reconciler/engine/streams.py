"""What the engine sends bit by bit: lines of JSON about a pull or a build, and the output of containers."""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from reconciler.engine.interface import Json, Progress
from reconciler.engine.refusals import not_understood, refused
from reconciler.errors import EngineRefusedError, OutcomeUnknownError
from reconciler.model.redaction import hide

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
        raise not_understood(doing, "progress", line) from None
    return event


def failure_in(event: Json) -> str:
    """The error that a line of progress tells of, or "". Engines from 28 on leave out the older `error`."""
    detail = event.get("errorDetail")
    message = detail.get("message") if isinstance(detail, dict) else None
    return str(message or event.get("error") or "")


def follow_pull(events: Iterable[Json], reference: str, progress: Progress, *, is_podman: bool = False) -> None:
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
        is_last = status == "Download complete" and (is_podman or not layers.seen(event))
        is_done = status.startswith("Status: ") or is_last or is_done
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
        #: how much of each layer is there, from 0 to 1
        self._parts: dict[str, float] = {}
        self._told = 0

    def seen(self, event: Json) -> bool:
        return str(event.get("id") or "") in self._parts

    def add(self, event: Json) -> None:
        layer, status = str(event.get("id") or ""), str(event.get("status") or "")
        if status.startswith("Status: "):
            self._progress(f"{self._reference}: {status.removeprefix('Status: ')}")
        if not layer or status.startswith("Pulling from"):
            return
        part = self._parts.setdefault(layer, 0.0)
        if status in ("Pull complete", "Already exists"):
            part = 1.0
        elif status == "Downloading":
            # Unpacking takes the rest; a layer must not seem done while it is not.
            part = max(part, 0.9 * _fraction(event.get("progressDetail")))
        self._parts[layer] = part
        self._tell()

    def _tell(self) -> None:
        # Over layers, not bytes: the sizes of those that wait are not known, and the figure would fall.
        percent = int(100 * sum(self._parts.values()) / len(self._parts))
        if percent // self._STEP > self._told // self._STEP:
            self._told = percent
            done = sum(part == 1 for part in self._parts.values())
            self._progress(f"{self._reference}: {percent} %, {done} of {len(self._parts)} layers done")


def _fraction(detail: object) -> float:
    current, total = (detail.get("current"), detail.get("total")) if isinstance(detail, dict) else (0, 0)
    if not isinstance(current, int | float) or not isinstance(total, int | float) or total <= 0:
        return 0.0
    return min(max(current / total, 0.0), 1.0)


def follow_build(events: Iterable[Json], doing: str, progress: Progress, hidden: Collection[str] = ()) -> str:
    """Read a build to its end; the id of the image. What is `hidden` is in no line that is told.

    Raises:
        EngineRefusedError: the build failed; the message ends with the last 20 lines of its log.
        OutcomeUnknownError: it ended without an image and without an error.
    """
    log: deque[str] = deque(maxlen=_KEPT_LINES)
    image_id, line = "", ""
    for event in events:
        if message := failure_in(event):
            told = "\n".join(f"    | {text}" for text in [*log, hide(line, hidden)] if text)
            message = hide(message, hidden)
            raise refused(doing, _status_of(event), f"{message}\n{told}" if told else message)
        if isinstance(event.get("aux"), dict):
            image_id = str(event["aux"].get("ID") or image_id)
        *whole, line = (line + str(event.get("stream") or event.get("status") or "")).split("\n")
        if "status" in event and line:
            whole, line = [line], ""
        for text in filter(str.strip, whole):
            log.append(hide(text.rstrip(), hidden)[:500])
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
        raise not_understood(doing, "answer", body) from None
