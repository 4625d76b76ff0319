"""Security options that name a file: the engine wants the profile itself."""

from __future__ import annotations

import json

from reconciler.model.address import Kind
from reconciler.model.forms import declare_security
from reconciler.model.values import Value
from reconciler.spec.keys import Keys
from reconciler.spec.paths import absolute
from reconciler.spec.reading import UnreadableError, read_text
from reconciler.spec.scope import Scope

MAX_BYTES = 256 * 1024
_SECCOMP = "seccomp="
#: profiles that are no files
_NAMED = ("unconfined", "builtin")


def with_profiles(scope: Scope, keys: Keys, options: Value) -> Value:
    """The options, `seccomp=FILE` with what is in the file."""
    if not isinstance(options, tuple):
        return options
    return declare_security([_filled(scope, keys, str(option)) for option in options])


def profiles(scope: Scope) -> list[str]:
    """The files that `security_opt` names."""
    tables = scope.tables(Kind.CONTAINER).values()
    options = [option for table in tables for option in declare_security(table.get("security_opt", [])) or ()]
    return [absolute(scope.directory, path, scope.environment) for path in map(_file, options) if path]


def _file(option: str) -> str:
    """The file that an option names, relative to the spec; "" for others."""
    path = option.removeprefix(_SECCOMP) if option.startswith(_SECCOMP) else ""
    return "" if path in _NAMED or path.startswith("{") else path


def _filled(scope: Scope, keys: Keys, option: str) -> str:
    path = _file(option)
    if not path:
        return option
    try:
        text = read_text(absolute(scope.directory, path, scope.environment), MAX_BYTES)
        if not isinstance(json.loads(text), dict):
            raise ValueError
    except UnreadableError as error:
        scope.problems.at(keys, f"the file {path} {error}", error.hint)
    except (ValueError, RecursionError):
        hint = "write a seccomp profile, or seccomp=unconfined"
        scope.problems.at(keys, f"the file {path} is no profile: it does not hold a JSON object", hint)
    else:
        return _SECCOMP + text.strip()
    return option
