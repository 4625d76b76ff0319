"""What the program relies on in an engine: the same facts on the one in memory and on a real one."""

import io
import tarfile
from pathlib import Path

import pytest

from reconciler.engine.archives import read_file
from reconciler.errors import EngineRefusedError, NotFoundError
from reconciler.model.desired import Build
from tests.engine.conftest import Bench
from tests.support.memory import Behaviour, Image, MemoryEngine

NOBODY = "0" * 64
MB = 1024 * 1024


def refusal(status: int, words: str) -> "pytest.RaisesExc[EngineRefusedError]":
    """Docker's status, or the 500 that Podman gives for all but "not found"; nothing of ours depends on which."""
    return pytest.raises(EngineRefusedError, match=words, check=lambda error: error.status in (status, 500))


# --- facts and reads -----------------------------------------------------------------------------------------------


def test_facts_are_told(bench: Bench) -> None:
    facts = bench.engine.facts()
    assert facts.id
    assert facts.name
    assert facts.version
    assert (1, 41) <= facts.api_version <= (1, 51)
    assert (facts.os_type, facts.logging_driver, facts.default_runtime.replace("crun", "runc")) == (
        "linux",
        "json-file",
        "runc",
    )


def test_inspect_keeps_the_order_and_leaves_out_what_is_gone(bench: Bench) -> None:
    ids = [bench.container(name) for name in ("a", "b", "c")]
    assert [c["Id"] for c in bench.engine.inspect_containers([ids[2], NOBODY, ids[0]])] == [ids[2], ids[0]]
    assert bench.engine.inspect_containers([]) == []


def test_an_answer_belongs_to_the_caller(bench: Bench) -> None:
    container = bench.container("a")
    bench.inspect(container)["Name"] = "changed"
    assert bench.inspect(container)["Name"] == f"/{bench.name('a')}"


# --- what the engine fills in ----------------------------------------------------------------------------------------


def test_defaults_of_a_container(bench: Bench) -> None:
    container = bench.container("a")
    seen = bench.inspect(container)
    host, config = seen["HostConfig"], seen["Config"]
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert host["NetworkMode"] in ("default", "bridge")
    assert list(seen["NetworkSettings"]["Networks"]) == ["bridge"]
    assert (host["ShmSize"], host["IpcMode"], host["Runtime"]) == (64 * MB, "private", "runc")
    assert host["LogConfig"] == {"Type": "json-file", "Config": {}}
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (0, 0, None)
    assert config["Hostname"] == container[:12]
    assert config["Labels"] == {}
    assert "Healthcheck" not in config
    assert seen["State"]["Status"] == "created"


def test_swap_is_twice_the_memory(bench: Bench) -> None:
    seen = bench.inspect(bench.container("a", Memory=64 * MB))
    assert (seen["HostConfig"]["Memory"], seen["HostConfig"]["MemorySwap"]) == (64 * MB, 128 * MB)


def test_the_image_supplies_what_the_container_leaves_out(bench: Bench) -> None:
    seen = bench.inspect(bench.container("a", {"Cmd": None, "Env": ["A=1"], "Labels": {"x": "y"}}))
    assert seen["Config"]["Cmd"] == ["sh"]
    assert seen["Config"]["Env"] == ["A=1", "PATH=/bin:/usr/bin"]
    seen = bench.inspect(bench.container("b", {"Env": ["PATH=/x"], "Entrypoint": ["/bin/sh", "-c"], "Cmd": None}))
    assert seen["Config"]["Env"] == ["PATH=/x"]
    assert (seen["Config"]["Entrypoint"], seen["Config"]["Cmd"]) == (["/bin/sh", "-c"], None)


def test_without_a_command_nothing_is_created(bench: Bench) -> None:
    with refusal(400, "(?i)no command"):
        bench.container("a", {"Entrypoint": [""], "Cmd": []})


def test_a_network_has_a_subnet_and_defaults(bench: Bench) -> None:
    network_id = bench.network("n", Labels={"a": "b"})
    seen = next(network for network in bench.engine.list_networks() if network["Id"] == network_id)
    assert (seen["Driver"], seen["Internal"], seen["Attachable"], seen["EnableIPv6"]) == ("bridge", False, False, False)
    assert (seen["Labels"], seen["Options"], seen["IPAM"]["Driver"]) == ({"a": "b"}, {}, "default")
    assert seen["IPAM"]["Config"][0]["Subnet"]


# --- images ----------------------------------------------------------------------------------------------------------


def test_an_image_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(NotFoundError):
        bench.engine.inspect_image(bench.name("nothing"))
    with pytest.raises(NotFoundError, match=r"(?i)no such image"):
        bench.container("a", {"Image": bench.name("nothing")})
    with pytest.raises(NotFoundError):
        bench.engine.remove_image(bench.name("nothing"))
    with pytest.raises(NotFoundError):
        bench.engine.tag_image(f"sha256:{NOBODY}", bench.name("x"))


def test_tags_come_and_go(bench: Bench) -> None:
    image_id = bench.engine.inspect_image("busybox")["Id"]
    bench.engine.tag_image(image_id, bench.name("t:1"))
    assert bench.engine.inspect_image(bench.name("t:1"))["Id"] == image_id
    listed = next(image for image in bench.engine.list_images() if image["Id"] == image_id)
    assert set(bench.image("busybox")["RepoTags"]) >= {"busybox:latest", bench.name("t:1")}
    assert set(listed["RepoTags"]) == set(bench.engine.inspect_image("busybox")["RepoTags"])
    bench.engine.remove_image(bench.name("t:1"))
    assert bench.name("t:1") not in bench.image("busybox")["RepoTags"]


def test_the_last_tag_of_an_image_in_use_stays(bench: Bench, tmp_path: Path) -> None:
    tag = _build(bench, tmp_path, "used:1")
    bench.container("a", {"Image": tag})
    with refusal(409, "(?i)conflict.*container|in use"):
        bench.engine.remove_image(tag)
    assert bench.engine.inspect_image(tag)["Id"]


def test_a_build_has_its_tags_and_labels(bench: Bench, tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / "Dockerfile").write_text("FROM busybox\nLABEL own=1 both=file\nARG X\n", encoding="utf-8")
    tags = [bench.name("b:1"), bench.name("b:2")]
    build = Build(str(tmp_path), labels={"both": "build", "mine": "a=b c"}, args={"X": "1"})
    bench.engine.build_image(build, tags, {"mine": "wins"}, lines.append)
    seen = bench.image(tags[0])
    assert set(seen["RepoTags"]) == set(tags)
    assert seen["Config"]["Labels"]["both"] == "build"
    assert seen["Config"]["Labels"]["mine"] == "wins"
    assert lines
    again = seen["Id"]
    bench.engine.build_image(build, tags, {"mine": "wins"}, lines.append)
    assert bench.engine.inspect_image(tags[0])["Id"] == again


def test_a_new_build_takes_the_tag(bench: Bench, tmp_path: Path) -> None:
    tag = _build(bench, tmp_path, "moves:1", a="1")
    old = bench.engine.inspect_image(tag)["Id"]
    _build(bench, tmp_path, "moves:1", a="2")
    assert bench.engine.inspect_image(tag)["Id"] != old
    dangling = next(image for image in bench.engine.list_images() if image["Id"] == old)
    assert dangling["RepoTags"] in ([], None, ["<none>:<none>"])
    bench.engine.remove_image(old)
    with pytest.raises(NotFoundError):
        bench.engine.inspect_image(old)


def _build(bench: Bench, directory: Path, short: str, **labels: str) -> str:
    (directory / "Dockerfile").write_text("FROM busybox\n", encoding="utf-8")
    marks = {"bench": bench.prefix, **labels}
    bench.engine.build_image(Build(str(directory)), [bench.name(short)], marks, lambda line: None)
    return bench.name(short)


# --- the life of a container -----------------------------------------------------------------------------------------


def test_start_stop_and_again(bench: Bench) -> None:
    container = bench.container("a")
    bench.engine.start_container(container)
    assert bench.inspect(container)["State"]["Status"] == "running"
    bench.engine.start_container(container)
    bench.engine.stop_container(container, 0)
    state = bench.inspect(container)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)
    bench.engine.stop_container(container, 0)
    bench.engine.start_container(container)
    bench.engine.restart_container(container, 0)
    assert bench.listed(container)["State"] == "running"


def test_gone_is_gone(bench: Bench) -> None:
    for call in (
        lambda: bench.engine.start_container(NOBODY),
        lambda: bench.engine.stop_container(NOBODY, 0),
        lambda: bench.engine.restart_container(NOBODY, 0),
        lambda: bench.engine.unpause_container(NOBODY),
        lambda: bench.engine.rename_container(NOBODY, bench.name("x")),
        lambda: bench.engine.remove_container(NOBODY),
        lambda: bench.engine.update_container(NOBODY, {"Memory": 64 * MB}),
        lambda: bench.engine.remove_network(NOBODY),
        lambda: bench.engine.connect(NOBODY, NOBODY, {}),
        lambda: bench.engine.disconnect(NOBODY, NOBODY),
        lambda: bench.engine.remove_volume(bench.name("x")),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_a_running_container_is_not_removed(bench: Bench) -> None:
    container = bench.container("a", start=True)
    with refusal(409, "(?i)running|stop the container"):
        bench.engine.remove_container(container)
    bench.engine.stop_container(container, 0)
    bench.engine.remove_container(container)
    assert bench.engine.inspect_containers([container]) == []


def test_a_name_is_had_by_one(bench: Bench) -> None:
    first, second = bench.container("a"), bench.container("b")
    with refusal(409, "already in use|UNIQUE constraint failed"):
        bench.container("a")
    with refusal(409, "already in use|UNIQUE constraint failed"):
        bench.engine.rename_container(second, bench.name("a"))
    bench.engine.rename_container(first, bench.name("c"))
    bench.engine.rename_container(second, bench.name("a"))
    assert bench.inspect(first)["Name"] == f"/{bench.name('c')}"


def test_a_running_container_is_renamed(bench: Bench) -> None:
    container = bench.container("a", start=True)
    bench.engine.rename_container(container, bench.name("b"))
    assert bench.listed(container)["Names"] == [f"/{bench.name('b')}"]


def test_a_command_that_is_not_there(bench: Bench) -> None:
    if isinstance(bench.engine, MemoryEngine):  # it has no files: there an image says what becomes of its containers
        broken = Image({"Cmd": ["sh"]}, Behaviour(start_error="exec /nothing: no such file or directory"))
        bench.engine.images.add("busybox:latest", broken)
    container = bench.container("a", {"Cmd": ["/nothing"]})
    with refusal(400, "(?i)no such file"):
        bench.engine.start_container(container)
    state = bench.inspect(container)["State"]
    assert (state["Status"], state["ExitCode"]) == ("created", 127)
    assert state["Error"]


def test_a_port_is_had_by_one(bench: Bench) -> None:
    port = {"ExposedPorts": {"80/tcp": {}}}
    bindings = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "28123"}]}
    first = bench.container("a", port, start=True, PortBindings=bindings)
    second = bench.container("b", port, PortBindings=bindings)
    assert bench.inspect(first)["NetworkSettings"]["Ports"] == bindings
    with refusal(500, "port is already allocated|address already in use"):
        bench.engine.start_container(second)
    assert bench.inspect(second)["State"]["Status"] == "created"
    bench.engine.stop_container(first, 0)
    assert bench.inspect(first)["NetworkSettings"]["Ports"] == {}
    bench.engine.start_container(second)


def test_unpause_wants_a_paused_container(bench: Bench) -> None:
    with refusal(500, "not paused"):
        bench.engine.unpause_container(bench.container("a", start=True))


# --- updates ---------------------------------------------------------------------------------------------------------


def test_an_update_takes_what_is_not_zero(bench: Bench) -> None:
    container = bench.container("a", Memory=64 * MB, CpuShares=512)
    bench.engine.update_container(container, {"Memory": 0, "CpuShares": 0, "NanoCpus": 500_000_000})
    bench.engine.update_container(container, {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})
    host = bench.inspect(container)["HostConfig"]
    assert (host["Memory"], host["CpuShares"], host["NanoCpus"]) == (64 * MB, 512, 500_000_000)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}


def test_memory_grows_with_its_swap(bench: Bench) -> None:
    container = bench.container("a", Memory=64 * MB)
    with refusal(409, "memoryswap"):
        bench.engine.update_container(container, {"Memory": 256 * MB})
    bench.engine.update_container(container, {"Memory": 256 * MB, "MemorySwap": 512 * MB})
    host = bench.inspect(container)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (256 * MB, 512 * MB)


def test_a_limit_on_what_had_none(bench: Bench) -> None:
    container = bench.container("a")
    with refusal(409, "memoryswap"):
        bench.engine.update_container(container, {"Memory": 64 * MB})
    bench.engine.update_container(container, {"Memory": 64 * MB, "MemorySwap": -1, "PidsLimit": 99})
    host = bench.inspect(container)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (64 * MB, -1, 99)


def test_cpus_and_quota_exclude_each_other(bench: Bench) -> None:
    container = bench.container("a", NanoCpus=500_000_000)
    with refusal(409, "Conflicting options"):
        bench.engine.update_container(container, {"CpuQuota": 50_000})


# --- networks --------------------------------------------------------------------------------------------------------


def test_a_network_name_is_had_by_one(bench: Bench) -> None:
    bench.network("n")
    with refusal(409, "already exists"):
        bench.network("n")


def test_subnets_do_not_overlap(bench: Bench) -> None:
    ipam = {"Config": [{"Subnet": "10.99.7.0/24"}]}
    bench.network("n", IPAM=ipam)
    with refusal(403, "(?i)overlap|already used"):
        bench.network("m", IPAM=ipam)


def test_a_network_in_use_stays_while_its_members_run(bench: Bench) -> None:
    network = bench.network("n")
    container = bench.container("a", start=True, NetworkMode=bench.name("n"))
    with refusal(403, "active endpoints|associated containers"):
        bench.engine.remove_network(network)
    bench.engine.stop_container(container, 0)
    bench.engine.remove_network(network)
    with pytest.raises(NotFoundError):
        bench.engine.start_container(container)
    bench.network("n")
    with pytest.raises(NotFoundError):  # it is another network now
        bench.engine.start_container(container)


def test_an_unknown_network_is_noticed_at_the_start(bench: Bench) -> None:
    container = bench.container("a", NetworkMode=bench.name("nothing"))
    with pytest.raises(NotFoundError, match=r"network .* not found"):
        bench.engine.start_container(container)
    state = bench.inspect(container)["State"]
    assert (state["Status"], state["ExitCode"]) == ("created", 128)


def test_connect_and_disconnect_a_running_container(bench: Bench) -> None:
    first, second = bench.network("n"), bench.network("m")
    container = bench.container("a", start=True, NetworkMode=bench.name("n"))
    bench.engine.connect(second, container, {"Aliases": ["other"]})
    with refusal(403, "already (exists in|connected to) network"):
        bench.engine.connect(second, container, {})
    networks = bench.inspect(container)["NetworkSettings"]["Networks"]
    assert {name: settings["NetworkID"] for name, settings in networks.items()} == {
        bench.name("n"): first,
        bench.name("m"): second,
    }
    assert "other" in networks[bench.name("m")]["Aliases"]
    bench.engine.disconnect(second, container)
    assert list(bench.inspect(container)["NetworkSettings"]["Networks"]) == [bench.name("n")]
    with pytest.raises(EngineRefusedError, match="not connected"):
        bench.engine.disconnect(second, container)


def test_connect_a_container_that_does_not_run(bench: Bench) -> None:
    bench.network("n")
    second = bench.network("m")
    container = bench.container("a", NetworkMode=bench.name("n"))
    bench.engine.connect(second, container, {"Aliases": ["x"]})
    assert set(bench.inspect(container)["NetworkSettings"]["Networks"]) == {bench.name("n"), bench.name("m")}
    bench.engine.start_container(container)
    assert bench.inspect(container)["NetworkSettings"]["Networks"][bench.name("m")]["NetworkID"] == second


def test_a_fixed_address(bench: Bench) -> None:
    bench.network("n", IPAM={"Config": [{"Subnet": "10.99.8.0/24"}]})
    endpoints = {"EndpointsConfig": {bench.name("n"): {"IPAMConfig": {"IPv4Address": "10.99.8.9"}}}}
    body = {"NetworkingConfig": endpoints}
    container = bench.container("a", body, start=True, NetworkMode=bench.name("n"))
    settings = bench.inspect(container)["NetworkSettings"]["Networks"][bench.name("n")]
    assert (settings["IPAddress"], settings["IPAMConfig"]) == ("10.99.8.9", {"IPv4Address": "10.99.8.9"})
    second = bench.container("b", body, NetworkMode=bench.name("n"))
    with pytest.raises(EngineRefusedError, match=r"(?i)address already in use|already allocated"):
        bench.engine.start_container(second)


# --- volumes ---------------------------------------------------------------------------------------------------------


def test_the_same_volume_again_is_answered_with_success(bench: Bench) -> None:
    name = bench.volume("v", Labels={"a": "1"})
    bench.volume("v", Labels={"a": "2"})
    volume = next(volume for volume in bench.engine.list_volumes() if volume["Name"] == name)
    assert (volume["Labels"], volume["Driver"], volume["Options"] or None) == ({"a": "1"}, "local", None)


def test_a_volume_in_use_stays(bench: Bench) -> None:
    name = bench.volume("v")
    container = bench.container("a", Binds=[f"{name}:/data"])
    with refusal(409, "in use|being used"):
        bench.engine.remove_volume(name)
    bench.engine.remove_container(container)
    bench.engine.remove_volume(name)


def test_mounts_are_resolved_and_anonymous_volumes_stay(bench: Bench) -> None:
    name = bench.name("v")
    mount = {"Type": "volume", "Source": name, "Target": "/b", "ReadOnly": True}
    container = bench.container("a", {"Volumes": {"/c": {}}}, Binds=["/tmp:/a:ro"], Mounts=[mount])
    mounts = {mount["Destination"]: mount for mount in bench.inspect(container)["Mounts"]}
    seen = {path: (mount["Type"], mount["RW"]) for path, mount in mounts.items()}
    assert seen == {"/a": ("bind", False), "/b": ("volume", False), "/c": ("volume", True)}
    assert mounts["/b"]["Name"] == name
    anonymous = mounts["/c"]["Name"]
    bench.engine.remove_container(container)
    assert anonymous in [volume["Name"] for volume in bench.engine.list_volumes()]
    bench.engine.remove_volume(anonymous)


# --- files in containers -----------------------------------------------------------------------------------------------


def packed(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.uid, entry.gid, entry.mode = len(content), 5, 6, 0o400
        tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize("start", [False, True])
def test_files_are_put_into_a_container_and_read(bench: Bench, start: bool) -> None:
    container = bench.container("a", start=start)
    for content in (b"one", b"two"):
        bench.engine.put_archive(container, "/", packed("run/secrets/key", content))
        with tarfile.open(fileobj=io.BytesIO(bench.engine.get_archive(container, "/run/secrets/key"))) as tar:
            entry = tar.next()
            assert entry is not None
            assert (entry.name, entry.uid, entry.gid, entry.mode & 0o7777) == ("key", 5, 6, 0o400)
        assert read_file(bench.engine.get_archive(container, "/run/secrets/key")) == content
    with pytest.raises(NotFoundError):
        bench.engine.get_archive(container, "/run/secrets/other")


def test_a_read_only_container_takes_files_in_volumes_only(bench: Bench) -> None:
    mount = {"Type": "volume", "Target": "/run/secrets", "VolumeOptions": {"Labels": {"a": "b"}}}
    container = bench.container("a", ReadonlyRootfs=True, Mounts=[mount])
    with pytest.raises(EngineRefusedError, match="read-only"):  # 500, and 403 since 28
        bench.engine.put_archive(container, "/", packed("run/secrets/key", b"one"))
    bench.engine.put_archive(container, "/run/secrets", packed("key", b"one"))
    assert read_file(bench.engine.get_archive(container, "/run/secrets/key")) == b"one"
    name = bench.inspect(container)["Mounts"][0]["Name"]
    assert next(v for v in bench.engine.list_volumes() if v["Name"] == name)["Labels"]["a"] == "b"
    bench.engine.remove_container(container, volumes=True)
    assert name not in [volume["Name"] for volume in bench.engine.list_volumes()]


def test_a_signal_needs_a_process(bench: Bench) -> None:
    container = bench.container("a")
    with refusal(409, "is not running|only kill running"):
        bench.engine.signal_container(container, "SIGHUP")
    bench.engine.start_container(container)
    bench.engine.signal_container(container, "SIGWINCH")
    assert bench.inspect(container)["State"]["Status"] == "running"
