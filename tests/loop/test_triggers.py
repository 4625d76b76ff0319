"""What starts a pass, what does not, and how many."""

import pytest

from reconciler.loop.telling import ActionHappened, Condition, Told
from reconciler.loop.triggers import Cause
from tests.loop.conftest import DB, WEB
from tests.loop.simulation import Simulation


def test_it_settles_and_then_only_looks_now_and_then(simulation: Simulation) -> None:
    simulation.add(WEB)
    assert simulation.advance(1) == 1
    assert simulation.condition() is Condition.SETTLED
    assert simulation.advance(3600) in range(11, 15)  # every five minutes, up to a tenth more or less
    assert simulation.changes() == [Condition.SETTLED]


def test_a_container_that_is_removed_comes_back_at_once(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.remove("shop-web-1")
    assert simulation.advance(0.2) == 1
    assert simulation.is_running("shop-web-1")


@pytest.mark.parametrize(
    "edited",
    [
        WEB + DB,
        WEB + 'mem_limit = "64M"\n',
        WEB + 'environment = { A = "1" }\n',
        WEB + "restart = 'always'\n",
        WEB + 'networks = ["back"]\n[network.back]\n',
        WEB + "scale = 3\n",
        DB,
    ],
)
def test_what_we_do_ourselves_starts_no_second_pass(simulation: Simulation, edited: str) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.edit(edited)
    assert simulation.advance(60) == 1
    assert simulation.condition() is Condition.SETTLED
    simulation.edit(WEB)
    assert simulation.advance(60) == 1


def test_a_network_that_is_made_anew_starts_no_second_pass(simulation: Simulation) -> None:
    joined = WEB + 'networks = ["back"]\n[network.back]\n'
    simulation.add(joined)
    simulation.advance(1)
    simulation.edit(joined + "internal = true\n")
    assert simulation.advance(60) <= 2
    assert simulation.condition() is Condition.SETTLED


def test_a_burst_of_events_makes_at_most_two_passes(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    web = simulation.container("shop-web-1")["Id"]
    for _ in range(500):
        simulation.engine.stop_container(web, 0)
        simulation.engine.start_container(web)
    assert simulation.advance(60) <= 2
    assert simulation.is_running("shop-web-1")


def test_a_burst_of_files_makes_one_pass(simulation: Simulation) -> None:
    project = simulation.add(WEB)
    simulation.advance(1)
    for number in range(1000):
        project.post(Cause.FILES, f"{number}.toml")
    assert simulation.advance(60) == 1


def test_a_stream_of_changes_does_not_put_a_pass_off_for_ever(simulation: Simulation) -> None:
    project = simulation.add(WEB)
    simulation.advance(1)
    simulation.write(WEB + DB)
    passes = 0
    for _ in range(100):
        project.post(Cause.FILES, "spec.toml")
        passes += simulation.advance(0.1)
    assert passes in range(2, 5)
    assert simulation.is_running("shop-db-1")


def test_events_of_strangers_cost_nothing(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    for number in range(50):
        made, _ = simulation.engine.create_container(f"stranger-{number}", {"Image": "busybox", "Cmd": ["x"]}, "")
        simulation.engine.start_container(made)
        simulation.engine.create_volume({"Name": f"strange-{number}"})
        simulation.remove(f"stranger-{number}")
    before = simulation.engine.calls["list_containers"]
    assert simulation.advance(60) == 0
    assert simulation.engine.calls["list_containers"] == before


def test_where_there_is_nothing_to_look_for_no_event_starts_a_pass(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.add("nonsense", "wrong")
    simulation.write(WEB, "twice")
    spec = simulation.directory / "twice" / "spec.toml"
    spec.write_text(spec.read_text().replace('"twice"', '"shop"'))
    simulation.start("twice")
    simulation.advance(1)
    before = {name: project.passes.count for name, project in simulation.projects.items()}
    for _ in range(20):
        made, _warnings = simulation.engine.create_container("stranger", {"Image": "busybox", "Cmd": ["x"]}, "")
        simulation.engine.start_container(made)
        simulation.remove("stranger")
        simulation.advance(0.2)
    assert {name: project.passes.count for name, project in simulation.projects.items()} == before
    # And when it is right, what happens while it is looked at for the first time counts.
    simulation.edit(WEB, "wrong")
    simulation.advance(1)
    simulation.remove("wrong-web-1")
    simulation.advance(1)
    assert simulation.is_running("wrong-web-1")
    # Nobody says so when its name is free again.
    spec.write_text(spec.read_text().replace('"shop"', '"free"'))
    simulation.advance(15)
    assert simulation.condition("twice") is Condition.SETTLED


def test_a_stranger_on_a_network_of_ours_is_our_business(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    body = {"Image": "busybox", "Cmd": ["x"], "HostConfig": {"NetworkMode": "shop_default"}}
    made, _ = simulation.engine.create_container("stranger", body, "")
    simulation.engine.start_container(made)
    assert simulation.advance(10) == 1


def test_a_stranger_that_gives_up_our_name_is_noticed(simulation: Simulation) -> None:
    simulation.engine.create_container("shop-web-1", {"Image": "busybox", "Cmd": ["x"]}, "")
    simulation.add(WEB)
    simulation.advance(1)
    assert simulation.condition() is Condition.OUT_OF_SYNC
    simulation.remove("shop-web-1")
    simulation.advance(1)
    assert simulation.condition() is Condition.SETTLED


def test_lost_events_cost_time_and_nothing_else(simulation: Simulation) -> None:
    simulation.add(WEB)
    simulation.advance(1)
    simulation.deaf = True
    simulation.remove("shop-web-1")
    assert simulation.advance(60) == 0
    simulation.advance(300)
    assert simulation.is_running("shop-web-1")


def test_a_change_of_health_is_looked_at(simulation: Simulation) -> None:
    simulation.add(WEB + 'healthcheck = { test = ["CMD", "ping"] }\n')
    simulation.advance(1)
    simulation.engine.set_health(simulation.container("shop-web-1")["Id"], "unhealthy")
    assert simulation.advance(10) == 1
    lines = {
        str(item.standing.address): item.standing.health for item in simulation.projects["shop"].status().resources
    }
    assert lines["container.web"] == "unhealthy"


def test_who_asks_gets_a_pass_of_their_own(simulation: Simulation) -> None:
    project = simulation.add(WEB)
    simulation.advance(1)
    project.post(Cause.PERSON)
    assert simulation.advance(0.1) == 1


def test_a_newer_revision_interrupts(simulation: Simulation) -> None:
    project = simulation.add(WEB)
    simulation.advance(1)
    original = simulation.engine.create_container
    made: list[str] = []

    def create(name: str, body: dict[str, object], platform: str) -> object:
        made.append(name)
        if len(made) == 1:  # while the first is being made, the spec changes once more
            simulation.edit(WEB + 'environment = { A = "2" }\n')
            simulation.time += 1
            project.look_after()
        return original(name, body, platform)

    simulation.engine.create_container = create
    later = "".join(f'[container.d{n}]\nimage = "busybox"\ncommand = ["x"]\ndepends_on = ["web"]\n' for n in range(3))
    simulation.edit(WEB + 'environment = { A = "1" }\n' + later)
    simulation.advance(60)
    assert simulation.names() == ["shop-web-1"]
    assert "A=2" in simulation.container("shop-web-1")["Config"]["Env"]
    assert simulation.condition() is Condition.SETTLED


def test_configs_and_secrets_are_news_and_leave_no_trace(simulation: Simulation) -> None:
    """Of a secret there is a salted hash among all else that is remembered, and nothing else."""
    used = 'configs = ["page"]\nsecrets = ["key"]\n[config.page]\nfile = "page.html"\n[secret.key]\nfile = "key.txt"\n'
    shop = simulation.directory / "shop"
    shop.mkdir()
    (shop / "page.html").write_text("one")
    (shop / "key.txt").write_text("canary-one")
    simulation.add(WEB + used)
    simulation.advance(1)
    assert simulation.condition() is Condition.SETTLED
    first = simulation.container("shop-web-1")["Id"]
    for name, text in (("page.html", "two"), ("key.txt", "canary-two")):
        (shop / name).write_text(text)
        simulation.projects["shop"].post(Cause.FILES, name)
        assert simulation.advance(60) == 1
        assert simulation.condition() is Condition.SETTLED
    assert simulation.container("shop-web-1")["Id"] != first
    assert str(shop / "key.txt") in simulation.projects["shop"].passes.last_good.reads  # type: ignore[union-attr]
    kept = "".join(file.read_text() for file in (simulation.directory / "state").rglob("*.json"))
    assert "canary" not in kept + repr(simulation.told)


def test_what_is_under_way_is_not_called_settled(simulation: Simulation) -> None:
    """Who waits for a push to be live asks meanwhile, and must not be told that it is."""
    project = simulation.add(WEB)
    simulation.advance(1)
    assert project.status().condition is Condition.SETTLED
    seen = []

    def look(told: Told) -> None:
        if isinstance(told, ActionHappened):
            status = project.status()
            assert status.plan is not None
            seen.append((status.condition, status.plan.is_settled, status.text))

    simulation.observers.append(look)
    simulation.edit(WEB + 'environment = { A = "1" }\n')
    simulation.advance(1)
    assert set(seen) == {(Condition.CHANGING, False, "")}
    assert project.status().condition is Condition.SETTLED
