"""Forms: what may be written, what it means, and that the engine's answer to it means the same."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.address import Kind
from reconciler.model.mounts import read_mounts
from reconciler.model.rows import BY_NAME, TABLE

MINUTE, SECOND = 60 * 10**9, 10**9

#: (option of a container, what is written, what it means)
MEANINGS: list[tuple[str, Any, Any]] = [
    ("mem_limit", "256M", 256 * 1024**2), ("mem_limit", "1.5g", 1536 * 1024**2), ("mem_limit", "64kib", 65536),
    ("mem_limit", 1024, 1024), ("mem_limit", 0, None), ("mem_limit", "512", 512), ("mem_limit", "1tb", 1024**4),
    ("memswap_limit", -1, -1), ("memswap_limit", "unlimited", -1), ("memswap_limit", "1g", 1024**3),
    ("cpus", 0.5, 5 * 10**8), ("cpus", "0.25", 25 * 10**7), ("cpus", 2, 2 * 10**9), ("cpus", 0, None),
    ("cpuset", "0,1,2", "0-2"), ("cpuset", "3,0-1", "0-1,3"), ("cpuset", "2,1,0", "0-2"), ("cpuset", "", None),
    ("pids_limit", 100, 100), ("pids_limit", -1, None), ("pids_limit", 0, None),
    ("cpu_quota", 50000, 50000), ("cpu_quota", -1, None), ("cpu_shares", 0, None),
    ("stop_grace_period", "1m30s", 90), ("stop_grace_period", "1500ms", 2), ("stop_grace_period", "0s", 0),
    ("working_dir", "/app/", "/app"), ("working_dir", "/app/../srv", "/srv"), ("working_dir", "/", None),
    ("stop_signal", "int", "SIGINT"), ("stop_signal", 15, "SIGTERM"), ("stop_signal", "SIGUSR1", "SIGUSR1"),
    ("stop_signal", "15", "SIGTERM"), ("stop_signal", "RTMIN+3", "SIGRTMIN+3"),
    ("restart", "on-failure:3", "on-failure:3"), ("restart", "on-failure:0", "on-failure"), ("restart", "no", "no"),
    ("command", "a 'b c'", ("a", "b c")), ("command", ["a", "b c"], ("a", "b c")), ("command", [], ()),
    ("cap_add", ["net_admin", "CAP_NET_RAW", "NET_ADMIN"], ("CAP_NET_ADMIN", "CAP_NET_RAW")), ("cap_drop", ["all"], ("ALL",)),
    ("security_opt", ["no-new-privileges"], ("no-new-privileges",)),
    ("security_opt", ["no-new-privileges:true"], ("no-new-privileges",)),
    ("security_opt", ["seccomp:unconfined", "apparmor=x"], ("apparmor=x", "seccomp=unconfined")),
    ("dns", "9.9.9.9", ("9.9.9.9",)), ("dns", ["::0001", "1.1.1.1"], ("::1", "1.1.1.1")),
    ("extra_hosts", ["b:1.1.1.1", "a=::1", "a=[::1]"], ("a:::1", "b:1.1.1.1")),
    ("extra_hosts", {"a": ["1.1.1.1", "2.2.2.2"]}, ("a:1.1.1.1", "a:2.2.2.2")),
    ("environment", ["A=1", "B=x=y"], {"A": "1", "B": "x=y"}), ("environment", {"A": True, "B": 5}, {"A": "true", "B": "5"}),
    ("labels", ["a=b", "c"], {"a": "b", "c": ""}),
    ("sysctls", {"net.core.somaxconn": 1024}, {"net.core.somaxconn": "1024"}),
    ("ulimits", {"nofile": 10, "nproc": {"soft": 1, "hard": 2}, "core": "-1"}, {"nofile": "10:10", "nproc": "1:2", "core": "-1:-1"}),
    ("devices", ["/dev/a", "/dev/b:/dev/c", "/dev/d:/dev/e:mr", "/dev/f:r"], {"/dev/a": "/dev/a:rwm", "/dev/c": "/dev/b:rwm", "/dev/e": "/dev/d:rm", "/dev/f": "/dev/f:r"}),
    ("tmpfs", ["/run:size=1m,mode=1777", "/x/"], {"/run": "mode=1777,size=1m", "/x": ""}), ("tmpfs", "/run", {"/run": ""}),
    ("logging", {"driver": "local", "options": {"max-size": "1m"}}, {"driver": "local", "options": {"max-size": "1m"}}),
    ("logging", {}, {}), ("group_add", [1000, "video", "video"], ("1000", "video")), ("dns_search", "a.test", ("a.test",)),
    ("ports", ["80"], {"80/tcp": (":",)}), ("ports", ["4000:80", 90], {"80/tcp": (":4000",), "90/tcp": (":",)}),
    ("ports", ["127.0.0.1:4000:80/udp"], {"80/udp": ("127.0.0.1:4000",)}), ("ports", ["[::1]:4000:80"], {"80/tcp": ("::1:4000",)}),
    ("ports", ["127.0.0.1::80"], {"80/tcp": ("127.0.0.1:",)}), ("ports", ["4000-4001:80-81"], {"80/tcp": (":4000",), "81/tcp": (":4001",)}),
    ("ports", ["4000-4010:80"], {"80/tcp": (":4000-4010",)}), ("ports", ["1:80", "2:80"], {"80/tcp": (":1", ":2")}),
    ("ports", [{"target": 80, "published": 4000, "host_ip": "127.0.0.1", "protocol": "udp"}], {"80/udp": ("127.0.0.1:4000",)}),
    ("expose", ["80", "53/udp", "8000-8001"], {"80/tcp": True, "53/udp": True, "8000/tcp": True, "8001/tcp": True}),
    ("healthcheck", {"test": "x"}, {"test": ("CMD-SHELL", "x")}), ("healthcheck", {"test": ["CMD", "x"]}, {"test": ("CMD", "x")}),
    ("healthcheck", {"test": ["x", "y"]}, {"test": ("CMD", "x", "y")}), ("healthcheck", {"disable": True}, {"test": ("NONE",)}),
    ("healthcheck", {"test": ["NONE"]}, {"test": ("NONE",)}), ("healthcheck", {"test": "NONE"}, {"test": ("NONE",)}),
    ("healthcheck", {"interval": "1m", "retries": 3, "start_period": "500ms"}, {"interval": MINUTE, "retries": 3, "start_period": SECOND // 2}),
    ("volumes", ["d:/d"], {"/d": {"type": "volume", "source": "d"}}), ("volumes", ["/d/"], {"/d": {"type": "volume"}}),
    ("volumes", ["/x:/y:ro,z"], {"/y": {"type": "bind", "source": "/x", "read_only": True, "selinux": "z"}}),
    ("volumes", ["/x:/y:rshared"], {"/y": {"type": "bind", "source": "/x", "propagation": "rshared"}}),
    ("volumes", ["d:/d:nocopy"], {"/d": {"type": "volume", "source": "d", "nocopy": True}}),
    ("volumes", [{"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1m", "mode": "1777"}}], {"/t": {"type": "tmpfs", "size": 1024**2, "mode": 0o1777}}),
    ("volumes", [{"type": "bind", "source": "/x", "target": "/y", "bind": {"create_host_path": False}}], {"/y": {"type": "bind", "source": "/x", "create_host_path": False}}),
    ("networks", ["a"], {"a": {}}), ("networks", {"a": {"aliases": ["y", "x", "y"], "priority": 5}}, {"a": {"aliases": ("x", "y")}}),
    ("networks", {"a": {"ipv4_address": "10.0.0.5", "mac_address": "02-42-AC-11-00-02"}}, {"a": {"ipv4_address": "10.0.0.5", "mac_address": "02:42:ac:11:00:02"}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "written", "meaning"), MEANINGS, ids=lambda value: str(value)[:40])
def test_what_is_written_means(name: str, written: Any, meaning: Any) -> None:
    assert BY_NAME[Kind.CONTAINER][name].form.declare(written) == meaning


#: these stand in several places of an answer and are read apart; see tests of the codecs
_APART = {"volumes", "networks"}


@pytest.mark.parametrize(
    ("name", "written"),
    [(name, written) for name, written, meaning in MEANINGS if name not in _APART and meaning is not None],
    ids=lambda value: str(value)[:40],
)
def test_what_is_sent_is_read_as_the_same(name: str, written: Any) -> None:
    """declare → write → read: the engine's own words come back to the value that was declared."""
    form = BY_NAME[Kind.CONTAINER][name].form
    value = form.declare(written)
    expected: Any = None if value == () else value  # an empty list is none
    if name == "logging":
        expected = {"driver": None, "options": {}, **expected}
    assert form.read(form.write(value)) == expected


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, row.name) for kind, rows in TABLE.items() for row in rows if row.path]
)
def test_nothing_is_read_as_nothing(kind: Kind, name: str) -> None:
    """Neither null nor an empty value of the engine differs from an option that is not set."""
    row = BY_NAME[kind][name]
    if name not in _APART:
        empty = row.form.read(None)
        assert empty in (row.default, None, {}, {"driver": None, "options": {}}), empty


@pytest.mark.parametrize(
    ("name", "written", "advice"),
    [
        ("mem_limit", "lots", "256M"), ("mem_limit", "-5", "256M"), ("cpus", "half", "0.5"), ("cpus", -1, "negative"),
        ("mem_limit", -5, "256M"), ("shm_size", -1, "256M"),
        ("cpuset", "3-1", "smaller number first"), ("cpuset", "a-b", "0-2,4"), ("cpuset", "²", "0-2,4"), ("restart", "on-failure:²", "on-failure:3"), ("restart", "sometimes", "unless-stopped"), ("restart", "always:3", "on-failure:3"),
        ("stop_grace_period", "10", "30s"), ("stop_grace_period", "", "30s"), ("stop_grace_period", "5 minutes", "1m30s"),
        ("command", "echo 'open", "list of words"), ("dns", ["nine"], "not an IP address"), ("extra_hosts", ["alone"], "name:address"),
        ("ulimits", {"nofile": "many"}, "soft = 1024"), ("ports", ["99999"], "65535"), ("ports", ["x:80"], "not a port or a range"),
        ("ports", ["80/icmp"], "tcp, udp or sctp"), ("ports", ["1-3:80-81"], "differ in length"), ("ports", ["0"], "1 to 65535"),
        ("ports", ["90-80"], "upwards"), ("ports", ["300.0.0.1:1:80"], "not an IP address"), ("expose", ["http"], "range of ports"),
        ("volumes", ["d:/d:rx"], "ro, rw"), ("volumes", ["d:d"], "absolute path"), ("volumes", ["a:/d", "b:/d/"], "two mounts"),
        ("volumes", ["a:b:c:d"], "source:target"), ("networks", {"a": {"mac_address": "nope"}}, "02:42:ac"),
        ("networks", {"a": {"ipv4_address": "10.0.0"}}, "not an IP address"),
    ],
)  # fmt: skip
def test_what_is_wrong_says_what_to_write(name: str, written: Any, advice: str) -> None:
    """Every refusal repeats what was written and says what would be right."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it says is looked at below
        BY_NAME[Kind.CONTAINER][name].form.declare(written)
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("mem_limit", 256 * 1024**2, '"256M"'), ("mem_limit", 1536 * 1024**2, '"1536M"'), ("mem_limit", 1000, "1000"),
        ("mem_limit", None, "(none)"), ("memswap_limit", -1, '"unlimited"'), ("cpus", 5 * 10**8, "0.5"), ("cpus", None, "(none)"),
        ("stop_grace_period", 90, '"90s"'), ("command", ("a", "b c"), '["a", "b c"]'), ("command", (), "(none)"),
        ("read_only", True, "true"), ("environment", {}, "{}"), ("healthcheck", {"test": ("NONE",)}, '{ test = ["NONE"] }'),
        ("restart", "always", '"always"'), ("expose", {"80/tcp": True, "53/udp": True}, '["53/udp", "80/tcp"]'),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_it_would_be_written(name: str, value: Any, shown: str) -> None:
    assert BY_NAME[Kind.CONTAINER][name].form.show(value) == shown


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ({}, {}),
        ({"driver": "default"}, {"driver": "default"}),
        ({"config": [{"subnet": "10.5.0.1/24"}]}, {"config": {"10.5.0.0/24": {}}}),
        (
            {"config": [{"subnet": "10.5.0.0/24", "gateway": "10.5.0.1", "ip_range": "10.5.0.128/25", "aux_addresses": {"a": "10.5.0.2"}}]},
            {"config": {"10.5.0.0/24": {"gateway": "10.5.0.1", "ip_range": "10.5.0.128/25", "aux_addresses": {"a": "10.5.0.2"}}}},
        ),
        ({"options": {"x": 1}}, {"options": {"x": "1"}}),
    ],
)  # fmt: skip
def test_address_management(written: Any, meaning: Any) -> None:
    form = BY_NAME[Kind.NETWORK]["ipam"].form
    assert form.declare(written) == meaning
    assert form.read(form.write(meaning)) == {"driver": "default", **meaning}


def test_a_wrong_subnet_says_what_to_write() -> None:
    with pytest.raises(ValueError, match="10.5.0.0/24"):
        BY_NAME[Kind.NETWORK]["ipam"].form.declare({"config": [{"subnet": "ten"}]})


def test_labels_that_nobody_declared_are_no_part_of_a_mount() -> None:
    labels = {"com.docker.volume.anonymous": "", "reconciler.holder": "shop"}
    host = {"Mounts": [{"Type": "volume", "Target": target, "VolumeOptions": {"Labels": labels | own}} for target, own in (("/a", {}), ("/b", {"team": "shop"}))]}  # fmt: skip
    assert read_mounts(host, [], ()) == {"/a": {"type": "volume"}, "/b": {"type": "volume", "labels": {"team": "shop"}}}


def test_mounts_of_another_container_are_not_ones_own() -> None:
    resolved = [{"Type": "volume", "Name": "x", "Destination": path} for path in ("/of-the-donor", "/of-the-image")]
    assert read_mounts({"VolumesFrom": ["donor"]}, resolved, ["/of-the-image/"]) == {
        "/of-the-image": {"type": "volume"}
    }


@pytest.mark.parametrize("name", ["devices", "gpus", "blkio_config", "volumes_from"])
def test_what_is_written_is_read_back(name: str) -> None:
    """Forms that write several keys, or whose API differs most from the spec."""
    row = BY_NAME[Kind.CONTAINER][name]
    raw = {
        "devices": ["/dev/null:/dev/one:r", {"source": "/dev/zero", "permissions": "wr"}, "vendor.com/gpu=all"],
        "gpus": [{"driver": "nvidia", "count": "all", "options": ["a=b"]}, {"device_ids": ["1"], "capabilities": ["utility"]}],
        "blkio_config": {"weight": 300, "weight_device": [{"path": "/dev/a", "weight": 10}], "device_read_bps": [{"path": "/dev/a", "rate": "1k"}], "device_write_iops": [{"path": "/dev/a", "rate": 5}]},
        "volumes_from": ["container:a:ro"],
    }[name]  # fmt: skip
    value = row.form.declare(raw)
    read = row.form.read(row.form.write(value))
    assert read == ({"a": "ro"} if name == "volumes_from" else value)
