"""What `docker buildx build --progress plain` prints → lines for a person, and why it failed.

Each line begins with the number of a step: its name, `SECONDS OUTPUT` of its command, or what became of it. Lines of
steps that run at the same time are mixed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection

from reconciler.engine.interface import Progress
from reconciler.model.redaction import hide

_LINE = re.compile(r"#(\d+) (.*)")
_OUTPUT = re.compile(r"\d+\.\d+ (.*)")
_QUIET = re.compile(r"\[.*\binternal\]|\[auth\]|exporting |building with|importing cache|preparing build cache")
_WRAPPED = re.compile(
    r"^(?:failed to solve: |rpc error: code = \w+ desc = |failed to solve with frontend \S+: |failed to create LLB definition: "
    r"|failed to compute cache key: |failed to build LLB: )+"
)
_EXIT = re.compile(r"exit code: (\d+)\s*$")
_KEPT_LINES = 20
_LONGEST = 500


class BuildLog:
    """Reads line after line; what is worth it goes to `progress`. What is `hidden` goes nowhere."""

    def __init__(self, progress: Progress, hidden: Collection[str] = ()) -> None:
        self._progress = progress
        self._hidden = hidden
        self._names: dict[str, str] = {}
        self._outputs: dict[str, deque[str]] = {}
        self._failed = ""
        #: from the line that tells of the error on; until then the last lines of what is no step's
        self._error: list[str] = []
        self._rest: deque[str] = deque(maxlen=_KEPT_LINES)

    def add(self, line: str) -> None:
        line = hide(line.rstrip(), self._hidden)[:_LONGEST]
        if self._error:
            self._error.append(line)
        elif line.startswith("ERROR: "):
            self._error.append(line.removeprefix("ERROR: "))
        elif match := _LINE.fullmatch(line):
            self._add_to_step(match[1], match[2])
        elif line.startswith("WARNING: "):
            self._progress(line)
        elif line:
            self._rest.append(line)

    def _add_to_step(self, number: str, text: str) -> None:
        if number not in self._names:
            self._names[number] = text
            if not _QUIET.match(text):
                self._progress(text)
        elif match := _OUTPUT.fullmatch(text):
            self._outputs.setdefault(number, deque(maxlen=_KEPT_LINES)).append(match[1])
            self._progress(match[1])
        elif text.startswith("ERROR: "):
            self._failed = number

    @property
    def error(self) -> str:
        """Buildx's last word without what its layers wrapped it in; "" when it told of no error."""
        return _WRAPPED.sub("", "\n".join(self._error).strip())

    def failure(self) -> str:
        """Why it failed: the step, what became of it, and its last lines."""
        name = self._names.get(self._failed, "")
        code = _EXIT.search(self.error.split("\n")[0])
        if name and code:
            message = f"{name} ended with exit code {code[1]}"
        elif name and not _QUIET.match(name):
            message = f"{name}: {self.error}"
        else:
            message = self.error
        lines = self._outputs.get(self._failed, deque())
        if not self._error:
            lines = self._rest
        told = "\n".join(f"    | {text}" for text in lines)
        return "\n".join(filter(None, [message, told]))
