"""A few crash points on the real engine, so that the harness is known to work; `make faults` tries all of them."""

from collections.abc import Iterator

import docker
import pytest

from tests.faults.kinds import Fault
from tests.faults.points import Player, make_images
from tests.faults.scenarios import SCENARIOS

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.fixture(scope="module")
def player(engine_host: str, docker_api: docker.APIClient) -> Iterator[Player]:
    make_images(docker_api)
    made = Player(engine_host)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("scenario", "fault", "call"),
    [
        ("replace, stop-first", Fault.KILL_AFTER, "POST /containers/ID/stop"),
        ("replace, stop-first", Fault.LATE, "POST /containers/ID/start"),
        ("replace, start-first", Fault.GARBLED, "POST /networks/ID/connect"),
        ("adopt", Fault.KILL_BEFORE, "POST /containers/ID/start"),
    ],
)
def test_it_settles(scenario: str, fault: Fault, call: str, player: Player) -> None:
    player.clean(BY_NAME[scenario])
    number = next(n for n, text in enumerate(player.calls[scenario], 1) if text.startswith(call))
    point = player.play(BY_NAME[scenario], fault, number)
    assert point.call.startswith(call), point.call
    assert not point.problems, (point.problems, point.told)
    assert point.passes == (1 if fault in (Fault.KILL_AFTER, Fault.KILL_BEFORE) else 0), point.told


def test_a_broken_promise_is_noticed(player: Player) -> None:
    """The harness is no empty talk: what is left over, lost or touched has a sentence."""
    scenario = BY_NAME["replace, stop-first"]
    player.clean(scenario)
    player.turn += 1
    before = player.prepare(scenario)
    api, name = player.api, player.name
    made = api.create_container("faults-server:1", name=f"{name}-web-1.prev")
    api.restart(f"{name}-web-9", timeout=0)
    inside = api.exec_create(f"{name}-web-1", ["rm", "/data/kept"])
    api.exec_start(inside)
    found = "\n".join(player.broken(scenario, before))
    assert f"left over: /{name}-web-1.prev" in found
    assert "something that is not ours was touched" in found
    assert f"{name}-web-1 lost its volume" in found
    api.remove_container(made)
    player.sweep()
