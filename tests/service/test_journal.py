"""The journal: what did something or failed, and no other; bounded; whatever befalls its file, no pass notices."""

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from reconciler.loop.telling import Condition, PassEnded, StateChanged
from reconciler.loop.triggers import Cause, Trigger
from reconciler.model.address import parse_address
from reconciler.model.plan import Change, FieldChange, Plan, Reason, Verb
from reconciler.model.report import Outcome, Report, Status
from reconciler.service import journal as module
from reconciler.service.journal import FILE, Bounds, Entry, Journal, JournalError, Writer
from reconciler.service.recording import Recorder, entry_of
from reconciler.service.redaction import Secrets
from tests.loop.conftest import WEB
from tests.loop.simulation import Simulation

ADDRESS = parse_address("container.web")
EMPTY = Plan("shop", "id", "engine", "1.41")
PLAN = EMPTY._replace(changes=(Change(ADDRESS, Verb.CREATE, Reason.ABSENT),))


def ended(message: str = "", status: Status = Status.DONE, at: float = 1000.0, project: str = "shop") -> PassEnded:
    report = Report((Outcome(ADDRESS, Verb.CREATE, status, 0.5, message),), EMPTY)
    return PassEnded(project, "p1", (Trigger(Cause.FILES, 0.0, "a.toml"),), "r1", PLAN, report, (), "", 0.25, at)


def unplanned(error: str, at: float = 1000.0) -> PassEnded:
    return PassEnded("shop", "p1", (), "r1", None, None, (), error, 0.25, at)


class Scene:
    def __init__(self, directory: Path) -> None:
        self.file = directory / FILE
        self.complaints: list[str] = []
        self.bounds = Bounds()
        self.writer = Writer(self.file, lambda: self.bounds, self.complaints.append)
        self.journal = Journal(self.file)

    def write(self, told: PassEnded, secrets: Secrets | None = None) -> None:
        self.writer.write(entry_of(told, told.error, "run", secrets or Secrets()))

    def ids(self, **asked: Any) -> list[int]:
        return [item["id"] for item in self.journal.entries(**asked)]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_passes_that_do_something_are_written_whole_and_quiet_ones_are_not(simulation: Simulation) -> None:
    scene = Scene(simulation.directory)
    recorder = Recorder(scene.writer, Secrets(), scene.complaints.append)
    recorder.start()
    project = simulation.add(WEB)
    simulation.advance(1)
    simulation.advance(3600)
    simulation.edit(WEB.replace("serve", "other"))
    simulation.advance(5)
    assert project.passes.count > 5
    for told in simulation.told:
        recorder(told)
    recorder.close()
    replaced, created = scene.journal.entries("shop", 10)
    assert (created["result"], created["counts"]["done"], created["by"]) == ("done", 2, "run")
    assert created["resources"] == [
        {"address": "network.default", "verb": "create", "status": "done"},
        {"address": "container.web", "verb": "create", "status": "done"},
    ]
    assert created["triggers"] == [{"cause": "start", "text": ""}]
    assert {"cause": "files", "text": "spec.toml"} in replaced["triggers"]
    assert created["at"].endswith("Z")
    whole = scene.journal.entry(replaced["id"])
    assert whole is not None
    [change] = whole["changes"]
    assert (change["verb"], change["reason"]) == ("replace", "spec-changed")
    assert [field["path"] for field in change["fields"]] == ["command"]
    assert whole["outcomes"][0]["status"] == "done"
    assert whole["revision"] == simulation.projects["shop"].passes.memory.revision
    assert scene.complaints == []


def test_the_same_failure_to_look_is_counted_and_failures_to_act_are_each_written(scene: Scene) -> None:
    for number in range(5):
        scene.write(unplanned("the engine does not answer", 1000.0 + number))
    scene.write(unplanned("the spec is invalid", 1010.0))
    scene.write(unplanned("the engine does not answer", 1020.0))
    for number in range(2):
        scene.write(ended("no", Status.FAILED, 1030.0 + number))
    found = [(item["error"], item["times"], item["counts"]["failed"]) for item in scene.journal.entries()]
    assert found == [
        ("", 1, 1),
        ("", 1, 1),
        ("the engine does not answer", 1, 0),
        ("the spec is invalid", 1, 0),
        ("the engine does not answer", 5, 0),
    ]
    first = scene.journal.entries()[-1]
    assert (first["at"], first["until"]) == ("1970-01-01T00:16:40.000Z", "1970-01-01T00:16:44.250Z")


def test_a_spec_that_becomes_invalid_is_written_though_the_former_one_is_in_force(scene: Scene) -> None:
    recorder = Recorder(scene.writer, Secrets(), scene.complaints.append)
    recorder.start()
    recorder(unplanned("")._replace(plan=EMPTY))
    recorder(StateChanged("shop", Condition.SETTLED, Condition.INVALID, "a.toml:3: no", 1001.0))
    recorder(unplanned("a.toml:4: no"))
    recorder(StateChanged("shop", Condition.SETTLED, Condition.INVALID, "a.toml:4: no", 1002.0))
    recorder.close()
    assert [item["error"] for item in scene.journal.entries()] == ["a.toml:4: no", "a.toml:3: no"]


def test_a_pass_in_which_everything_waits_for_something_else_is_not_written(scene: Scene) -> None:
    recorder = Recorder(scene.writer, Secrets(), scene.complaints.append)
    recorder.start()
    recorder(ended("its image is not there", Status.BLOCKED))
    recorder(ended())
    recorder.close()
    assert [entry["result"] for entry in scene.journal.entries()] == ["done"]


def test_a_page_after_the_other_and_one_project_alone(scene: Scene) -> None:
    for number in range(7):
        scene.write(ended(at=1000.0 + number, project="shop" if number % 2 else "lab"))
    assert scene.ids(limit=3) == [7, 6, 5]
    assert scene.ids(limit=3, before=5) == [4, 3, 2]
    assert scene.ids(project="shop") == [6, 4, 2]
    assert scene.journal.entry(99) is None


def test_bounded_by_number_and_by_age(scene: Scene) -> None:
    scene.bounds = Bounds(3, 1)
    for number in range(5):
        scene.write(ended(at=1000.0 + number))
    assert scene.ids() == [5, 4, 3]
    scene.write(ended(at=1000.0 + 86_400 + 10))
    assert scene.ids() == [6]


def test_one_entry_is_bounded_too(scene: Scene) -> None:
    fields = (FieldChange("environment.A", None, "x" * 1000, Reason.DRIFTED, "replace", shown=("", "x" * 1000)),)
    changes = tuple(Change(ADDRESS, Verb.REPLACE, Reason.DRIFTED, fields) for _ in range(2000))
    told = ended("begin" + "y" * 100_000 + "the end", Status.FAILED)
    assert told.report is not None
    report = told.report._replace(outcomes=told.report.outcomes * 2000)
    scene.write(told._replace(plan=PLAN._replace(changes=changes), report=report))
    whole = scene.journal.entry(1)
    assert whole is not None
    assert len(json.dumps(whole)) < 2_000_000
    assert whole["is_cut"]
    assert len(whole["changes"]) == 1000
    assert whole["outcomes"][0]["message"].endswith("the end")


def test_no_secret_and_no_control_character(scene: Scene) -> None:
    secrets = Secrets()
    secrets.add({"canary-one"})
    told = ended("it said canary-one\n\x1b[31mred", Status.FAILED)._replace(error="https://me:canary-two@host/")
    scene.write(told, secrets)
    assert b"canary" not in b"".join(path.read_bytes() for path in scene.file.parent.iterdir())
    whole = scene.journal.entry(1)
    assert whole is not None
    assert whole["outcomes"][0]["message"] == "it said (secret)\n\\x1b[31mred"


def test_only_its_owner_may_read_it(scene: Scene) -> None:
    scene.write(ended())
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in scene.file.parent.iterdir()} == {
        FILE: "0o600",
        f"{FILE}-wal": "0o600",
        f"{FILE}-shm": "0o600",
    }


# --- what may befall the file --------------------------------------------------------------------------------------


def test_a_file_that_is_none_is_set_aside(scene: Scene) -> None:
    scene.file.write_bytes(b"no database at all" * 1000)
    scene.write(ended())
    assert scene.ids() == [1]
    assert scene.file.with_name(f"{FILE}.damaged").read_bytes().startswith(b"no database")
    [complaint] = scene.complaints
    assert "damaged" in complaint


def test_a_file_that_is_damaged_inside_is_set_aside(scene: Scene) -> None:
    for _ in range(200):
        scene.write(ended("x" * 500))
    scene.writer.close()
    content = bytearray(scene.file.read_bytes())
    content[4096 : len(content) - 4096] = b"\xa5" * (len(content) - 8192)
    scene.file.write_bytes(content)
    scene.write(ended())
    assert scene.ids() == [1]
    assert len(scene.complaints) == 1


def test_a_disk_that_is_full_is_said_once_and_gets_over(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.write(ended())
    connect = module._connect

    def full(file: Path, mode: str) -> sqlite3.Connection:
        connection = connect(file, mode)
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
        return connection

    scene.writer.close()
    with monkeypatch.context() as patched:
        patched.setattr(module, "_connect", full)
        for _ in range(3):
            scene.write(ended("x" * 10_000))
    [complaint] = scene.complaints
    assert "full" in complaint
    scene.write(ended())
    assert scene.ids() == [2, 1]


def test_a_directory_that_is_gone_is_said_once_and_gets_over(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "state")
    for _ in range(3):
        scene.write(ended())
    assert len(scene.complaints) == 1
    assert "No such file" in scene.complaints[0]
    (tmp_path / "state").mkdir()
    scene.write(ended())
    assert scene.ids() == [1]


@pytest.mark.parametrize("endings", [("",), ("", "-wal", "-shm")])
def test_a_file_that_is_removed_or_replaced_while_it_is_written_begins_anew(
    scene: Scene, endings: tuple[str, ...]
) -> None:
    for _ in range(2):
        scene.write(ended())
    for ending in endings:
        scene.file.with_name(FILE + ending).unlink()
    scene.write(ended())
    assert scene.ids() == [1], "and not into a file that nobody sees"
    scene.file.rename(scene.file.with_name("kept.db"))
    scene.file.write_bytes(b"")
    scene.write(ended())
    assert scene.ids() == [1]
    assert len(scene.complaints) == 2
    assert all("taken away" in complaint for complaint in scene.complaints)


def test_a_file_of_a_newer_version_is_left_alone(scene: Scene) -> None:
    scene.write(ended())
    scene.writer.close()
    with module.opened(scene.file, "rw") as connection:
        connection.execute(f"PRAGMA user_version = {len(module.MIGRATIONS) + 1}")
    scene.write(ended())
    assert "newer version" in scene.complaints[0]
    assert scene.file.exists()
    assert not scene.file.with_name(f"{FILE}.damaged").exists()


def test_an_older_form_is_brought_to_the_present_one(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.write(ended())
    scene.writer.close()
    step = "ALTER TABLE passes ADD COLUMN remark TEXT NOT NULL DEFAULT 'none';"
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, step))
    scene.write(ended())
    assert scene.ids() == [2, 1]
    with module.opened(scene.file, "ro") as connection:
        assert connection.execute("SELECT remark FROM passes").fetchall() == [("none",), ("none",)]


def test_what_cannot_be_read_is_an_error_and_what_is_not_there_is_empty(scene: Scene) -> None:
    assert scene.journal.entries() == []
    scene.file.write_bytes(b"no database at all" * 1000)
    with pytest.raises(JournalError, match="cannot be read: file is not a database\n    hint: a `run` moves"):
        scene.journal.entries()


def test_a_pass_never_waits_for_the_disk(scene: Scene) -> None:
    """The writer hangs: everything is taken at once, and what is too much is lost with a word."""
    hang, began = threading.Event(), threading.Event()

    class Hanging(Writer):
        def write(self, entry: Entry) -> None:
            began.set()
            hang.wait(30)

    recorder = Recorder(Hanging(scene.file, Bounds, scene.complaints.append), Secrets(), scene.complaints.append)
    recorder.start()
    recorder(ended())
    assert began.wait(10)
    before = time.perf_counter()
    for _ in range(2000):
        recorder(ended())
    assert time.perf_counter() - before < 1
    assert scene.complaints == ["the journal cannot be written fast enough, so some of it is lost"]
    hang.set()
    recorder.close()


def test_two_write_and_one_reads_at_once(scene: Scene) -> None:
    other = Scene(scene.file.parent)

    def write(by: Scene) -> None:
        for _ in range(50):
            by.write(ended())
        by.writer.close()

    threads = [threading.Thread(target=write, args=(by,)) for by in (scene, other)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert len(scene.journal.entries("", 1000)) <= 100
    for thread in threads:
        thread.join()
    assert len(scene.journal.entries("", 1000)) == 100
    assert scene.complaints == other.complaints == []
