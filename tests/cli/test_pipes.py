"""Readers that leave, streams that are closed, encodings that lack characters: none of that harms an apply."""

import json
import subprocess

import docker
import pytest

from tests.cli.conftest import LOOP
from tests.cli.console import Console


@pytest.fixture(autouse=True)
def web(console: Console) -> None:
    console.project.write(
        "web.toml",
        f'[container.web]\nimage = "busybox:latest"\n{LOOP}\nlabels = {{ motto = "größer → ✓" }}\n',
    )


def bash(console: Console, command: str, **environment: str) -> str:
    """What a command prints in bash, as it is."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=console.project.root,
        env={**console.environment, **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )
    text = (done.stdout + done.stderr).decode(environment.get("PYTHONIOENCODING", "utf-8"))
    for wrong in ("Traceback", "bug in reconciler", "Exception ignored"):
        assert wrong not in text
    return text


def is_up(console: Console, api: docker.APIClient) -> bool:
    return bool(api.containers(filters={"name": f"{console.project.name}-web-1"}))


@pytest.mark.parametrize(
    "command", ["plan", "plan --json", "schema", "status", "validate", "completion bash", "--help"]
)
def test_the_reader_leaves(command: str, console: Console) -> None:
    assert bash(console, f"reconciler {command} | true; echo ${{PIPESTATUS[0]}}") in ("0\n", "2\n", "141\n")


def test_the_reader_leaves_before_anything_is_done(console: Console, docker_api: docker.APIClient) -> None:
    """Who cannot see the plan has not asked for it."""
    out = bash(console, "reconciler apply > >(exec true); echo $?")
    assert out.endswith(("141\n", "0\n"))
    assert is_up(console, docker_api) == out.endswith("0\n")


def test_the_reader_of_progress_leaves(console: Console, docker_api: docker.APIClient) -> None:
    """What is under way is finished all the same."""
    bash(console, "reconciler apply 2> >(exec true) > plan")
    assert is_up(console, docker_api)
    assert bash(console, "reconciler plan --detailed-exitcode; echo $?").endswith("0\n")


def test_closed_streams(console: Console, docker_api: docker.APIClient) -> None:
    """Their numbers must not go to a connection with the engine."""
    assert bash(console, "reconciler plan >&- 2>&- <&-; echo $?") == "0\n"
    assert bash(console, "reconciler apply >&- 2>&- <&-; echo $?") == "0\n"
    assert is_up(console, docker_api)
    assert bash(console, "reconciler destroy >&- <&-; echo $?").endswith("--yes to say that you mean it\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_encodings(encoding: str, console: Console) -> None:
    bash(console, "reconciler apply")
    bash(console, "sed -i 's/größer/größte/' specs/web.toml")
    text = bash(console, "reconciler plan", PYTHONIOENCODING=encoding)
    assert ("größte" in text) == (encoding != "ascii")
    assert "te → ✓" in text or "te \\u2192 \\u2713" in text
    fields = json.loads(bash(console, "reconciler plan --json", PYTHONIOENCODING=encoding))["changes"][0]["fields"]
    assert fields[0]["desired"] == "größte → ✓"


def test_the_c_locale(console: Console) -> None:
    assert "größer" in bash(console, "reconciler apply && reconciler plan --json; cat specs/web.toml", LC_ALL="C")


def test_a_file_name_that_is_no_text(console: Console) -> None:
    folder = str(console.project.root).encode() + b"/\xff\xfe"
    subprocess.run(["cp", "-r", str(console.project.directory), folder], check=True)
    assert bash(console, "reconciler validate $'\\xff\\xfe'").startswith("\\udcff\\udcfe is valid")
    json.loads(bash(console, "reconciler plan --json --replace container.web $'\\xff\\xfe'"))
