"""The threads around the loop: files and events really come in, and everything ends when it should."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from reconciler.errors import UsageError
from reconciler.loop.instance import Instance, Outside, ProjectSettings, Settings
from reconciler.loop.judge import Policy
from reconciler.loop.keeping import StateDirectory
from reconciler.loop.schedule import Timing
from reconciler.loop.sources import Plain
from reconciler.loop.telling import Condition, ProjectStatus, StateChanged, Told
from tests.loop.conftest import DB, WEB
from tests.planning.stage import fresh_engine

FAST = Timing(files=0.05, events=0.01, retry=0.05, retry_most=0.5, resync=3600)


class World:
    """An instance on the engine in memory, in real time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.engine: Any = fresh_engine()
        self.told: list[Told] = []
        self.complaints: list[str] = []
        self.instances: list[Instance] = []

    def write(self, name: str, spec: str) -> Path:
        (self.directory / name).mkdir(exist_ok=True)
        file = self.directory / name / "spec.toml"
        fresh = file.with_suffix(".new")
        fresh.write_text(f'[project]\nname = "{name}"\n{spec}')
        fresh.replace(file)  # as careful editors do
        return file

    def settings(self, *names: str) -> Settings:
        return Settings(tuple(ProjectSettings(name, Plain(self.directory / name)) for name in names), FAST)

    def make(self, *names: str, polls: bool = False, parallel: int = 8) -> Instance:
        state = StateDirectory(self.directory / "state", self.complaints.append)
        state.open()
        outside = Outside(lambda: self.engine, state, self.complaints.append, polls=polls, parallel=parallel)
        instance = Instance(outside, self.settings(*names))
        instance.observers.append(self.told.append)
        self.instances.append(instance)
        return instance

    def start(self, *names: str, polls: bool = False, parallel: int = 8) -> Instance:
        instance = self.make(*names, polls=polls, parallel=parallel)
        instance.start()
        return instance

    def status(self, name: str = "shop") -> ProjectStatus:
        return next(item for item in self.instances[-1].snapshot().projects if item.name == name)

    def has(self, *names: str) -> Callable[[], bool]:
        return lambda: sorted(item["Name"][1:] for item in list(self.engine.containers.all.values())) == sorted(names)

    def remove(self, name: str) -> None:
        for container_id, item in list(self.engine.containers.all.items()):
            if item["Name"] == f"/{name}":
                self.engine.remove_by_force(container_id)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for instance in made.instances:
        assert instance.stop(5)


def test_files_and_events_come_in(world: World) -> None:
    world.write("shop", WEB)
    world.start("shop")
    until(world.has("shop-web-1"))
    until(lambda: world.status().condition is Condition.SETTLED)
    world.remove("shop-web-1")
    until(world.has("shop-web-1"))
    world.write("shop", WEB + DB)
    until(world.has("shop-web-1", "shop-db-1"))
    assert world.complaints == []


def test_polling_finds_changes_too(world: World) -> None:
    world.write("shop", WEB)
    world.start("shop", polls=True)
    until(world.has("shop-web-1"))
    time.sleep(1.5)  # the first look of a poll is what the next is compared with
    world.write("shop", WEB + DB)
    until(world.has("shop-web-1", "shop-db-1"))


def test_where_the_kernel_cannot_tell_files_are_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watchfiles.watch

    def limited(*paths: str, **options: Any) -> Any:
        if not options["force_polling"]:
            raise OSError(28, "inotify watch limit reached")
        return watch(*paths, **options)

    monkeypatch.setattr(watchfiles, "watch", limited)
    world.write("shop", WEB)
    world.start("shop")
    until(world.has("shop-web-1"))
    world.write("shop", WEB + DB)
    until(world.has("shop-web-1", "shop-db-1"))
    (complaint,) = world.complaints
    assert "looked at every 1 s" in complaint


def test_a_directory_that_is_made_again_is_watched_again(world: World) -> None:
    file = world.write("shop", WEB)
    world.start("shop")
    until(lambda: world.status().condition is Condition.SETTLED)
    file.unlink()
    file.parent.rmdir()
    until(lambda: world.status().condition is Condition.INVALID)
    world.write("shop", WEB + DB)
    until(world.has("shop-web-1", "shop-db-1"))
    until(lambda: world.status().condition is Condition.SETTLED)
    time.sleep(1.5)
    world.write("shop", DB)
    until(world.has("shop-db-1"))


def test_a_link_that_moves_is_noticed(world: World) -> None:
    """As deployments do that switch a whole directory at once."""
    world.write("first", WEB)
    world.write("second", WEB + DB)
    for name in ("first", "second"):
        spec = world.directory / name / "spec.toml"
        spec.write_text(spec.read_text().replace(f'"{name}"', '"shop"'))
    (world.directory / "shop").symlink_to("first")
    world.start("shop")
    until(world.has("shop-web-1"))
    (world.directory / "next").symlink_to("second")
    (world.directory / "next").rename(world.directory / "shop")
    until(world.has("shop-web-1", "shop-db-1"))


def test_links_within_the_directory_that_move_are_noticed(world: World) -> None:
    """As Kubernetes mounts a ConfigMap: spec.toml → ..data/spec.toml, ..data → the newest directory."""
    shop = world.directory / "shop"
    for name, spec in (("..1", WEB), ("..2", WEB + DB)):
        (shop / name).mkdir(parents=True)
        (shop / name / "spec.toml").write_text(f'[project]\nname = "shop"\n{spec}')
    (shop / "..data").symlink_to("..1")
    (shop / "spec.toml").symlink_to("..data/spec.toml")
    world.start("shop")
    until(lambda: world.status().condition is Condition.SETTLED)
    (shop / "..next").symlink_to("..2")
    (shop / "..next").rename(shop / "..data")
    until(world.has("shop-web-1", "shop-db-1"))


def test_env_files_and_build_contexts_are_watched(world: World) -> None:
    (world.directory / "env").mkdir()
    variables = world.directory / "env" / "web.env"
    variables.write_text("A=1\n")
    world.write("shop", WEB + f'env_file = ["{variables}"]\n[image.app]\nbuild = "../app"\n')
    (world.directory / "app" / "deep").mkdir(parents=True)
    (world.directory / "app" / "Dockerfile").write_text("FROM scratch\nCOPY deep /\n")
    world.start("shop")
    until(lambda: world.status().condition is Condition.SETTLED)
    until(lambda: bool(world.engine.calls["build_image"]))
    built = world.engine.calls["build_image"]
    time.sleep(1.5)  # what is read is known only after a first pass
    (world.directory / "app" / "deep" / "file").write_text("new")
    until(lambda: world.engine.calls["build_image"] > built)
    variables.write_text("A=2\n")
    web = lambda: [item["Config"]["Env"] for item in list(world.engine.containers.all.values())]  # noqa: E731
    until(lambda: len(web()) == 1 and "A=2" in web()[0])


def test_a_lost_stream_of_events_is_made_again_and_everything_looked_at(world: World) -> None:
    world.write("shop", WEB)
    instance = world.start("shop")
    until(lambda: world.status().condition is Condition.SETTLED)
    world.engine.broadcast.lose_everyone(forget=True)
    world.remove("shop-web-1")  # nobody hears of it
    until(world.has("shop-web-1"))
    until(lambda: instance.snapshot().engine.is_connected)  # a pass may have found it out before
    assert instance.snapshot().engine.reconnects == 1


def test_an_engine_that_goes_is_said_once(world: World) -> None:
    world.write("shop", WEB)
    instance = world.start("shop")
    until(lambda: world.status().condition is Condition.SETTLED)
    until(lambda: instance.snapshot().engine.is_connected)
    world.engine.go_away()
    until(lambda: not instance.snapshot().engine.is_connected)
    time.sleep(1)
    world.engine.come_back()
    until(lambda: instance.snapshot().engine.is_connected)
    changes = [told for told in world.told if isinstance(told, StateChanged) and told.project == ""]
    assert [told.after for told in changes] == [Condition.SETTLED, Condition.AWAY, Condition.SETTLED]
    world.remove("shop-web-1")
    until(world.has("shop-web-1"))


def test_a_slow_project_does_not_hold_up_another(world: World) -> None:
    world.write("slow", WEB)
    world.write("shop", WEB)
    released, entered = threading.Event(), threading.Event()
    original = world.engine.create_container

    def create(name: str, body: dict[str, object], platform: str) -> object:
        if name.startswith("slow-"):
            entered.set()
            released.wait(20)
        return original(name, body, platform)

    world.engine.create_container = create
    world.start("slow", "shop")
    assert entered.wait(10)
    until(world.has("shop-web-1"))
    world.remove("shop-web-1")
    until(world.has("shop-web-1"))
    released.set()
    until(world.has("shop-web-1", "slow-web-1"))


def test_reloading_adds_and_removes_projects_and_keeps_the_others(world: World) -> None:
    world.write("shop", WEB)
    world.write("other", WEB)
    world.write("third", WEB)
    instance = world.start("shop", "other")
    until(
        lambda: (
            world.status("shop").condition is Condition.SETTLED and world.status("other").condition is Condition.SETTLED
        )
    )
    passes = world.status("shop").passes
    settings = world.settings("shop", "third")
    quiet = settings.projects[0]._replace(policy=Policy(heal=False))
    instance.reload(settings._replace(projects=(quiet, settings.projects[1])))
    until(world.has("shop-web-1", "other-web-1", "third-web-1"))
    assert [item.name for item in instance.snapshot().projects] == ["shop", "third"]
    assert world.status("shop").passes >= passes
    world.remove("other-web-1")
    world.remove("shop-web-1")
    until(lambda: world.status("shop").condition is Condition.OUT_OF_SYNC)
    time.sleep(0.3)
    assert world.has("third-web-1")()


def test_suspending_and_resuming(world: World) -> None:
    world.write("shop", WEB)
    instance = world.start("shop")
    until(lambda: world.status().condition is Condition.SETTLED)
    instance.suspend("shop")
    world.remove("shop-web-1")
    until(lambda: world.status().condition is Condition.SUSPENDED)
    assert world.status().is_suspended
    instance.resume("shop")
    until(world.has("shop-web-1"))
    with pytest.raises(UsageError, match="there are shop"):
        instance.suspend("shopp")


def test_suspending_in_the_middle_of_a_pass_begins_nothing_more(world: World) -> None:
    world.write("shop", WEB + DB + 'depends_on = ["web"]\n')
    released, entered = threading.Event(), threading.Event()
    original = world.engine.create_container

    def create(name: str, body: dict[str, object], platform: str) -> object:
        entered.set()
        released.wait(20)
        return original(name, body, platform)

    world.engine.create_container = create
    instance = world.start("shop")
    assert entered.wait(10)
    instance.suspend("shop")
    released.set()
    until(lambda: world.status().condition is Condition.SUSPENDED)
    assert world.has("shop-web-1")(), "what was under way has ended, and no other was begun"
    instance.resume("shop")
    until(world.has("shop-web-1", "shop-db-1"))


def test_an_observer_that_fails_harms_nobody(world: World) -> None:
    world.write("shop", WEB)
    instance = world.start("shop")

    def broken(told: Told) -> None:
        raise RuntimeError(type(told).__name__)

    instance.observers.insert(0, broken)
    instance.reconcile()
    until(lambda: world.status().condition is Condition.SETTLED)
    until(lambda: any("RuntimeError" in text for text in world.complaints))


def test_one_state_directory_has_one_user(world: World) -> None:
    world.write("shop", WEB)
    world.start("shop")
    second = StateDirectory(world.directory / "state", world.complaints.append)
    with pytest.raises(UsageError, match="another `reconciler run`"):
        second.open()


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_threads_and_descriptors_go_with_the_instance(tmp_path: Path) -> None:
    before = threading.active_count(), descriptors()
    for round_number in range(3):
        directory = tmp_path / str(round_number)
        directory.mkdir()
        world = World(directory)
        world.write("shop", WEB)
        instance = world.start("shop")
        until(lambda world=world: world.status().condition is Condition.SETTLED)  # type: ignore[misc]
        assert instance.stop(5)
    until(lambda: threading.active_count() <= before[0])
    until(lambda: descriptors() <= before[1])
