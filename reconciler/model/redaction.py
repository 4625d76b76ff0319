"""What must not be shown: which values are secret, and how they are kept out of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reconciler.model.contents import Content

_NAMES = re.compile(r"pass|secret|token|credential|private|api_?key|access_?key|auth|dsn", re.IGNORECASE)
_VALUES = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
_CREDENTIALS = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
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


def hide(text: str, values: Iterable[str]) -> str:
    """The text without these values, the longest first, and without passwords in addresses."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    return _CREDENTIALS.sub(rf"\1{_HIDDEN}@", text)
