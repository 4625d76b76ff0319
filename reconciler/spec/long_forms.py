"""The long (table) forms of values, as pydantic models: ports, mounts, endpoints, health checks, builds, …"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reconciler.spec.toml_types import (
    MAP,
    SCALAR,
    TEXT_OR_INTEGER,
    TEXT_OR_TEXTS,
    TEXTS,
    list_of,
    needed,
    option,
    table,
    table_of,
)

# fmt: off
ULIMIT = table("Ulimit",
    soft=needed(int, "What the process has at first; it may raise it up to `hard`.", 1024),
    hard=needed(int, "The most it can have; -1 for no limit.", 2048),
)
PORT = table("Port",
    target=needed(int, "The port in the container.", 80),
    published=option(TEXT_OR_INTEGER, "The port, or range of ports, of the host; any free one when not given.", "4000"),
    host_ip=option(str, "The address of the host; all of them when not given.", "127.0.0.1"),
    protocol=option(Literal["tcp", "udp", "sctp"], "The protocol; tcp when not given.", "udp"),
)
_PROPAGATIONS = Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"]
BIND = table("BindOptions",
    propagation=option(_PROPAGATIONS, "Whether mounts made below it are seen on the other side.", "rslave"),
    selinux=option(Literal["z", "Z"], "Relabel it for SELinux: z shared, Z private.", "z"),
    create_host_path=option(bool, "Make the directory on the host when it is missing; true when not given.", example=False),
)
VOLUME = table("VolumeOptions",
    nocopy=option(bool, "Leave a new volume empty instead of copying what the image has there.", example=True),
    subpath=option(str, "Mount this directory of the volume.", "uploads"),
)
TMPFS = table("TmpfsOptions",
    size=option(TEXT_OR_INTEGER, "Its size. Unit: bytes.", "64M"),
    mode=option(TEXT_OR_INTEGER, "Its permissions, octal when a text.", "1777"),
)
MOUNT = table("Mount",
    type=needed(Literal["volume", "bind", "tmpfs"], "What is mounted.", "bind"),
    source=option(str, "A volume of the project, or a path of the host, relative to the spec.", "./conf"),
    target=needed(str, "The absolute path in the container.", "/etc/api"),
    read_only=option(bool, "Mount it read-only.", example=True),
    bind=option(BIND, "Options of a bind mount.", {"propagation": "rslave"}),
    volume=option(VOLUME, "Options of a volume.", {"nocopy": True}),
    tmpfs=option(TMPFS, "Options of a tmpfs.", {"size": "64M"}),
)
ENDPOINT = table("Endpoint",
    aliases=option(TEXTS, "Further names on this network; the container's own is always one.", ["api.internal"]),
    ipv4_address=option(str, "A fixed IPv4 address.", "10.5.0.10"),
    ipv6_address=option(str, "A fixed IPv6 address.", "2001:db8::10"),
    mac_address=option(str, "A fixed MAC address.", "02:42:ac:11:00:02"),
    priority=option(int, "Networks are attached highest priority first.", 100),
)
_RETRIES = Annotated[int, Field(ge=0, le=1_000_000)]
HEALTHCHECK = table("Healthcheck",
    test=option(TEXT_OR_TEXTS, "A shell command, or words that begin with CMD, CMD-SHELL or NONE.", ["CMD", "true"]),
    interval=option(str, "Time between two checks. Unit: duration.", "30s"),
    timeout=option(str, "How long one check may take. Unit: duration.", "5s"),
    start_period=option(str, "How long failures do not count after the start. Unit: duration.", "10s"),
    start_interval=option(str, "Time between two checks in the start period. Unit: duration.", "1s"),
    retries=option(_RETRIES, "Failures in a row that make it unhealthy.", 3),
    disable=option(bool, "Switch the image's health check off.", example=True),
)
LOGGING = table("Logging",
    driver=option(str, "The logging driver.", "json-file"),
    options=option(table_of(SCALAR), "Options of the driver.", {"max-size": "10m"}),
)
POOL = table("IpamPool",
    subnet=needed(str, "The subnet, address/length.", "10.5.0.0/24"),
    ip_range=option(str, "The part of it from which containers get addresses.", "10.5.0.128/25"),
    gateway=option(str, "The gateway's address.", "10.5.0.1"),
    aux_addresses=option(table_of(str), "Addresses that are in use elsewhere, by name.", {"router": "10.5.0.2"}),
)
IPAM = table("Ipam",
    driver=option(str, "The driver that manages the addresses.", "default"),
    options=option(table_of(SCALAR), "Options of the driver.", {"foo": "bar"}),
    config=option(list_of(POOL), "The subnets.", [{"subnet": "10.5.0.0/24"}]),
)
CONDITION = Literal["started", "healthy", "completed", "service_started", "service_healthy", "service_completed_successfully"]
DEPENDENCY = table("Dependency",
    condition=option(CONDITION, "What the other container must have reached; when not given, completed for a job and started for any other.", "healthy"),
    restart=option(bool, "Restart this container after the other one was made anew or started again; false when not given.", example=True),
    required=option(bool, "Whether it is a mistake when the project has no such container; true when not given.", example=False),
)
ENV_FILE = table("EnvFile",
    path=needed(str, "The file, relative to the spec.", ".env.api"),
    required=option(bool, "Whether it is a mistake when the file is missing; true when not given.", example=False),
)
_ON_CHANGE = option(str, "What a new content means: replace (when not given), restart, signal:NAME or ignore.", "signal:SIGHUP")
FILE = table("File",
    source=needed(str, "The [config.*] or [secret.*].", "motd"),
    target=option(str, "The file in the container; secrets without a leading slash are in /run/secrets.", "/etc/motd"),
    uid=option(TEXT_OR_INTEGER, "The number of its owner; the container's user when not given.", "1000"),
    gid=option(TEXT_OR_INTEGER, "The number of its group; that of the container's user when not given.", "1000"),
    mode=option(TEXT_OR_INTEGER, "Its permissions, octal when a text; 0444 of a config and 0400 of a secret when not given.", "0440"),
    on_change=_ON_CHANGE,
)
WATCH = table("Watch",
    path=needed(str, "The file or directory, relative to the spec.", "./conf"),
    on_change=_ON_CHANGE,
)
BUILD = table("Build",
    context=needed(str, "The directory that is sent to the engine, relative to the spec.", "./api"),
    dockerfile=option(str, "The Dockerfile, a path inside the context.", "Dockerfile"),
    target=option(str, "The stage to build.", "prod"),
    args=option(MAP, "Build arguments, as a table or a list of NAME=value; a NAME alone is taken from your environment.", {"VERSION": "1.4"}),
    labels=option(MAP, "Labels of the image. `reconciler.*` is reserved.", {"com.example.team": "shop"}),
    platform=option(str, "The platform, os/architecture[/variant].", "linux/amd64"),
    no_cache=option(bool, "Build every step anew.", example=True),
    pull=option(bool, "Fetch newer base images first.", example=True),
)
_ORDER = Literal["auto", "start-first", "stop-first"]
ROLLOUT = table("Rollout",
    order=option(_ORDER, "start-first: the successor serves before the old one stops; stop-first: it takes its place; auto (when not given): start-first where two can run side by side and something tells when the new one is ready.", "start-first"),
    ready_after=option(str, "How long it must run without a restart to be ready when it has no health check; 1s when not given. Unit: duration.", "5s"),
    timeout=option(str, "How long it may take to become ready; as long as its health check needs to decide when not given. Unit: duration.", "60s"),
    on_failure=option(Literal["rollback", "keep", "stop"], "What becomes of a successor that does not become ready: rollback (when not given): it is removed, and what served serves again; keep: it stays as it is, and a predecessor stopped for it stays stopped; stop: the same, and it is stopped.", "rollback"),
    drain=option(str, "Start-first: how long the old one goes on serving, without its names, before it is stopped; 2s when not given. Unit: duration.", "10s"),
    max_parallel=option(Annotated[int, Field(ge=1, le=500)], "How many instances are replaced at once; 1 when not given.", 1),
)
# fmt: on
