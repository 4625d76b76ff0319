"""What must not be shown: which values are secret, and how they are kept out of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reconciler.model.contents import Content
from reconciler.model.desired import Build

_NAMES = re.compile(r"pass|secret|token|credential|private|api_?key|access_?key|auth|dsn", re.IGNORECASE)
_VALUES = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
#: what a login looks like in any text: in a URL, behind a user or alone, and in a header
_LOGINS = (
    re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"),
    re.compile(r"(https?://)[^/\s:@]+(?=@)"),
    re.compile(r"((?:bearer|basic) +)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
)
#: shorter values are words that stand in any text
_SHORTEST = 6
_HIDDEN = "(secret)"


def is_sensitive(path: str, value: object = "") -> bool:
    """Whether a value under this path may be a secret and is not shown."""
    named = path.startswith(("environment.", "build.args.")) and bool(_NAMES.search(path))
    return named or (isinstance(value, str) and bool(_VALUES.search(value)))


def secret_variables(environment: Mapping[str, object]) -> set[str]:
    """The values of variables whose names, or values, say that they are secret."""
    found = {value for name, value in environment.items() if is_sensitive(f"environment.{name}", value)}
    return {value for value in found if isinstance(value, str) and len(value) >= _SHORTEST}


def secret_lines(contents: Iterable[Content]) -> set[str]:
    """The lines of secrets."""
    texts = (content.bytes.decode("utf-8", "ignore") for content in contents if content.is_secret)
    return {line for text in texts for line in text.splitlines() if len(line) >= _SHORTEST}


def secrets_of_build(build: Build) -> set[str]:
    """What the steps of a build may know and nobody is to read: its secrets, and arguments that look like some."""
    given = {value for name, value in build.args.items() if is_sensitive(f"build.args.{name}", value)}
    return secret_lines(item.content for item in build.secrets) | {item for item in given if len(item) >= _SHORTEST}


def hide(text: str, values: Iterable[str]) -> str:
    """The text without these values, the longest first, and without what by its form is a login."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    for pattern in _LOGINS:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    return text
