"""`[[notify]]` as it stands in the configuration: a table's shape, and what it comes to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from reconciler.service.notifications.notices import DEFAULT, Event
from reconciler.source.settings import CREDENTIAL, Mistake
from reconciler.spec.toml_types import list_of, option, table

#: one of them says what kind of target it is
WAYS = ("url", "webhook", "commit_status")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

# fmt: off
NOTIFY = table("Notify",
    url=option(str, "A service that the Apprise library knows; or the file with its URL, or `credential:NAME`.", "credential:chat"),
    webhook=option(str, "An address that takes JSON; or the file with it, or `credential:NAME`.", "https://example.com/hook"),
    commit_status=option(Literal["github", "gitlab", "gitea", "forgejo"], "The server whose commits get a status.", "github"),
    secret_file=option(str, "The file with the key that signs what is sent to a webhook, or `credential:NAME`.", "credential:hook-key"),
    token_file=option(str, "The file with the token for commit statuses, or `credential:NAME`.", "credential:status-token"),
    api=option(str, "The API of the server of commit statuses; made from the repository's URL when not given.", "https://git.example.com/api/v1"),
    context=option(str, "What a commit status is called; reconciler when not given.", "production"),
    link=option(str, "Where a commit status leads to.", "https://status.example.com/"),
    projects=option(list_of(str), "Only these projects; all when not given.", ["shop"]),
    on=option(list_of(str), "What is told; everything but `changed` when not given.", ["failed", "recovered"]),
)
# fmt: on
_OF_A_WAY = {"secret_file": "webhook", **dict.fromkeys(("token_file", "api", "context", "link"), "commit_status")}


class Target(NamedTuple):
    """Who is told. `way` is one of `WAYS`, `address` the URL, the file that holds it, or the kind of server."""

    way: str
    address: str
    name: str
    on: frozenset[Event]
    projects: frozenset[str] = frozenset()
    secret_file: str = ""
    api: str = ""
    context: str = "reconciler"
    link: str = ""

    def wants(self, project: str) -> bool:
        """What is about no project in particular concerns everyone."""
        return not project or not self.projects or project in self.projects


def read_target(raw: Mapping[str, Any], directory: Path, name: str) -> tuple[Target | None, list[Mistake]]:
    """What a table comes to that fits `NOTIFY`, and each mistake in it; with mistakes there is none.

    Args:
        directory: that of the file it stands in; paths of files are relative to it.
        name: what it is called in the log.
    """
    ways = [way for way in WAYS if way in raw]
    if len(ways) != 1:
        hint = "one of url, webhook and commit_status; write a [[notify]] for each"
        return None, [Mistake(ways[1] if ways else "url", "must be the only one" if ways else "must be given", hint)]
    way = ways[0]
    mistakes = [
        Mistake(key, f"is for {other}", "leave it out")
        for key, other in _OF_A_WAY.items()
        if key in raw and other != way
    ]
    events = {str(event) for event in Event}
    unknown = [event for event in raw.get("on", ()) if event not in events]
    if unknown:
        mistakes.append(Mistake("on", f"has {unknown[0]!r}, which is never told", f"there are {', '.join(Event)}"))
    address = str(raw[way])
    if way != "commit_status":
        address = _holder(address, directory) if "://" not in address else address
        mistakes += (
            [_not_http("webhook")] if way == "webhook" and _is_url(address) and not _speaks_http(address) else []
        )
    elif "token_file" not in raw:
        mistakes.append(
            Mistake("token_file", "must be given", "a token that may write statuses of commits, and no more")
        )
    api = str(raw.get("api", "")).rstrip("/")
    if api and (not _speaks_http(api) or not _is_safe(api)):
        mistakes.append(_not_http("api") if not _speaks_http(api) else _NOT_SAFE)
    link = str(raw.get("link", ""))
    if link and not _speaks_http(link):
        mistakes.append(_not_http("link"))
    if mistakes:
        return None, mistakes
    secret = raw.get("secret_file") or raw.get("token_file") or ""
    target = Target(
        way,
        address,
        name,
        frozenset(map(Event, raw.get("on", DEFAULT))),
        frozenset(raw.get("projects", ())),
        _holder(str(secret), directory) if secret else "",
        api,
        str(raw.get("context", "reconciler")),
        link,
    )
    return target, []


_NOT_SAFE = Mistake("api", "is not encrypted: anybody on the way could read the token", "use https://")


def _not_http(name: str) -> Mistake:
    return Mistake(name, "is not an address that can be asked", "begin it with https://")


def _holder(name: str, directory: Path) -> str:
    return name if name.startswith(CREDENTIAL) else os.path.normpath(directory / name)


def _is_url(text: str) -> bool:
    return "://" in text


def _speaks_http(text: str) -> bool:
    return re.fullmatch(r"https?://[^\s/?#@]+[^\s]*", text) is not None


def _is_safe(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK
