"""Containers of the engine in memory: their life, from a name that is free to a removal that is refused."""

import re
from datetime import UTC, datetime, timedelta

from reconciler.errors import EngineRefusedError, NotFoundError
from tests.support import memory_shapes as shapes
from tests.support.memory_files import Files
from tests.support.memory_images import Images
from tests.support.memory_mounts import resolve_mounts
from tests.support.memory_networks import PREDEFINED, Networks
from tests.support.memory_shapes import Json, Version

_LIVE = ("running", "paused", "restarting")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_SHARING = ("NetworkMode", "PidMode", "IpcMode")
#: what an update takes; 0 and "" leave a setting as it is
_UPDATABLE = (
    "BlkioWeight", "CpuShares", "CpuPeriod", "CpuQuota", "NanoCpus", "CpusetCpus", "CpusetMems", "CpuRealtimePeriod",
    "CpuRealtimeRuntime", "Memory", "MemorySwap", "MemoryReservation", "KernelMemory",
)  # fmt: skip


class Containers:
    """`all` holds them as inspect answers, by id, oldest first."""

    def __init__(self, images: Images, networks: Networks, volumes: dict[str, Json], version: Version) -> None:
        self.all: dict[str, Json] = {}
        self._images, self._networks, self._volumes, self._version = images, networks, volumes, version
        self._ticks = 0
        self.files = Files()
        self.signals: list[tuple[str, str]] = []

    def now(self) -> str:
        """A clock that moves by a second whenever it is read, so that nothing happens twice at one time."""
        self._ticks += 1
        return (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=self._ticks)).strftime(
            "%Y-%m-%dT%H:%M:%S.000000001Z"
        )

    def get(self, container_id: str) -> Json:
        if container_id not in self.all:
            raise NotFoundError(f"No such container: {container_id}", 404)
        return self.all[container_id]

    # --- life --------------------------------------------------------------------------------------------------------

    def create(self, name: str, body: Json) -> str:
        if not _NAME.fullmatch(name):
            raise EngineRefusedError(
                f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", 400
            )
        image_id = self._images.find(body["Image"])
        created = self.now()
        container_id = shapes.hex_id("container", name, created)
        config = shapes.container_config(body, self._images.of(image_id).config, container_id[:12])
        if not config["Entrypoint"] and not config["Cmd"]:
            raise EngineRefusedError("No command specified", 400)
        host = shapes.host_config(body.get("HostConfig"), self._version)
        self._resolve_donors(host)
        self._check_name(name)
        endpoints = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
        networks = self._first_endpoints(host["NetworkMode"], endpoints)
        words = [*(config["Entrypoint"] or ()), *(config["Cmd"] or ())]
        mounts = resolve_mounts(host, config, container_id)
        for mount in mounts:
            if mount["Type"] == "volume":
                labels = mount.pop("Labels", None)
                made = shapes.volume({"Name": mount["Name"], "Labels": labels}, created)
                self._volumes.setdefault(mount["Name"], made)
        self.all[container_id] = {
            "Id": container_id, "Created": created, "Path": words[0], "Args": words[1:], "State": shapes.new_state(),
            "Image": image_id, "Name": f"/{name}", "RestartCount": 0, "Driver": "overlay2", "Platform": "linux",
            "HostConfig": host, "Mounts": mounts, "Config": config,
            "NetworkSettings": {"SandboxID": "", "Ports": {}, "Networks": networks},
        }  # fmt: skip
        return container_id

    def start(self, container_id: str) -> None:
        container = self.get(container_id)
        state = container["State"]
        if state["Status"] == "paused":
            raise EngineRefusedError("cannot start a paused container, try unpause instead", 409)
        if state["Status"] in ("running", "restarting"):
            return
        behaviour = self._images.of(container["Image"]).behaviour
        try:
            self._check_donors(container["HostConfig"])
            self._join_networks(container)
            self._publish(container)
        except EngineRefusedError as error:
            self._leave_networks(container)
            state |= {"ExitCode": 128, "Error": str(error)}
            raise
        if behaviour.start_error:
            self._leave_networks(container)
            state |= {"ExitCode": 127, "Error": behaviour.start_error}
            raise EngineRefusedError(behaviour.start_error, 400)
        shapes.set_status(state, "running", ExitCode=0, Error="", StartedAt=self.now())
        if (container["Config"].get("Healthcheck") or {}).get("Test") not in (None, [], ["NONE"]):
            state["Health"] = {"Status": behaviour.health, "FailingStreak": 0, "Log": []}
        if behaviour.exit_code is not None:
            self.process_ends(container_id, behaviour.exit_code)

    def stop(self, container_id: str) -> None:
        container = self.get(container_id)
        if container["State"]["Status"] in _LIVE:
            self._end(container, self._images.of(container["Image"]).behaviour.stop_code)

    def process_ends(self, container_id: str, code: int) -> None:
        """It ends by itself; what the restart policy then does."""
        container = self.get(container_id)
        policy = container["HostConfig"]["RestartPolicy"]
        limit, count = policy.get("MaximumRetryCount") or 0, container["RestartCount"]
        again = policy["Name"] in ("always", "unless-stopped") or (
            policy["Name"] == "on-failure" and code != 0 and (not limit or count < limit)
        )
        self._end(container, code)
        if again:
            container["RestartCount"] += 1
            shapes.set_status(container["State"], "restarting")

    def unpause(self, container_id: str) -> None:
        state = self.get(container_id)["State"]
        if state["Status"] != "paused":
            raise EngineRefusedError(f"Container {container_id} is not paused", 500)
        shapes.set_status(state, "running")

    def rename(self, container_id: str, name: str) -> None:
        container = self.get(container_id)
        if container["Name"] == f"/{name}":
            raise EngineRefusedError("Renaming a container with the same name as its current name", 400)
        if not _NAME.fullmatch(name):
            raise EngineRefusedError(f"Error when allocating new name: Invalid container name ({name})", 400)
        self._check_name(name)
        container["Name"] = f"/{name}"

    def signal(self, container_id: str, signal: str) -> None:
        if self.get(container_id)["State"]["Status"] not in _LIVE:
            raise EngineRefusedError(f"Container {container_id} is not running", 409)
        self.signals.append((container_id, signal))

    def remove(self, container_id: str, *, volumes: bool = False) -> None:
        if self.get(container_id)["State"]["Status"] in _LIVE:
            raise EngineRefusedError(
                f"You cannot remove a running container {container_id}."
                " Stop the container before attempting removal or force remove",
                409,
            )
        gone = self.all.pop(container_id)
        self.files.held.pop(container_id, None)
        named = {mount.get("Source") for mount in gone["HostConfig"].get("Mounts") or ()}
        named |= {text.partition(":")[0] for text in gone["HostConfig"]["Binds"] or ()}
        for mount in gone["Mounts"] if volumes else ():
            name = mount.get("Name")
            if name and name not in named and not self.users_of_volume(name):
                self._volumes.pop(name, None)

    def update(self, container_id: str, body: Json) -> None:
        container = self.get(container_id)
        host = container["HostConfig"]
        words = _conflict(host, body)
        if words:
            raise EngineRefusedError(f"Cannot update container {container_id}: {words}", 409)
        host |= {key: body[key] for key in _UPDATABLE if body.get(key)}
        if body.get("PidsLimit") is not None:
            host["PidsLimit"] = body["PidsLimit"]
        if (body.get("RestartPolicy") or {}).get("Name"):
            host["RestartPolicy"] = {"MaximumRetryCount": 0, **body["RestartPolicy"]}

    # --- networks ----------------------------------------------------------------------------------------------------

    def connect(self, container_id: str, network: Json, settings: Json) -> None:
        container = self.get(container_id)
        networks, name = container["NetworkSettings"]["Networks"], network["Name"]
        is_live = container["State"]["Status"] in _LIVE
        if is_live and name in networks:
            raise EngineRefusedError(
                f"endpoint with name {container['Name'][1:]} already exists in network {name}", 403
            )
        networks[name] = shapes.endpoint(settings)
        if is_live:
            try:
                self._join(container, name)
            except EngineRefusedError:
                del networks[name]
                raise

    def disconnect(self, container_id: str, network: Json) -> None:
        container = self.get(container_id)
        networks, name = container["NetworkSettings"]["Networks"], network["Name"]
        if name not in networks:
            raise EngineRefusedError(f"container {container_id} is not connected to the network {name}", 500)
        del networks[name]

    def is_network_in_use(self, network_id: str) -> bool:
        """Only what is attached now counts: containers that do not run keep no network."""
        return any(settings["NetworkID"] == network_id for settings in self._live_endpoints())

    def users_of_volume(self, name: str) -> list[str]:
        return [
            found["Id"] for found in self.all.values() if any(mount.get("Name") == name for mount in found["Mounts"])
        ]

    def _first_endpoints(self, mode: str, endpoints: Json) -> Json:
        if mode.startswith("container:"):
            return {}
        if self._version < (1, 44) and len(endpoints) > 1:
            names = ", ".join(sorted(endpoints))
            raise EngineRefusedError(f"Container cannot be connected to network endpoints: {names}", 400)
        main = "bridge" if mode == "default" else mode
        named = {name: shapes.endpoint(settings) for name, settings in endpoints.items()}
        return named if main in named else {main: shapes.endpoint(None), **named}

    def _join_networks(self, container: Json) -> None:
        for name in container["NetworkSettings"]["Networks"]:
            self._join(container, name)

    def _join(self, container: Json, name: str) -> None:
        settings = container["NetworkSettings"]["Networks"][name]
        # An id it had before counts: a network made anew under the old name is another one.
        network = self._networks.named(settings["NetworkID"] or name)
        used = {other["IPAddress"] for other in self._live_endpoints() if other["NetworkID"] == network["Id"]}
        wanted = (settings["IPAMConfig"] or {}).get("IPv4Address")
        if wanted and wanted in used:
            raise EngineRefusedError("Address already in use", 403)
        address = wanted or self._networks.free_address(network, used)
        settings |= {
            "NetworkID": network["Id"],
            "EndpointID": shapes.hex_id(container["Id"], name),
            "IPAddress": address,
        }
        short = container["Id"][:12]
        if name not in PREDEFINED and self._version < (1, 45) and short not in (settings["Aliases"] or ()):
            settings["Aliases"] = [*(settings["Aliases"] or ()), short]

    def _leave_networks(self, container: Json) -> None:
        for settings in container["NetworkSettings"]["Networks"].values():
            settings |= {"EndpointID": "", "IPAddress": ""}
        container["NetworkSettings"]["Ports"] = {}

    def _live_endpoints(self) -> list[Json]:
        live = [found for found in self.all.values() if found["State"]["Status"] in _LIVE]
        return [settings for found in live for settings in found["NetworkSettings"]["Networks"].values()]

    def _publish(self, container: Json) -> None:
        """Bind the ports that are exposed and have a binding; a binding alone does nothing."""
        ports: Json = {}
        for port in container["Config"].get("ExposedPorts") or {}:
            bindings = (container["HostConfig"]["PortBindings"] or {}).get(port)
            ports[port] = [self._bind(port, binding) for binding in bindings] if bindings else None
        container["NetworkSettings"]["Ports"] = ports

    def _bind(self, port: str, binding: Json) -> Json:
        protocol, address = port.partition("/")[2], binding.get("HostIp") or "0.0.0.0"
        taken = {
            (other.partition("/")[2], bound["HostIp"], bound["HostPort"])
            for found in self.all.values()
            for other, bounds in found["NetworkSettings"]["Ports"].items()
            for bound in bounds or ()
        }
        number = binding.get("HostPort") or next(
            str(free) for free in range(49153, 65536) if not any(item[::2] == (protocol, str(free)) for item in taken)
        )
        everywhere = ("0.0.0.0", "::")
        for other_protocol, other, bound in taken:
            if (other_protocol, bound) == (protocol, number) and (
                other == address or {other, address} & set(everywhere)
            ):
                raise EngineRefusedError(
                    "driver failed programming external connectivity on endpoint:"
                    f" Bind for {address}:{number} failed: port is already allocated",
                    500,
                )
        return {"HostIp": address, "HostPort": number}

    def _end(self, container: Json, code: int) -> None:
        self._leave_networks(container)
        shapes.set_status(container["State"], "exited", ExitCode=code, FinishedAt=self.now())
        if "Health" in container["State"]:
            container["State"]["Health"] = {"Status": "unhealthy", "FailingStreak": 0, "Log": []}
        if container["HostConfig"]["AutoRemove"]:
            self.remove(container["Id"], volumes=True)

    def _resolve_donors(self, host: Json) -> None:
        """A container whose namespace is shared is kept by its id, however it was named."""
        for key in _SHARING:
            mode, _, donor = host[key].partition(":")
            if mode == "container":
                found = next((c["Id"] for c in self.all.values() if donor in (c["Id"], c["Name"][1:])), "")
                if not found:
                    raise NotFoundError(f"No such container: {donor}", 404)
                host[key] = f"container:{found}"

    def _check_donors(self, host: Json) -> None:
        for key in _SHARING:
            mode, _, donor = host[key].partition(":")
            if mode == "container" and donor not in self.all:
                raise EngineRefusedError(f"No such container: {donor}", 409)
            if mode == "container" and self.all[donor]["State"]["Status"] not in ("running", "paused"):
                word = {"NetworkMode": "network", "PidMode": "PID", "IpcMode": "IPC"}[key]
                raise EngineRefusedError(f"cannot join {word} of a non running container: {donor}", 409)

    def _check_name(self, name: str) -> None:
        for other in self.all.values():
            if other["Name"] == f"/{name}":
                raise EngineRefusedError(
                    f'Conflict. The container name "/{name}" is already in use by container "{other["Id"]}". You have'
                    " to remove (or rename) that container to be able to reuse that name.",
                    409,
                )


def _conflict(host: Json, body: Json) -> str:
    """Why an update cannot be, as dockerd says it; "" when it can."""
    memory, swap = body.get("Memory") or 0, body.get("MemorySwap") or 0
    if memory > host["MemorySwap"] and not swap and host["MemorySwap"] != -1:
        return (
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    for own, other, words in (
        ("NanoCpus", "CpuPeriod", "Nano CPUs cannot be updated as CPU Period has already been set"),
        ("NanoCpus", "CpuQuota", "Nano CPUs cannot be updated as CPU Quota has already been set"),
        ("CpuPeriod", "NanoCpus", "CPU Period cannot be updated as NanoCPUs has already been set"),
        ("CpuQuota", "NanoCpus", "CPU Quota cannot be updated as NanoCPUs has already been set"),
    ):
        if body.get(own) and host[other]:
            return f"Conflicting options: {words}"
    return ""
