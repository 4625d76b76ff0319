"""What Podman leaves out or fills in is no difference; what the spec's author changed is one all the same."""

import pytest

from reconciler.model.address import Kind
from reconciler.model.desired import DesiredState
from reconciler.model.observed import EngineFacts, ObservedContainer, ObservedState
from reconciler.model.ownership import FINGERPRINT_VERSION, Fingerprint, hash_option, parse_fingerprint
from reconciler.model.plan import Reason, Ref, RemoveContainer, Step
from reconciler.model.rows import BY_NAME
from reconciler.model.values import NOT_TOLD, Config, Value
from reconciler.planning.diff import diff_config
from reconciler.planning.expected import expected_settings
from reconciler.planning.sharing import held_by_sharers
from reconciler.planning.untold import as_far_as_told, dropped
from reconciler.planning.world import World

PODMAN = EngineFacts(is_podman=True)


def told(expected: Config, observed: Config, declared: Config, made_from: Config) -> dict[str, Value]:
    options = {name: hash_option(value) for name, value in made_from.items()}
    made = Fingerprint(FINGERPRINT_VERSION, options)
    return as_far_as_told(PODMAN, Kind.CONTAINER, expected, observed, declared, made)


def test_what_is_as_it_was_declared() -> None:
    config = {"cap_drop": ("CAP_MKNOD",)}
    assert told(config, {"cap_drop": None}, config, config)["cap_drop"] == ("CAP_MKNOD",)
    assert told({"stop_grace_period": None}, {"stop_grace_period": 10}, {}, {})["stop_grace_period"] is None


def test_what_has_left_the_spec_and_cannot_be_seen() -> None:
    assert told({"ipc": None}, {"ipc": None}, {}, {"ipc": "shareable"})["ipc"] == NOT_TOLD


@pytest.mark.parametrize(("declared", "kept"), [({}, {}), ({"HOME": "/x"}, {"HOME": "/root"})])
def test_variables_that_it_adds(declared: Config, kept: Config) -> None:
    seen = {"HOME": "/root", "container": "podman"}
    assert told({"environment": declared}, {"environment": seen}, {}, {})["environment"] == kept


def test_the_path_that_it_adds() -> None:
    default = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    assert told({"environment": {}}, {"environment": default}, {}, {})["environment"] == {}
    assert told({"environment": {}}, {"environment": {"PATH": "/x"}}, {}, {})["environment"] == {"PATH": "/x"}


def test_what_elsewhere_is_changed_in_place_takes_a_new_container() -> None:
    """The answer cannot tell whether the change was made, so it is said whole, and not by key."""
    wanted = {"blkio_config": {"weight": 300}}
    seen = told(wanted, {"blkio_config": None}, wanted, {})
    assert seen["blkio_config"] == NOT_TOLD
    expected = {name: row.default for name, row in BY_NAME[Kind.CONTAINER].items()} | wanted
    made = Fingerprint(FINGERPRINT_VERSION, {})
    (field,) = diff_config(Kind.CONTAINER, expected, {**expected, **seen, "pids_limit": None}, wanted, made)
    assert (field.path, field.forces, field.reason) == ("blkio_config", "replace", Reason.SPEC_CHANGED)


def test_processes_and_processors() -> None:
    seen = {"pids_limit": 2048, "cpus": 500, "cpu_quota": 50, "cpu_period": 100}
    config = told({"pids_limit": None, "cpus": 500}, seen, {}, {})
    assert config == {**seen, "pids_limit": None, "cpu_quota": None, "cpu_period": None, **rest(config)}
    assert told({"pids_limit": 2048}, {"pids_limit": 2048}, {}, {})["pids_limit"] == 2048
    assert told({"cpu_quota": 50, "cpus": None}, seen, {}, {})["cpus"] is None


def test_no_limit_of_processes() -> None:
    """Said, it takes a new container; where nothing is said, what a new container has counts as none."""
    silent, said = {"pids_limit": None}, {"pids_limit": None}
    for seen, kept in ((2048, None), (50, 50), (None, None)):
        assert told(silent, {"pids_limit": seen}, {}, {})["pids_limit"] == kept
    for seen, kept in ((2048, NOT_TOLD), (50, NOT_TOLD), (None, None)):
        assert told(said, {"pids_limit": seen}, said, {})["pids_limit"] == kept


def rest(config: Config) -> Config:
    return {name: value for name, value in config.items() if value is None}


def test_an_address_counts_when_asked_for() -> None:
    seen: Config = {"networks": {"n": {"ipv4_address": "10.0.0.2", "aliases": ("a",)}}}
    assert told({"networks": {"n": {}}}, seen, {}, {})["networks"] == {"n": {"aliases": ("a",)}}
    asked: Config = {"networks": {"n": {"ipv4_address": "10.0.0.9"}}}
    assert told(asked, seen, {}, {})["networks"] == {"n": {"ipv4_address": "10.0.0.2", "aliases": ("a",)}}
    assert told(asked, {"networks": {"n": {}}}, {}, {})["networks"] == asked["networks"]


@pytest.mark.parametrize(
    ("declared", "seen", "differs"),
    [
        ({"ipam": {"config": {"10.1.0.0/24": {"ip_range": "10.1.0.128/25"}}}}, "10.1.0.0/24", []),
        ({"ipam": {"config": {"10.1.0.0/24": {}}}}, "10.2.0.0/24", ["ipam.config.10.1.0.0/24"]),
        ({"enable_ipv6": True, "driver_opts": {"parent": "eth0"}, "attachable": True}, "10.1.0.0/24", ["enable_ipv6"]),
        ({}, "fd00:1::/64", []),
    ],
)
def test_a_network_that_others_made(declared: Config, seen: str, differs: list[str]) -> None:
    """No fingerprint tells how, so what the engine tells counts."""
    expected = expected_settings(Kind.NETWORK, "n", declared)
    pools: Config = {seen: {"gateway": "10.1.0.1"}}
    ipam: Config = {"driver": "default", "config": pools}
    observed = {**expected_settings(Kind.NETWORK, "n", {}), "ipam": ipam}
    made = parse_fingerprint({})
    shown = as_far_as_told(PODMAN, Kind.NETWORK, expected, {**observed, "enable_ipv6": ":" in seen}, declared, made)
    assert [field.path for field in diff_config(Kind.NETWORK, expected, shown, declared, made)] == differs


def test_docker_is_taken_at_its_word() -> None:
    seen = {"pids_limit": 2048, "cap_drop": None}
    assert as_far_as_told(EngineFacts(), Kind.CONTAINER, {}, seen, {}, Fingerprint(0, {})) == seen


def test_what_it_would_drop_in_silence() -> None:
    assert (
        dropped(PODMAN, Kind.CONTAINER, {"domainname": "x"})
        == "Podman's API has no domainname; leave it out on this engine"
    )
    assert "com.docker.network.bridge.enable_icc" in dropped(
        PODMAN, Kind.NETWORK, {"driver_opts": {"com.docker.network.bridge.enable_icc": "true", "mtu": "1400"}}
    )
    assert dropped(PODMAN, Kind.NETWORK, {"driver_opts": {"mtu": "1400"}}) == ""
    assert "read_only" in dropped(PODMAN, Kind.CONTAINER, {"read_only": True, "secrets": {"/run/secrets/key": {}}})
    assert dropped(PODMAN, Kind.CONTAINER, {"read_only": True}) == ""
    assert "entrypoint" in dropped(PODMAN, Kind.CONTAINER, {"entrypoint": ()}, {"entrypoint": ("/run",)})
    assert dropped(PODMAN, Kind.CONTAINER, {"entrypoint": ()}, {}) == ""
    assert "gpus" in dropped(PODMAN, Kind.CONTAINER, {"gpus": ({"count": -1},)})
    endpoints = {"networks": {"n": {"links": ("a:b",), "aliases": ("c",)}}}
    assert dropped(PODMAN, Kind.CONTAINER, endpoints).startswith("Podman's API has no links of a network's endpoint;")
    assert dropped(EngineFacts(), Kind.CONTAINER, {"domainname": "x"}) == ""
    for config in (
        {"security_opt": ("systempaths=unconfined",)},
        {"security_opt": ('seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',)},
        {"mem_limit": 1 << 26, "memswap_limit": -1},
        {"volumes": {"/data": {"type": "volume", "labels": {"a": "b"}}}},
    ):
        assert "Podman's API has no " in dropped(PODMAN, Kind.CONTAINER, config)
    assert dropped(PODMAN, Kind.CONTAINER, {"security_opt": ("seccomp=unconfined",)}) == ""


def test_files_in_a_volume() -> None:
    """They would be put under it: the container finds the former ones."""
    files: Config = {"configs": {"/etc/app/motd": {}}}
    supplied: Config = {"volumes": {"/etc/app": {"type": "volume"}}}
    note = dropped(PODMAN, Kind.CONTAINER, files, supplied)
    assert "/etc/app/motd is in /etc/app;" in note
    assert dropped(PODMAN, Kind.CONTAINER, {**files, **supplied}) == note
    assert dropped(PODMAN, Kind.CONTAINER, files, {"volumes": {"/etc/apps": {}}}) == ""
    assert dropped(EngineFacts(), Kind.CONTAINER, files, supplied) == ""


@pytest.mark.parametrize("shared", [True, False])
def test_a_donor_is_not_removed_from_under_who_shares_with_it(shared: bool) -> None:
    side = ObservedContainer("2", "shop-side-1", config={"network_mode": "container:1" if shared else "bridge"})
    steps = [Step(RemoveContainer(Ref("shop-web-1.prev", "1")))]
    for facts in (PODMAN, EngineFacts()):
        world = World(DesiredState("shop", {}), ObservedState(facts, containers=(side,)))
        note = held_by_sharers(world, steps)
        assert ("`podman rm --force shop-side-1`" in note) == (shared and facts.is_podman)
