"""A health check that nobody runs is run while it is waited for, at its own interval."""

from threading import Event

import pytest

from reconciler.apply.readiness import Clock, Waiting
from reconciler.engine.interface import Json
from reconciler.model.desired import Condition
from reconciler.model.plan import AwaitReady, Ref, WaitContainer
from tests.support.memory import MemoryEngine

SECOND = 10**9
CHECK = {"Test": ["CMD", "true"], "Interval": 5 * SECOND, "Timeout": 2 * SECOND}


class Time(Clock):
    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def pause(self, seconds: float, cancelled: Event) -> bool:
        self.at += seconds
        return False


class Idle(MemoryEngine):
    """Its health check says something only when it is told to run it; or it is run by a timer of somebody's."""

    def __init__(self, time: Time, timer: float = 0) -> None:
        super().__init__()
        self.time, self.timer, self.ran = time, timer, list[float]()

    def inspect_containers(self, ids: object) -> list[Json]:
        log = [{"End": str(self.time.at // self.timer)}] if self.timer and self.time.at >= self.timer else []
        healthy = len(self.ran) == 2 or (self.timer and self.time.at > 3 * self.timer)
        health = {"Status": "healthy" if healthy else "starting", "Log": log}
        return [{"Id": "a", "State": {"Status": "running", "Health": health}, "Config": {"Healthcheck": CHECK}}]

    def check_health(self, container_id: str, seconds: float) -> None:
        assert (container_id, seconds > 2) == ("a", True)
        self.ran.append(self.time.at)


@pytest.mark.parametrize("ready", [True, False])
def test_it_is_run_at_its_interval(ready: bool) -> None:
    time = Time()
    engine = Idle(time)
    waiting = Waiting(engine, Event(), time)
    if ready:
        waiting.until_ready(AwaitReady(Ref("web", "a"), 0, 0, 1), "a")
    else:
        waiting.until(WaitContainer(Ref("web", "a"), Condition.HEALTHY, 60), "a")
    assert engine.ran == pytest.approx([5, 10], abs=0.5)


def test_what_somebody_runs_is_left_to_them() -> None:
    time = Time()
    engine = Idle(time, timer=4)
    Waiting(engine, Event(), time).until(WaitContainer(Ref("web", "a"), Condition.HEALTHY, 60), "a")
    assert engine.ran == []
