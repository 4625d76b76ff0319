"""What fails around us, on real engines: the engine dies, is slow, has no room; people interfere; two of us at once.

Not part of the default run: `make faults` runs it. What was seen goes into docs/reliability.md.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from tests.faults.conftest import start_victim
from tests.faults.points import Player, make_images
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.table import note
from tests.faults.zygote import Zygote
from tests.support.registry import CONFIG, installed
from tests.support.victim import Victim

ROOT = Path(__file__).parents[2]
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
STOP_FIRST, START_FIRST = BY_NAME["replace, stop-first"], BY_NAME["replace, start-first"]
each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))


@pytest.fixture(scope="module")
def player(engine_host: str, docker_api: docker.APIClient) -> Iterator[Player]:
    make_images(docker_api)
    made = Player(engine_host)
    yield made
    made.close()


def player_on(victim: Victim) -> Player:
    with docker.APIClient(victim.host, version="auto") as api:
        make_images(api)
    return Player(victim.host, is_near=False)


@pytest.fixture(scope="module")
def mortal(docker_api: docker.APIClient) -> Iterator[tuple[Victim, Player]]:
    """An engine that dies with its containers, as in a power cut."""
    for victim in start_victim(docker_api):
        made = player_on(victim)
        yield victim, made
        made.close()


@pytest.fixture(scope="module")
def restored(docker_api: docker.APIClient) -> Iterator[tuple[Victim, Player]]:
    """An engine that dies alone."""
    for victim in start_victim(docker_api, lives_on=True):
        made = player_on(victim)
        yield victim, made
        made.close()


def middle(player: Player, scenario: Scenario) -> int:
    return (player.clean(scenario)[0] + 1) // 2


def first(player: Player, scenario: Scenario, path: str) -> int:
    """The number of the first call to a path."""
    player.clean(scenario)
    return next(number for number, call in enumerate(player.calls[scenario.name], 1) if path in call)


def deadly(player: Player, scenario: Scenario) -> int:
    """The call before which the engine dies.

    Docker 20.10.24 that is killed while it removes a network panics whenever it is started from then on (libnetwork,
    `reservePools`): not then.
    """
    return 2 if scenario.name == "destroy" else middle(player, scenario)


def complaint(told: str) -> str:
    """The line that says what went wrong."""
    lines = [line.strip() for line in told.splitlines() if not line.strip().startswith("#")]
    words = ("cannot ", "error: ", "another run", "locked", "does not ", "no engine", "has moved", "it needs ")
    return next((line for line in lines if any(word in line for word in words)), "nothing: it went on and settled")


# --- the engine -----------------------------------------------------------------------------------------------------


@each
def test_a_power_cut(scenario: Scenario, mortal: tuple[Victim, Player]) -> None:
    """The engine and everything on it ends in the middle, and comes back."""
    victim, player = mortal
    player.begin_anew()

    def back() -> None:
        victim.engine("up")
        time.sleep(1)  # it starts what had run

    told, problems = player.live_through(scenario, deadly(player, scenario), lambda: victim.engine("kill"), back)
    note("power cut in the middle", scenario.name, complaint(told), problems)
    assert not problems, (problems, told)


@each
def test_the_engine_is_killed_and_containers_live_on(scenario: Scenario, restored: tuple[Victim, Player]) -> None:
    victim, player = restored
    player.begin_anew()
    told, problems = player.live_through(scenario, deadly(player, scenario), victim.end_alone, victim.wait)
    note("engine killed, `--live-restore`", scenario.name, complaint(told), problems)
    assert not problems, (problems, told)


@each
def test_the_engine_cannot_be_reached(scenario: Scenario, player: Player) -> None:
    """From the middle on, until somebody mends it."""
    told, problems = player.live_through(scenario, middle(player, scenario), player.proxy.cut, player.proxy.mend)
    note("engine unreachable from the middle on", scenario.name, complaint(told), problems)
    assert not problems, (problems, told)


@pytest.mark.parametrize("scenario", [STOP_FIRST, START_FIRST], ids=["stop-first", "start-first"])
def test_a_slow_engine(scenario: Scenario, player: Player) -> None:
    """Each call takes two seconds more."""

    def mend() -> None:
        player.proxy.slowness = 0.0

    def slow() -> None:
        player.proxy.slowness = 2.0

    told, problems = player.live_through(scenario, 1, slow, mend)
    note("each call takes 2 s more", scenario.name, complaint(told), problems)
    assert not problems, (problems, told)


# --- people ---------------------------------------------------------------------------------------------------------


def by_name(player: Player, deed: Callable[[docker.APIClient, str], None]) -> Callable[[], None]:
    """A deed to the first of our containers that is there: the current one, whatever its phase."""

    def do() -> None:
        for suffix in ("", ".next", ".prev"):
            with suppress(APIError):
                deed(player.api, f"{player.name}-web-1{suffix}")
                return

    return do


PEOPLE: dict[str, Callable[[docker.APIClient, str], None]] = {
    "removes": lambda api, name: api.remove_container(name, force=True),
    "renames": lambda api, name: api.rename(name, f"{name}-mine"),
    "stops": lambda api, name: api.stop(name, timeout=1),
    "updates": lambda api, name: api.update_container(name, restart_policy={"Name": "always"}),
    "disconnects": lambda api, name: api.disconnect_container_from_network(
        name, f"{name.partition('-web-')[0]}_front", force=True
    ),
}


@pytest.mark.parametrize("scenario", [STOP_FIRST, START_FIRST], ids=["stop-first", "start-first"])
@pytest.mark.parametrize("person", PEOPLE)
def test_a_person_interferes(person: str, scenario: Scenario, player: Player) -> None:
    """Before any call of a replacement."""
    calls, _ = player.clean(scenario)
    seen: list[str] = []
    # The last call gives the lease back, after the last look: what happens then is for the next run.
    for number in range(1, calls):
        told, problems = player.live_through(scenario, number, by_name(player, PEOPLE[person]))
        seen.append(complaint(told))
        assert not problems, (number, problems, told)
    note(f"a person {person} the container, before any call", scenario.name, most(seen), [])


def most(seen: list[str]) -> str:
    """How often it went on, and the complaint that was made most often."""
    calm = [text for text in seen if text.startswith("nothing")]
    other = [text for text in seen if text not in calm]
    common = max(other, key=other.count, default="")
    return f"{len(calm)} of {len(seen)} went on" + (f"; else: {common}" if common else "")


@each
def test_two_at_once(scenario: Scenario, player: Player, tmp_path: Path) -> None:
    """Both apply the same at the same time. One of them may be refused, or fail."""
    player.clean(scenario)
    player.turn += 1
    before = player.prepare(scenario)
    player.write(scenario.after(player.turn))
    verb, *options = scenario.command
    arguments = ["-H", player.host, verb, str(player.specs), *options]
    both = [Zygote(player.environment) for _ in range(2)]
    for number, one in enumerate(both):
        one.begin(arguments, tmp_path / str(number))
    codes = [one.end() for one in both]
    for one in both:
        one.close()
    told = "".join((tmp_path / str(number)).read_text() for number in range(2))
    passes, more = player.settle(scenario, 1)
    problems = [] if passes <= 4 else [f"it does not settle: {more}"]
    problems += ["a message that is none"] if "Traceback" in told or "a bug in" in told else []
    problems += player.broken(scenario, before, strict=False)
    note("two at once", scenario.name, f"ended with {codes[0]} and {codes[1]}; {complaint(told)}", problems)
    assert not problems, (problems, told, more)


# --- what is needed is not there ------------------------------------------------------------------------------------


def test_a_port_is_taken_and_freed(player: Player) -> None:
    """Another process has the port when the successor starts: what served serves on another day, and it settles."""
    held: list[socket.socket] = []

    def take() -> None:
        # The current one has let go of it by now.
        for _ in range(100):
            taken = socket.socket()
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                taken.bind(("127.0.0.1", player.port))
                taken.listen()
                held.append(taken)
                return
            taken.close()
            time.sleep(0.05)

    def free() -> None:
        for taken in held:
            taken.close()

    told, problems = player.live_through(STOP_FIRST, first(player, STOP_FIRST, "/start"), take, free)
    assert held, "the port was free when the successor was started"
    note("the port is taken, and freed later", STOP_FIRST.name, complaint(told), problems)
    assert not problems, (problems, told)


@pytest.mark.parametrize("scenario", [STOP_FIRST, START_FIRST], ids=["stop-first", "start-first"])
def test_the_image_goes_between_plan_and_apply(scenario: Scenario, player: Player) -> None:
    """Nothing was stopped for it, and it settles when the image is back."""
    api = player.api
    spare = "faults-spare:1"

    def remove() -> None:
        api.tag("faults-server:1", "faults-spare", "1")
        api.remove_image("faults-server:1", force=True)

    def back() -> None:
        api.tag(spare, "faults-server", "1")
        api.remove_image(spare)

    told, problems = player.live_through(scenario, first(player, scenario, "/containers/create"), remove, back)
    note("the image goes between plan and apply", scenario.name, complaint(told), problems)
    assert not problems, (problems, told)


@pytest.fixture
def near_registry(mortal: tuple[Victim, Player], tmp_path: Path) -> Iterator[str]:
    """A registry on the loopback of that engine, whose blobs lie elsewhere; its address."""
    victim, _ = mortal
    (tmp_path / "config.yml").write_text(CONFIG.format(blobs=tmp_path / "blobs", port=28599))
    command = [ROOT / "scripts" / "engine", "exec", installed("docker-registry"), "serve", tmp_path / "config.yml"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=victim.environment, stdout=log, stderr=log)
    yield "127.0.0.1:28599"
    process.terminate()
    process.wait(10)


def push_something_big(api: docker.APIClient, reference: str, directory: Path) -> None:
    """An image of 30 MB that cannot be pressed, and no trace of it here."""
    directory.mkdir()
    (directory / "big").write_bytes(os.urandom(30_000_000))
    (directory / "Dockerfile").write_text("FROM faults-server:1\nCOPY big /big\n")
    for line in api.build(path=str(directory), tag=reference, rm=True, decode=True):
        assert "error" not in line, line
    deadline = time.monotonic() + 20
    while any("error" in line for line in api.push(reference, stream=True, decode=True)):
        assert time.monotonic() < deadline, "it cannot be pushed"
        time.sleep(0.3)
    api.remove_image(reference)


def test_a_pull_fills_the_disk(mortal: tuple[Victim, Player], near_registry: str, tmp_path: Path) -> None:
    """What serves goes on; it settles when there is room."""
    victim, player = mortal
    player.begin_anew()
    reference = f"{near_registry}/big:1"
    push_something_big(player.api, reference, tmp_path / "context")
    player.sweep()
    player.turn += 1
    before = player.prepare(STOP_FIRST)
    spec = player.specs / "spec.toml"
    spec.write_text(spec.read_text().replace("faults-server:1", reference))
    filler = victim.fill()
    os.truncate(filler, filler.stat().st_size - 15_000_000)
    code, told = player.run("apply", "--yes")
    assert (code, player.running()) == (1, before), told
    filler.unlink()
    passes, more = player.settle(STOP_FIRST, 1)
    problems = player.broken(STOP_FIRST, before, strict=False) + ([] if passes == 1 else [more])
    note("a pull fills the disk", STOP_FIRST.name, complaint(told), problems)
    assert "no space left on device" in told.lower()
    assert not problems, (problems, told)
    player.sweep()
    player.api.remove_image(reference, force=True)
