"""Compose files that cannot be imported: each says where, what, and what to do. problems.txt is what is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.convert.command import import_files
from reconciler.errors import ReconcilerError
from tests.support.golden import golden

FAILURES = Path(__file__).parent / "failures"


@pytest.mark.parametrize("case", sorted(FAILURES.iterdir()), ids=lambda case: case.name)
def test_what_is_said(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Path(shutil.copytree(case, tmp_path / "project", ignore=shutil.ignore_patterns("*.txt")))
    monkeypatch.chdir(directory)
    with pytest.raises(ReconcilerError) as caught:
        import_files(["compose.yaml"], "", (), {}, directory)
    golden(case / "problems.txt", f"{caught.value}\n")


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReconcilerError, match=r"nowhere\.yaml: cannot be read: No such file"):
        import_files(["nowhere.yaml"], "", (), {}, tmp_path)


def test_a_huge_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("# " + "x" * 2_000_000)
    with pytest.raises(ReconcilerError, match="is larger than 1024 KiB"):
        import_files(["compose.yaml"], "", (), {}, tmp_path)


def test_a_profile_that_nobody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("services: {web: {image: x, profiles: [debug]}, db: {image: x}}\n")
    with pytest.raises(ReconcilerError, match=r"no service has the profile 'debgu'\n    hint: did you mean debug\?"):
        import_files(["compose.yaml"], "", ["debgu"], {}, tmp_path)
