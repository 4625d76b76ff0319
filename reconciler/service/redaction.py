"""What must not be written anywhere, and what must not be written as it is: secrets and control characters."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model.desired import DesiredState
from reconciler.planning.world import is_sensitive

#: what a login looks like in any text: in a URL, behind a user or alone, and in a header
_LOGINS = (
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1(secret)@"),
    (re.compile(r"(https?://)[^/\s:@]+@"), r"\1(secret)@"),
    (re.compile(r"((?:bearer|basic) +)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), r"\1(secret)"),
)
#: shorter values are words that stand in any text
_SHORTEST_SECRET = 6
_HIDDEN = "(secret)"


class Secrets:
    """Values that must not be written anywhere. Safe to use from any thread."""

    def __init__(self) -> None:
        #: the longest first: one may be part of another
        self._values: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def learn(self, desired: DesiredState) -> None:
        """The contents of secrets, and the values of variables whose names say that they are secret."""
        found = {
            text
            for content in desired.secrets.values()
            for text in content.bytes.decode("utf-8", "ignore").splitlines()
            if len(text) >= _SHORTEST_SECRET
        }
        for container in desired.containers():
            variables = container.config.get("environment")
            for name, value in variables.items() if isinstance(variables, Mapping) else ():
                if (
                    isinstance(value, str)
                    and len(value) >= _SHORTEST_SECRET
                    and is_sensitive(f"environment.{name}", value)
                ):
                    found.add(value)
        self.add(found)

    def add(self, values: Iterable[str]) -> None:
        with self._lock:
            self._values = tuple(sorted({*self._values, *filter(None, values)}, key=len, reverse=True))

    def hide(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, _HIDDEN)
        for pattern, instead in _LOGINS:
            text = pattern.sub(instead, text)
        return text

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
