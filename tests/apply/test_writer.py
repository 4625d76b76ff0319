"""One writer at a time: on this machine, from other machines, and after any death."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest

from reconciler.apply import writer
from reconciler.apply.writer import Writer, holder_of, left_behind, lock_directory, sole_writer
from reconciler.engine.itself import is_dead, this_process
from reconciler.engine.observe import observe
from reconciler.errors import EngineError, EngineRefusedError, LockedError, OutcomeUnknownError
from reconciler.model.lease import TERM, Holder, Lease, lease_body, lease_name, read_lease
from reconciler.model.ownership import LOCK
from reconciler.planning.world import Request
from reconciler.reconcile import act, look_destroy
from tests.planning.stage import Stage, fresh_engine
from tests.support.failing import FailingEngine
from tests.support.memory import MemoryEngine

ELSEWHERE = Holder("far-away", "alice", 17, "another-boot", "pid:[1]", "99")
WEB: dict[str, Any] = {"container.web": {"image": "busybox:latest"}}


def leases(engine: MemoryEngine) -> list[Lease]:
    found = (read_lease(volume) for volume in engine.volumes.values())
    return [lease for lease in found if lease is not None]


def put(engine: MemoryEngine, holder: Holder = ELSEWHERE, token: str = "abcd", project: str = "shop") -> Lease:
    """A lease as another process makes it."""
    lease = Lease(lease_name(project, token), project, holder, token, since=int(time.time()) - 5)
    engine.create_volume(lease_body(lease))
    return lease


def hold(engine: Any, directory: Path | None = None, patience: float = 0.0) -> Any:
    return sole_writer(engine, "shop", directory, threading.Event(), patience=patience)


def dead_process() -> Holder:
    """A process of this machine that is no more."""
    with subprocess.Popen(["true"]) as done:
        pass
    return this_process()._replace(pid=done.pid, started="1")


# --- the lease -----------------------------------------------------------------------------------------------------


def test_it_says_who_it_is_and_is_gone_afterwards() -> None:
    engine = fresh_engine()
    with hold(engine):
        (lease,) = leases(engine)
        assert list(engine.volumes[lease.name]["Labels"]) == [LOCK], "no other label: it is no part of the project"
        assert (lease.project, lease.holder, lease.seconds) == ("shop", this_process(), TERM)
        assert lease.holder.pid == os.getpid()
        assert abs(lease.since - time.time()) < 5
    assert engine.volumes == {}
    assert engine.calls["create_volume"] == engine.calls["remove_volume"] == 1


def test_it_goes_when_the_work_fails() -> None:
    engine = fresh_engine()
    with pytest.raises(KeyError), hold(engine):
        raise KeyError
    assert engine.volumes == {}


def test_another_machine_keeps_us_out_and_is_named() -> None:
    engine = fresh_engine()
    other = put(engine)
    with (
        pytest.raises(LockedError, match=r"project shop is being changed by alice@far-away \(process 17\)"),
        hold(engine),
    ):
        pass
    assert leases(engine) == [other._replace(created=leases(engine)[0].created)], "ours is gone, theirs is not"


def test_another_project_keeps_nobody_out() -> None:
    engine = fresh_engine()
    put(engine, project="shop.two")
    put(engine, project="lab")
    with hold(engine):
        assert len(leases(engine)) == 3
    assert len(leases(engine)) == 2


def test_one_that_has_run_out_is_taken_over_by_the_engines_clock() -> None:
    engine = fresh_engine()
    other = put(engine)
    engine.volumes[other.name]["CreatedAt"] = "2023-12-31T23:59:30Z"  # the clock in memory begins with 2024
    with pytest.raises(LockedError), hold(engine):
        pass
    engine.volumes[other.name]["CreatedAt"] = "2023-12-31T23:58:50+00:00"
    with hold(engine):
        assert [lease.holder for lease in leases(engine)] == [this_process()], "what has run out is removed"


def test_a_dead_process_of_this_machine_is_taken_over_at_once() -> None:
    engine = fresh_engine()
    put(engine, dead_process())
    put(engine, this_process()._replace(started="1"), "reused")  # its pid is another process now
    with hold(engine):
        assert [lease.holder for lease in leases(engine)] == [this_process()]
    assert engine.volumes == {}


def test_of_whom_nothing_is_known_is_alive() -> None:
    us = this_process()
    gone = dead_process()
    assert is_dead(gone)
    assert not is_dead(us)
    assert not is_dead(us._replace(pid=1, started="")), "somebody else's"
    for unknown in ({"boot": "another"}, {"space": "pid:[1]"}, {"boot": ""}, {"space": ""}, {"pid": 0}, {"pid": 2**70}):
        assert not is_dead(gone._replace(**unknown)), unknown


def test_one_that_is_not_understood_counts() -> None:
    """A newer version may write something else; its name says of which project it is."""
    engine = fresh_engine()
    for number, text in enumerate(("", "[]", "{}", '{"pid": "x"}', '{"v": 2}', "[" * 100_000)):
        engine.create_volume({"Name": lease_name("shop", str(number)), "Labels": {LOCK: text}})
        with pytest.raises(LockedError, match="being changed by somebody@an unknown host"), hold(engine):
            pass
        engine.remove_volume(lease_name("shop", str(number)))


def test_many_at_once_are_one_after_the_other() -> None:
    """Without the lock on a file: as from as many machines."""
    engine = fresh_engine()
    inside, most, done = 0, 0, []

    def work(number: int) -> None:
        nonlocal inside, most
        with hold(engine, patience=60):
            inside += 1
            most = max(most, inside)
            time.sleep(0.002)
            inside -= 1
            done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, sorted(done)) == (1, list(range(6)))
    assert engine.volumes == {}


def test_an_engine_that_makes_no_lease_is_no_reason_to_stop() -> None:
    """A full disk: what frees it has to go on."""
    engine = FailingEngine(fresh_engine(), 1, error=EngineRefusedError("no space left on device", 500))
    with hold(engine) as made:
        assert "no space left on device" in made.doubt


def test_an_engine_that_does_not_answer_is_one() -> None:
    memory = fresh_engine()
    for when in ("before", "after"):
        with pytest.raises(OutcomeUnknownError), hold(FailingEngine(memory, 1, when)):  # type: ignore[arg-type]
            pass
        assert memory.volumes == {}, "if it was made after all, it is taken away"


# --- as time goes by -----------------------------------------------------------------------------------------------


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def short(engine: Any, cancelled: threading.Event | None = None) -> Writer:
    made = Writer(engine, "shop", None, cancelled or threading.Event(), term=0.2)
    made.take(0, print)
    return made


def test_it_is_renewed_without_a_moment_without() -> None:
    engine = fresh_engine()
    fewest: list[int] = []
    original = engine.remove_volume

    def removing(name: str) -> None:
        original(name)
        fewest.append(len(leases(engine)))

    engine.remove_volume = removing  # type: ignore[method-assign]
    made = short(engine)
    until(lambda: engine.calls["create_volume"] > 4)
    assert min(fewest) >= 1
    made.release()
    assert engine.volumes == {}
    assert not made.lost


def test_one_that_was_pruned_is_made_again() -> None:
    engine = fresh_engine()
    made = short(engine)
    engine.volumes.clear()  # `docker volume prune`
    until(lambda: bool(leases(engine)))
    made.release()
    assert not made.lost
    assert engine.volumes == {}


def test_who_was_taken_over_begins_nothing_more() -> None:
    engine, cancelled = fresh_engine(), threading.Event()
    made = short(engine, cancelled)
    with engine.lock:
        engine.volumes.clear()
        other = put(engine)
    until(cancelled.is_set)
    assert made.lost == "alice@far-away (process 17) has taken over meanwhile"
    made.release()
    assert list(engine.volumes) == [other.name]


def test_who_cannot_renew_it_begins_nothing_more() -> None:
    engine, cancelled = fresh_engine(), threading.Event()
    made = short(engine, cancelled)
    engine.go_away()
    until(cancelled.is_set)
    assert "could not be renewed" in made.lost
    made.release()
    engine.come_back()
    with hold(engine):
        assert len(leases(engine)) == 1, "what was left there is recognised"
    assert engine.volumes == {}


# --- the file ------------------------------------------------------------------------------------------------------


def test_a_process_of_this_machine_keeps_us_out(tmp_path: Path) -> None:
    first, second = fresh_engine(), fresh_engine()
    with hold(first, tmp_path):
        with pytest.raises(LockedError, match=rf"being changed by .*\(process {os.getpid()}\)"), hold(second, tmp_path):
            pass
        assert second.calls["create_volume"] == 0, "it did not come to a lease"
        with sole_writer(second, "lab", tmp_path, threading.Event(), patience=0):
            pass
        with hold(second, tmp_path / "others"):
            pass
    with hold(second, tmp_path):
        pass


def test_waiting_says_for_whom_and_goes_on(tmp_path: Path) -> None:
    engine, said = fresh_engine(), list[str]()
    with hold(engine, tmp_path) as first:

        def say(text: str) -> None:
            said.append(text)
            first.release()

        with sole_writer(engine, "shop", tmp_path, threading.Event(), say, patience=20):
            assert said == [f"waiting for {this_process()}"]


def test_waiting_ends_with_a_signal(tmp_path: Path) -> None:
    engine, cancelled = fresh_engine(), threading.Event()
    cancelled.set()
    with hold(engine, tmp_path), pytest.raises(LockedError), sole_writer(engine, "shop", tmp_path, cancelled):
        pass


def test_where_no_file_can_be_had_the_lease_does(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for directory in (tmp_path / "file", tmp_path / "link", tmp_path / "a" / "b"):
        engine = fresh_engine()
        with hold(engine, directory), pytest.raises(LockedError), hold(engine, directory):
            pass
    assert not list(tmp_path.glob("*.lock"))


def test_death_releases_it(tmp_path: Path) -> None:
    program = """
import sys, threading, os, signal
from pathlib import Path
from reconciler.apply.writer import Writer
from tests.planning.stage import fresh_engine
Writer(fresh_engine(), "shop", Path(sys.argv[1]), threading.Event()).take(0, print)
print("held", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=rf"\(process {running.pid}\)"), hold(fresh_engine(), tmp_path):
            pass
        running.kill()
    with hold(fresh_engine(), tmp_path):
        pass


def test_where_the_files_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert lock_directory({"XDG_RUNTIME_DIR": "/run/user/0"}) == Path("/run/reconciler")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert lock_directory({"XDG_RUNTIME_DIR": "/run/user/1000"}) == Path("/run/user/1000/reconciler")
    assert lock_directory({"RUNTIME_DIRECTORY": "/run/reconciler:/run/more"}) == Path("/run/reconciler")
    assert lock_directory({}).name == "reconciler-1000"


# --- in the whole --------------------------------------------------------------------------------------------------


def test_it_is_nobodys_business_in_a_plan(stage: Stage) -> None:
    """No orphan, nothing to prune, and not in the way of `destroy`."""
    desired = stage.settle({"project": {"name": "shop", "prune": True}, **WEB})
    put(stage.engine)
    put(stage.engine, dead_process(), "dead")
    seen = stage.look(desired)
    assert seen.plan.is_settled
    assert not [volume for volume in seen.observed.volumes if volume.name.startswith(LOCK)]
    assert [lease.holder.host for lease in seen.observed.leases] == ["far-away", this_process().host]
    assert [lease.token for lease in left_behind(seen.observed.leases, "shop")] == ["dead"]
    assert left_behind(seen.observed.leases, "lab") == []
    found = holder_of(seen.observed.leases, "shop")
    assert found is not None
    assert found.holder == ELSEWHERE
    request = Request(volumes=True)
    made = look_destroy(desired, stage.engine, request)
    assert act(made.plan, stage.engine, lambda: look_destroy(desired, stage.engine, request)).is_settled
    assert len(leases(stage.engine)) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_fails_anywhere_leaves_nothing_in_the_way(when: Literal["before", "after"], stage: Stage) -> None:
    """The engine stops answering at the k-th write, those of the lease included."""
    desired = stage.write(WEB)

    def run(engine: Any) -> int:
        with hold(engine):
            act(stage.look(desired).plan, engine, lambda: stage.look(desired))
        return len(getattr(engine, "writes", ()))

    writes = run(FailingEngine(stage.engine))
    assert writes > 3
    for fail_at in range(1, writes + 1):
        again = Stage(stage.directory)
        stage.engine = again.engine
        with pytest.MonkeyPatch.context() as patch:
            failing = FailingEngine(again.engine, fail_at, when)
            patch.setattr(failing, "_counted", _deadly(failing))
            with suppress(EngineError):
                run(failing)
        run(again.engine)
        assert again.look(desired).plan.is_settled
        assert leases(again.engine) == [], fail_at


def _deadly(failing: FailingEngine) -> Callable[..., Any]:
    """From the failure on no write is done."""
    counted = failing._counted

    def write(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(*args: Any, **options: Any) -> Any:
            raise OutcomeUnknownError("killed")

        return refuse if failing.has_failed else counted(name, method)

    return write


def test_the_observation_of_a_lease_says_what_it_says() -> None:
    engine = fresh_engine()
    made = put(engine)
    (seen,) = observe(engine, "shop").leases
    assert seen._replace(created="") == made
    assert json.loads(engine.volumes[made.name]["Labels"][LOCK])["seconds"] == TERM
    assert writer.PATIENCE < TERM
