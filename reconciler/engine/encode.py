"""Canonical configs → Engine API bodies. Pure; what an API version cannot say was refused when it was planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.address import Kind
from reconciler.model.mounts import bind_text, mount_body, needs_mount_api
from reconciler.model.options import Option
from reconciler.model.ownership import HOLDER, PROJECT
from reconciler.model.plan import VOLUMES_FROM, CreateContainer, CreateNetwork, CreateVolume
from reconciler.model.rows import BY_NAME
from reconciler.model.scalars import PATHS_UNCONFINED
from reconciler.model.structures import endpoint_body
from reconciler.model.values import Config, Value

Json = dict[str, Any]

_APART = {
    "image", "container_name", "networks", "network_mode", "volumes", "expose", "labels", "configs", "secrets", "volumes_from",
}  # fmt: skip


def encode_container(action: CreateContainer) -> Json:
    """The body of POST /containers/create."""
    config, rows = action.config, BY_NAME[Kind.CONTAINER]
    flat: Json = {"Image": action.image, "HostConfig": {}}
    for name, value in config.items():
        row = rows[name]
        if name in _APART or not row.path:
            continue
        section, _, _ = row.path.partition(".")
        # What inspect shows under Config stands at the top level of the body.
        _put(flat["HostConfig"] if section == "HostConfig" else flat, row, value)
    _encode_paths(flat["HostConfig"])
    donors = {option: donor.id or donor.name for option, donor in action.donors.items()}
    mounted = {
        donors.get(f"{VOLUMES_FROM}{name}", name): mode for name, mode in _mapping(config.get("volumes_from")).items()
    }
    if mounted:
        flat["HostConfig"]["VolumesFrom"] = rows["volumes_from"].form.write(mounted)
    for option in action.donors.keys() & rows.keys():
        flat["HostConfig"][rows[option].path.rpartition(".")[2]] = f"container:{donors[option]}"
    flat["Labels"] = {**_mapping(config.get("labels")), **action.labels}
    exposed = {**_mapping(config.get("expose")), **_mapping(config.get("ports"))}
    if exposed:
        flat["ExposedPorts"] = {port: {} for port in sorted(exposed)}
    _encode_mounts(flat["HostConfig"], _mapping(config.get("volumes")), action)
    _encode_networks(flat, action)
    return flat


def _put(target: Json, row: Option, value: Value) -> None:
    """One option into its section; what several options write to one list stands there together."""
    section, _, key = row.path.rpartition(".")
    written = None if value is None else row.form.write(value)
    for name, item in {key: written}.items() if section else (written or {}).items():
        target[name] = [*target[name], *item] if target.get(name) and isinstance(item, list) else item


def _encode_paths(host: Json) -> None:
    """What is a security option to a person is two lists to the engine."""
    options = host.get("SecurityOpt") or []
    if PATHS_UNCONFINED in options:
        host["SecurityOpt"] = [option for option in options if option != PATHS_UNCONFINED]
        host["MaskedPaths"], host["ReadonlyPaths"] = [], []


def _encode_mounts(host: Json, mounts: Mapping[str, Any], action: CreateContainer) -> None:
    binds, bodies, anonymous = [], [], action.anonymous
    for target, mount in sorted(mounts.items()):
        if mount["type"] == "volume" and not mount.get("source") and target in anonymous:
            bodies.append(mount_body(target, {**mount, "source": anonymous[target]}))
        elif needs_mount_api(mount):
            bodies.append(mount_body(target, mount))
        else:
            binds.append(bind_text(target, mount))
    for target, volume in sorted(anonymous.items()):
        if target not in mounts:
            bodies.append(mount_body(target, {"type": "volume", "source": volume}))
    for target in action.holders:
        labels = {HOLDER: action.labels[PROJECT]}
        bodies.append({"Type": "volume", "Target": target, "VolumeOptions": {"Labels": labels}})
    if binds:
        host["Binds"] = binds
    if bodies:
        host["Mounts"] = bodies


def _encode_networks(flat: Json, action: CreateContainer) -> None:
    endpoints = _mapping(action.config.get("networks"))
    if action.networks:
        flat["HostConfig"]["NetworkMode"] = action.networks[0]
        flat["NetworkingConfig"] = {
            "EndpointsConfig": {name: endpoint_body(endpoints.get(name) or {}) for name in action.networks}
        }
        mac = (endpoints.get(action.networks[0]) or {}).get("mac_address")
        if mac:
            # Engines before 25 take it from here only, later ones from the endpoint.
            flat["MacAddress"] = mac
    elif "network_mode" not in action.donors and action.config.get("network_mode"):
        flat["HostConfig"]["NetworkMode"] = action.config["network_mode"]


def encode_update(config: Config) -> Json:
    """The body of POST /containers/{id}/update; an option to be taken away is sent as the value that clears it."""
    body: Json = {}
    for name, value in config.items():
        row = BY_NAME[Kind.CONTAINER][name]
        if value is None:
            body[row.path.rpartition(".")[2]] = 0
        else:
            _put(body, row, value)
    return body


def encode_network(action: CreateNetwork) -> Json:
    """The body of POST /networks/create."""
    body: Json = {"Name": action.name, "CheckDuplicate": True, "Driver": "bridge"}
    body.update(_table(Kind.NETWORK, action.config))
    body["Labels"] = {**_mapping(action.config.get("labels")), **action.labels}
    return body


def encode_volume(action: CreateVolume) -> Json:
    """The body of POST /volumes/create, where driver options have a name of their own."""
    body = {"Name": action.name, "Driver": "local", **_table(Kind.VOLUME, action.config)}
    body["DriverOpts"] = body.pop("Options", {})
    body["Labels"] = {**_mapping(action.config.get("labels")), **action.labels}
    return body


def _table(kind: Kind, config: Config) -> Json:
    rows = BY_NAME[kind]
    options = {name: value for name, value in config.items() if rows[name].path and name != "name"}
    return {rows[name].path: rows[name].form.write(value) for name, value in options.items()}


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
