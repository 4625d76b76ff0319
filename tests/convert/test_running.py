"""Live containers on the real engine → a spec → adoption, and nothing but that."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from reconciler.convert.command import import_running
from reconciler.errors import UsageError
from reconciler.model.plan import Change, Verb
from tests.scenarios.conftest import bench, port
from tests.support.inprocess import Workbench

__all__ = ["bench", "port"]

#: ends at once when told to, with any signal of OPTIONS
LOOP = ["sh", "-c", "trap exit TERM INT; while :; do sleep 0.1; done"]
#: options of `docker run`, each container made with the lot of a line
OPTIONS = {
    "plain": {},
    "process": {
        "user": "1000:1000", "working_dir": "/tmp", "hostname": "hh", "stop_signal": "SIGINT", "tty": True, "stdin_open": True,
        "environment": {"A": "b$c", "LIST": "1 2"}, "labels": {"x": "$y"}, "entrypoint": LOOP[:2], "command": LOOP[2:],
        "healthcheck": {"test": ["CMD-SHELL", "true || exit 1"], "interval": 7 * 10**9},
    },
    "resources": {
        "host": {
            "mem_limit": "64m", "nano_cpus": 5 * 10**8, "pids_limit": 50, "shm_size": "10m", "cpuset_cpus": "0",
            "ulimits": [docker.types.Ulimit(name="nofile", soft=100, hard=200)], "init": True, "read_only": True,
            "cap_add": ["NET_ADMIN"], "cap_drop": ["MKNOD"], "security_opt": ["no-new-privileges"], "group_add": ["5"],
            "sysctls": {"net.core.somaxconn": "99"}, "devices": ["/dev/null:/dev/other:rw"],
            "restart_policy": {"Name": "on-failure", "MaximumRetryCount": 3},
            "log_config": docker.types.LogConfig(type="json-file", config={"max-size": "1m"}),
        },
    },
    "mounts": {
        "host": {
            "binds": ["/tmp:/host:ro"], "tmpfs": {"/run": "size=1m"},
            "mounts": [
                docker.types.Mount("/anonymous", None),
                docker.types.Mount("/t", None, type="tmpfs", tmpfs_size=1_000_000, tmpfs_mode=0o1770),
                docker.types.Mount("/slave", "/tmp", type="bind", propagation="rslave"),
            ],
        },
    },
    "host": {"host": {"network_mode": "host", "pid_mode": "host", "ipc_mode": "host"}},
    "none": {"host": {"network_mode": "none", "dns": ["9.9.9.9"], "extra_hosts": {"a": "1.2.3.4"}}},
}  # fmt: skip


@pytest.fixture
def api(docker_api: docker.APIClient, bench: Workbench) -> Iterator[docker.APIClient]:
    """The engine, without what has the name of this test afterwards."""
    yield docker_api
    for entry in docker_api.containers(all=True, filters={"name": bench.name}):
        docker_api.remove_container(entry["Id"], force=True, v=True)
    for entry in docker_api.networks(filters={"name": bench.name}):
        docker_api.remove_network(entry["Id"])
    for entry in docker_api.volumes(filters={"name": bench.name})["Volumes"] or ():
        docker_api.remove_volume(entry["Name"])


def adopt(bench: Workbench, names: list[str], project: str) -> list[Change]:
    """Import containers, and the changes of the first plan; the project is settled afterwards."""
    made = import_running(bench.engine, names, project, {}, bench.directory)
    assert made.problems == [], made.text
    (bench.directory / "spec.toml").write_text(made.text)
    changes = list(bench.plan().changes)
    assert bench.apply().is_settled
    assert bench.plan().changes == ()
    return changes


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_container_made_by_hand_is_adopted_as_it_is(kind: str, bench: Workbench, api: docker.APIClient) -> None:
    options = dict(OPTIONS[kind])
    host = api.create_host_config(**options.pop("host", {}))
    name = f"{bench.name}-made"
    made = {"command": LOOP, **options, "name": name, "host_config": host}
    api.start(api.create_container("busybox:latest", **made)["Id"])
    changes = adopt(bench, [name], bench.name)
    assert [(change.verb, change.fields) for change in changes] == [(Verb.ADOPT, ())]


def test_networks_volumes_and_shared_namespaces(bench: Workbench, api: docker.APIClient, port: int) -> None:
    network, volume = f"{bench.name}-net", f"{bench.name}-vol"
    api.create_network(network)
    api.create_volume(volume)
    first, second = f"{bench.name}-a", f"{bench.name}-b"
    host = api.create_host_config(
        binds=[f"{volume}:/data"], port_bindings={80: ("127.0.0.1", port)}, network_mode=network
    )
    settings = api.create_networking_config({network: api.create_endpoint_config(aliases=["also"])})
    made = api.create_container(
        "busybox:latest", LOOP, name=first, ports=[80, 81], host_config=host, networking_config=settings
    )
    api.start(made["Id"])
    shared = api.create_host_config(network_mode=f"container:{first}")
    api.start(api.create_container("busybox:latest", LOOP, name=second, host_config=shared)["Id"])
    changes = adopt(bench, [first, second], bench.name)
    assert [(change.verb, [field.path for field in change.fields]) for change in changes] == [(Verb.ADOPT, [])] * 2
    text = (bench.directory / "spec.toml").read_text()
    assert f'network_mode = "service:{first}"' in text
    assert f"[network.{network}]\nexternal = true" in text


def test_a_project_of_docker_compose(bench: Workbench, api: docker.APIClient) -> None:
    """Its services keep their names, and lose the labels by which Docker Compose knows its own."""
    network = f"{bench.name}_default"
    api.create_network(network, labels={"com.docker.compose.project": bench.name})
    for service in ("web", "db"):
        name = f"{bench.name}-{service}-1"
        api.create_container(
            "busybox:latest",
            LOOP,
            name=name,
            labels={"com.docker.compose.project": bench.name, "com.docker.compose.service": service, "own": "kept"},
            host_config=api.create_host_config(network_mode=network),
            networking_config=api.create_networking_config(
                {network: api.create_endpoint_config(aliases=[name, service])}
            ),
        )
        api.start(name)
    changes = adopt(bench, [f"{bench.name}-web-1", f"{bench.name}-db-1"], "")
    assert {str(change.address): change.verb for change in changes} == dict.fromkeys(
        ("container.web", "container.db"), Verb.ADOPT
    )
    paths = {field.path for change in changes for field in change.fields}
    assert all("com.docker.compose." in path for path in paths), paths
    assert "com.docker" not in (bench.directory / "spec.toml").read_text()


def test_what_cannot_be_imported(bench: Workbench) -> None:
    with pytest.raises(UsageError, match="there is no container nobody-has-this"):
        import_running(bench.engine, ["nobody-has-this"], "", {}, bench.directory)


def test_a_mac_address_is_kept_where_it_was_asked_for(bench: Workbench, api: docker.APIClient) -> None:
    network = f"{bench.name}-net"
    api.create_network(network)
    names = [f"{bench.name}-{kind}" for kind in ("asked", "drawn", "bridge")]
    for name, mac in zip(names, ("02:42:ac:11:00:77", None, "02:42:ac:11:00:78"), strict=True):
        host = api.create_host_config(network_mode="bridge" if name.endswith("bridge") else network)
        made = api.create_container("busybox:latest", LOOP, name=name, host_config=host, mac_address=mac)
        api.start(made["Id"])
    made = import_running(bench.engine, names, bench.name, {}, bench.directory)
    assert made.text.count("mac_address = ") == 1
    assert f'{network} = {{ mac_address = "02:42:ac:11:00:77" }}' in made.text
    (note,) = made.notes
    assert str(note) == (
        f"container.{names[2]}.mac_address: 02:42:ac:11:00:78 is not carried over: "
        "with network_mode = bridge there is no network for it"
    )
    assert [change.verb for change in adopt(bench, names, bench.name)] == [Verb.ADOPT] * 3
    assert "02:42:ac:11:00:77" in str(api.inspect_container(names[0])["NetworkSettings"]["Networks"])
