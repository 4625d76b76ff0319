"""Differences from Docker Compose that are meant, each with its reason. Everything else is a mistake of ours."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import NamedTuple

#: what `one.py` adds to the text of a difference about the target of a config or a secret that comes from a file
CONTENT = " # a config or secret"
#: what it adds of a container with a setting that the engine would discard
DISCARDED = " # refused: the engine would discard a setting"


class Meant(NamedTuple):
    """`path` is a glob and `text` a pattern, as the corpus's own comparison prints a difference."""

    key: str
    path: str
    text: str
    reason: str
    reordered: bool = False  # only the order differs


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
    Meant(
        "files are put into the container",
        "containers.*",
        rf"^- .*{CONTENT}$",
        "configs and secrets from files are copied into the container for its user, not bind-mounted from this host, so "
        "that they work on any engine; scenarios read them there",
    ),
    Meant(
        "mode of secrets",
        "containers.*.Files./run/secrets/*",
        r'"0444" -> "0400"',
        "a secret is for the container's user alone",
    ),
    Meant(
        "order of options",
        "containers.*.HostConfig.Tmpfs.*",
        r"",
        "the options of a tmpfs are written in alphabetical order",
        reordered=True,
    ),
    Meant(
        "order of options",
        "containers.*.HostConfig.DnsOptions",
        r"",
        "the options of the resolver are written in alphabetical order",
        reordered=True,
    ),
    Meant(
        "not started for the record",
        "containers.*.Config.Hostname",
        r'^"<auto>" -> "<',
        "the engine gives the donor's host name when such a container starts, which it did not for the record",
    ),
    Meant(
        "form of the mount",
        "containers.*.HostConfig.MountSpec",
        r'^[-+] .*"options": \["ro", "rslave"\], "source": "/?", "target": "/host"',
        "the comparison shows a mount of / as empty when it was asked for in the other form",
    ),
    Meant(
        "range of expose",
        "containers.expose.NetworkSettings.Ports",
        r"",
        "Compose hands a range on as one port, of which the engine makes 0; here each port of it is exposed",
    ),
    Meant(
        "published port 0",
        "containers.*.HostConfig.PortBindings.*",
        r'"HostPort": "0"',
        "0 means that the engine chooses, which is written as no port",
    ),
    Meant(
        "names of scaled links",
        "containers.*.NetworkSettings.Networks.*.Links",
        r"scaled-",
        "of links to a scaled service Compose gives the first name to any instance; here each keeps its own",
    ),
    Meant(
        "read-only volumes_from",
        "containers.from.*",
        r"",
        "`:ro` is honoured; Compose drops it where the donor is a service",
    ),
    Meant(
        "label of a long mount",
        "containers.long.HostConfig.MountSpec",
        r'"target": "/rel-sel"',
        "`selinux` of the long form is honoured; Compose drops it",
    ),
    Meant(
        "form of cpuset",
        "containers.*.HostConfig.CpusetCpus",
        r'^"0,1" -> "0-1"$',
        "processors in a row are written as a range, which is the same to the engine",
    ),
    Meant(
        "order of capabilities",
        "containers.*.HostConfig.DeviceRequests",
        r'^[-+] \{"Capabilities": \[\["compute", ("graphics", "utility", "video"|"video", "graphics", "utility")\]\], "Count": 1, "Driver": "nvidia"\}$',
        "the capabilities of a request are a set, and written in alphabetical order",
    ),
    Meant(
        "not on this host",
        "containers.*",
        rf"{DISCARDED}$",
        "Compose goes on when the engine discards a setting that the host cannot hold (block I/O weights here); we refuse",
    ),
    Meant(
        "links without a network",
        "containers.*.HostConfig.Links",
        r"",
        "links on the engine's default bridge are not carried over, and the import says so",
    ),
)


def reason_of(path: str, text: str) -> Meant | None:
    """Why this difference is meant, or None when nobody meant it."""
    for meant in MEANT:
        is_this = fnmatch.fnmatchcase(path, meant.path) and re.search(meant.text, text)
        if is_this and (not meant.reordered or _is_reordered(text)):
            return meant
    return None


def _is_reordered(text: str) -> bool:
    """Whether `A -> B` has the same parts on both sides: of two lists, or of two texts with commas."""
    sides = [json.loads(side) for side in text.split(" -> ")]
    parts = [side.split(",") if isinstance(side, str) else side for side in sides]
    return sorted(parts[0]) == sorted(parts[1])
