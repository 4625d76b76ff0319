"""What an unchanged spec must not pay for, and when it is validated again."""

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.errors import SpecError
from reconciler.spec import validated
from reconciler.spec.load import load

HEAVY = (
    "pydantic",
    "tree_sitter",
    "docker",
    "requests",
    "logging",
    "dataclasses",
    "inspect",
    "difflib",
    "asyncio",
    "structlog",
)
PROGRAM = """
import sys
from pathlib import Path
from reconciler.spec.load import load
load(Path(sys.argv[1]), {"XDG_CACHE_HOME": sys.argv[2]})
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def modules(spec: Path, cache: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(spec), str(cache)], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_a_validated_spec_loads_nothing_heavy(tmp_path: Path) -> None:
    spec = tmp_path / "a.toml"
    spec.write_text(
        '[container.web]\nimage = "x:1"\nports = ["80"]\nhealthcheck = { test = "true", interval = "5s" }\n'
    )
    assert "pydantic" in modules(spec, tmp_path / "cache")
    assert modules(spec, tmp_path / "cache").isdisjoint(HEAVY)


def markers(cache: Path) -> list[str]:
    return sorted(file.name for file in (cache / "reconciler" / "validated").iterdir())


def test_only_what_was_found_valid_is_remembered(tmp_path: Path) -> None:
    spec, cache = tmp_path / "a.toml", tmp_path / "cache"
    environment = {"XDG_CACHE_HOME": str(cache), "TAG": "1"}
    spec.write_text('[container.web]\nimage = "x:1"\nuesr = "1"\n')
    for _ in range(2):
        with pytest.raises(SpecError):
            load(spec, environment)
    assert not cache.exists()
    spec.write_text('[container.web]\nimage = "x:$TAG"\n')
    load(spec, environment)
    load(spec, environment)
    assert len(markers(cache)) == 1
    load(spec, environment | {"TAG": "2"})
    assert len(markers(cache)) == 2


def test_a_remembered_document_is_still_resolved(tmp_path: Path) -> None:
    """References, files and what forms refuse are not part of the structure: they are looked at every time."""
    spec, cache = tmp_path / "a.toml", {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    spec.write_text('[container.web]\nimage = "x:1"\nenv_file = ["e.env"]\n')
    (tmp_path / "e.env").write_text("A=1")
    load(spec, cache)
    (tmp_path / "e.env").unlink()
    with pytest.raises(SpecError, match="No such file"):
        load(spec, cache)


def test_markers_are_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validated, "MAX_MARKERS", 3)
    spec = tmp_path / "a.toml"
    for number in range(5):
        spec.write_text(f'[container.web]\nimage = "x:{number}"\n')
        load(spec, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert len(markers(tmp_path / "cache")) == 3


@pytest.mark.parametrize(
    "environment", [{}, {"HOME": "/proc/nowhere"}, {"XDG_CACHE_HOME": "relative"}, {"XDG_CACHE_HOME": "/dev/null"}]
)
def test_no_cache_is_no_mistake(tmp_path: Path, environment: dict[str, str]) -> None:
    spec = tmp_path / "a.toml"
    spec.write_text('[container.web]\nimage = "x:1"\n')
    assert load(spec, environment) == load(spec, environment)
