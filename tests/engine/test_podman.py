"""Podman's answers in Docker's words: as Podman 5.4 gave them, cut to what matters."""

import io
import tarfile

import pytest

from reconciler.engine.decode import decode_container, decode_listed_image
from reconciler.engine.observe import observe
from reconciler.engine.podman import (
    container_as_docker,
    created_as_podman,
    discarded,
    has_entrypoint,
    hidden_files,
    image_as_docker,
    listed_as_docker,
    may_discard,
    network_as_docker,
    update_as_podman,
    volume_as_docker,
)
from reconciler.engine.refusals import hint_for
from reconciler.engine.warnings import refuse_dropped
from reconciler.errors import EngineRefusedError
from reconciler.model.observed import EngineFacts, normal_reference
from tests.support.memory import MemoryEngine
from tests.support.memory_images import Image

ANSWER = {
    "Id": "7ad486571" + "0" * 55,
    "Name": "/x1",
    "Image": "sha256:fb8c",
    "State": {"Status": "created"},
    "HostConfig": {
        "Binds": ["v1:/data:rw,rprivate,nosuid,nodev,rbind", "/a:/b:ro,rprivate,rbind"],
        "NetworkMode": "bridge",
        "PidMode": "private",
        "UTSMode": "private",
        "Ulimits": [{"Name": "RLIMIT_NOFILE", "Hard": 2048, "Soft": 1024}],
        "Tmpfs": {"/scratch": "size=64k,rw,rprivate,nosuid,nodev,tmpcopyup"},
    },
    "Config": {"Env": ["container=podman", "A=1"]},
    "NetworkSettings": {"Networks": {"shop": {"Aliases": ["web"], "NetworkID": "3724"}}},
}


def test_a_container() -> None:
    config = decode_container(container_as_docker(ANSWER)).config
    assert config is not None
    assert config["network_mode"] == "shop"
    assert (config["pid"], config["uts"]) == (None, None)
    assert config["environment"] == {"container": "podman", "A": "1"}
    assert config["ulimits"] == {"nofile": "1024:2048"}
    assert config["volumes"] == {
        "/data": {"type": "volume", "source": "v1"},
        "/b": {"type": "bind", "source": "/a", "read_only": True},
    }
    assert config["tmpfs"] == {"/scratch": decode_tmpfs("size=64k")}
    assert ANSWER["HostConfig"]["PidMode"] == "private", "the answer itself stays"  # type: ignore[index]


def test_what_is_not_cleaned_up_yet_has_ended() -> None:
    stopped = {**ANSWER, "State": {"Status": "stopped", "ExitCode": 0}}
    assert decode_container(container_as_docker(stopped)).status == "exited"
    assert listed_as_docker({"State": "stopped"})["State"] == "exited"


def decode_tmpfs(options: str) -> object:
    answer = {**ANSWER, "HostConfig": {"Tmpfs": {"/scratch": options}}}
    config = decode_container(answer).config
    assert config is not None
    return config["tmpfs"]["/scratch"]  # type: ignore[call-overload,index]


def test_the_default_network_has_dockers_name() -> None:
    answer = {**ANSWER, "NetworkSettings": {"Networks": {"podman": {}}}}
    config = decode_container(container_as_docker(answer)).config
    assert config is not None
    assert (config["network_mode"], list(config["networks"])) == ("bridge", ["bridge"])  # type: ignore[call-overload]


def test_names_of_images() -> None:
    names = ["docker.io/library/busybox:latest", "localhost/own:1", "docker.io/grafana/loki:2", "quay.io/x:1"]
    image = decode_listed_image(image_as_docker({"Id": "sha256:1", "RepoTags": names, "RepoDigests": None}))
    assert image.tags == ("busybox:latest", "grafana/loki:2", "localhost/own:1", "own:1", "quay.io/x:1")


def test_a_network() -> None:
    answer = {"Id": "1", "Name": "n", "IPAM": {"Driver": "default", "Options": {"driver": "host-local", "a": "b"}}}
    assert network_as_docker(answer)["IPAM"]["Options"] == {"a": "b"}


def test_a_volume() -> None:
    """As it answers for one that was made with the latter two."""
    options = {"SIZE": "1m", "o": "size=1m", "type": "tmpfs"}
    assert volume_as_docker({"Name": "v", "Options": options})["Options"] == {"o": "size=1m", "type": "tmpfs"}
    assert volume_as_docker({"Name": "v", "Options": None})["Options"] == {}


def test_processors_are_sent_as_a_quota() -> None:
    inspected = {"HostConfig": {"RestartPolicy": {"Name": "always"}}}
    assert update_as_podman({"NanoCpus": 250_000_000, "Memory": 1}, inspected) == {
        "RestartPolicy": {"Name": "always"},
        "CpuPeriod": 100000,
        "CpuQuota": 25000,
        "Memory": 1,
    }
    no = {"RestartPolicy": {"Name": "no"}, "Memory": 1}
    assert update_as_podman(no, inspected) == no


def test_a_limit_of_processes_that_is_none() -> None:
    """Taken away in place it is what a new container has; none at all is said by a number."""
    inspected = {"HostConfig": {"RestartPolicy": {"Name": "no"}}}
    assert update_as_podman({"PidsLimit": 0}, inspected)["PidsLimit"] == 2048
    assert update_as_podman({"PidsLimit": 7}, inspected)["PidsLimit"] == 7
    assert created_as_podman({"HostConfig": {"PidsLimit": None}})["HostConfig"] == {"PidsLimit": -1}
    for host in ({}, {"PidsLimit": 7}):
        assert created_as_podman({"HostConfig": host})["HostConfig"] == host


def test_an_entrypoint_that_would_stay() -> None:
    assert has_entrypoint({"Config": {"Entrypoint": ["/run"]}})
    assert not has_entrypoint({"Config": {"Entrypoint": []}})
    assert not has_entrypoint({})


def test_files_that_would_be_hidden() -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in ("etc/app/motd", "etc/apps"):
            tar.addfile(tarfile.TarInfo(name))
    for container, hidden in (({"Mounts": [{"Destination": "/etc/app"}]}, True), ({"Mounts": None}, False)):
        said = hidden_files(container, "/", stream.getvalue())
        assert said.endswith("into a volume: /etc/app/motd is in /etc/app" if hidden else "")
        assert bool(said) is hidden
    assert "/data/etc/apps is in /data" in hidden_files(
        {"Mounts": [{"Destination": "/data"}]}, "/data", stream.getvalue()
    )


class PodmanInMemory(MemoryEngine):
    """The engine in memory, called Podman: what an image supplies can rule out a container there."""

    def facts(self) -> EngineFacts:
        return super().facts()._replace(is_podman=True)


def test_what_an_image_supplies_is_known_before_it_is_used() -> None:
    for engine, known in ((PodmanInMemory(), {"app"}), (MemoryEngine(), set())):
        for name in ("app", "other"):
            engine.images.add(f"{name}:1", Image({"Volumes": {f"/{name}": {}}}))
        found = observe(engine, "shop", wanted=frozenset({normal_reference("app:1")})).images
        assert {path.strip("/") for image in found for path in (image.supplies or {}).get("volumes", {})} == known


def test_its_words_come_with_advice() -> None:
    said = "IPAM error: requested ip address 10.99.8.9 is already allocated to container ID 67fc3a"
    assert "another container on that network has that address" in hint_for(said)
    said = 'determining run uid: user: unknown user error looking up user "nobody-knows"'
    assert "the image has no such user" in hint_for(said)
    said = "subnet 10.88.1.0/24 is already used on the host or by another config"
    assert "choose another one in `ipam`" in hint_for(said)


def test_what_it_leaves_out_in_silence() -> None:
    asked = {"HostConfig": {"BlkioWeight": 300, "Memory": 1 << 26}}
    assert may_discard(asked)
    assert not may_discard({"HostConfig": {"Memory": 1 << 26, "BlkioWeight": 0}})
    assert discarded(asked, {"HostConfig": {"BlkioWeight": 300}}) == ()
    with pytest.raises(EngineRefusedError, match="BlkioWeight discarded"):
        refuse_dropped(discarded(asked, {"HostConfig": {"BlkioWeight": 0}}), {})
