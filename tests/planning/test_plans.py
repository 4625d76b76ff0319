"""Golden plans: each folder of `plans` is a situation, and the plan for it as a person reads it.

before.toml   what was applied first
by_hand.py    `prepare(stage)`, before that; `by_hand(stage)`, after it
spec.toml     what is to be; any other folder is what it builds
request.txt   options of the command line
plan.txt      what is planned, with the actions below; `--golden` writes it anew
"""

from __future__ import annotations

import runpy
import shutil
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.render import Painter, plan_text
from reconciler.cli.session import locator
from reconciler.model.address import parse_address
from reconciler.model.describe import describe
from reconciler.model.plan import Plan, Verb
from reconciler.planning.world import Request
from reconciler.reconcile import look, look_destroy
from tests.planning.stage import Stage
from tests.support.golden import golden
from tests.support.inprocess import explain

CASES = sorted(file.parent for file in (Path(__file__).parent / "plans").glob("*/spec.toml"))
MOST_LINES = 60


def options(case: Path) -> Any:
    parser = ArgumentParser()
    for name in ("--target", "--replace"):
        parser.add_argument(name, action="append", default=[], type=parse_address)
    for name in ("--no-build", "--destroy", "--volumes"):
        parser.add_argument(name, action="store_true")
    file = case / "request.txt"
    return parser.parse_args(file.read_text().split() if file.exists() else [])


def part(case: Path, name: str) -> Callable[[Stage], None]:
    file = case / "by_hand.py"
    found = runpy.run_path(str(file)).get(name) if file.exists() else None
    return found or (lambda stage: None)


def put_on(case: Path, stage: Stage) -> None:
    """Everything up to the moment at which the plan is made."""
    for folder in case.iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            shutil.copytree(folder, stage.directory / folder.name)
    spec = stage.directory / "spec.toml"
    part(case, "prepare")(stage)
    if (case / "before.toml").exists():
        shutil.copy(case / "before.toml", spec)
        report = stage.apply(stage.reload())
        assert report.is_settled, explain(report)
    shutil.copy(case / "spec.toml", spec)
    part(case, "by_hand")(stage)
    shutil.copy(case / "spec.toml", spec)


def text_of(planned: Plan, stage: Stage) -> str:
    """Ids of images depend on where the test runs, so they are numbered."""
    text = _text_of(planned)
    ids = [entry["Id"][7:19] for entry in stage.engine.list_images()]
    for number, short in enumerate(sorted(filter(text.count, ids), key=text.index), 1):
        text = text.replace(short, f"image-{number}")
    return text


def _text_of(planned: Plan) -> str:
    lines = [plan_text(planned, Painter()), ""]
    for change in planned.changes:
        after = f" after {', '.join(map(str, change.after))}" if change.after else ""
        lines.append(f"{change.address}: {change.verb.value}, {change.reason.value}{after}")
        lines += [f"    {describe(step.action)}" for step in change.steps]
    return "\n".join(lines).rstrip() + "\n"


def request_of(asked: Any) -> Request:
    return Request(tuple(asked.target), tuple(asked.replace), build=not asked.no_build, volumes=asked.volumes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stage = Stage(Path())
    put_on(case, stage)
    desired, asked = stage.reload(), options(case)
    request = request_of(asked)
    if asked.destroy:
        planned = look_destroy(desired, stage.engine, request).plan
    else:
        planned = look(desired, stage.engine, request, locator(desired)).plan
    text = text_of(planned, stage)
    assert text.count("\n") <= MOST_LINES, text
    golden(case / "plan.txt", text)


def is_meant_to_settle(case: Path) -> bool:
    """What nothing blocks, and is planned whole."""
    asked, plan = options(case), case / "plan.txt"
    return not (asked.destroy or asked.target) and ": blocked, " not in (plan.read_text() if plan.exists() else "")


@pytest.mark.parametrize("case", [case for case in CASES if is_meant_to_settle(case)], ids=lambda case: case.name)
def test_it_then_settles(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nothing blocks is done in one pass."""
    monkeypatch.chdir(tmp_path)
    stage = Stage(Path())
    put_on(case, stage)
    desired, asked = stage.reload(), options(case)
    report = stage.apply(desired, request_of(asked))
    assert report.is_settled, explain(report)


def test_there_is_a_case_for_each_verb_and_reason() -> None:
    """Read from the expected plans themselves."""
    from reconciler.model.plan import Reason

    lines = [line for case in CASES for line in (case / "plan.txt").read_text().splitlines()]
    titles = [line.partition(": ")[2].partition(" after")[0] for line in lines if not line.startswith(" ")]
    seen = {word for title in titles for word in title.split(", ")}
    assert {verb.value for verb in Verb} <= seen
    assert {reason.value for reason in Reason} <= seen
