"""What the engine in memory does beyond the contract suite: images that behave, a registry, faults on order."""

import pytest

from reconciler.errors import EngineRefusedError, EngineUnavailableError, NotFoundError, OutcomeUnknownError
from reconciler.model.desired import Build
from tests.support.failing import MUTATING, FailingEngine
from tests.support.memory import Behaviour, Image, MemoryEngine

HEALTHCHECK = {"Test": ["CMD", "true"]}


def run(engine: MemoryEngine, behaviour: Behaviour, policy: str = "no", name: str = "aa", **body: object) -> str:
    engine.images.add("app:1", Image({"Cmd": ["app"]}, behaviour, seed=str(behaviour)))
    host = {"RestartPolicy": {"Name": policy}}
    container, _ = engine.create_container(name, {"Image": "app:1", "HostConfig": host, **body}, "")
    engine.start_container(container)
    return container


def state(engine: MemoryEngine, container: str) -> dict[str, object]:
    (inspected,) = engine.inspect_containers([container])
    return {**inspected["State"], "RestartCount": inspected["RestartCount"]}


@pytest.mark.parametrize(
    ("code", "policy", "status"),
    [
        (0, "no", "exited"),
        (1, "no", "exited"),
        (0, "on-failure", "exited"),
        (1, "on-failure", "restarting"),
        (0, "always", "restarting"),
        (1, "unless-stopped", "restarting"),
    ],
)
def test_a_process_that_ends(code: int, policy: str, status: str) -> None:
    engine = MemoryEngine()
    container = run(engine, Behaviour(exit_code=code), policy)
    seen = state(engine, container)
    assert (seen["Status"], seen["ExitCode"], seen["Running"]) == (status, code, status == "restarting")
    engine.stop_container(container, 0)
    assert state(engine, container)["Status"] == "exited"


def test_a_start_that_fails_leaves_a_created_container() -> None:
    engine = MemoryEngine()
    with pytest.raises(EngineRefusedError, match="no such file"):
        run(engine, Behaviour(start_error="exec: no such file"))
    (listed,) = engine.list_containers()
    assert listed["State"] == "created"
    assert state(engine, listed["Id"])["Error"] == "exec: no such file"


def test_health_needs_a_check() -> None:
    engine = MemoryEngine()
    assert "Health" not in state(engine, run(engine, Behaviour(health="unhealthy")))
    container = run(engine, Behaviour(health="starting"), name="bb", Healthcheck=HEALTHCHECK)
    assert state(engine, container)["Health"]["Status"] == "starting"
    engine.set_health(container, "healthy")
    assert next(e for e in engine.list_containers() if e["Id"] == container)["Status"].endswith("(healthy)")


def test_by_hand() -> None:
    engine = MemoryEngine()
    container = run(engine, Behaviour())
    engine.pause(container)
    assert state(engine, container)["Paused"]
    engine.unpause_container(container)
    engine.exit(container, 3)
    assert (state(engine, container)["Status"], state(engine, container)["ExitCode"]) == ("exited", 3)


def test_the_registry_moves_a_tag() -> None:
    engine = MemoryEngine()
    engine.images.remote["redis:7"] = old = Image(seed="old")
    engine.pull_image("redis:7", "", print)
    engine.images.remote["redis:7"] = new = Image(seed="new")
    assert engine.registry_digest("redis:7") == new.digest
    assert engine.inspect_image("redis:7")["RepoDigests"] == [f"redis@{old.digest}"]
    engine.pull_image("docker.io/library/redis:7", "", print)
    assert engine.inspect_image("redis:7")["Id"] == new.id
    assert engine.inspect_image(f"redis@{old.digest}")["RepoTags"] == []
    with pytest.raises(NotFoundError):
        engine.pull_image("redis:8", "", print)


def test_a_pull_of_another_platform() -> None:
    engine = MemoryEngine()
    engine.images.remote["x:1"] = Image(platform="linux/amd64")
    with pytest.raises(EngineRefusedError, match="no matching manifest"):
        engine.pull_image("x:1", "linux/arm64", print)


def test_a_build_makes_what_the_test_says() -> None:
    engine = MemoryEngine()
    engine.images.builds["app:1"] = Image({"Cmd": ["app"], "Labels": {"a": "1"}}, Behaviour(exit_code=0))
    told: list[str] = []
    engine.build_image(Build("/nothing"), ["app:1"], {"b": "2"}, told.append)
    assert engine.inspect_image("app:1")["Config"]["Labels"] == {"a": "1", "b": "2"}
    assert told
    first = engine.inspect_image("app:1")["Id"]
    engine.build_image(Build("/nothing", args={"x": "1"}), ["app:1"], {"b": "2"}, told.append)
    assert engine.inspect_image("app:1")["Id"] != first


def test_later_versions_answer_differently() -> None:
    engine = MemoryEngine((1, 51))
    endpoints = {"EndpointsConfig": {"one": {}, "two": {}}}
    body = {"Image": "busybox", "NetworkingConfig": endpoints, "HostConfig": {"NetworkMode": "one"}}
    with pytest.raises(EngineRefusedError):
        MemoryEngine().create_container("aa", body, "")
    engine.create_network({"Name": "one"})
    engine.create_network({"Name": "two"})
    container, _ = engine.create_container("aa", body, "")
    engine.start_container(container)
    (seen,) = engine.inspect_containers([container])
    assert seen["NetworkSettings"]["Networks"]["one"]["Aliases"] is None
    plain, _ = engine.create_container("bb", {"Image": "busybox"}, "")
    (seen,) = engine.inspect_containers([plain])
    assert (seen["HostConfig"]["NetworkMode"], seen["HostConfig"]["RestartPolicy"]["Name"]) == ("bridge", "no")


def test_calls_are_counted() -> None:
    engine = MemoryEngine()
    engine.list_containers()
    engine.create_volume({"Name": "v"})
    engine.create_volume({"Name": "v"})
    assert engine.calls == {"list_containers": 1, "create_volume": 2}


@pytest.mark.parametrize(("when", "volumes"), [("before", ["a", "c"]), ("after", ["a", "b", "c"])])
def test_one_write_goes_wrong(when: str, volumes: list[str]) -> None:
    engine = FailingEngine(MemoryEngine(), fail_at=2, when=when)  # type: ignore[arg-type]
    engine.create_volume({"Name": "a"})
    engine.list_volumes()
    assert not engine.has_failed
    with pytest.raises(OutcomeUnknownError):
        engine.create_volume({"Name": "b"})
    assert engine.has_failed
    engine.create_volume({"Name": "c"})
    assert [volume["Name"] for volume in engine.list_volumes()] == volumes
    assert [name for name, _ in engine.writes] == ["create_volume"] * 3


def test_another_error_or_none() -> None:
    engine = FailingEngine(MemoryEngine(), fail_at=1, error=EngineUnavailableError("gone"))
    with pytest.raises(EngineUnavailableError):
        engine.remove_volume("v")
    engine = FailingEngine(MemoryEngine())
    with pytest.raises(NotFoundError):
        engine.remove_volume("v")
    assert not engine.has_failed


def test_every_write_is_known() -> None:
    from reconciler.engine.interface import Engine

    reads = (
        "ping",
        "facts",
        "list_",
        "inspect_",
        "get_",
        "registry_",
        "container_logs",
        "events",
        "check_health",
        "close",
    )
    writes = [name for name in vars(Engine) if not name.startswith(("_", *reads))]
    assert writes == list(MUTATING)
    assert all(hasattr(MemoryEngine, name) for name in writes)
