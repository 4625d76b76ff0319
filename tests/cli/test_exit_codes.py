"""Exit codes and JSON documents: what scripts rely on."""

import json
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.cli.conftest import LOOP
from tests.cli.console import Console
from tests.support.engine import Project
from tests.support.golden import golden

DOCUMENTS = Path(__file__).parent / "documents"


def web(project: Project, level: str = "info", more: str = "") -> None:
    project.write(
        "web.toml",
        f'[container.web]\nimage = "busybox:latest"\n{LOOP}\nenvironment = {{ LEVEL = "{level}" }}\n{more}\n',
    )


def document(name: str, console: Console, seen: Any) -> None:
    """Compare a JSON document with its golden file, ids and times made equal."""
    plain = _plain(seen)
    if "engine" in plain:
        plain["engine"]["name"] = "<name>"
    text = json.dumps(plain, indent=2, ensure_ascii=False) + "\n"
    golden(DOCUMENTS / f"{name}.json", console.normal(text))


def _plain(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _plain(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return f"<{key}>" if value and key in ("id", "seconds", "since", "api_version") else value


def codes(project: Project, *command: str) -> int:
    return project.run(*command, check=False).code


def test_plan(project: Project) -> None:
    """0 whatever the plan says; with --detailed-exitcode 2 when there are changes; 1 on an error."""
    web(project)
    assert codes(project, "plan") == 0
    assert codes(project, "plan", "--detailed-exitcode") == 2
    project.run("apply")
    assert codes(project, "plan", "--detailed-exitcode") == 0
    assert codes(project, "plan", "--detailed-exitcode", "--json") == 0
    assert codes(project, "plan", "--detailed-exitcode", "--replace", "container.web") == 2
    web(project, more="imge = 1")
    assert codes(project, "plan", "--detailed-exitcode") == 1


def test_drift(project: Project, docker_api: docker.APIClient) -> None:
    """0 none, 2 drift, 1 an error; what the author of the spec changed is none."""
    web(project)
    project.run("apply")
    assert codes(project, "drift") == 0
    web(project, "debug")
    assert codes(project, "plan", "--detailed-exitcode") == 2
    assert codes(project, "drift") == 0
    docker_api.kill(f"{project.name}-web-1")
    docker_api.wait(f"{project.name}-web-1")
    assert codes(project, "drift") == 2
    found = project.run("drift", "--json", check=False)
    assert found.code == 2
    assert [field["path"] for change in found.json()["changes"] for field in change["fields"]] == ["state"]
    web(project, more="imge = 1")
    assert codes(project, "drift") == 1


def test_status(project: Project, docker_api: docker.APIClient) -> None:
    """0 settled and healthy, 2 not, 1 an error."""
    web(project)
    assert codes(project, "status") == 2
    project.run("apply")
    assert codes(project, "status") == 0
    docker_api.pause(f"{project.name}-web-1")
    result = project.run("status", check=False)
    assert result.code == 2
    assert "paused" in result.stdout
    project.run("apply")
    web(project, more="imge = 1")
    assert codes(project, "status") == 1


def test_status_of_what_is_ill(project: Project) -> None:
    web(project, more='healthcheck = { test = "false", interval = "200ms", retries = 1 }')
    assert project.run("apply", "--wait", check=False).code == 1
    result = project.run("status", "--json", check=False)
    assert result.code == 2
    assert (result.json()["settled"], result.json()["healthy"]) == (True, False)
    health = {line["address"]: line["health"] for line in result.json()["resources"]}
    assert health["container.web"] == "unhealthy"


def test_status_of_what_is_done(project: Project) -> None:
    """A task that ended well is well."""
    for number, policy in enumerate(("no", "on-failure", "on-failure:3")):
        text = f'[container.task{number}]\nimage = "busybox:latest"\ncommand = ["true"]\nrestart = "{policy}"\n'
        project.write(f"task{number}.toml", text)
    project.run("apply")
    result = project.run("status")
    assert result.stdout.count("  done  ") == 3


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["frobnicate"],
        ["plan", "a", "b"],
        ["plan", "--no-such-option"],
        ["plan", "--out"],
        ["destroy", "--vol"],
        ["logs"],
        ["restart"],
        ["completion"],
        ["completion", "fish"],
        ["plan", "--target", "nonsense"],
        ["-H"],
        ["-H", "nonsense://", "plan"],
    ],
)
def test_usage_errors_exit_1(command: list[str], console: Console) -> None:
    web(console.project)
    line = " ".join(f"'{word}'" for word in command)
    assert console.run(f"reconciler {line} 2>/dev/null") == "[1]\n"
    assert console.run(f"reconciler {line} 2>&1 >/dev/null").startswith(("usage: reconciler", "error: "))


def test_plan_document(console: Console) -> None:
    """Exactly the documented shape: three options of one container change at once."""
    project = console.project
    ports = f'ports = ["127.0.0.1:{console.port}:80"]'
    web(project, more=f'mem_limit = "64M"\n{ports}')
    document("plan-create", console, project.run("plan", "--json").json())
    project.run("apply")
    document("plan-none", console, project.run("plan", "--json").json())
    web(project, "debug", more=f'mem_limit = "96M"\n{ports.replace("127.0.0.1", "127.0.0.2")}')
    changed = project.run("plan", "--json").json()
    document("plan-change", console, changed)
    assert {field["reason"] for field in changed["changes"][0]["fields"]} == {"spec-changed"}


def test_apply_document(console: Console) -> None:
    project = console.project
    web(project)
    applied = project.run("apply", "--json")
    document("apply", console, applied.json())
    assert applied.stderr == ""
    document("status", console, project.run("status", "--json").json())
    document("drift", console, project.run("drift", "--json").json())
    project.write("bad.toml", '[container.bad]\nimage = "busybox:latest"\ncommand = ["/no/such"]\n')
    failed = project.run("apply", "--json", check=False)
    assert failed.code == 1
    document("apply-failed", console, failed.json())
    document("destroy", console, project.run("destroy", "--yes", "--json").json())


def test_validate_document(console: Console) -> None:
    project = console.project
    web(project)
    document("validate", console, project.run("validate", "--json").json())
    web(project, more="imge = 1")
    failed = project.run("validate", "--json", check=False, path="specs")
    assert failed.code == 1
    document("validate-failed", console, failed.json())
