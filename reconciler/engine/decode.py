"""Engine API answers → observed objects. What the engine rewrites or fills in is undone here and in the forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model import forms
from reconciler.model.contents import parse_recorded
from reconciler.model.mounts import read_mounts
from reconciler.model.observed import ObservedContainer, ObservedImage, ObservedNetwork, ObservedVolume
from reconciler.model.options import Option
from reconciler.model.ownership import CONTENTS, HOLDER
from reconciler.model.rows import CONTAINER, NETWORK, VOLUME
from reconciler.model.scalars import PATHS_UNCONFINED, declare_path, read_swappiness
from reconciler.model.structures import read_endpoint
from reconciler.model.values import Value

Json = Mapping[str, Any]

# Read apart from the table's forms: they stand in more than one place of the answer.
_APART = {"image", "container_name", "networks", "network_mode", "volumes", "security_opt", "configs", "secrets"}
# What these read is a value too when it is 0 or false.
_ZERO_SAYS = (forms.same, read_swappiness)
_BUILT_IN_NETWORKS = ("host", "none")


def _plan_of(rows: Iterable[Option]) -> list[tuple[str, str, str, Option, Value]]:
    """(section, key, name, row, value when empty) for each row that its form alone can read.

    Worked out once: a pass over 200 containers reads some 10,000 fields, most of them empty.
    """
    readable = [row for row in rows if row.path and row.name not in _APART]
    return [(*row.path.rpartition(".")[::2], row.name, row, row.form.read(None)) for row in readable]


_CONTAINER = _plan_of(CONTAINER)
_NETWORK = _plan_of(NETWORK)
_VOLUME = _plan_of(VOLUME)
# The fields of an image's config that the engine merges into containers.
_SUPPLIES = [item for item in _CONTAINER if item[3].image != "no"]


def _read(plan: list[tuple[str, str, str, Option, Value]], answer: Json) -> dict[str, Value]:
    config: dict[str, Value] = {}
    for section, key, name, row, empty in plan:
        api = (answer.get(section) or {}).get(key) if section else answer.get(key)
        config[name] = row.form.read(api) if api or (api is not None and row.form.read in _ZERO_SAYS) else empty
    return config


def decode_container(answer: Json) -> ObservedContainer:
    """An inspect answer, every option of the table read."""
    host, state = answer["HostConfig"], answer.get("State") or {}
    networks = (answer.get("NetworkSettings") or {}).get("Networks") or {}
    mode = host.get("NetworkMode") or "bridge"
    config = _read(_CONTAINER, answer)
    config["container_name"] = answer["Name"].lstrip("/")
    config["image"] = answer["Image"]
    config["network_mode"] = "bridge" if mode == "default" else mode
    config["networks"] = {
        name: read_endpoint(endpoint or {}, answer["Id"][:12])
        for name, endpoint in networks.items()
        if name not in _BUILT_IN_NETWORKS
    }
    config["volumes"] = read_mounts(host, answer.get("Mounts") or [], (answer.get("Config") or {}).get("Volumes") or ())
    config["security_opt"] = forms.declare_security(_asked_for(host))
    recorded = parse_recorded(((answer.get("Config") or {}).get("Labels") or {}).get(CONTENTS, ""))
    config["configs"], config["secrets"] = recorded.configs, recorded.secrets
    mounted = _mapping(config["volumes"])  # `Mounts` also has what comes from other containers
    health = (state.get("Health") or {}).get("Status") or ""
    return ObservedContainer(
        id=answer["Id"],
        name=answer["Name"].lstrip("/"),
        labels=(answer.get("Config") or {}).get("Labels") or {},
        status=state.get("Status") or "",
        exit_code=int(state.get("ExitCode") or 0),
        error=state.get("Error") or "",
        health="" if health == "none" else health,
        since=_since(state),
        created=answer.get("Created") or "",
        image_id=answer["Image"],
        image=(answer.get("Config") or {}).get("Image") or "",
        config=config,
        network_ids={name: (endpoint or {}).get("NetworkID") or "" for name, endpoint in networks.items()},
        anonymous={
            mount["Destination"]: mount["Name"]
            for mount in answer.get("Mounts") or ()
            if mount.get("Type") == "volume" and len(mount.get("Name") or "") == 64 and mount["Destination"] in mounted
        },
        published=_published((answer.get("NetworkSettings") or {}).get("Ports") or {}),
        restart_count=int(answer.get("RestartCount") or 0),
        contents=recorded,
        holders=_holders(answer),
        mac_address=((answer.get("Config") or {}).get("MacAddress") or "").lower(),
    )


def _holders(answer: Json) -> tuple[str, ...]:
    """The names of the volumes that were made for files of ours."""
    targets = {
        mount["Target"]
        for mount in answer["HostConfig"].get("Mounts") or ()
        if HOLDER in ((mount.get("VolumeOptions") or {}).get("Labels") or {})
    }
    mounts = answer.get("Mounts") or ()
    return tuple(sorted(mount["Name"] for mount in mounts if mount["Destination"] in targets)) if targets else ()


def _asked_for(host: Json) -> list[str]:
    """The security options without `label=disable`, which the engine adds by itself to such containers.

    That no path is masked stands elsewhere; those of a privileged one are null.
    """
    adds = host.get("Privileged") or host.get("PidMode") == "host" or host.get("IpcMode") == "host"
    options = [option for option in host.get("SecurityOpt") or () if not (adds and option == "label=disable")]
    return (
        [*options, PATHS_UNCONFINED] if host.get("MaskedPaths") == [] and host.get("ReadonlyPaths") == [] else options
    )


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _since(state: Json) -> str:
    moment = str(state.get("StartedAt" if state.get("Running") else "FinishedAt") or "")
    return "" if moment.startswith("0001-") else moment


def _published(ports: Json) -> tuple[str, ...]:
    places = [
        f"{place.get('HostIp') or ''}:{place.get('HostPort') or ''}->{port}"
        for port, bound in ports.items()
        for place in bound or ()
    ]
    return tuple(sorted(places))


def listed_name(answer: Json) -> str:
    """The name of an entry of the list; links add longer ones with a second slash."""
    names: list[str] = answer.get("Names") or ["/?"]
    return min(names, key=len).lstrip("/")


def decode_listed_container(answer: Json) -> ObservedContainer:
    """An entry of the list: enough for containers that are not ours."""
    networks = (answer.get("NetworkSettings") or {}).get("Networks") or {}
    return ObservedContainer(
        id=answer["Id"],
        name=listed_name(answer),
        labels=answer.get("Labels") or {},
        status=answer.get("State") or "",
        image_id=answer.get("ImageID") or "",
        image=answer.get("Image") or "",
        network_ids={name: (endpoint or {}).get("NetworkID") or "" for name, endpoint in networks.items()},
        published=tuple(
            sorted(
                f"{p.get('IP') or ''}:{p['PublicPort']}->{p['PrivatePort']}/{p.get('Type', 'tcp')}"
                for p in answer.get("Ports") or ()
                if p.get("PublicPort")
            )
        ),
    )


def decode_network(answer: Json, members: Iterable[tuple[str, str]]) -> ObservedNetwork:
    config = _read(_NETWORK, answer)
    return ObservedNetwork(answer["Id"], answer["Name"], answer.get("Labels") or {}, config, tuple(sorted(members)))


def decode_volume(answer: Json, users: Iterable[str]) -> ObservedVolume:
    config = _read(_VOLUME, answer)
    return ObservedVolume(answer["Name"], answer.get("Labels") or {}, config, tuple(sorted(users)))


def decode_listed_image(answer: Json) -> ObservedImage:
    return ObservedImage(
        id=answer["Id"],
        tags=tuple(sorted(tag for tag in answer.get("RepoTags") or () if tag != "<none>:<none>")),
        digests=tuple(sorted(item for item in answer.get("RepoDigests") or () if not item.startswith("<none>"))),
        labels=answer.get("Labels") or {},
        created=float(answer.get("Created") or 0),
    )


def supplies(answer: Json) -> dict[str, Value]:
    """The options that an image adds to containers, from its inspect answer; those it says nothing of are left out."""
    config = {"Config": answer.get("Config") or {}}
    supplied: dict[str, Value] = {name: value for name, value in _read(_SUPPLIES, config).items() if value}
    volumes = (answer.get("Config") or {}).get("Volumes") or {}
    if volumes:
        supplied["volumes"] = {declare_path(path) or "/": {"type": "volume"} for path in volumes}
    return supplied
