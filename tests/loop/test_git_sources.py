"""Repositories as sources of the loop, on the engine in memory: what is taken, what is told, and what a reload keeps."""

import threading
import time
from pathlib import Path

import pytest

from reconciler.loop.fetching import pause
from reconciler.loop.instance import ProjectSettings, Settings
from reconciler.loop.sources import Git, Plain, default_name, oldest_user
from reconciler.loop.telling import Condition, PassEnded, SourceChanged
from reconciler.model.observed import EngineFacts, ObservedContainer, ObservedState
from reconciler.source.interface import Reason, Refusal
from reconciler.source.settings import GitSettings
from tests.loop.conftest import DB, WEB
from tests.loop.test_instance import FAST, World, until, world
from tests.source.origin import Origin
from tests.source.servers import SilentServer

__all__ = ["world"]


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    made = Origin(tmp_path / "served" / "shop")
    made.commit({"shop/spec.toml": WEB}, "the first")
    return made


def from_git(world: World, url: str, name: str = "shop", **given: object) -> ProjectSettings:
    settings = GitSettings(url, path="shop", interval=3600.0)._replace(**given)
    return ProjectSettings(name, Git(settings, world.directory / "sources" / name, {}))


def keep(world: World, *projects: ProjectSettings) -> None:
    if world.instances:
        world.instances[-1].reload(Settings(projects, FAST))
    else:
        world.start()
        world.instances[-1].reload(Settings(projects, FAST))


def test_a_commit_is_applied_and_hastened(world: World, origin: Origin) -> None:
    first = origin.head
    keep(world, from_git(world, origin.url))
    until(lambda: world.status().condition is Condition.SETTLED)
    second = origin.commit({"shop/spec.toml": WEB + DB})
    assert world.instances[-1].hasten("shop")
    until(world.has("shop-web-1", "shop-db-1"))
    until(lambda: world.status().source.applied is not None and world.status().source.applied.commit == second)
    source = world.status().source
    assert source.attempted == source.accepted == source.applied
    assert (source.reason, source.refusal, source.description) == ("", "", f"{origin.url} main shop")
    told = [item.after for item in world.told if isinstance(item, SourceChanged)]
    assert [item.accepted.commit for item in told if item.accepted and not item.applied][-1:] == [first]
    assert not world.instances[-1].hasten("other")


def test_what_is_refused_leaves_the_last_good_one(world: World, origin: Origin) -> None:
    keep(world, from_git(world, origin.url))
    until(lambda: world.status().condition is Condition.SETTLED)
    good = world.status().source.accepted
    broken = origin.commit({"shop/spec.toml": "[container.web]\nimag = 1\n"})
    world.instances[-1].hasten("shop")
    until(lambda: world.status().condition is Condition.INVALID)
    source = world.status().source
    assert source.attempted is not None
    assert (source.attempted.commit, source.accepted, source.applied) == (broken, good, good)
    assert source.reason == "invalid"
    first = f"the spec of commit {broken[:12]} is invalid: shop/spec.toml:1:2: container.web.image: "
    assert source.refusal.startswith(first), "as the file is called in the repository, so that it fits into a status"
    assert world.status().problems[0].file == "shop/spec.toml"
    world.remove("shop-web-1")
    until(world.has("shop-web-1"))
    # A new process finds the same: what is checked out is the last good one.
    again = from_git(world, origin.url).source
    assert again.status().accepted == good
    origin.git("reset", "-q", "--hard", "HEAD^")
    origin.commit({"shop/spec.toml": DB}, "another way")
    world.instances[-1].hasten("shop")
    until(lambda: world.status().source.reason == "rewound")
    assert world.status().source.applied == good
    origin.git("reset", "-q", "--hard", broken)
    origin.commit({"shop/spec.toml": DB}, "repaired")
    world.instances[-1].hasten("shop")
    until(world.has("shop-db-1"))
    until(lambda: world.status().condition is Condition.SETTLED)
    assert world.status().source.reason == ""


def test_a_commit_is_not_blamed_for_the_one_before(world: World, origin: Origin) -> None:
    """It was fetched, and nothing is known of it before a pass has read it."""
    keep(world, from_git(world, origin.url))
    until(lambda: world.status().condition is Condition.SETTLED)
    broken = origin.commit({"shop/spec.toml": "[container.web]\nimag = 1\n"})
    world.instances[-1].hasten("shop")
    until(lambda: world.status().condition is Condition.INVALID)
    good = origin.commit({"shop/spec.toml": WEB + DB})
    world.instances[-1].hasten("shop")
    until(lambda: world.status().source.applied is not None and world.status().source.applied.commit == good)
    told = [item.after for item in world.told if isinstance(item, SourceChanged)]
    blamed = {item.attempted.commit for item in told if item.reason and item.attempted is not None}
    assert blamed == {broken}


def test_a_first_fetch_is_waited_for_and_is_no_failure(world: World, origin: Origin) -> None:
    keep(world, from_git(world, origin.url))
    until(lambda: world.status().condition is Condition.SETTLED)
    assert [item.error for item in world.told if isinstance(item, PassEnded) and item.error] == []


def test_nothing_was_fetched_yet(world: World, origin: Origin) -> None:
    """A server that is away is waited for; what a person has to put right is told."""
    origin.place.rename(origin.place.with_name("away"))
    keep(
        world,
        from_git(world, origin.url),
        from_git(world, "https://127.0.0.1:9/x", "keys", ca_file="/nowhere"),
    )
    until(lambda: world.status("keys").condition is Condition.INVALID)
    assert "cannot be read" in world.status("keys").text
    until(lambda: world.status().source.reason != "")
    assert world.status().resources == ()
    origin.place.with_name("away").rename(origin.place)
    world.instances[-1].hasten("shop")
    until(lambda: world.status().condition is Condition.SETTLED)


def test_a_silent_server_holds_up_nobody_and_no_stop(world: World, origin: Origin) -> None:
    with SilentServer() as silent:
        keep(world, from_git(world, silent.url, "slow"), from_git(world, origin.url))
        until(lambda: world.status().condition is Condition.SETTLED)
        assert world.status("slow").condition is Condition.STARTING
        began = time.monotonic()
        assert world.instances[-1].stop(5)
        assert time.monotonic() - began < 4
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("source ")]


def test_a_reload_keeps_what_stays_and_follows_what_is_new(world: World, origin: Origin, tmp_path: Path) -> None:
    keep(world, from_git(world, origin.url))
    until(lambda: world.status().condition is Condition.SETTLED)
    fetched = world.status().source.checked
    keep(world, from_git(world, origin.url), ProjectSettings("lab", Plain(world.write("lab", DB).parent)))
    until(lambda: world.status("lab").condition is Condition.SETTLED)
    assert world.status().source.checked == fetched, "the same source is not another one"
    assert world.status("lab").source.attempted is None
    other = Origin(tmp_path / "other")
    other.commit({"shop/spec.toml": WEB + DB})
    keep(world, from_git(world, other.url))
    until(world.has("shop-web-1", "shop-db-1", "lab-db-1"))
    keep(world)
    assert not world.instances[-1].hasten("shop")
    assert (tmp_path / "sources" / "shop" / "current").is_dir(), "containers may use it"


def test_the_name_of_a_project_that_says_none() -> None:
    for url, path, name in (
        ("https://example.com/team/Shop.git", "", "shop"),
        ("git@example.com:shop", "", "shop"),
        ("https://example.com/team/hosts.git", "hosts/a/", "a"),
    ):
        assert default_name(GitSettings(url, path=path)) == name


def test_pauses() -> None:
    away = Refusal(Reason.UNREACHABLE, "")
    assert [pause(None, 0, 60, lambda chance=chance: chance) for chance in (0.0, 0.5)] == [54, 60]
    assert [pause(away, number, 60, lambda: 0.0) for number in (1, 2, 3, 9)] == [2.5, 5, 10, 150]
    assert pause(away, 99, 3600, lambda: 0.0) == 1800
    assert pause(away, 1, 1, lambda: 0.0) == 0.5
    assert pause(Refusal(Reason.UNSIGNED, ""), 5, 60, lambda: 0.5) == 60, "the server answered: nothing to spare it"


def test_who_uses_a_checkout() -> None:
    def container(name: str, status: str, second: int, source: str) -> ObservedContainer:
        since = f"2026-01-01T00:00:{second:02}.123456789Z"
        mounts = {"/data": {"type": "bind", "source": source}}
        return ObservedContainer(name, name, status=status, since=since, config={"volumes": mounts})

    own = Path("/state/sources/shop")
    containers = (
        container("a", "running", 30, "/state/sources/shop/current/conf"),
        container("b", "paused", 20, "/state/sources/shop/current/conf"),
        container("c", "exited", 10, "/state/sources/shop/current/conf"),
        container("d", "running", 5, "/state/sources/shopping/conf"),
        ObservedContainer("e", "e"),
    )
    facts = EngineFacts("", "", "", "")
    assert oldest_user(ObservedState(facts, containers=containers), own) == 1767225620 - 5
    assert oldest_user(ObservedState(facts, containers=containers[2:]), own) is None
    assert oldest_user(ObservedState(facts, containers=containers), None) is None
