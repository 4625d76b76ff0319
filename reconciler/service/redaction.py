"""What must not be written anywhere, and what must not be written as it is: secrets and control characters."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model.desired import DesiredState
from reconciler.model.redaction import hide, secret_lines, secret_variables


class Secrets:
    """Values that must not be written anywhere. Safe to use from any thread."""

    def __init__(self) -> None:
        self._values: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def learn(self, desired: DesiredState) -> None:
        """The contents of secrets, and the values of variables whose names say that they are secret."""
        found = secret_lines(desired.secrets.values())
        for container in desired.containers():
            variables = container.config.get("environment")
            found |= secret_variables(variables) if isinstance(variables, Mapping) else set()
        self.add(found)

    def add(self, values: Iterable[str]) -> None:
        with self._lock:
            self._values |= frozenset(filter(None, values))

    def hide(self, text: str) -> str:
        return hide(text, self._values)

    def guard(self, value: object) -> object:
        """A value that can be written: without secrets, each text on one line. What came from an engine may hold anything."""
        if isinstance(value, str):
            return one_line(self.hide(value))
        if isinstance(value, int | float) or value is None:
            return value
        if isinstance(value, Mapping):
            return {one_line(str(key)): self.guard(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.guard(item) for item in value]
        return one_line(self.hide(str(value)))

    def hide_in(self, value: Any) -> Any:
        """A document without secrets, its texts as long as they were; control characters but line ends are written out."""
        if isinstance(value, str):
            return "\n".join(map(without_controls, self.hide(value).split("\n")))
        if isinstance(value, Mapping):
            return {without_controls(self.hide(str(key))): self.hide_in(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_in(item) for item in value]
        return value


def one_line(text: str) -> str:
    """Without what would steer a terminal, or begin a line that looks like one of ours."""
    return " ⏎ ".join(map(without_controls, text.split("\n")))


def without_controls(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
