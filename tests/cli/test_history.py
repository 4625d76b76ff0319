"""`reconciler history`, on a journal that the loop wrote on the engine in memory."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.service.journal import FILE, Bounds, Journal, Writer
from reconciler.service.recording import Recorder
from reconciler.service.redaction import Secrets
from tests.loop.simulation import Simulation
from tests.support.golden import golden

SPEC = """
[container.web]
image = "busybox"
command = ["serve"]
environment = { LEVEL = "info", TOKEN = "canary" }
"""
COMMANDS = ("history", "history --limit 1", "history --project lab", "history show 2", "history show 4", "history show 9",
            "history show", "history tell 1", "history --limit 0")  # fmt: skip


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory whose journal tells of a creation, an edit, a repair and a spec that was invalid for a while."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    simulation = Simulation(tmp_path)
    complaints: list[str] = []
    recorder = Recorder(Writer(simulation.directory / FILE, Bounds, complaints.append), Secrets(), complaints.append)
    recorder.start()
    simulation.add(SPEC)
    simulation.advance(10)
    simulation.edit(SPEC.replace("info", "debug").replace("canary", "canary-two"))
    simulation.advance(10)
    simulation.remove("shop-web-1")
    simulation.advance(10)
    simulation.edit("[container.web]\nimages = 1\n")
    simulation.advance(700)
    for told in simulation.told:
        recorder(told)
    recorder.close()
    assert complaints == []
    yield tmp_path
    monkeypatch.undo()
    time.tzset()


def said(capsys: pytest.CaptureFixture[str], state: Path, command: str) -> str:
    code = run([*command.split(), "--state-dir", str(state)])
    captured = capsys.readouterr()
    text = (captured.out + captured.err).replace(str(state), "/var/lib/reconciler")
    text = re.sub(r"revision  \w{12}\b", "revision  d7148b93c833", text)
    return re.sub(r"pass_id \w{8}", "pass_id 1f00d5e7", text) + (f"[{code}]\n" if code else "")


def test_transcript(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(f"$ reconciler {command}\n{said(capsys, state, command)}" for command in COMMANDS)
    assert "canary" not in text
    golden(Path(__file__).parent / "history.txt", text)


def test_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "--json", "--state-dir", str(state)]) == 0
    entries = json.loads(capsys.readouterr().out)["entries"]
    assert entries == Journal(state / FILE).entries()
    assert run(["history", "show", "2", "--json", "--state-dir", str(state)]) == 0
    whole: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert whole == {"format_version": "1", **(Journal(state / FILE).entry(2) or {})}
    assert entries[-2].items() <= whole.items()


def test_numbers_that_are_too_large_to_be_there(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"error: there is no pass {10**20} in" in said(capsys, state, f"history show {10**20}")
    assert said(capsys, state, f"history --limit {10**20}") == said(capsys, state, "history")


def test_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no journal yet; looked in /var/lib/reconciler" in said(capsys, tmp_path, "history")


def test_another_user_is_told_why_not(state: Path) -> None:
    """Root may read everything, so it becomes somebody else for that."""
    state.joinpath(FILE).chmod(0)
    state.chmod(0o755)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 99
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            sys.stderr = os.fdopen(writing, "w")
            code = run(["history", "--state-dir", str(state)])
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert re.search(r"error: the journal .* cannot be read: .*\n    hint: .*try it with sudo", text), text
