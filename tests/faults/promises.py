"""What has to hold when everything has settled, whatever went wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.engine.interface import Engine
from tests.faults.scenarios import SERVER, Scenario

PROJECT, ADDRESS = "reconciler.project", "reconciler.address"

Snapshot = Mapping[str, object]


def make_strangers(engine: Engine, project: str) -> list[str]:
    """Objects that look like ours by their names, and are not: nobody's, and another project's. The ids of containers."""
    network, _ = engine.create_network({"Name": f"{project}_front2", "Driver": "bridge"})
    engine.create_volume({"Name": f"{project}_data2"})
    others = {PROJECT: f"{project}x", ADDRESS: "container.web", "reconciler.fingerprint": "1:"}
    made = []
    for name, labels in ((f"{project}-web-9", {}), (f"{project}x-web-1", others)):
        host = {"NetworkMode": f"{project}_front2", "Binds": [f"{project}_data2:/data"]}
        made.append(engine.create_container(name, {"Image": SERVER, "Labels": labels, "HostConfig": host}, "")[0])
        engine.start_container(made[-1])
    return [*made, network]


def snapshot(engine: Engine, project: str, containers: list[str]) -> Snapshot:
    """All that must not change of what is not ours."""
    found: dict[str, object] = {}
    for item in engine.inspect_containers(containers):
        found[item["Name"]] = (item["Id"], item["State"]["StartedAt"], item["State"]["Status"])
    for network in engine.list_networks():
        if network["Name"] == f"{project}_front2":
            found["network"] = network["Id"]
    for volume in engine.list_volumes():
        if volume["Name"] == f"{project}_data2":
            found["volume"] = volume.get("CreatedAt")
    return found


def owned(engine: Engine, project: str) -> list[dict[str, Any]]:
    """Our containers."""
    ids = [item["Id"] for item in engine.list_containers() if (item.get("Labels") or {}).get(PROJECT) == project]
    return engine.inspect_containers(ids)


def broken(engine: Engine, project: str, scenario: Scenario) -> list[str]:
    """A sentence for each promise that does not hold."""
    containers = owned(engine, project)
    names = sorted(item["Name"].removeprefix(f"/{project}-") for item in containers)
    found = [] if names == sorted(scenario.names) else [f"containers {names}, not {sorted(scenario.names)}"]
    everything = [name for item in engine.list_containers() for name in item.get("Names") or ()]
    halves = [name for name in everything if name.startswith(f"/{project}-") and name.endswith((".next", ".prev"))]
    found += [f"left over: {', '.join(halves)}"] if halves else []
    for item in containers:
        found += _wrong(item, project)
    for kind, wanted, seen in (
        ("network", scenario.networks, [item["Name"] for item in engine.list_networks()]),
        ("volume", scenario.volumes, [item["Name"] for item in engine.list_volumes()]),
    ):
        ours = sorted(name.removeprefix(f"{project}_") for name in seen if name.startswith(f"{project}_"))
        ours = [name for name in ours if name not in ("front2", "data2", "default")]
        missing = [name for name in wanted if "*" not in name and name not in ours]
        known = {*wanted, "*"} if any("*" in name for name in wanted) else {*wanted}
        extra = [name for name in ours if "*" not in known and name not in known]
        found += [f"{kind} {name} is gone" for name in missing] + [f"{kind} {name} is left over" for name in extra]
    return found


def _wrong(container: Mapping[str, Any], project: str) -> list[str]:
    name, state = container["Name"][1:], container["State"]
    service = name.removeprefix(f"{project}-").rpartition("-")[0]
    if container["Config"]["Labels"][ADDRESS].startswith("container.migrate"):
        is_done = (state["Status"], state["ExitCode"]) == ("exited", 0)
        return [] if is_done else [f"the job {name} is {state['Status']} ({state['ExitCode']})"]
    found = [] if state["Status"] == "running" else [f"{name} is {state['Status']}"]
    policy = container["HostConfig"]["RestartPolicy"]["Name"]
    found += [] if policy == "unless-stopped" else [f"{name} has the restart policy {policy}"]
    for network, endpoint in container["NetworkSettings"]["Networks"].items():
        if service not in (endpoint["Aliases"] or ()):
            found.append(f"{name} is not found as {service} on {network}")
    return found
