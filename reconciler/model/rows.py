"""The rows of the option table. Facts: Engine API v1.41 to v1.51; names and forms: the Compose specification."""

from __future__ import annotations

from reconciler.model.address import Kind
from reconciler.model.contents import CONFIGS, SECRETS
from reconciler.model.devices import BLKIO, DEVICES, REQUESTS
from reconciler.model.forms import (
    ADDRESSES,
    ARGV,
    CAPABILITIES,
    CPUS,
    CPUSET,
    ENVIRONMENT,
    FLAG,
    HOSTS,
    INTEGER,
    LIST,
    LOGGING,
    MAP,
    MICROSECONDS,
    PATH,
    PIDS,
    RESTART,
    RULES,
    SECONDS,
    SECURITY,
    SET,
    SIGNAL,
    SIZE,
    SWAP,
    SWAPPINESS,
    TEXT,
    TMPFS,
    TRISTATE,
    ULIMITS,
)
from reconciler.model.mounts import MOUNTS, VOLUMES_FROM
from reconciler.model.options import Cost, Option, Silent, Supplied
from reconciler.model.structures import EXPOSE, HEALTHCHECK, INTERFACE_NAME, IPAM, NETWORKS, PORTS

_HOST = "HostConfig."
#: a form that writes several keys of this section, and reads the whole of it
_SECTION = "HostConfig"
_MERGES, _FILLS = Supplied.MERGES, Supplied.FILLS
_ENGINE = Silent.ENGINE
_NOTHING, _UPDATE, _NETWORK, _DATA = Cost.NOTHING, Cost.UPDATE, Cost.NETWORK, Cost.DATA

# fmt: off
_PROCESS = (
    Option("image", "Image", summary="An [image.*] of this project, or any image reference.", example='"redis:7.4"'),
    Option("command", "Config.Cmd", ARGV, image=_FILLS, summary="The arguments, or the program where there is no entrypoint; a string is split into words.", example='["python", "app.py"]'),
    Option("entrypoint", "Config.Entrypoint", ARGV, image=_FILLS, summary="The program. Setting it drops the image's command.", example='["/entrypoint.sh"]'),
    Option("environment", "Config.Env", ENVIRONMENT, default={}, image=_MERGES, summary="Environment variables, as a table or a list of NAME=value; a NAME alone is taken from your environment, and is unset where it is not set there.", example='{ LOG_LEVEL = "info" }'),
    Option("labels", "Config.Labels", MAP, default={}, image=_MERGES, summary="Labels, as a table or a list of name=value. `reconciler.*` is reserved.", example='{ "com.example.team" = "shop" }'),
    Option("annotations", _HOST + "Annotations", MAP, default={}, since=(1, 43), summary="Annotations for the runtime, as a table or a list of name=value.", example='{ "com.example.policy" = "strict" }'),
    Option("user", "Config.User", TEXT, image=_FILLS, summary="The user, and the group after a colon, that the process runs as.", example='"1000:1000"'),
    Option("working_dir", "Config.WorkingDir", PATH, image=_FILLS, summary="The working directory.", example='"/app"'),
    Option("hostname", "Config.Hostname", TEXT, silent=_ENGINE, summary="The host name inside the container.", example='"db"'),
    Option("domainname", "Config.Domainname", TEXT, summary="The domain name inside the container.", example='"example.test"'),
    Option("expose", "Config.ExposedPorts", EXPOSE, default={}, image=_MERGES, summary="Ports that are documented, not published.", example='["3000", "53/udp"]'),
    Option("healthcheck", "Config.Healthcheck", HEALTHCHECK, default={}, image=_MERGES, parts={"start_interval": (1, 44)}, summary="How the engine tells whether the container is healthy; fields not given are the image's.", example='{ test = ["CMD", "wget", "-qO-", "http://localhost/"], interval = "5s", retries = 3 }'),
    Option("stop_signal", "Config.StopSignal", SIGNAL, image=_FILLS, summary="The signal that asks the process to end.", example='"SIGINT"'),
    Option("stop_grace_period", "Config.StopTimeout", SECONDS, summary="How long the process may take to end before it is killed; 10 s when not given.", unit="duration", example='"30s"'),
    Option("tty", "Config.Tty", FLAG, default=False, summary="Give the process a terminal.", example="true"),
    Option("stdin_open", "Config.OpenStdin", FLAG, default=False, summary="Keep standard input open.", example="true"),
)
_RESOURCES = (
    Option("cpus", _HOST + "NanoCpus", CPUS, _UPDATE, summary="The most processor time it may use.", unit="processors", example="0.5"),
    Option("cpu_shares", _HOST + "CpuShares", INTEGER, _UPDATE, summary="Weight against other containers when processors are short.", unit="weight, 1024 when not given", example="512"),
    Option("cpu_period", _HOST + "CpuPeriod", INTEGER, _UPDATE, summary="The period of the processor quota; not together with cpus.", unit="microseconds", example="100000"),
    Option("cpu_quota", _HOST + "CpuQuota", PIDS, _UPDATE, summary="Processor time in each period; not together with cpus.", unit="microseconds", example="50000"),
    Option("cpuset", _HOST + "CpusetCpus", CPUSET, _UPDATE, summary="The processors it may run on.", example='"0-1"'),
    Option("cpu_rt_period", _HOST + "CpuRealtimePeriod", MICROSECONDS, summary="The period of the real-time scheduler; needs a kernel with it and cgroup v1.", unit="microseconds, or a duration", example="1000000"),
    Option("cpu_rt_runtime", _HOST + "CpuRealtimeRuntime", MICROSECONDS, summary="Real-time processor time in each period.", unit="microseconds, or a duration", example="950000"),
    Option("mem_limit", _HOST + "Memory", SIZE, _UPDATE, summary="The most memory it may use; at least 6M.", unit="bytes", example='"256M"'),
    Option("mem_reservation", _HOST + "MemoryReservation", SIZE, _UPDATE, summary="Memory it is held to when the host runs short.", unit="bytes", example='"128M"'),
    Option("memswap_limit", _HOST + "MemorySwap", SWAP, _UPDATE, summary="Memory and swap together; -1 for unlimited swap; twice mem_limit when not given.", unit="bytes", example='"512M"'),
    Option("mem_swappiness", _HOST + "MemorySwappiness", SWAPPINESS, summary="How readily its memory is swapped out, 0 to 100; needs cgroup v1.", example="10"),
    Option("oom_kill_disable", _HOST + "OomKillDisable", FLAG, default=False, summary="Let it wait for memory instead of killing a process of it; needs cgroup v1 and a mem_limit.", example="true"),
    Option("oom_score_adj", _HOST + "OomScoreAdj", INTEGER, summary="How soon its processes are killed when the host runs out of memory, -1000 (last) to 1000 (first).", example="500"),
    Option("pids_limit", _HOST + "PidsLimit", PIDS, _UPDATE, clears=True, summary="The most processes and threads.", unit="processes", example="100"),
    Option("shm_size", _HOST + "ShmSize", SIZE, silent=_ENGINE, summary="Size of /dev/shm.", unit="bytes", example='"128M"'),
    Option("ulimits", _HOST + "Ulimits", ULIMITS, default={}, silent=_ENGINE, summary="Limits of the process: a number, or soft and hard.", example="{ nofile = { soft = 1024, hard = 2048 } }"),
    Option("devices", _SECTION, DEVICES, default={}, parts={"=cdi": (1, 44)}, summary="Devices of the host, host[:container[:permissions]], tables of source, target, permissions, or CDI names.", example='["/dev/fuse:/dev/fuse:rwm"]'),
    Option("gpus", _HOST + "DeviceRequests", REQUESTS, summary='GPUs: "all", or tables of driver, count, device_ids, capabilities, options.', example='"all"'),
    Option("device_cgroup_rules", _HOST + "DeviceCgroupRules", RULES, summary="Kinds of devices it may use, type major:minor permissions.", example='["c 1:3 mr"]'),
    Option("blkio_config", _SECTION, BLKIO, _UPDATE, default={}, summary="Shares and limits of block devices: weight, and lists by device path.", example='{ weight = 300, device_read_bps = [{ path = "/dev/sda", rate = "12M" }] }'),
    Option("cgroup_parent", _HOST + "CgroupParent", TEXT, summary="The control group that its own is made in.", example='"/shop"'),
    Option("storage_opt", _HOST + "StorageOpt", MAP, default={}, summary="Options of the storage driver, such as the size of its root file system.", example='{ size = "10G" }'),
)
_SECURITY = (
    Option("read_only", _HOST + "ReadonlyRootfs", FLAG, default=False, summary="The container's root file system cannot be written to.", example="true"),
    Option("init", _HOST + "Init", TRISTATE, silent=_ENGINE, summary="Run a small init as process 1 that passes signals on and reaps children.", example="true"),
    Option("privileged", _HOST + "Privileged", FLAG, default=False, summary="Full access to the host. Avoid it.", example="true"),
    Option("cap_add", _HOST + "CapAdd", CAPABILITIES, summary="Capabilities to add, with or without CAP_.", example='["NET_ADMIN"]'),
    Option("cap_drop", _HOST + "CapDrop", CAPABILITIES, summary="Capabilities to drop.", example='["ALL"]'),
    Option("security_opt", _HOST + "SecurityOpt", SECURITY, summary="Security options such as no-new-privileges, or seccomp=FILE with the path of a profile.", example='["no-new-privileges"]'),
    Option("group_add", _HOST + "GroupAdd", SET, summary="Further groups of the process, by name or number.", example='["video"]'),
    Option("sysctls", _HOST + "Sysctls", MAP, default={}, summary="Kernel settings of the container's namespaces.", example='{ "net.core.somaxconn" = 1024 }'),
    Option("pid", _HOST + "PidMode", TEXT, summary="The process namespace: host, or container:NAME or service:NAME to share one.", example='"host"'),
    Option("ipc", _HOST + "IpcMode", TEXT, silent=_ENGINE, summary="The IPC namespace: private, shareable, host, none, container:NAME or service:NAME.", example='"shareable"'),
    Option("uts", _HOST + "UTSMode", TEXT, summary="The UTS namespace: host, to have the host's name.", example='"host"'),
    Option("userns_mode", _HOST + "UsernsMode", TEXT, summary="The user namespace: host, where the engine maps users otherwise.", example='"host"'),
    Option("cgroup", _HOST + "CgroupnsMode", TEXT, silent=_ENGINE, summary="The cgroup namespace: host or private.", example='"private"'),
    Option("runtime", _HOST + "Runtime", TEXT, summary="The runtime that runs it; the engine's own default when not given.", example='"runc"'),
)
_LIFECYCLE = (
    Option("restart", _HOST + "RestartPolicy", RESTART, _UPDATE, default="no", clears=True, summary="When the engine starts it again: no, always, unless-stopped, on-failure, on-failure:TIMES.", example='"unless-stopped"'),
    Option("logging", _HOST + "LogConfig", LOGGING, default={}, silent=_ENGINE, summary="Where its output goes: driver and options.", example='{ driver = "json-file", options = { max-size = "10m" } }'),
    Option("container_name", "Name", TEXT, Cost.RENAME, summary="Its name on the engine; {project}-{name}-{index} when not given.", example='"shop-db"'),
)
_NETWORKING = (
    Option("ports", _HOST + "PortBindings", PORTS, default={}, summary="Published ports, [address:][host:]container[/protocol], or tables of target, published, host_ip, protocol.", example='["127.0.0.1:4000:80"]'),
    Option("networks", "NetworkSettings.Networks", NETWORKS, _NETWORK, default={}, parts={"gw_priority": (1, 48), INTERFACE_NAME: (1, 49)}, summary="The networks it is attached to: a list of names, or a table by name: aliases, addresses, priorities, options of the driver.", example='{ backend = { aliases = ["api.internal"] } }'),
    Option("network_mode", _HOST + "NetworkMode", TEXT, summary="host, none, bridge, service:NAME or container:NAME in place of networks.", example='"host"'),
    Option("dns", _HOST + "Dns", ADDRESSES, summary="Name servers, in order.", example='["9.9.9.9"]'),
    Option("dns_search", _HOST + "DnsSearch", LIST, summary="Search domains, in order.", example='["example.test"]'),
    Option("dns_opt", _HOST + "DnsOptions", SET, summary="Options of the resolver.", example='["use-vc"]'),
    Option("extra_hosts", _HOST + "ExtraHosts", HOSTS, summary="Further host names, name:address; the address may be host-gateway.", example='["db.test:10.0.0.5"]'),
)
_STORAGE = (
    Option("volumes", "Mounts", MOUNTS, default={}, parts={"recursive=writable": (1, 44), "recursive=readonly": (1, 44), "subpath": (1, 45), "type=image": (1, 48)}, summary="Mounts, source:target[:options] or tables: a volume of this project by name, a path beside the spec, a tmpfs, or an image.", example='["data:/var/lib/data", "./conf:/etc/api:ro"]'),
    Option("volumes_from", _HOST + "VolumesFrom", VOLUMES_FROM, default={}, summary="All mounts of other containers: NAME[:ro] of this project, or container:NAME[:ro].", example='["db:ro"]'),
    Option("tmpfs", _HOST + "Tmpfs", TMPFS, default={}, summary="Directories kept in memory, path[:options].", example='["/run:size=64m"]'),
)
_CONTENTS = (
    Option("configs", "Config.Labels", CONFIGS, default={}, summary="Files with the content of a [config.*]: names (the file is /NAME), or tables of source, target, uid, gid, mode, on_change.", example='[{ source = "motd", target = "/etc/motd" }]'),
    Option("secrets", "Config.Labels", SECRETS, default={}, summary="Files with the content of a [secret.*], readable to the container's user only: names (the file is /run/secrets/NAME), or tables of source, target, uid, gid, mode, on_change.", example='["db_password"]'),
)
_STEERING = (
    Option("watch", cost=_NOTHING, summary="Bind-mounted files and directories whose content counts: paths, or tables of path and on_change.", example='[{ path = "./conf", on_change = "signal:SIGHUP" }]'),
    Option("env_file", cost=_NOTHING, summary="Files of NAME=value lines, below `environment`; the path is relative to the spec.", example='[".env.api"]'),
    Option("kind", cost=_NOTHING, summary="service: it is to run. job: it runs once for each version of its image and settings, and is done when it ends with exit code 0.", example='"job"'),
    Option("label_file", cost=_NOTHING, summary="Files of name=value lines, below `labels`; the path is relative to the spec.", example='["labels.env"]'),
    Option("mac_address", cost=_NOTHING, summary="A fixed MAC address on the first of its networks.", example='"02:42:ac:11:00:02"'),
    Option("links", cost=_NOTHING, summary="Containers of this project that it finds under another name too, NAME[:ALIAS]; they are started first.", example='["db:database"]'),
    Option("external_links", cost=_NOTHING, summary="The same for other containers of the engine, CONTAINER[:ALIAS].", example='["legacy_db:database"]'),
    Option("deploy", cost=_NOTHING, summary="Limits, reservations, replicas and restart policy as for a swarm; they are the options of the container that mean the same.", example='{ resources = { limits = { memory = "256M" } } }'),
    Option("profiles", cost=_NOTHING, summary="It is part of the project only while one of these is active: in [project] profiles, or in RECONCILER_PROFILES.", example='["debug"]'),
    Option("attach", cost=_NOTHING, summary="Nothing here: whose output `docker compose up` shows.", example="false"),
    Option("develop", cost=_NOTHING, summary="Nothing here: what `docker compose watch` does.", example='{ watch = [{ path = "./src", action = "rebuild" }] }'),
    Option("depends_on", cost=_NOTHING, summary="What must be there first: a list of containers, or a table with the condition started, healthy or completed, or with tables of condition, restart, required.", example='{ db = "healthy" }'),
    Option("scale", cost=_NOTHING, summary="How many instances.", unit="containers", example="2"),
    Option("pull_policy", cost=_NOTHING, summary="When an image that this project does not declare is pulled: always, missing or never.", example='"missing"'),
    Option("platform", cost=_NOTHING, summary="The platform of the image, os/architecture[/variant].", example='"linux/amd64"'),
)
AUTO_REMOVE = _HOST + "AutoRemove"
# Fields of the API that have no option yet. They are compared all the same, so that a change made by hand is seen.
_UNDECLARED = tuple(
    Option(path, path, form, default=default, declared=False)
    for path, form, default in (
        (_HOST + "CpusetMems", CPUSET, None),
        (AUTO_REMOVE, FLAG, False),
        (_HOST + "PublishAllPorts", FLAG, False),
        (_HOST + "Links", SET, None),
        (_HOST + "VolumeDriver", TEXT, None),
    )
)
CONTAINER = _PROCESS + _RESOURCES + _SECURITY + _LIFECYCLE + _NETWORKING + _STORAGE + _CONTENTS + _STEERING + _UNDECLARED

NETWORK = (
    Option("driver", "Driver", TEXT, default="bridge", summary="The network driver.", example='"bridge"'),
    Option("driver_opts", "Options", MAP, default={}, silent=_ENGINE, summary="Options of the driver.", example='{ "com.docker.network.bridge.name" = "br-shop" }'),
    Option("internal", "Internal", FLAG, default=False, summary="No way out of the network, and no published ports.", example="true"),
    Option("attachable", "Attachable", FLAG, default=False, summary="Containers outside a swarm service may join (overlay networks).", example="true"),
    Option("enable_ipv4", "EnableIPv4", TRISTATE, silent=_ENGINE, since=(1, 48), summary="Give the network IPv4 addresses, which is so when not given.", example="false"),
    Option("enable_ipv6", "EnableIPv6", FLAG, default=False, summary="Give the network IPv6 addresses as well.", example="true"),
    Option("ipam", "IPAM", IPAM, default={}, silent=_ENGINE, summary="Address management: driver, options, and config, a list of subnet, ip_range, gateway, aux_addresses.", example='{ config = [{ subnet = "10.5.0.0/24" }] }'),
    Option("labels", "Labels", MAP, default={}, summary="Labels. `reconciler.*` is reserved.", example='{ "com.example.team" = "shop" }'),
    Option("name", "Name", TEXT, summary="Its name on the engine; {project}_{name} when not given.", example='"shop-net"'),
    Option("external", cost=_NOTHING, summary="It exists already; it is used and never touched.", example="true"),
)
VOLUME = (
    Option("driver", "Driver", TEXT, _DATA, default="local", summary="The volume driver.", example='"local"'),
    Option("driver_opts", "Options", MAP, _DATA, default={}, summary="Options of the driver.", example='{ type = "tmpfs", device = "tmpfs", o = "size=10m" }'),
    Option("labels", "Labels", MAP, _DATA, default={}, summary="Labels. `reconciler.*` is reserved.", example='{ "com.example.team" = "shop" }'),
    Option("name", "Name", TEXT, _DATA, summary="Its name on the engine; {project}_{name} when not given.", example='"shop-data"'),
    Option("external", cost=_NOTHING, summary="It exists already; it is used and never touched.", example="true"),
    Option("prune", cost=_NOTHING, summary="Remove the volume, with what is in it, once it has left the spec and the run is confirmed.", example="true"),
)
IMAGE = (
    Option("tag", cost=_NOTHING, summary="The name of the image that is built; {project}-{name} when not given.", example='"shop/api:1.4"'),
    Option("build", cost=_NOTHING, summary="Build it, as Compose's `build`; a string is the context.", example='{ context = "./api", target = "prod", args = { VERSION = "1.4" } }'),
    Option("reference", cost=_NOTHING, summary="Pull it: name:tag or name@digest.", example='"redis:7.4"'),
    Option("pull_policy", cost=_NOTHING, summary="always: whenever the registry has a newer one; missing: once; never.", example='"missing"'),
    Option("platform", cost=_NOTHING, summary="The platform, os/architecture[/variant].", example='"linux/amd64"'),
)
# fmt: on

TABLE: dict[Kind, tuple[Option, ...]] = {
    Kind.CONTAINER: CONTAINER,
    Kind.NETWORK: NETWORK,
    Kind.VOLUME: VOLUME,
    Kind.IMAGE: IMAGE,
}
BY_NAME: dict[Kind, dict[str, Option]] = {kind: {row.name: row for row in rows} for kind, rows in TABLE.items()}
