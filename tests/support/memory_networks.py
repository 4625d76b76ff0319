"""Networks of the engine in memory: names, subnets that must not overlap, addresses."""

import ipaddress

from reconciler.errors import EngineRefusedError, NotFoundError
from tests.support.memory_shapes import Json, hex_id, network

PREDEFINED = ("bridge", "host", "none")


class Networks:
    """`all` holds them as they are listed, by id."""

    def __init__(self) -> None:
        self.all: dict[str, Json] = {}
        self._made = 0
        for name in PREDEFINED:
            self._add({"Name": name, "Driver": "null" if name == "none" else name}, "172.17.0.0/16")
            if name != "bridge":
                self.named(name)["IPAM"]["Config"] = []

    def named(self, name: str) -> Json:
        """The network with a name or an id.

        Raises:
            NotFoundError
        """
        for candidate in self.all.values():
            if name in (candidate["Name"], candidate["Id"]):
                return candidate
        raise NotFoundError(f"network {name} not found", 404)

    def get(self, network_id: str) -> Json:
        if network_id not in self.all:
            raise NotFoundError(f"network {network_id} not found", 404)
        return self.all[network_id]

    def create(self, body: Json) -> str:
        if any(body["Name"] == other["Name"] for other in self.all.values()):
            raise EngineRefusedError(f"network with name {body['Name']} already exists", 409)
        for pool in (body.get("IPAM") or {}).get("Config") or ():
            if pool.get("Subnet") and self._overlaps(pool["Subnet"]):
                raise EngineRefusedError("Pool overlaps with other one on this address space", 403)
        free = next(f"10.214.{third}.0/24" for third in range(1, 256) if not self._overlaps(f"10.214.{third}.0/24"))
        return self._add(body, free)

    def twin(self, name: str) -> str:
        """One more of the same name and settings: engines before 25 make it when two ask for it at once."""
        body = {**self.named(name), "IPAM": None}
        return self._add(body, f"10.215.{self._made}.0/24")

    def remove(self, network_id: str, *, in_use: bool) -> None:
        found = self.get(network_id)
        if found["Name"] in PREDEFINED:
            raise EngineRefusedError(f"{found['Name']} is a pre-defined network and cannot be removed", 403)
        if in_use:
            name = found["Name"]
            raise EngineRefusedError(
                f"error while removing network: network {name} id {network_id} has active endpoints", 403
            )
        del self.all[network_id]

    def free_address(self, found: Json, used: set[str]) -> str:
        """An address that nobody on the network has; "" where there are none."""
        pools = found["IPAM"]["Config"]
        if not pools:
            return ""
        taken = used | {pools[0].get("Gateway") or ""}
        hosts = ipaddress.ip_network(pools[0]["Subnet"]).hosts()
        next(hosts)  # the gateway's, even if it is not told
        return str(next(host for host in hosts if str(host) not in taken))

    def _overlaps(self, subnet: str) -> bool:
        wanted = ipaddress.ip_network(subnet)
        pools = [pool["Subnet"] for other in self.all.values() for pool in other["IPAM"]["Config"]]
        return any(wanted.version == (o := ipaddress.ip_network(pool)).version and wanted.overlaps(o) for pool in pools)

    def _add(self, body: Json, subnet: str) -> str:
        self._made += 1
        network_id = hex_id("network", self._made)
        self.all[network_id] = network(body, network_id, f"2023-11-14T22:13:{self._made % 60:02}Z", subnet)
        return network_id
