"""Compose files → specs, checked in beside them: the text, and what is told to the person.

Each directory of cases/ is a project; spec.toml and notes.txt are what became of it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.convert.command import Imported, import_files
from reconciler.spec.load import load
from tests.support.golden import golden

CASES = Path(__file__).parent / "cases"
EXPECTED = ("spec.toml", "notes.txt")


def staged(case: Path, directory: Path) -> Path:
    """A copy of a case without what is expected of it."""
    return Path(shutil.copytree(case, directory / case.name, ignore=shutil.ignore_patterns(*EXPECTED)))


def imported(directory: Path, *profiles: str, name: str = "") -> Imported:
    return import_files([str(directory / "compose.yaml")], name, profiles, {}, directory)


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_what_a_project_becomes(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = staged(case, tmp_path)
    monkeypatch.chdir(directory)
    made = import_files(["compose.yaml"], "", (), {}, directory)
    assert made.problems == []
    golden(case / "spec.toml", made.text)
    golden(case / "notes.txt", "".join(f"{note}\n" for note in made.notes))
    (directory / "spec.toml").write_text(made.text)
    assert load(Path("spec.toml"), {}).project == made.project


def test_profiles_bring_services_in(tmp_path: Path) -> None:
    directory = staged(CASES / "shop", tmp_path)
    assert "[container.debug]" in imported(directory, "debug").text
    assert "[container.debug]" in imported(directory, "*").text
    assert "[container.debug]" not in imported(directory).text
    with (directory / ".env").open("a") as file:
        file.write("COMPOSE_PROFILES=debug\n")
    assert "[container.debug]" in imported(directory).text


def test_the_project_is_named_as_compose_names_it(tmp_path: Path) -> None:
    directory = tmp_path / "My Shop"
    directory.mkdir()
    (directory / "compose.yaml").write_text("services: {web: {image: busybox}}\n")
    assert imported(directory).project == "myshop"
    (directory / "compose.yaml").write_text("name: ${WORD:-said}\nservices: {web: {image: busybox}}\n")
    assert imported(directory).project == "said"
    (directory / ".env").write_text("COMPOSE_PROJECT_NAME=dotenv\nWORD=other\n")
    assert imported(directory).project == "dotenv"
    files = [str(directory / "compose.yaml")]
    assert import_files(files, "", (), {"COMPOSE_PROJECT_NAME": "shell"}, directory).project == "shell"
    assert imported(directory, name="given").project == "given"


def test_another_directory_gets_its_own_paths_and_values(tmp_path: Path) -> None:
    """Relative paths are rewritten, and what only the `.env` of the Compose file says is written out."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / ".env").write_text("TAG=1.27\n")
    text = "services: {web: {image: 'nginx:${TAG}', user: '${WHO:-0}', volumes: ['./a:/a', '/b:/b', 'c:/c']}}\nvolumes: {c: }\n"
    (there / "compose.yaml").write_text(text)
    made = import_files([str(there / "compose.yaml")], "", (), {}, here)
    assert 'image = "nginx:1.27"' in made.text
    assert 'user = "${WHO:-0}"' in made.text
    assert 'volumes = ["../there/a:/a", "/b:/b", "c:/c"]' in made.text


def test_a_variable_that_the_spec_sees_otherwise_is_written_out(tmp_path: Path) -> None:
    text = "services: {web: {image: busybox, hostname: '${COMPOSE_PROJECT_NAME}', user: '${SHELL_USER}'}}\n"
    (tmp_path / "compose.yaml").write_text(text)
    made = import_files([str(tmp_path / "compose.yaml")], "shop", (), {"SHELL_USER": "7"}, tmp_path)
    assert 'hostname = "shop"' in made.text
    assert 'user = "${SHELL_USER}"' in made.text
