"""Files and secrets as content: bytes that a container is given or that it reads, and what a change of them means.

Canonical shape of the options `configs` and `secrets`: {target: {"source", "uid", "gid", "mode"}}.

A label and a file in the container hold hashes of contents. Anyone who may talk to the engine can read labels, so those
of secrets are slow and salted.
"""

from __future__ import annotations

import functools
import json
import posixpath
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from reconciler.model.forms import Form, same, show_plain
from reconciler.model.values import Value

SECRETS_DIRECTORY = "/run/secrets"
#: our own directory in a container, and the file in it that says which contents its process was last told of
OWN_DIRECTORY = "/run/reconciler"
MARKER = "/run/reconciler/contents"

_VERSION = 1
#: version 1 of a secret's hash, about 30 ms: cost, block size, parallelism, bytes
_COST, _BLOCK, _LANES, _LENGTH, _MEMORY = 2**14, 8, 1, 16, 64 * 1024 * 1024


class Content(NamedTuple):
    """What a `[config.*]` or `[secret.*]` of the spec holds, or the hash of a watched path. Its bytes are never shown."""

    option: str
    name: str
    bytes: bytes

    def __repr__(self) -> str:
        return f"Content({self.key})"

    @property
    def key(self) -> str:
        """`secrets.NAME`, `configs.NAME` or `watch.PATH`: how a plan and a label call it."""
        return f"{self.option}.{self.name}"

    @property
    def is_secret(self) -> bool:
        return self.option == "secrets"


class OnChange(StrEnum):
    """What a new content means for a container that has the old one, the least first."""

    IGNORE = "ignore"
    SIGNAL = "signal"
    RESTART = "restart"
    REPLACE = "replace"


_STRENGTH = {on_change: position for position, on_change in enumerate(OnChange)}


class Use(NamedTuple):
    """A content that a container is given as a file, or, without a `target`, reads by itself.

    `uid` and `gid` are those of the container's user when None; `base` is the directory of the volume that the file
    lies in, or "/".
    """

    content: Content
    on_change: OnChange = OnChange.REPLACE
    signal: str = ""
    target: str = ""
    uid: int | None = None
    gid: int | None = None
    mode: int = 0o444
    base: str = "/"

    @property
    def weight(self) -> int:
        return _STRENGTH[self.on_change]


# --- hashes --------------------------------------------------------------------------------------------------------


def salt_of(engine_id: str, project: str, content: Content) -> str:
    """A salt need not be secret, only met nowhere else: one derived from where a secret is used needs no state."""
    import hashlib

    return hashlib.sha256(f"{engine_id}\n{project}\n{content.name}".encode()).hexdigest()[:24]


def hash_content(content: Content, salt: str) -> str:
    """`salt:hash` of a secret, the plain hash of anything else."""
    if content.is_secret:
        return f"{salt}:{_slow_hash(content.bytes, salt)}"
    import hashlib

    return hashlib.sha256(content.bytes).hexdigest()[:32]


def has_hash(content: Content, recorded: str) -> bool:
    """Whether this is the content of which a hash was recorded."""
    salt = recorded.partition(":")[0] if content.is_secret else ""
    return hash_content(content, salt) == recorded


@functools.lru_cache(maxsize=1024)
def _slow_hash(secret: bytes, salt: str) -> str:
    """One for all the containers that use a secret."""
    import hashlib

    slow = hashlib.scrypt(secret, salt=salt.encode(), n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY, dklen=_LENGTH)
    return slow.hex()


class Recorded(NamedTuple):
    """What is written of the contents of a container: the options as declared, and a hash by key."""

    configs: Mapping[str, Value]
    secrets: Mapping[str, Value]
    hashes: Mapping[str, str]


NOTHING_RECORDED = Recorded({}, {}, {})


def recorded_text(recorded: Recorded) -> str:
    parts = {name: value for name, value in recorded._asdict().items() if value}
    return f"{_VERSION}:{json.dumps(parts, sort_keys=True, separators=(',', ':'))}"


def parse_recorded(text: str) -> Recorded:
    """What a label or a marker says; nonsense, and what another version wrote, reads as nothing."""
    version, _, rest = text.partition(":")
    try:
        parts = json.loads(rest) if version == str(_VERSION) else {}
    except (ValueError, RecursionError):
        parts = {}
    if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
        return NOTHING_RECORDED
    hashes = {key: value for key, value in parts.get("hashes", {}).items() if isinstance(value, str)}
    return Recorded(parts.get("configs", {}), parts.get("secrets", {}), hashes)


# --- forms ---------------------------------------------------------------------------------------------------------


def _declare(raw: list[Any], directory: str) -> dict[str, Value]:
    files: dict[str, Value] = {}
    for item in raw:
        table = item if isinstance(item, Mapping) else {"source": str(item)}
        target = posixpath.normpath(posixpath.join(directory, table.get("target") or table["source"]))
        if target.startswith("//") or target in ("/", directory):
            raise ValueError(f"{table.get('target')!r} is not the path of a file in the container")
        if target in files:
            raise ValueError(f"two files have the target {target!r}")
        numbers = {key: _identity(table[key]) for key in ("uid", "gid") if table.get(key) is not None}
        mode = {"mode": _mode(table["mode"])} if table.get("mode") is not None else {}
        files[target] = {"source": table["source"], **numbers, **mode}
    return files


def _identity(raw: str | int) -> int:
    if not str(raw).isdecimal() or int(raw) >= 2**32 - 1:
        raise ValueError(f"{raw!r} is not the number of a user or a group; write one such as 1000")
    return int(raw)


def _mode(raw: str | int) -> int:
    try:
        mode = int(raw, 8) if isinstance(raw, str) else raw
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise ValueError(f'{raw!r} is not a mode; write it in octal, such as "0440" or 0o440')
    return mode


def _form(directory: str) -> Form:
    declare: Callable[[Any], Value] = lambda raw: _declare(raw, directory)  # noqa: E731 - it is the field of a form
    return Form(declare, same, same, show_plain)


CONFIGS = _form("/")
SECRETS = _form(SECRETS_DIRECTORY)


def on_change_of(text: str) -> tuple[OnChange, str]:
    """`signal:SIGHUP` → the two parts."""
    word, _, signal = text.partition(":")
    if (word == OnChange.SIGNAL) is not bool(signal) or word not in tuple(OnChange):
        raise ValueError(f"{text!r} says not what a change means; write replace, restart, signal:SIGHUP or ignore")
    return OnChange(word), signal
