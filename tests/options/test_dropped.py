"""What an engine drops in silence, or does not understand, which is why the plan refuses it there: asked past the plan.

Docker holds all of it. The day that Podman does, a test here fails, and the refusal in `planning/untold.py` can go.
"""

from typing import Any, NamedTuple

import docker
import pytest

from reconciler.errors import EngineRefusedError
from reconciler.model.address import Kind
from reconciler.model.ownership import PROJECT
from reconciler.planning.untold import dropped
from tests.options.test_parts import shown
from tests.support.inprocess import Workbench

Json = dict[str, Any]


class Dropped(NamedTuple):
    """`body` of a creation on the network `NET`, what inspect should `show` at `place`, and the `config` of such a spec."""

    body: Json
    place: str
    shows: Any
    config: Json


def host(**settings: Any) -> Json:
    return {"HostConfig": settings}


def endpoint(**settings: Any) -> Json:
    return {"HostConfig": {"NetworkMode": "NET"}, "NetworkingConfig": {"EndpointsConfig": {"NET": settings}}}


ENDPOINT = "NetworkSettings.Networks/NET"
SECCOMP = 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'
CONTAINER = {
    "domainname": Dropped({"Domainname": "example.test", **host()}, "Config.Domainname", "example.test", {"domainname": "example.test"}),
    "gpus": Dropped(host(DeviceRequests=[{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}]), "HostConfig.DeviceRequests/0/Driver", "nvidia", {"gpus": ({"count": -1},)}),
    "memswap_limit": Dropped(host(Memory=64 << 20, MemorySwap=-1), "HostConfig.MemorySwap", -1, {"memswap_limit": -1, "mem_limit": 64 << 20}),
    "systempaths": Dropped(host(MaskedPaths=[], ReadonlyPaths=[]), "HostConfig.MaskedPaths", [], {"security_opt": ("systempaths=unconfined",)}),
    "mount-labels": Dropped(host(Mounts=[{"Type": "volume", "Target": "/d", "VolumeOptions": {"Labels": {"a": "b"}}}]), "HostConfig.Mounts/0/VolumeOptions/Labels/a", "b", {"volumes": {"/d": {"type": "volume", "labels": {"a": "b"}}}}),
    "seccomp": Dropped(host(SecurityOpt=[SECCOMP]), "HostConfig.SecurityOpt", [SECCOMP], {"security_opt": (SECCOMP,)}),
    "links": Dropped(endpoint(Links=["other:o"]), f"{ENDPOINT}/Links", ["other:o"], {"networks": {"side": {"links": ("other:o",)}}}),
    "link_local_ips": Dropped(endpoint(IPAMConfig={"LinkLocalIPs": ["169.254.8.8"]}), f"{ENDPOINT}/IPAMConfig/LinkLocalIPs", ["169.254.8.8"], {"networks": {"side": {"link_local_ips": ("169.254.8.8",)}}}),
    "endpoint-options": Dropped(endpoint(DriverOpts={"com.example.x": "1"}), f"{ENDPOINT}/DriverOpts", {"com.example.x": "1"}, {"networks": {"side": {"driver_opts": {"com.example.x": "1"}}}}),
}  # fmt: skip
ICC = {"com.docker.network.bridge.enable_icc": "false"}


@pytest.mark.parametrize("name", CONTAINER)
def test_of_a_container(name: str, bench: Workbench, docker_api: docker.APIClient) -> None:
    case, network = CONTAINER[name], f"{bench.name}_side"
    labels = {PROJECT: bench.name}
    bench.engine.create_network({"Name": network, "Labels": labels})
    whole = {"Image": "busybox:latest", "Cmd": ["true"], "Labels": labels, **_named(case.body, network)}
    is_refused = bool(dropped(bench.engine.facts(), Kind.CONTAINER, case.config))
    try:
        made, _ = bench.engine.create_container(f"{bench.name}-web-1", whole, "")
    except EngineRefusedError:
        assert is_refused
        return
    assert _holds(docker_api.inspect_container(made), case.place.replace("NET", network), case.shows) is not is_refused


def test_of_a_network(bench: Workbench, docker_api: docker.APIClient) -> None:
    made, _ = bench.engine.create_network(
        {"Name": f"{bench.name}_side", "Labels": {PROJECT: bench.name}, "Options": dict(ICC)}
    )
    is_refused = bool(dropped(bench.engine.facts(), Kind.NETWORK, {"driver_opts": ICC}))
    assert (docker_api.inspect_network(made)["Options"] == ICC) is not is_refused


def _holds(answer: Json, place: str, value: Any) -> bool:
    try:
        return bool(shown(answer, place) == value)
    except (KeyError, IndexError, TypeError):
        return False


def _named(value: Any, network: str) -> Any:
    """The same with the name of the network for `NET`."""
    if isinstance(value, dict):
        return {key.replace("NET", network): _named(item, network) for key, item in value.items()}
    return network if value == "NET" else value
