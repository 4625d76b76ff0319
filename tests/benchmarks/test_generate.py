"""The project that is measured means the same in both languages. Needs no engine."""

import tomllib
from pathlib import Path

import pytest

from benchmarks.generate import CHANGING, COMPOSE_FILE, SPEC_FILE, Project, compose_text, spec_text, write_project
from reconciler.spec.load import load


@pytest.mark.parametrize("size", [1, 10, 200])
def test_both_languages_have_every_container_with_its_volume(size: int) -> None:
    project = Project("bench", size)
    spec, compose = tomllib.loads(spec_text(project)), compose_text(project)
    assert len(spec["container"]) == len(spec["volume"]) == size
    for container, options in spec["container"].items():
        assert f"\n  {container}:\n" in compose
        assert f"\n  {container}-store: {{}}\n" in compose
        assert options["volumes"] == [f"{container}-store:/var/lib/data"]
    assert compose.count("    image: ") == size


def test_an_option_has_the_same_name_in_both() -> None:
    project = Project("bench", 1)
    (options,) = tomllib.loads(spec_text(project))["container"].values()
    service = compose_text(project).partition("services:\n")[2].partition("networks:\n  net")[0]
    assert {line.split(":")[0].strip() for line in service.splitlines()[1:]} == set(options)


def test_the_same_arguments_make_the_same_files(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_project(tmp_path / name, Project("bench", 7, "x"))
    for file in (SPEC_FILE, COMPOSE_FILE):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_a_change_changes_one_container() -> None:
    before, after = (Project("bench", 10, value) for value in ("0", "1"))
    old, new = (tomllib.loads(spec_text(project))["container"] for project in (before, after))
    changed = [name for name in old if old[name] != new[name]]
    assert changed == [before.victim]
    assert new[before.victim]["environment"][CHANGING] == "1"
    assert compose_text(before) != compose_text(after)


def test_the_spec_is_valid(tmp_path: Path) -> None:
    write_project(tmp_path, Project("bench", 3))
    desired = load(tmp_path, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert desired.project == "bench"
    assert len(list(desired.containers())) == 3
