"""What people read when a spec is wrong: one folder a case, `problems.txt` beside the spec holds every word of it."""

from pathlib import Path

import pytest

from reconciler.errors import SpecError
from reconciler.spec.load import load
from tests.support.golden import golden

CASES = Path(__file__).parent / "problems"
ENVIRONMENT = {"PRESENT": "here", "EMPTY": "", "WORD": "several", "TRUE": "true", "NUMBER": "5"}


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_problems(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES / case)
    with pytest.raises(SpecError) as raised:
        load(Path(), ENVIRONMENT)
    golden(CASES / case / "problems.txt", f"{raised.value}\n")
    for problem in raised.value.problems:
        assert problem.file, problem


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere: does not exist, or may not be read\n    hint: give a directory"):
        load(tmp_path / "nowhere", {})
    with pytest.raises(SpecError, match=r"null: is neither a directory nor a file"):
        load(Path("/dev/null"), {})


def test_an_unreadable_file_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.toml").mkdir()
    (tmp_path / "b.toml").symlink_to("nowhere")
    (tmp_path / "c.toml").write_text('[container.web]\nimgae = "x:1"\n')
    with pytest.raises(SpecError) as raised:
        load(tmp_path, {})
    assert [Path(problem.file).name for problem in raised.value.problems] == ["a.toml", "b.toml", "c.toml", "c.toml"]


def test_hidden_files_and_subdirectories_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[image.x]\nreference = "x:1"\n')
    (tmp_path / ".#a.toml").symlink_to("someone@host.1234")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.toml").write_text("broken")
    assert load(tmp_path, {}).files == (str(tmp_path / "a.toml"),)
