"""Differences from Docker Compose that are meant, each with its reason. Everything else is a mistake of ours."""

from __future__ import annotations

import fnmatch
import re
from typing import NamedTuple


class Meant(NamedTuple):
    """`path` is a glob and `text` a pattern, as the corpus's own comparison prints a difference."""

    key: str
    path: str
    text: str
    reason: str


MEANT: tuple[Meant, ...] = (
    Meant(
        "form of security_opt",
        "containers.*.HostConfig.SecurityOpt",
        r'^[-+] "(label[:=]|no-new-privileges|seccomp[:=]unconfined|apparmor[:=]|systempaths[:=])',
        "`key=value` is written for `key:value`, and `no-new-privileges` for all ways to say it; the engine reads them alike",
    ),
    Meant(
        "protocol of expose",
        "containers.*.Config.ExposedPorts",
        r"^[-+] \d+(-\d+)?(/tcp)?$",
        "Compose passes a port without protocol on as it stands; here it is `80/tcp`, as the engine calls it itself",
    ),
    Meant(
        "host name of the host",
        "containers.*.Config.Hostname",
        r'^"vm" -> "differential-',
        "a container on the host's network is called like the host, and the records were made on another one",
    ),
)


def reason_of(path: str, text: str) -> Meant | None:
    """Why this difference is meant, or None when nobody meant it."""
    for meant in MEANT:
        if fnmatch.fnmatchcase(path, meant.path) and re.search(meant.text, text):
            return meant
    return None
