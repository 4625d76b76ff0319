"""On a terminal: colours, live lines, a question; off one, or with NO_COLOR, none of that."""

from collections.abc import Mapping

import docker
import pytest

from tests.cli.conftest import LOOP
from tests.cli.terminal import Terminal
from tests.support.engine import Project

ESCAPE = "\x1b["


def web(project: Project, level: str = "info") -> None:
    project.write(
        "web.toml", f'[container.web]\nimage = "busybox:latest"\n{LOOP}\nenvironment = {{ LEVEL = "{level}" }}\n'
    )


def terminal(
    project: Project, *command: str, environment: Mapping[str, str] | None = None, columns: int = 80
) -> Terminal:
    return Terminal(project.command(*command), str(project.root), environment, columns)


def names(api: docker.APIClient, project: Project) -> list[str]:
    found = api.containers(all=True, filters={"label": f"reconciler.project={project.name}"})
    return [item["Names"][0] for item in found]


@pytest.mark.parametrize("answer", ["no\n", "\n", "yep\n", "\x04"], ids=["no", "nothing", "nearly", "end-of-file"])
def test_only_yes_is_a_yes(answer: str, project: Project, docker_api: docker.APIClient) -> None:
    web(project)
    with terminal(project, "apply") as shown:
        shown.wait_for("Do it?")
        assert "+ container.web" in shown.text, "the plan stands above the question"
        shown.type(answer)
        assert shown.finish() == 1
        assert "Nothing was changed." in shown.text
    assert names(docker_api, project) == []


def test_yes_does_it(project: Project, docker_api: docker.APIClient) -> None:
    web(project)
    with terminal(project, "apply") as shown:
        shown.wait_for("Do it?")
        shown.type("yes\n")
        assert shown.finish() == 0
        assert ESCAPE + "32m" in shown.screen
        assert "container.web: created" in shown.text
        assert shown.screen.rfind(ESCAPE + "?25h") >= shown.screen.rfind(ESCAPE + "?25l"), "the cursor is back"
    assert names(docker_api, project) == [f"/{project.name}-web-1"]
    with terminal(project, "apply") as shown:
        assert shown.finish() == 0
        assert "Do it?" not in shown.text, "nothing is asked where nothing is to be done"
    with terminal(project, "destroy") as shown:
        shown.wait_for("Do it?")
        shown.type("no\n")
        assert shown.finish() == 1
    assert names(docker_api, project) == [f"/{project.name}-web-1"]
    with terminal(project, "destroy", "--yes") as shown:
        assert shown.finish() == 0
        assert "Do it?" not in shown.text
    assert names(docker_api, project) == []


def test_control_c_at_the_question(project: Project, docker_api: docker.APIClient) -> None:
    web(project)
    with terminal(project, "apply") as shown:
        shown.wait_for("Do it?")
        shown.process.send_signal(2)
        assert shown.finish() == 130
        assert "Traceback" not in shown.text
    assert names(docker_api, project) == []


def test_json_needs_yes(project: Project) -> None:
    web(project)
    with terminal(project, "apply", "--json") as shown:
        assert shown.finish() == 1
        assert "hint: add --yes" in shown.text
    with terminal(project, "apply", "--json", "--yes") as shown:
        assert shown.finish() == 0
        assert ESCAPE not in shown.screen


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_no_colour_where_none_is_wanted(environment: dict[str, str], project: Project) -> None:
    web(project)
    for command in (["plan"], ["apply", "--yes"], ["status"], ["drift"]):
        with terminal(project, *command, environment=environment) as shown:
            shown.finish()
            assert ESCAPE not in shown.screen, command


def test_no_colour_in_a_pipe(project: Project) -> None:
    web(project)
    for command in (["plan"], ["apply"], ["status"], ["-v", "plan"]):
        result = project.run(*command) if command[0] != "-v" else project.run("plan", "-v")
        assert ESCAPE not in result.stdout + result.stderr


def test_the_same_words_everywhere(project: Project) -> None:
    """A plan on a terminal is the plan in a file, in colour; whatever its width."""
    web(project)
    project.run("apply")
    web(project, "débug → ✓")
    piped = project.run("plan").stdout
    for columns in (20, 80, 200):
        with terminal(project, "plan", columns=columns) as shown:
            shown.finish()
            assert shown.text == piped
            assert ESCAPE in shown.screen


def test_a_narrow_terminal(project: Project) -> None:
    """Live lines are cut, not wrapped: a wrapped one could not be taken back."""
    web(project)
    project.write("site/Dockerfile", f"FROM busybox:latest\nRUN echo {'x' * 300}; sleep 1\n")
    project.write("image.toml", '[image.site]\nbuild = "./site"\n')
    with terminal(project, "apply", "--yes", columns=30) as shown:
        assert shown.finish() == 0
        assert "x" * 60 not in shown.text


def test_a_failed_build_shows_its_log(project: Project) -> None:
    project.write("site/Dockerfile", "FROM busybox:latest\nRUN echo preparing && no-such-program\n")
    project.write("image.toml", '[image.site]\nbuild = "./site"\n')
    with terminal(project, "apply", "--yes", columns=120) as shown:
        assert shown.finish() == 1
        for line in ("preparing", "/bin/sh: no-such-program: not found"):
            assert f"        | {line}\n" in shown.text
