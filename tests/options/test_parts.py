"""What may stand within an option, on the real engine: the engine holds it, and afterwards there is nothing left to do.

Where the engine is too old, the plan says so instead.
"""

from typing import Any, NamedTuple

import docker
import pytest

from reconciler.model.plan import Verb
from tests.options.test_every_option import LOOP, fill
from tests.support.inprocess import Workbench

MORE = """
[container.donor]
image = "busybox:latest"
{loop}
volumes = ["data:/data", "/anonymous"]
[volume.data]
[network.side]
ipam = {{ config = [{{ subnet = "10.{octet}.1.0/24" }}] }}
"""


class Part(NamedTuple):
    """Options, and what inspect shows of them: dotted paths and values; `{side}` is the network's name.

    `podman`: where Podman shows it, and in what words.
    """

    options: str
    shows: dict[str, Any]
    since: tuple[int, int] = (0, 0)
    podman: dict[str, Any] = {}


SIDE = "NetworkSettings.Networks/{side}"
PARTS = {
    "links": Part('links = ["donor:d"]\nexternal_links = ["other:o"]', {"NetworkSettings.Networks/{default}/Links": ["other:o", "{project}-donor-1:d", "{project}-donor-1:donor-1", "{project}-donor-1:{project}-donor-1"]}),
    "mac-address": Part('networks = ["side"]\nmac_address = "02:42:ac:11:00:09"', {f"{SIDE}/MacAddress": "02:42:ac:11:00:09"}),
    "addresses": Part('networks = { side = { ipv4_address = "10.{octet}.1.77", link_local_ips = ["169.254.8.8"] } }', {f"{SIDE}/IPAMConfig": {"IPv4Address": "10.{octet}.1.77", "LinkLocalIPs": ["169.254.8.8"]}}),
    "driver-opts": Part('networks = { side = { driver_opts = { "com.example.x" = 1 } } }', {f"{SIDE}/DriverOpts": {"com.example.x": "1"}}),
    "interface-name": Part('networks = { side = { interface_name = "side0" } }', {f"{SIDE}/DriverOpts": {"com.docker.network.endpoint.ifname": "side0"}}, (1, 49)),
    "gw-priority": Part("networks = { default = {}, side = { gw_priority = 7 } }", {f"{SIDE}/GwPriority": 7}, (1, 48)),
    "bind-propagation": Part('volumes = [{ type = "bind", source = "./conf", target = "/c", bind = { propagation = "private" } }]', {"Mounts/0/Propagation": "private"}),
    "bind-missing": Part('volumes = [{ type = "bind", source = "./new", target = "/c" }]', {"Mounts/0/Type": "bind"}),
    "bind-flat": Part('volumes = [{ type = "bind", source = "./conf", target = "/c", bind = { recursive = "disabled" } }]', {"HostConfig.Mounts/0/BindOptions/NonRecursive": True}, podman={"HostConfig.Binds": ["{directory}/conf:/c:bind,rw,private"]}),
    "bind-writable": Part('volumes = [{ type = "bind", source = "./conf", target = "/c", read_only = true, bind = { recursive = "writable" } }]', {"HostConfig.Mounts/0/BindOptions/ReadOnlyNonRecursive": True}, (1, 44)),
    "bind-readonly": Part('volumes = [{ type = "bind", source = "./conf", target = "/c", read_only = true, bind = { recursive = "readonly", propagation = "rprivate" } }]', {"HostConfig.Mounts/0/BindOptions/ReadOnlyForceRecursive": True}, (1, 44)),
    "selinux": Part('volumes = ["data:/data:ro,z"]', {"HostConfig.Binds": ["{project}_data:/data:ro,z"]}, podman={"HostConfig.Binds": ["{project}_data:/data:ro,z,rprivate,nosuid,nodev,rbind"]}),
    "desktop-words": Part('volumes = ["./conf:/c:cached"]', {"Mounts/0/Type": "bind"}),
    "volume-nocopy": Part('volumes = [{ type = "volume", source = "data", target = "/d", volume = { nocopy = true } }]', {"Mounts/0/Name": "{project}_data"}),
    "volume-labels": Part('volumes = [{ type = "volume", source = "data", target = "/d", volume = { labels = { a = "b" } } }]', {"HostConfig.Mounts/0/VolumeOptions/Labels": {"a": "b"}}),
    "volume-subpath": Part('volumes = [{ type = "volume", source = "data", target = "/d", volume = { subpath = "." } }]', {"HostConfig.Mounts/0/VolumeOptions/Subpath": "."}, (1, 45)),
    "tmpfs": Part('volumes = [{ type = "tmpfs", target = "/t", tmpfs = { size = "1m", mode = "700" } }]', {"HostConfig.Mounts/0/TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}}, podman={"HostConfig.Tmpfs": {"/t": "size=1048576,mode=700,rw,rprivate,nosuid,nodev,tmpcopyup"}}),
    "image": Part('volumes = [{ type = "image", source = "busybox:latest", target = "/i", image = { subpath = "bin" } }]', {"HostConfig.Mounts/0/ImageOptions/Subpath": "bin"}, (1, 48)),
    "systempaths": Part('security_opt = ["systempaths=unconfined"]', {"HostConfig.MaskedPaths": [], "HostConfig.ReadonlyPaths": []}),
    "seccomp": Part("security_opt = ['seccomp={ \"defaultAction\": \"SCMP_ACT_ALLOW\" }']", {"HostConfig.SecurityOpt": ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']}),
    "cdi": Part('devices = ["vendor.example/none=all"]', {}, (1, 44)),
    "health-start-interval": Part('healthcheck = { test = "true", start_period = "5s", start_interval = "1s" }', {"Config.Healthcheck/StartInterval": 10**9}, (1, 44)),
    "deploy": Part('deploy = { resources = { limits = { cpus = "0.5", memory = "64M", pids = 50 }, reservations = { memory = "32M" } }, restart_policy = { condition = "any" } }', {"HostConfig.NanoCpus": 500_000_000, "HostConfig.Memory": 64 << 20, "HostConfig.PidsLimit": 50, "HostConfig.MemoryReservation": 32 << 20, "HostConfig.RestartPolicy/Name": "always"}),
    "ports": Part('ports = [{ target = 80, mode = "host", name = "web" }]', {"HostConfig.PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": ""}]}}),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_part(name: str, bench: Workbench, docker_api: docker.APIClient) -> None:
    part = PARTS[name]
    more = fill(MORE, bench).format(loop=LOOP)
    bench.write(f'[container.web]\nimage = "busybox:latest"\n{LOOP}\n{fill(part.options, bench)}\n{more}')
    if part.since > bench.engine.facts().api_version:
        change = next(item for item in bench.plan().changes if str(item.address) == "container.web")
        assert change.verb is Verb.BLOCKED
        assert f"(API {part.since[0]}.{part.since[1]})" in change.note
        return
    if name == "cdi":
        report = bench.apply()
        said = "".join(outcome.message for outcome in report.outcomes)
        # One that knows no CDI names the driver, one that does the vendor.
        assert "vendor.example" in said or 'device driver "cdi"' in said
        return
    bench.settle()
    answer = docker_api.inspect_container(f"{bench.name}-web-1")
    is_podman = bench.engine.facts().is_podman
    for path, value in ((is_podman and part.podman) or part.shows).items():
        assert shown(answer, place(path, bench)) == expand(value, bench), path
    bench.write(f'[container.web]\nimage = "busybox:latest"\n{LOOP}\n{more}')
    bench.settle()


def place(path: str, bench: Workbench) -> str:
    return path.replace("{side}", f"{bench.name}_side").replace("{default}", f"{bench.name}_default")


def expand(value: Any, bench: Workbench) -> Any:
    if isinstance(value, str):
        return fill(value, bench)
    if isinstance(value, list):
        return sorted(expand(item, bench) for item in value)
    return (
        {key: expand(item, bench) for key, item in value.items()}
        if isinstance(value, dict) and "80/tcp" not in value
        else value
    )


def shown(answer: Any, path: str) -> Any:
    section, *rest = path.split("/")
    value = answer
    for key in section.split("."):
        value = value[key]
    for key in rest:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return sorted(value) if isinstance(value, list) else value
