"""Answers, and what may stand in them: no secret, nothing that steers a terminal, and errors with advice as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from reconciler.service.redaction import Secrets

#: colours and the like; what else is not printable is shown as what it is
_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class RefusalError(Exception):
    """A request that is not done: the status to answer with, why, and what to do about it."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        self.status, self.message, self.hint = status, message, hint
        super().__init__(message)


class Veil:
    """Takes secrets and control characters out of everything that leaves."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def text(self, text: str) -> str:
        return plain(self._secrets.hide(text))

    def over(self, value: Any) -> Any:
        """A JSON document, with each text in it made fit to be seen."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {plain(str(key)): self.over(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.over(item) for item in value]
        return self.text(str(value))


def plain(text: str) -> str:
    """Without what would steer a terminal or turn the direction of writing."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


def settled_output(text: str) -> str:
    """The output of a program as it stands on a terminal at last: without colours, each line as last overwritten."""
    lines = _SEQUENCES.sub("", text).split("\n")
    return plain("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines))


def json_answer(document: Any, status: int = 200) -> Response:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, {"Cache-Control": "no-store"}, "application/json")


def refusal(status: int, message: str, hint: str = "") -> Response:
    answer = json_answer({"error": {"status": status, "message": plain(message), "hint": plain(hint)}}, status)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="reconciler"'
    return answer


def moment(seconds: float | None) -> str | None:
    """A time of day as RFC 3339, to the millisecond."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
