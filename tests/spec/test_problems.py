"""What people read when a spec is wrong: one folder a case, `problems.txt` beside the spec holds every word of it."""

from pathlib import Path

import pytest

from reconciler.errors import SpecError
from reconciler.model.address import Kind
from reconciler.model.rows import TABLE
from reconciler.spec.documents import check_structure
from reconciler.spec.load import load
from reconciler.spec.problems import Problems
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


WRONG = (True, 3, 1.5, "a b", [[]], {"?": {}}, [], {}, [True])


@pytest.mark.parametrize("kind", list(Kind))
def test_every_value_of_a_wrong_type_is_answered_with_what_to_write(kind: Kind) -> None:
    """But where the message itself says what may stand there."""
    for row in TABLE[kind]:
        for value in WRONG if row.declared else ():
            problems = Problems()
            check_structure({kind.value: {"x": {"image": "x:1", row.name: value}}}, problems)
            for problem in problems.found:
                told = problem.hint or problem.message
                assert any(word in told for word in ("write ", "for example ", "known are ", "must be '", "must be at"))


def test_what_may_be_secret_is_not_repeated_in_a_hint() -> None:
    for table in (
        {"secret": {"key": "hunter2"}},
        {"container": {"x": {"image": "x:1", "environment": "KEY=hunter2", "healthcheck": "curl -u me:hunter2 x"}}},
    ):
        problems = Problems()
        check_structure(table, problems)
        assert problems.found
        assert not any("hunter2" in str(problem) for problem in problems.found)
