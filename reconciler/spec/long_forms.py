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
    one_of,
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
    name=option(str, "Nothing: a name for people.", "web"),
    mode=option(Literal["host", "ingress"], "Nothing: only a swarm tells them apart.", "host"),
    app_protocol=option(str, "Nothing: a remark for people.", "http"),
    protocol=option(Literal["tcp", "udp", "sctp"], "The protocol; tcp when not given.", "udp"),
)
DEVICE = table("Device",
    source=needed(str, "The device of the host, or a CDI name.", "/dev/fuse"),
    target=option(str, "Where it is in the container; as on the host when not given.", "/dev/fuse"),
    permissions=option(str, "Some of r, w and m; all when not given.", "rw"),
)
DEVICE_REQUEST = table("DeviceRequest",
    driver=option(str, "The driver that provides them; any that can when not given.", "nvidia"),
    count=option(TEXT_OR_INTEGER, 'How many, or "all", which is meant when neither this nor device_ids is given.', 1),
    device_ids=option(TEXTS, "Which ones, as the driver names them.", ["0", "3"]),
    capabilities=option(TEXTS, "What they must be capable of.", ["gpu", "utility"]),
    options=option(MAP, "Options of the driver.", {"virtualization": "false"}),
)
BLKIO_WEIGHT = table("BlkioWeight",
    path=needed(str, "The block device of the host.", "/dev/sda"),
    weight=needed(int, "Its weight, 10 to 1000.", 400),
)
BLKIO_RATE = table("BlkioRate",
    path=needed(str, "The block device of the host.", "/dev/sda"),
    rate=needed(TEXT_OR_INTEGER, "The most in a second. Unit: bytes, or operations.", "12M"),
)
BLKIO = table("BlkioConfig", {"integer": "weight"},
    weight=option(int, "Weight against other containers, 10 to 1000.", 300),
    weight_device=option(list_of(BLKIO_WEIGHT), "Weights for single devices.", [{"path": "/dev/sda", "weight": 400}]),
    device_read_bps=option(list_of(BLKIO_RATE), "Bytes read in a second.", [{"path": "/dev/sda", "rate": "12M"}]),
    device_write_bps=option(list_of(BLKIO_RATE), "Bytes written in a second.", [{"path": "/dev/sda", "rate": "12M"}]),
    device_read_iops=option(list_of(BLKIO_RATE), "Reads in a second.", [{"path": "/dev/sda", "rate": 120}]),
    device_write_iops=option(list_of(BLKIO_RATE), "Writes in a second.", [{"path": "/dev/sda", "rate": 30}]),
)
_PROPAGATIONS = Literal["private", "rprivate", "shared", "rshared", "slave", "rslave"]
BIND = table("BindOptions",
    propagation=option(_PROPAGATIONS, "Whether mounts made below it are seen on the other side.", "rslave"),
    selinux=option(Literal["z", "Z"], "Relabel it for SELinux: z shared, Z private.", "z"),
    recursive=option(Literal["enabled", "disabled", "writable", "readonly"], "Whether mounts below it come along, and if it is read-only, whether they are too.", "disabled"),
    create_host_path=option(bool, "Make the directory on the host when it is missing; true when not given.", example=False),
)
VOLUME = table("VolumeOptions",
    nocopy=option(bool, "Leave a new volume empty instead of copying what the image has there.", example=True),
    subpath=option(str, "Mount this directory of the volume.", "uploads"),
    labels=option(MAP, "Labels of the volume if it is made for this mount.", {"com.example.team": "shop"}),
)
IMAGE_MOUNT = table("ImageMountOptions",
    subpath=option(str, "Mount this directory of the image.", "models"),
)
TMPFS = table("TmpfsOptions",
    size=option(TEXT_OR_INTEGER, "Its size. Unit: bytes.", "64M"),
    mode=option(TEXT_OR_INTEGER, "Its permissions, octal when a text.", "1777"),
)
MOUNT = table("Mount",
    type=needed(Literal["volume", "bind", "tmpfs", "image"], "What is mounted.", "bind"),
    source=option(str, "A volume or an image of the project, any image, or a path of the host, relative to the spec.", "./conf"),
    target=needed(str, "The absolute path in the container.", "/etc/api"),
    read_only=option(bool, "Mount it read-only.", example=True),
    bind=option(BIND, "Options of a bind mount.", {"propagation": "rslave"}),
    volume=option(VOLUME, "Options of a volume.", {"nocopy": True}),
    image=option(IMAGE_MOUNT, "Options of an image.", {"subpath": "models"}),
    consistency=option(str, "Nothing: only Docker Desktop ever heeded it.", "cached"),
    tmpfs=option(TMPFS, "Options of a tmpfs.", {"size": "64M"}),
)
ENDPOINT = table("Endpoint", {"list": "aliases"},
    aliases=option(TEXTS, "Further names on this network; the container's own is always one.", ["api.internal"]),
    ipv4_address=option(str, "A fixed IPv4 address.", "10.5.0.10"),
    ipv6_address=option(str, "A fixed IPv6 address.", "2001:db8::10"),
    mac_address=option(str, "A fixed MAC address.", "02:42:ac:11:00:02"),
    link_local_ips=option(TEXTS, "Link-local addresses.", ["169.254.8.8"]),
    driver_opts=option(table_of(SCALAR), "Options of the network's driver for this container.", {"com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1"}),
    interface_name=option(str, "The name of the interface in the container.", "backend0"),
    priority=option(int, "Networks are attached highest priority first.", 100),
    gw_priority=option(int, "The network with the highest one is the way out; 0 when not given.", 1),
)
_RETRIES = Annotated[int, Field(ge=0, le=1_000_000)]
HEALTHCHECK = table("Healthcheck", {"text": "test", "list": "test"},
    test=option(TEXT_OR_TEXTS, "A shell command, or words that begin with CMD, CMD-SHELL or NONE.", ["CMD", "true"]),
    interval=option(str, "Time between two checks. Unit: duration.", "30s"),
    timeout=option(str, "How long one check may take. Unit: duration.", "5s"),
    start_period=option(str, "How long failures do not count after the start. Unit: duration.", "10s"),
    start_interval=option(str, "Time between two checks in the start period. Unit: duration.", "1s"),
    retries=option(_RETRIES, "Failures in a row that make it unhealthy.", 3),
    disable=option(bool, "Switch the image's health check off.", example=True),
)
LOGGING = table("Logging", {"text": "driver"},
    driver=option(str, "The logging driver.", "json-file"),
    options=option(table_of(SCALAR), "Options of the driver.", {"max-size": "10m"}),
)
POOL = table("IpamPool", {"text": "subnet"},
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
DEVELOP_WATCH = table("DevelopWatch",
    path=needed(str, "What is watched.", "./src"),
    action=needed(str, "What a change causes.", "sync"),
    target=option(str, "Where it goes in the container.", "/app"),
    ignore=option(TEXT_OR_TEXTS, "What is left out.", ["node_modules/"]),
    include=option(TEXT_OR_TEXTS, "What alone is watched.", ["*.py"]),
    exec=option(table_of(one_of(text=str, list=TEXTS, boolean=bool, table=table_of(SCALAR))), "What is run.", {"command": "reload"}),
)
DEVELOP = table("Develop",
    watch=option(list_of(DEVELOP_WATCH), "What `docker compose watch` does.", [{"path": "./src", "action": "sync"}]),
)
_CPUS = one_of(number=float, text=str)
LIMITS = table("DeployLimits", {"text": "memory"},
    cpus=option(_CPUS, "As cpus.", 0.5),
    memory=option(TEXT_OR_INTEGER, "As mem_limit.", "256M"),
    pids=option(TEXT_OR_INTEGER, "As pids_limit.", 100),
)
RESERVATIONS = table("DeployReservations", {"text": "memory"},
    cpus=option(_CPUS, "Nothing: only a swarm reserves processors.", 0.25),
    memory=option(TEXT_OR_INTEGER, "As mem_reservation.", "128M"),
    devices=option(list_of(DEVICE_REQUEST), "Devices such as GPUs; as gpus, with capabilities of your own.", [{"capabilities": ["gpu"], "count": 1}]),
    generic_resources=option(list_of(table_of(table_of(SCALAR))), "Nothing: only a swarm has them.", [{"discrete_resource_spec": {"kind": "gpu", "value": 1}}]),
)
DEPLOY_RESOURCES = table("DeployResources",
    limits=option(LIMITS, "The most it may use.", {"memory": "256M"}),
    reservations=option(RESERVATIONS, "What is kept for it.", {"memory": "128M"}),
)
RESTART_POLICY = table("DeployRestartPolicy", {"text": "condition"},
    condition=option(str, "none, on-failure or any, which is meant when not given; as restart.", "on-failure"),
    max_attempts=option(TEXT_OR_INTEGER, "As on-failure:TIMES.", 3),
    delay=option(str, "Nothing: the engine chooses it.", "5s"),
    window=option(str, "Nothing: only a swarm has it.", "120s"),
)
PLACEMENT = table("DeployPlacement",
    constraints=option(TEXTS, "Nothing: there is one engine.", ["node.role==manager"]),
    preferences=option(list_of(table_of(str)), "Nothing: there is one engine.", [{"spread": "node.labels.zone"}]),
    max_replicas_per_node=option(TEXT_OR_INTEGER, "Nothing: there is one engine.", 1),
)
DEPLOY = table("Deploy", {"integer": "replicas"},
    replicas=option(TEXT_OR_INTEGER, "As scale.", 2),
    resources=option(DEPLOY_RESOURCES, "Limits and reservations.", {"limits": {"memory": "256M"}}),
    restart_policy=option(RESTART_POLICY, "As restart.", {"condition": "on-failure", "max_attempts": 3}),
    labels=option(MAP, "Nothing: labels of a swarm's service, not of its containers.", {"com.example.team": "shop"}),
    mode=option(str, "Nothing: only a swarm has it.", "replicated"),
    endpoint_mode=option(str, "Nothing: only a swarm has it.", "vip"),
    placement=option(PLACEMENT, "Nothing: there is one engine.", {"constraints": ["node.role==manager"]}),
    update_config=option(table_of(SCALAR), "Nothing: see rollout.", {"order": "start-first"}),
    rollback_config=option(table_of(SCALAR), "Nothing: see rollout.", {"order": "stop-first"}),
)
ENV_FILE = table("EnvFile",
    path=needed(str, "The file, relative to the spec.", ".env.api"),
    required=option(bool, "Whether it is a mistake when the file is missing; true when not given.", example=False),
    format=option(Literal["raw"], "raw: values are taken as they stand, quotes and dollar signs included.", "raw"),
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
BUILD_SECRET = table("BuildSecret",
    source=needed(str, "The [secret.*].", "npm_token"),
    id=option(str, "What RUN --mount=type=secret,id=... calls it; the secret's own name when not given.", "token"),
    target=option(str, "The same as id, as Compose calls it.", "token"),
)
BUILD = table("Build",
    context=needed(str, "The directory that is sent to the engine, relative to the spec.", "./api"),
    dockerfile=option(str, "The Dockerfile, a path inside the context.", "Dockerfile"),
    dockerfile_inline=option(str, "The Dockerfile itself, instead of a file.", "FROM busybox:latest\nCOPY page /www/\n"),
    target=option(str, "The stage to build.", "prod"),
    args=option(MAP, "Build arguments, as a table or a list of NAME=value; a NAME alone is taken from your environment.", {"VERSION": "1.4"}),
    labels=option(MAP, "Labels of the image. `reconciler.*` is reserved.", {"com.example.team": "shop"}),
    tags=option(TEXTS, "Further tags, kept and removed as the first one.", ["shop/api:latest"]),
    additional_contexts=option(MAP, "Further contexts for COPY --from and FROM, by name: directories, or docker-image://NAME. BuildKit.", {"shared": "./shared"}),
    platform=option(str, "The platform, os/architecture[/variant].", "linux/amd64"),
    platforms=option(TEXTS, "The same as a list. Several: BuildKit, on an engine with the containerd image store.", ["linux/amd64"]),
    no_cache=option(bool, "Build every step anew.", example=True),
    pull=option(bool, "Fetch newer base images first.", example=True),
    cache_from=option(TEXTS, "Where steps that are done already are looked for: images, or (BuildKit) type=...,....", ["shop/api:cache"]),
    cache_to=option(TEXTS, "Where the cache of the build is kept, type=...,.... BuildKit; other than type=inline with the containerd image store.", ["type=inline"]),
    secrets=option(list_of(one_of(text=str, table=BUILD_SECRET)), "Secrets that RUN --mount=type=secret,id=NAME can read, each a [secret.*]. BuildKit.", ["npm_token"]),
    ssh=option(one_of(text=str, list=TEXTS, table=table_of(str)), "Keys or agents that RUN --mount=type=ssh can use: default, or ID=path. BuildKit.", ["default"]),
    network=option(str, "The network of RUN: default, host or none; with the classic builder any network of the engine.", "none"),
    extra_hosts=option(one_of(list=TEXTS, table=table_of(TEXT_OR_TEXTS)), "Further lines of /etc/hosts for RUN, host:address.", ["mirror.internal:10.0.0.5"]),
    shm_size=option(TEXT_OR_INTEGER, "The size of /dev/shm for RUN. Unit: bytes.", "128M"),
    ulimits=option(table_of(one_of(integer=int, text=str, table=ULIMIT)), "Limits for RUN, by name: a number, or soft and hard.", {"nofile": 1024}),
    privileged=option(bool, "Let RUN --security=insecure have all privileges, if the engine allows it. BuildKit.", example=True),
    entitlements=option(TEXTS, "What else RUN may, if the engine allows it. BuildKit.", ["network.host"]),
    provenance=option(one_of(boolean=bool, text=str), "Attach how it was built: true, or mode=max. BuildKit, with the containerd image store.", "mode=max"),
    sbom=option(one_of(boolean=bool, text=str), "Attach a list of what is in it. BuildKit, with the containerd image store.", example=True),
)
_ORDER = Literal["auto", "start-first", "stop-first"]
ROLLOUT = table("Rollout", {"text": "order"},
    order=option(_ORDER, "start-first: the successor serves before the old one stops; stop-first: it takes its place; auto (when not given): start-first where two can run side by side and something tells when the new one is ready.", "start-first"),
    ready_after=option(str, "How long it must run without a restart to be ready when it has no health check; 1s when not given. Unit: duration.", "5s"),
    timeout=option(str, "How long it may take to become ready; as long as its health check needs to decide when not given. Unit: duration.", "60s"),
    on_failure=option(Literal["rollback", "keep", "stop"], "What becomes of a successor that does not become ready: rollback (when not given): it is removed, and what served serves again; keep: it stays as it is, and a predecessor stopped for it stays stopped; stop: the same, and it is stopped.", "rollback"),
    drain=option(str, "Start-first: how long the old one goes on serving, without its names, before it is stopped; 2s when not given. Unit: duration.", "10s"),
    max_parallel=option(Annotated[int, Field(ge=1, le=500)], "How many instances are replaced at once; 1 when not given.", 1),
)
# fmt: on
