"""The schedule as what it is: a function."""

from hypothesis import given
from hypothesis import strategies as some

from reconciler.loop.schedule import (
    MOST_PENDING,
    Begin,
    Ended,
    Event,
    State,
    Timing,
    Woken,
    back_off,
    due,
    step,
)
from reconciler.loop.triggers import Cause, EngineEvent, Trigger, read_event

TIMING = Timing()
CAUSES = some.sampled_from(Cause)


def run(state: State, events: list[tuple[float, Event]]) -> State:
    for now, event in events:
        state, _ = step(state, event, now, TIMING, lambda: 0.5)
    return state


@given(some.lists(some.tuples(some.floats(0, 10), CAUSES), min_size=1, max_size=50))
def test_every_trigger_is_followed_by_a_pass_soon(raw: list[tuple[float, Cause]]) -> None:
    times = sorted(at for at, _ in raw)
    state = run(State(resync_at=1e9), [(at, Trigger(cause, at)) for at, (_, cause) in zip(times, raw, strict=True)])
    moment = due(state, TIMING)
    assert moment is not None
    assert moment <= times[0] + TIMING.max_delay
    state, commands = step(state, Woken(), max(moment, times[-1]), TIMING, lambda: 0.5)
    assert state.running
    assert state.pending == ()
    assert [type(command) for command in commands] == [Begin]


@given(some.lists(CAUSES, max_size=30), some.floats(0, 1))
def test_while_a_pass_runs_there_is_no_other(causes: list[Cause], chance: float) -> None:
    state = State(running=True, resync_at=0.0)
    for position, cause in enumerate(causes):
        at = float(position)
        state, commands = step(state, Trigger(cause, at), at, TIMING, lambda: chance)
        assert commands == ()
        state, commands = step(state, Woken(), at, TIMING, lambda: chance)
        assert not any(isinstance(command, Begin) for command in commands)


@given(some.lists(some.floats(0, 100), min_size=1, max_size=20), some.floats(0, 100))
def test_nothing_that_came_after_the_last_look_is_lost(times: list[float], looked: float) -> None:
    event = EngineEvent("container", "die", "1", "web")
    state = State(running=True, pending=tuple(Trigger(Cause.EVENT, at, event=event) for at in sorted(times)))
    state, _ = step(state, Ended(looked, looked, None), 100.0, TIMING, lambda: 0.5)
    assert sorted(trigger.at for trigger in state.pending) == sorted(at for at in times if at >= looked)


def test_a_flood_is_bounded_and_not_lost() -> None:
    event = EngineEvent("container", "die", "1", "web")
    state = run(
        State(resync_at=1e9), [(at / 1e6, Trigger(Cause.EVENT, at / 1e6, event=event)) for at in range(100_000)]
    )
    assert len(state.pending) <= MOST_PENDING
    assert due(state, TIMING) is not None


@given(some.integers(1, 10_000), some.floats(0, 1, exclude_max=True))
def test_waits_grow_and_end_somewhere(failures: int, chance: float) -> None:
    wait = back_off(failures, TIMING, lambda: chance)
    assert TIMING.retry / 2 <= wait <= TIMING.retry_most
    assert wait <= back_off(failures + 1, TIMING, lambda: chance)


WORDS = some.sampled_from(["", "container", "die", "health_status: healthy", "ID", "Attributes", "name"])
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | WORDS,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(some.dictionaries(some.sampled_from(["Type", "Action", "Actor", "timeNano", "x"]), JSON))
def test_events_may_be_anything(raw: dict[str, object]) -> None:
    event = read_event(raw)
    assert event is None or isinstance(event, EngineEvent)


def test_events_of_old_and_new_engines_are_the_same() -> None:
    """From API 1.52 on `status`, `id` and `from` are gone."""
    new = {
        "Type": "container", "Action": "health_status: healthy", "scope": "local", "time": 1, "timeNano": 1500000000,
        "Actor": {"ID": "a" * 64, "Attributes": {"name": "web", "image": "x", "reconciler.project": "shop"}},
    }  # fmt: skip
    old = {**new, "status": "health_status: healthy", "id": "a" * 64, "from": "x"}
    expected = EngineEvent("container", "health_status: healthy", "a" * 64, "web", "shop", "", 1500000000)
    assert read_event(old) == read_event(new) == expected
    assert read_event({**new, "Action": "exec_create: psql --password=secret"}) is None
