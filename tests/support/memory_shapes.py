"""How an engine answers: the JSON of containers, networks, volumes and images, with what it fills in by itself.

Shapes and defaults are those of dockerd 20.10 (API 1.41) up to 28 (1.51), where they differ by API version.
"""

import hashlib
import ipaddress
import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

Json = dict[str, Any]
Version = tuple[int, int]
NEVER = "0001-01-01T00:00:00Z"

_CONFIG: Json = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False, "AttachStderr": False,
    "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None, "Cmd": None, "Image": "", "Volumes": None,
    "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": {},
}  # fmt: skip
_HOST: Json = {
    "Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}}, "NetworkMode": "default",
    "PortBindings": {}, "RestartPolicy": {"Name": "", "MaximumRetryCount": 0}, "AutoRemove": False,
    "VolumeDriver": "", "VolumesFrom": None, "CapAdd": None, "CapDrop": None, "CgroupnsMode": "host", "Dns": None,
    "DnsOptions": None, "DnsSearch": None, "ExtraHosts": None, "GroupAdd": None, "IpcMode": "private", "Cgroup": "",
    "Links": None, "OomScoreAdj": 0, "PidMode": "", "Privileged": False, "PublishAllPorts": False,
    "ReadonlyRootfs": False, "SecurityOpt": None, "UTSMode": "", "UsernsMode": "", "ShmSize": 64 * 1024 * 1024,
    "Runtime": "runc", "ConsoleSize": [0, 0], "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0,
    "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": None, "BlkioDeviceReadBps": None,
    "BlkioDeviceWriteBps": None, "BlkioDeviceReadIOps": None, "BlkioDeviceWriteIOps": None, "CpuPeriod": 0,
    "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "",
    "Devices": None, "DeviceCgroupRules": None, "DeviceRequests": None, "MemoryReservation": 0, "MemorySwap": 0,
    "MemorySwappiness": None, "OomKillDisable": False, "PidsLimit": None, "Ulimits": None, "CpuCount": 0,
    "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
    "MaskedPaths": [
        "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    ],
    "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
}  # fmt: skip
_ENDPOINT: Json = {
    "IPAMConfig": None, "Links": None, "Aliases": None, "NetworkID": "", "EndpointID": "", "Gateway": "",
    "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
    "MacAddress": "", "DriverOpts": None,
}  # fmt: skip


def hex_id(*parts: object) -> str:
    """64 hex digits that depend on nothing but `parts`."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def container_config(body: Mapping[str, Any], image: Mapping[str, Any], short_id: str) -> Json:
    """`Config` of a new container: the body's, what it leaves out from the image's (moby's `merge`), and defaults."""
    config = deepcopy(_CONFIG)
    outside = ("HostConfig", "NetworkingConfig")
    config |= {key: deepcopy(value) for key, value in body.items() if key not in outside and value is not None}
    _merge(config, image)
    if config["Entrypoint"] == [""]:
        config["Entrypoint"] = None
    config["Hostname"] = config["Hostname"] or short_id
    for optional in ("StopSignal", "Healthcheck", "StopTimeout"):
        if not config.get(optional):
            config.pop(optional, None)
    return config


def _merge(config: Json, image: Mapping[str, Any]) -> None:
    for key in ("User", "WorkingDir", "StopSignal"):
        config[key] = config.get(key) or image.get(key) or ""
    for key in ("ExposedPorts", "Volumes"):
        both = {**(image.get(key) or {}), **(config.get(key) or {})}
        if both:
            config[key] = both
    own = {entry.split("=")[0] for entry in config["Env"] or ()}
    inherited = [entry for entry in image.get("Env") or () if entry.split("=")[0] not in own]
    config["Env"] = [*(config["Env"] or ()), *inherited]
    config["Labels"] = {**(image.get("Labels") or {}), **(config["Labels"] or {})}
    if not config["Entrypoint"]:
        config["Cmd"] = config["Cmd"] or deepcopy(image.get("Cmd"))
        if config["Entrypoint"] is None:
            config["Entrypoint"] = deepcopy(image.get("Entrypoint"))
    if image.get("Healthcheck"):
        set_here = {key: value for key, value in (config.get("Healthcheck") or {}).items() if value}
        config["Healthcheck"] = {**deepcopy(image["Healthcheck"]), **set_here}


def host_config(body: Mapping[str, Any] | None, version: Version) -> Json:
    """`HostConfig` of a new container, with defaults where nothing, or nothing that counts, was sent."""
    host = deepcopy(_HOST)
    if version >= (1, 44):
        host["RestartPolicy"]["Name"] = "no"
    if version >= (1, 45):
        host["NetworkMode"] = "bridge"
    if version < (1, 42):
        host |= {"KernelMemory": 0, "KernelMemoryTCP": 0}
    host |= {key: deepcopy(value) for key, value in (body or {}).items() if value is not None and value != ""}
    host["RestartPolicy"] = {**_HOST["RestartPolicy"], **host["RestartPolicy"]}
    log = host["LogConfig"]
    host["LogConfig"] = {"Type": log.get("Type") or "json-file", "Config": log.get("Config") or {}}
    host["ShmSize"] = host["ShmSize"] or _HOST["ShmSize"]
    if host["Memory"] and not host["MemorySwap"]:
        host["MemorySwap"] = 2 * host["Memory"]
    return host


def endpoint(settings: Mapping[str, Any] | None) -> Json:
    """One entry of `NetworkSettings.Networks` of a container that was not started."""
    return {**deepcopy(_ENDPOINT), **{key: deepcopy(value) for key, value in (settings or {}).items() if value}}


def new_state() -> Json:
    return {
        "Status": "created", "Running": False, "Paused": False, "Restarting": False, "OOMKilled": False, "Dead": False,
        "Pid": 0, "ExitCode": 0, "Error": "", "StartedAt": NEVER, "FinishedAt": NEVER,
    }  # fmt: skip


def set_status(state: Json, status: str, **more: object) -> None:
    """Set a status and the flags that go with it; a container that restarts counts as running."""
    running = status in ("running", "paused", "restarting")
    state |= {"Status": status, "Running": running, "Paused": status == "paused", "Restarting": status == "restarting"}
    state |= {"Pid": 4711 if status in ("running", "paused") else 0, **more}


def network(body: Mapping[str, Any], network_id: str, created: str, subnet: str) -> Json:
    """A network as it is listed; `subnet` is used when the body asks for none."""
    ipam = body.get("IPAM") or {}
    pools = [dict(pool) for pool in ipam.get("Config") or () if pool] or [
        {"Subnet": subnet, "Gateway": first_host(subnet)}
    ]
    return {
        "Name": body["Name"], "Id": network_id, "Created": created, "Scope": "local",
        "Driver": body.get("Driver") or "bridge", "EnableIPv6": bool(body.get("EnableIPv6")),
        "IPAM": {"Driver": ipam.get("Driver") or "default", "Options": ipam.get("Options"), "Config": pools},
        "Internal": bool(body.get("Internal")), "Attachable": bool(body.get("Attachable")), "Ingress": False,
        "ConfigFrom": {"Network": ""}, "ConfigOnly": False, "Containers": {},
        "Options": dict(body.get("Options") or {}), "Labels": dict(body.get("Labels") or {}),
    }  # fmt: skip


def first_host(subnet: str) -> str:
    return str(next(ipaddress.ip_network(subnet).hosts()))


def volume(body: Mapping[str, Any], created: str) -> Json:
    return {
        "CreatedAt": created, "Driver": body.get("Driver") or "local", "Labels": body.get("Labels"),
        "Mountpoint": f"/var/lib/docker/volumes/{body['Name']}/_data", "Name": body["Name"],
        "Options": body.get("DriverOpts") or None, "Scope": "local",
    }  # fmt: skip


def listed_container(inspected: Json) -> Json:
    """An entry of the list, from what inspect answers."""
    state = inspected["State"]
    words = [*(inspected["Config"]["Entrypoint"] or ()), *(inspected["Config"]["Cmd"] or ())]
    networks = {
        name: {**settings, "Aliases": None} for name, settings in inspected["NetworkSettings"]["Networks"].items()
    }
    return {
        "Id": inspected["Id"], "Names": [inspected["Name"]], "Image": inspected["Config"]["Image"],
        "ImageID": inspected["Image"], "Command": " ".join(words), "Created": 0,
        "Ports": _listed_ports(inspected["NetworkSettings"]["Ports"]), "Labels": deepcopy(inspected["Config"]["Labels"]),
        "State": state["Status"], "Status": _status_text(state),
        "HostConfig": {"NetworkMode": inspected["HostConfig"]["NetworkMode"]},
        "NetworkSettings": {"Networks": deepcopy(networks)}, "Mounts": deepcopy(inspected["Mounts"]),
    }  # fmt: skip


def _listed_ports(ports: Mapping[str, Any]) -> list[Json]:
    listed = []
    for port, bindings in ports.items():
        private, _, protocol = port.partition("/")
        base = {"PrivatePort": int(private), "Type": protocol}
        listed += [{"IP": b["HostIp"], "PublicPort": int(b["HostPort"]), **base} for b in bindings or ()] or [base]
    return listed


def _status_text(state: Mapping[str, Any]) -> str:
    health = (state.get("Health") or {}).get("Status")
    texts = {
        "created": "Created",
        "exited": f"Exited ({state['ExitCode']}) 1 second ago",
        "restarting": f"Restarting ({state['ExitCode']}) 1 second ago",
        "paused": "Up 1 second (Paused)",
        "running": "Up 1 second" + (f" ({health})" if health else ""),
    }
    return texts.get(state["Status"], state["Status"])
