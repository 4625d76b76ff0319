"""What Podman's Docker-compatible API answers otherwise than Docker's, put into Docker's words before it is decoded; and
what it has to be asked otherwise.

Seen on Podman 5.4. What Podman fills in where nothing was said is not undone here, since it cannot be told from what
was said: `planning/untold.py` judges it by the fingerprint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]

#: its name for the network that Docker calls `bridge`; its API lists it as `bridge` and shows members under this name
_DEFAULT_NETWORK = "podman"
#: the ignore file that its builder heeds before every other
IGNORE_FILE = ".containerignore"
#: how many processes it allows a container where nobody said a number
PROCESSES = 2048
KEEPS_ENTRYPOINT = "Podman's API keeps the image's entrypoint where [] should take it away; write one of your own"
#: what it makes a container without where the kernel has no such thing, and does not say so
_DISCARDED = ("BlkioWeight", "BlkioWeightDevice")
#: mount options that it always adds, and Docker does not know
_MOUNT_WORDS = {"nosuid", "nodev", "noexec", "rbind", "bind", "rprivate", "exec", "suid", "dev"}


def container_as_docker(answer: Mapping[str, Any]) -> Json:
    """An inspect answer of Podman as Docker would give it."""
    state = dict(answer.get("State") or {})
    state["Status"] = _status(state.get("Status"))
    host, config = dict(answer["HostConfig"]), dict(answer.get("Config") or {})
    settings = dict(answer.get("NetworkSettings") or {})
    networks = {_network(name): _endpoint(api or {}) for name, api in (settings.get("Networks") or {}).items()}
    # Who shares a network namespace is shown with the endpoints of the donor.
    settings["Networks"] = {} if str(host.get("NetworkMode")).startswith("container:") else networks
    if host.get("NetworkMode") == "bridge" and networks and "bridge" not in networks:
        host["NetworkMode"] = next(iter(sorted(networks)))
    for mode in ("PidMode", "UTSMode", "UsernsMode"):
        if host.get(mode) == "private":
            host[mode] = ""
    host["Ulimits"] = [
        {**limit, "Name": str(limit.get("Name")).removeprefix("RLIMIT_").lower()} for limit in host.get("Ulimits") or ()
    ]
    host["Binds"] = [_bind(text) for text in host.get("Binds") or ()]
    host["Tmpfs"] = {path: _tmpfs(options) for path, options in (host.get("Tmpfs") or {}).items()}
    return {**answer, "State": state, "HostConfig": host, "Config": config, "NetworkSettings": settings}


def created_as_podman(body: Json) -> Json:
    """The body of a creation: that the processes are to have no limit is said by a number, and not by none."""
    host = body["HostConfig"]
    unlimited = "PidsLimit" in host and host["PidsLimit"] is None
    return {**body, "HostConfig": {**host, "PidsLimit": -1}} if unlimited else body


def may_discard(body: Json) -> bool:
    """Whether something is asked for that it makes containers without, in silence, on some hosts."""
    return any(body["HostConfig"].get(name) for name in _DISCARDED)


def discarded(body: Json, answer: Mapping[str, Any]) -> tuple[str, ...]:
    """The warnings that it left out of its answer: what is not in the container that it made."""
    asked, has = body["HostConfig"], answer.get("HostConfig") or {}
    return tuple(
        f"{name} discarded, Podman does not say why" for name in _DISCARDED if asked.get(name) and not has.get(name)
    )


def has_entrypoint(image: Json) -> bool:
    """What an image has a container gets all the same, though its body takes it away by []."""
    return bool((image.get("Config") or {}).get("Entrypoint"))


def hidden_files(container: Mapping[str, Any], path: str, archive: bytes) -> str:
    """Which files of an archive it would put under a volume instead of into it, where nobody finds them; or ""."""
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = [f"{path.rstrip('/')}/{name}" for name in tar.getnames()]
    volumes = [str(mount.get("Destination")) for mount in container.get("Mounts") or ()]
    hidden = sorted(f"{file} is in {place}" for file in files for place in volumes if file.startswith(f"{place}/"))
    return f"Podman's API puts no configs and secrets into a volume: {', '.join(hidden)}" if hidden else ""


def update_as_podman(body: Json, answer: Mapping[str, Any]) -> Json:
    """The body of an update of the container with this inspect answer.

    A limit of processes that is taken away is what a new container has, since none at all it shows and does not set.
    Processors go as the quota that Podman makes of them, since it drops them in silence here; and the restart policy
    always goes along, since an update without one takes it away.
    """
    whole = {"RestartPolicy": answer["HostConfig"].get("RestartPolicy") or {"Name": "no"}, **body}
    if whole.get("PidsLimit") == 0:
        whole["PidsLimit"] = PROCESSES
    processors = whole.pop("NanoCpus", 0)
    return whole | ({"CpuPeriod": 100_000, "CpuQuota": processors // 10_000} if processors else {})


def health_path(container_id: str) -> str:
    """What runs a health check: a question of its own API, 4.0 of which it has answered ever since."""
    return f"/v4.0.0/libpod/containers/{quote(container_id, safe='')}/healthcheck"


def listed_as_docker(entry: Mapping[str, Any]) -> Json:
    """An entry of the list of containers."""
    settings = dict(entry.get("NetworkSettings") or {})
    settings["Networks"] = {_network(name): endpoint for name, endpoint in (settings.get("Networks") or {}).items()}
    return {**entry, "State": _status(entry.get("State")), "NetworkSettings": settings}


def network_as_docker(answer: Mapping[str, Any]) -> Json:
    """It names the program that hands out addresses among the options of address management."""
    ipam = dict(answer.get("IPAM") or {})
    ipam["Options"] = {key: value for key, value in (ipam.get("Options") or {}).items() if key != "driver"}
    return {**answer, "IPAM": ipam}


def volume_as_docker(answer: Mapping[str, Any]) -> Json:
    """It tells some of what the option `o` holds a second time, under names of its own in capitals."""
    options = {key: value for key, value in (answer.get("Options") or {}).items() if not key.isupper()}
    return {**answer, "Options": options}


def image_as_docker(entry: Mapping[str, Any]) -> Json:
    """A listed image with the short names by which Podman finds it as well as Docker does."""
    return {**entry, "RepoTags": _short(entry.get("RepoTags")), "RepoDigests": _short(entry.get("RepoDigests"))}


def _short(names: list[str] | None) -> list[str]:
    """`docker.io/library/x` and `localhost/x` are both found as `x`, the latter first."""
    prefixes = ("docker.io/library/", "localhost/", "docker.io/")
    short = [next((name[len(p) :] for p in prefixes if name.startswith(p)), name) for name in names or ()]
    kept = [name for name in names or () if name.startswith("localhost/")]
    return list(dict.fromkeys([*short, *kept]))


def _status(word: Any) -> Any:
    """`stopped` is what has ended and is not cleaned up yet."""
    return "exited" if word == "stopped" else word


def _network(name: str) -> str:
    return "bridge" if name == _DEFAULT_NETWORK else name


def _endpoint(api: Mapping[str, Any]) -> Json:
    """It tells the address that an endpoint has, not whether somebody asked for it."""
    has = {"IPv4Address": api.get("IPAddress"), "IPv6Address": api.get("GlobalIPv6Address")}
    return {**api, "IPAMConfig": {key: value for key, value in has.items() if value}}


def _bind(text: str) -> str:
    source, target, options = ([*text.split(":"), "", ""])[:3]
    return f"{source}:{target}:{','.join(word for word in options.split(',') if word not in _MOUNT_WORDS) or 'rw'}"


def _tmpfs(options: str) -> str:
    added = {"rw", "rprivate", "nosuid", "nodev", "noexec", "tmpcopyup"}
    return ",".join(word for word in options.split(",") if word not in added)
