"""`${NAME}` in Compose files: what it comes to there, and how a spec says the same.

Compose takes an unset variable for an empty text, a spec refuses it: `${NAME}` becomes `${NAME:-}` where it is unset.
A text keeps its variables only where the spec, read beside its own `.env`, comes to the same value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.convert.compose.documents import fail
from reconciler.convert.compose.values import NOWHERE, Place, Text
from reconciler.errors import Problem, SpecError
from reconciler.spec.env_files import MAX_BYTES, parse_env_file
from reconciler.spec.interpolate import InterpolationError, interpolate, unset_in, with_defaults
from reconciler.spec.paths import kind_of
from reconciler.spec.reading import UnreadableError, read_text

#: a dollar sign that Compose takes as it is; `$$` is stepped over
_LITERAL = re.compile(r"\$\$|\$(?![A-Za-z_{$])")


class Variables(NamedTuple):
    """What one Compose file sees, and what the spec will see; `unset` collects what is referred to and set nowhere."""

    values: Mapping[str, str]
    of_spec: Mapping[str, str]
    unset: dict[str, Place]

    def text(self, text: str, place: Place) -> Text:
        """The text with its references replaced.

        Raises:
            SpecError: a reference is malformed, or to a required variable that is not set.
        """
        if "$" not in text:
            return Text(text)
        try:
            for name in unset_in(_LITERAL.sub("$$", text), self.values.get):
                self.unset.setdefault(name, place)
            raw = with_defaults(_LITERAL.sub("$$", text), self.values.get)
            value = interpolate(raw, self.values.get)
        except InterpolationError as error:
            raise fail(place, str(error), error.hint) from None
        return Text(value, raw if self.means(raw) == value else None)

    def means(self, raw: str) -> str | None:
        """What a text comes to in the spec; None when it would be refused there."""
        try:
            return interpolate(raw, self.of_spec.get)
        except InterpolationError:
            return None

    def passed(self, name: str) -> Text | None:
        """The value of a variable that is only named, to be passed on; None when it is unset."""
        value = self.values.get(name)
        if value is None:
            return None
        return Text(value, f"${{{name}}}" if self.of_spec.get(name) == value else None)


def read_env_file(name: str, environment: Mapping[str, str], place: Place = NOWHERE) -> dict[str, str]:
    """The variables of a file of NAME=value lines; `environment` is what references in it see first.

    Raises:
        SpecError: it cannot be read, or not understood.
    """
    try:
        variables, mistakes = parse_env_file(read_text(name, MAX_BYTES), environment.get)
    except UnreadableError as error:
        raise fail(place, f"the file {name} {error}", error.hint) from None
    if mistakes:
        raise SpecError([Problem(name, mistake.line, 0, "", mistake.message, mistake.hint) for mistake in mistakes])
    return variables


def with_dotenv(environment: Mapping[str, str], directory: Path) -> dict[str, str]:
    """An environment over the `.env` file of a directory, if there is one."""
    file = directory / ".env"
    return {**read_env_file(str(file), environment), **environment} if kind_of(str(file)) else dict(environment)
