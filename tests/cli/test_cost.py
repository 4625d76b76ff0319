"""What a command must not load: starting is most of what a command costs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import LOOP
from tests.support.engine import Project

HEAVY = {
    "anyio",
    "asyncio",
    "concurrent",
    "dataclasses",
    "docker",
    "email",
    "h11",
    "http",
    "inspect",
    "logging",
    "pydantic",
    "requests",
    "rich",
    "shtab",
    "ssl",
    "starlette",
    "structlog",
    "tree_sitter",
    "tree_sitter_toml",
    "urllib3",
    "uvicorn",
    "watchfiles",
}
PROGRAM = """
import sys
before = set(sys.modules)
from reconciler.cli.main import run
code = run(sys.argv[1:])
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}), file=sys.stderr)
sys.exit(code)
"""


def modules(directory: Path, cache: Path, *command: str) -> set[str]:
    """The top-level packages that a command loads, beyond those that Python starts with."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command],
        cwd=directory,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("command", ["--help", "--version", "version", "plan --help", "apply --help"])
def test_without_a_spec(command: str, tmp_path: Path) -> None:
    loaded = modules(tmp_path, tmp_path, *command.split())
    assert loaded & (HEAVY | {"tomllib", "socket", "threading"}) == set()


def test_a_spec_that_was_validated_and_a_plan_without_changes(project: Project, tmp_path: Path) -> None:
    project.write("site/Dockerfile", "FROM busybox:latest\n")
    project.write(
        "web.toml",
        f'[image.site]\nbuild = "./site"\n[container.web]\nimage = "site"\n{LOOP}\n'
        'healthcheck = { test = "true", interval = "5s" }\n',
    )
    project.run("apply", env={"XDG_CACHE_HOME": str(tmp_path)})
    for command in (["validate"], ["plan"], ["plan", "--json"], ["drift"]):
        loaded = modules(project.root, tmp_path, "-H", project.host, *command)
        assert loaded & HEAVY == set(), command
