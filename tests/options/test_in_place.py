"""What the engine changes in a running container is changed there: the same container, running since the same moment."""

from typing import Any, NamedTuple

import docker
import pytest

from reconciler.model.plan import Verb
from tests.options.test_every_option import LOOP, fill
from tests.options.test_parts import place, shown
from tests.support.inprocess import Workbench


class InPlace(NamedTuple):
    """`shows` and `podman` as in `Part`."""

    before: str
    after: str
    shows: dict[str, Any]
    since: tuple[int, int] = (0, 0)
    podman: dict[str, Any] = {}


CHANGES = {
    "cpus": InPlace("cpus = 0.5", "cpus = 0.25", {"HostConfig.NanoCpus": 250_000_000}),
    "cpus-first": InPlace("", "cpus = 0.25", {"HostConfig.NanoCpus": 250_000_000}),
    "cpu_shares": InPlace("", "cpu_shares = 512", {"HostConfig.CpuShares": 512}),
    "cpu_quota": InPlace("cpu_period = 50000\ncpu_quota = 25000", "cpu_period = 100000\ncpu_quota = 50000", {"HostConfig.CpuPeriod": 100_000, "HostConfig.CpuQuota": 50_000}),
    "cpuset": InPlace('cpuset = "0"', 'cpuset = "0-1"', {"HostConfig.CpusetCpus": "0-1"}),
    "mem_limit-raised": InPlace('mem_limit = "64M"', 'mem_limit = "256M"', {"HostConfig.Memory": 256 << 20, "HostConfig.MemorySwap": 512 << 20}),
    "mem_limit-lowered": InPlace('mem_limit = "256M"', 'mem_limit = "64M"', {"HostConfig.Memory": 64 << 20, "HostConfig.MemorySwap": 128 << 20}),
    "mem_limit-first": InPlace("", 'mem_limit = "64M"', {"HostConfig.Memory": 64 << 20, "HostConfig.MemorySwap": 128 << 20}),
    "memswap_limit": InPlace('mem_limit = "64M"\nmemswap_limit = "64M"', 'mem_limit = "128M"\nmemswap_limit = "256M"', {"HostConfig.Memory": 128 << 20, "HostConfig.MemorySwap": 256 << 20}),
    "memswap_limit-unlimited-first": InPlace("", 'mem_limit = "64M"\nmemswap_limit = -1', {"HostConfig.Memory": 64 << 20, "HostConfig.MemorySwap": -1}),
    "mem_reservation": InPlace('mem_reservation = "16M"', 'mem_reservation = "32M"', {"HostConfig.MemoryReservation": 32 << 20}),
    "deploy": InPlace('deploy = { resources = { limits = { memory = "64M" } } }', 'deploy = { resources = { limits = { memory = "96M" } } }', {"HostConfig.Memory": 96 << 20}),
    "pids_limit": InPlace("pids_limit = 50", "pids_limit = 100", {"HostConfig.PidsLimit": 100}),
    "pids_limit-cleared": InPlace("pids_limit = 50", "", {"HostConfig.PidsLimit": 0}, podman={"HostConfig.PidsLimit": 2048}),
    "restart": InPlace("", 'restart = "on-failure:3"', {"HostConfig.RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}),
    "restart-cleared": InPlace('restart = "always"', "", {"HostConfig.RestartPolicy/Name": "no"}),
    "container_name": InPlace("", 'container_name = "{project}-renamed"', {"Name": "/{project}-renamed"}),
    "network-joined": InPlace("", 'networks = { default = {}, side = { aliases = ["b.internal"], ipv4_address = "10.{octet}.1.9" } }', {"NetworkSettings.Networks/{side}/IPAMConfig": {"IPv4Address": "10.{octet}.1.9"}}, podman={"NetworkSettings.Networks/{side}/IPAddress": "10.{octet}.1.9"}),
    "network-left": InPlace('networks = ["default", "side"]', 'networks = ["default"]', {}),
    "aliases": InPlace('networks = { side = { aliases = ["a"] } }', 'networks = { side = { aliases = ["b", "c"] } }', {}),
    "link_local_ips": InPlace('networks = { side = {} }', 'networks = { side = { link_local_ips = ["169.254.8.8"] } }', {"NetworkSettings.Networks/{side}/IPAMConfig": {"LinkLocalIPs": ["169.254.8.8"]}}),
    "driver_opts": InPlace('networks = { side = { driver_opts = { "com.example.x" = 1 } } }', 'networks = { side = { driver_opts = { "com.example.x" = 2 } } }', {"NetworkSettings.Networks/{side}/DriverOpts": {"com.example.x": "2"}}),
    "links": InPlace("", 'external_links = ["other:o"]', {"NetworkSettings.Networks/{default}/Links": ["other:o"]}),
    "interface_name": InPlace('networks = { side = {} }', 'networks = { side = { interface_name = "side0" } }', {"NetworkSettings.Networks/{side}/DriverOpts": {"com.docker.network.endpoint.ifname": "side0"}}, (1, 49)),
    "gw_priority": InPlace('networks = { default = {}, side = {} }', 'networks = { default = {}, side = { gw_priority = 3 } }', {"NetworkSettings.Networks/{side}/GwPriority": 3}, (1, 48)),
}  # fmt: skip
#: what looks alike and takes a replacement
REPLACED = {
    "limit-removed": ('mem_limit = "64M"', ""),
    "swap-unlimited": ('mem_limit = "64M"', 'mem_limit = "64M"\nmemswap_limit = -1'),
    "swap-unlimited-and-more": ('mem_limit = "64M"', 'mem_limit = "256M"\nmemswap_limit = -1'),
    "cpus-removed": ("cpus = 0.5", ""),
    "cpus-to-quota": ("cpus = 0.5", "cpu_period = 100000\ncpu_quota = 50000"),
    "quota-to-cpus": ("cpu_period = 100000\ncpu_quota = 50000", "cpus = 0.5"),
    "mac_address": ('networks = ["side"]', 'networks = ["side"]\nmac_address = "02:42:ac:11:00:09"'),
    "block-device": ("", 'blkio_config = { device_read_bps = [{ path = "{disk}", rate = "12M" }] }'),
}  # fmt: skip
#: what Podman holds as one: processors are a quota of 100 ms to it
ONE_TO_PODMAN = ("cpus-to-quota", "quota-to-cpus")


def spec(options: str, bench: Workbench) -> str:
    network = '[network.side]\nipam = { config = [{ subnet = "10.{octet}.1.0/24" }] }\n'
    return f'[container.web]\nimage = "busybox:latest"\n{LOOP}\n{fill(options, bench)}\n{fill(network, bench)}'


@pytest.mark.parametrize("name", CHANGES)
def test_changed_in_place(name: str, bench: Workbench, docker_api: docker.APIClient) -> None:
    change = CHANGES[name]
    bench.settle(spec(change.before, bench))
    before = docker_api.inspect_container(f"{bench.name}-web-1")
    bench.write(spec(change.after, bench))
    planned = bench.change("container.web")
    if change.since > bench.engine.facts().api_version:
        assert planned.verb is Verb.BLOCKED
        return
    assert planned.verb is Verb.UPDATE, planned.fields
    bench.settle()
    after = docker_api.inspect_container(before["Id"])
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]
    assert after["State"]["Running"]
    assert after["RestartCount"] == 0
    is_podman = bench.engine.facts().is_podman
    for path, value in ((is_podman and change.podman) or change.shows).items():
        found = shown(after, place(path, bench))
        wanted = fill(value, bench) if isinstance(value, str) else _filled(value, bench)
        assert found == wanted, path


def _filled(value: Any, bench: Workbench) -> Any:
    if isinstance(value, dict):
        return {key: fill(item, bench) if isinstance(item, str) else item for key, item in value.items()}
    return value


@pytest.mark.parametrize("name", REPLACED)
def test_replaced(name: str, bench: Workbench, docker_api: docker.APIClient) -> None:
    before, after = REPLACED[name]
    bench.settle(spec(before, bench))
    former = docker_api.inspect_container(f"{bench.name}-web-1")["Id"]
    bench.write(spec(after, bench))
    if name in ONE_TO_PODMAN and bench.engine.facts().is_podman:
        assert bench.plan().is_settled
        return
    assert bench.change("container.web").verb is Verb.REPLACE
    bench.settle()
    assert docker_api.inspect_container(f"{bench.name}-web-1")["Id"] != former


@pytest.mark.parametrize("before", ["", "cpus = 0.5"])
def test_what_the_host_lacks_fails_and_leaves_what_served(
    before: str, bench: Workbench, docker_api: docker.APIClient
) -> None:
    """An engine that drops a weight says so only in a warning; where it can have one, it has it."""
    bench.settle(spec(before, bench))
    former = docker_api.inspect_container(f"{bench.name}-web-1")
    bench.write(spec("blkio_config = { weight = 300 }", bench))
    report = bench.apply()
    if not report.is_settled:
        message = next(outcome.message for outcome in report.outcomes if str(outcome.address) == "container.web")
        assert "Weight discarded" in message
        now = docker_api.inspect_container(f"{bench.name}-web-1")
        assert (now["Id"], now["State"]["Running"]) == (former["Id"], True)
        names = [name for item in docker_api.containers(all=True) for name in item["Names"] if bench.name in name]
        assert names == [f"/{bench.name}-web-1"], "nothing that lacks it is left"
    else:
        assert docker_api.inspect_container(f"{bench.name}-web-1")["HostConfig"]["BlkioWeight"] == 300
