"""What inspect should say, option by option, where more than one side has a say."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource
from reconciler.model.observed import EngineFacts, ObservedContainer
from reconciler.planning.expected import expected_container, expected_settings, observed_container, observed_settings

MEGABYTE = 1024**2


def expect(
    declared: dict[str, Any],
    supplied: dict[str, Any] | None = None,
    *,
    networks: tuple[str, ...] = (),
    observed: dict[str, Any] | None = None,
    facts: EngineFacts = EngineFacts(),
    donors: dict[str, str] | None = None,
) -> dict[str, Any]:
    image = Address(Kind.IMAGE, "busybox")
    resource = ContainerResource(Address(Kind.CONTAINER, "web"), "shop-web-1", declared, image, networks)
    container = ObservedContainer("id", "shop-web-1", config=observed or {})
    return expected_container(resource, supplied or {}, facts, container, donors or {})


BOTH = {"entrypoint": ("/entry",), "command": ("serve",)}


@pytest.mark.parametrize(
    ("declared", "supplied", "entrypoint", "command"),
    [
        ({}, {}, None, None),
        ({}, BOTH, ("/entry",), ("serve",)),
        ({"command": ("x",)}, BOTH, ("/entry",), ("x",)),
        ({"command": ()}, BOTH, ("/entry",), ("serve",)),
        # an entrypoint of one's own drops the image's command
        ({"entrypoint": ("/own",)}, BOTH, ("/own",), None),
        ({"entrypoint": ("/own",), "command": ("x",)}, BOTH, ("/own",), ("x",)),
        # [] takes the image's entrypoint away and keeps its command; [""] takes both
        ({"entrypoint": ()}, BOTH, None, ("serve",)),
        ({"entrypoint": (), "command": ("x",)}, BOTH, None, ("x",)),
        ({"entrypoint": ("",)}, BOTH, None, None),
        ({"entrypoint": ("",), "command": ("x",)}, BOTH, None, ("x",)),
        ({"command": ("x",)}, {"command": ("serve",)}, None, ("x",)),
        ({}, {"entrypoint": ("/entry",)}, ("/entry",), None),
    ],
)
def test_entrypoint_and_command(declared: Any, supplied: Any, entrypoint: Any, command: Any) -> None:
    found = expect(declared, supplied)
    assert (found["entrypoint"], found["command"]) == (entrypoint, command)


@pytest.mark.parametrize(
    ("option", "declared", "supplied", "expected"),
    [
        ("environment", None, {"A": "image"}, {"A": "image"}),
        ("environment", {"B": "own"}, {"A": "image"}, {"A": "image", "B": "own"}),
        ("environment", {"A": "own"}, {"A": "image"}, {"A": "own"}),
        ("environment", {"A": ""}, {"A": "image"}, {"A": ""}),
        ("environment", {}, None, {}),
        ("labels", {"team": "shop"}, {"vendor": "acme", "team": "acme"}, {"team": "shop", "vendor": "acme"}),
        ("labels", None, {"reconciler.project": "other"}, {}),
        ("healthcheck", None, {"test": ("CMD", "ping"), "interval": 10}, {"test": ("CMD", "ping"), "interval": 10}),
        (
            "healthcheck",
            {"interval": 20},
            {"test": ("CMD", "ping"), "interval": 10},
            {"test": ("CMD", "ping"), "interval": 20},
        ),
        ("healthcheck", {"test": ("NONE",)}, {"test": ("CMD", "ping")}, {"test": ("NONE",)}),
        ("expose", {"80/tcp": True}, {"6379/tcp": True}, {"80/tcp": True, "6379/tcp": True}),
        ("user", None, "100", "100"),
        ("user", "200", "100", "200"),
        ("user", None, None, None),
        ("working_dir", None, "/srv", "/srv"),
        ("stop_signal", "SIGTERM", "SIGINT", "SIGTERM"),
    ],
)
def test_what_the_image_supplies(option: str, declared: Any, supplied: Any, expected: Any) -> None:
    """Lists with keys are merged, single values filled in."""
    found = expect(
        {option: declared} if declared is not None else {}, {option: supplied} if supplied is not None else {}
    )
    assert found[option] == expected


def test_published_ports_are_exposed() -> None:
    found = expect({"ports": {"80/tcp": (":7001",)}, "expose": {"90/tcp": True}})
    assert found["expose"] == {"80/tcp": True, "90/tcp": True}


@pytest.mark.parametrize(
    ("memory", "swap", "accounts", "expected"),
    [
        (None, None, True, None),
        (64, None, True, 128),
        (64, 96, True, 96),
        (64, -1, True, -1),
        (64, 64, True, 64),
        (64, None, False, -1),  # a kernel that does not account for swap
        (64, 96, False, -1),
        (None, None, False, None),
    ],
)
def test_swap(memory: int | None, swap: int | None, accounts: bool, expected: int | None) -> None:
    """Without a word it is twice the memory."""
    declared = {"mem_limit": memory, "memswap_limit": swap}
    given = {name: value * MEGABYTE if value > 0 else value for name, value in declared.items() if value is not None}
    found = expect(given, facts=EngineFacts(swap_limit=accounts))["memswap_limit"]
    assert found == (expected * MEGABYTE if expected is not None and expected > 0 else expected)


ANONYMOUS = {"type": "volume"}


@pytest.mark.parametrize(
    ("declared", "tmpfs", "supplied", "expected"),
    [
        ({}, {}, {}, {}),
        ({}, {}, {"/data": ANONYMOUS}, {"/data": ANONYMOUS}),
        (
            {"/data": {"type": "volume", "source": "d"}},
            {},
            {"/data": ANONYMOUS},
            {"/data": {"type": "volume", "source": "d"}},
        ),
        ({}, {"/data": ""}, {"/data": ANONYMOUS}, {}),
        (
            {"/etc": {"type": "bind", "source": "/x"}},
            {},
            {"/data": ANONYMOUS},
            {"/etc": {"type": "bind", "source": "/x"}, "/data": ANONYMOUS},
        ),
        # what cannot be seen afterwards is not compared
        (
            {"/x": {"type": "bind", "source": "/x", "create_host_path": False}},
            {},
            {},
            {"/x": {"type": "bind", "source": "/x"}},
        ),
        (
            {"/x": {"type": "bind", "source": "/x", "propagation": "rprivate"}},
            {},
            {},
            {"/x": {"type": "bind", "source": "/x"}},
        ),
    ],
)
def test_mounts(declared: Any, tmpfs: Any, supplied: Any, expected: Any) -> None:
    """Volumes of the image come in wherever nothing else is mounted."""
    assert expect({"volumes": declared, "tmpfs": tmpfs}, {"volumes": supplied})["volumes"] == expected


@pytest.mark.parametrize(
    ("networks", "observed", "mode"),
    [
        (("shop_front", "shop_back"), "shop_front", "shop_front"),
        (("shop_front", "shop_back"), "shop_back", "shop_back"),  # made with the other first: no reason to stop it
        (("shop_front", "shop_back"), "shop_gone", "shop_front"),
        (("shop_front",), "bridge", "shop_front"),
        ((), None, "none"),
    ],
)
def test_any_declared_network_may_be_the_first(networks: tuple[str, ...], observed: str | None, mode: str) -> None:
    endpoints: dict[str, Any] = {name: {} for name in networks}
    found = expect({"networks": endpoints}, networks=networks, observed={"network_mode": observed})
    assert (found["networks"], found["network_mode"]) == (endpoints, mode)


@pytest.mark.parametrize(("mode", "endpoints"), [("host", {}), ("none", {}), ("bridge", {"bridge": {}})])
def test_a_declared_network_mode(mode: str, endpoints: Any) -> None:
    found = expect({"network_mode": mode})
    assert (found["network_mode"], found["networks"]) == (mode, endpoints)


def test_donors_are_known_by_their_ids() -> None:
    found = expect({"network_mode": "service:db", "pid": "service:db"}, donors={"network_mode": "abc", "pid": "abc"})
    assert (found["network_mode"], found["pid"]) == ("container:abc", "container:abc")


def observe(
    config: dict[str, Any], wanted: dict[str, Any], ids: dict[str, str], current: dict[str, str]
) -> dict[str, Any]:
    container = ObservedContainer("id", "shop-web-1", config=config, network_ids=ids)
    return observed_container(container, {"networks": wanted}, current)


def test_a_dead_endpoint_is_none() -> None:
    """The network of that name is another one now."""
    config: dict[str, Any] = {"networks": {"a": {}, "b": {}, "c": {}}}
    found = observe(config, {}, {"a": "1", "b": "2", "c": ""}, {"a": "1", "b": "9", "c": "3"})
    assert found["networks"] == {"a": {}, "c": {}}


def test_addresses_that_nobody_asked_for_do_not_count() -> None:
    mac = {"mac_address": "02:42:ac:11:00:02"}
    config = {"networks": {"a": dict(mac), "b": dict(mac)}}
    assert observe(config, {"a": {}, "b": mac}, {}, {})["networks"] == {"a": {}, "b": mac}


def test_the_host_name_as_an_alias_does_not_count() -> None:
    """Some engines list it; asked for, it counts."""
    config = {"hostname": "abc", "networks": {"a": {"aliases": ("abc", "web")}, "b": {"aliases": ("abc",)}}}
    wanted = {"a": {"aliases": ("web",)}, "b": {"aliases": ("abc",)}}
    assert observe(config, wanted, {}, {})["networks"] == {"a": {"aliases": ("web",)}, "b": {"aliases": ("abc",)}}


def test_our_own_labels_do_not_count() -> None:
    labels = {"reconciler.project": "shop", "team": "shop"}
    assert observe({"labels": labels}, {}, {}, {})["labels"] == {"team": "shop"}
    assert observed_settings({"labels": labels, "driver": "local"}) == {"labels": {"team": "shop"}, "driver": "local"}


def test_settings_of_networks_and_volumes() -> None:
    network = expected_settings(Kind.NETWORK, "shop_front", {"internal": True})
    assert (network["internal"], network["driver"], network["name"]) == (True, "bridge", "shop_front")
    assert expected_settings(Kind.VOLUME, "shop_data", {})["driver"] == "local"
