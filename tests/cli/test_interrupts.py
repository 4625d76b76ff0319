"""Signals in the middle of an apply: what is begun is finished, nothing is left half done for good."""

import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import docker
import pytest
from docker.errors import NotFound

from tests.cli.terminal import Terminal
from tests.support.engine import Project

#: ends only when killed, so that a stop takes as long as its grace period
STUBBORN = 'command = ["sh", "-c", "trap : TERM; while :; do sleep 0.1; done"]\nstop_grace_period = "3s"'


def spec(project: Project, level: str, *, ready_after: str = "0s") -> None:
    """`web` is slow to replace, and `after` waits for it."""
    rollout = f'{{ order = "stop-first", ready_after = "{ready_after}" }}'
    project.write("project.toml", f'[project]\nname = "{project.name}"\nrollout = {rollout}\n')
    environment = f'environment = {{ LEVEL = "{level}" }}'
    project.write(
        "web.toml",
        f'[container.web]\nimage = "busybox:latest"\n{STUBBORN}\n{environment}\n'
        f'[container.after]\nimage = "busybox:latest"\n{STUBBORN}\n{environment}\ndepends_on = ["web"]\n',
    )


@pytest.fixture
def replacing(project: Project) -> Project:
    """A project whose next apply takes some seconds."""
    spec(project, "info")
    project.run("apply")
    spec(project, "debug")
    return project


def start(project: Project, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        project.command("apply", "--yes", *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_stopping(api: docker.APIClient, project: Project) -> Callable[[], bool]:
    """Whether the candidate is made, and so the current one is being stopped."""
    return lambda: bool(api.containers(all=True, filters={"name": f"{project.name}-web-1.next"}))


def names(api: docker.APIClient, project: Project) -> list[str]:
    found = api.containers(all=True, filters={"label": f"reconciler.project={project.name}"})
    return sorted(item["Names"][0].removeprefix(f"/{project.name}-") for item in found)


def level(api: docker.APIClient, project: Project, name: str) -> str:
    environment = api.inspect_container(f"{project.name}-{name}-1")["Config"]["Env"]
    return next(item.removeprefix("LEVEL=") for item in environment if item.startswith("LEVEL="))


def state(api: docker.APIClient, name: str, level: str) -> str:
    """The state of a container, or of its candidate, that has this level; "" while there is none."""
    details = []
    for item in api.containers(all=True, filters={"name": name}):
        with suppress(NotFound):  # gone meanwhile
            details.append(api.inspect_container(item["Id"]))
    return " ".join(item["State"]["Status"] for item in details if f"LEVEL={level}" in item["Config"]["Env"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_finishes_what_is_under_way(
    number: signal.Signals, replacing: Project, docker_api: docker.APIClient
) -> None:
    with start(replacing) as running:
        wait(is_stopping(docker_api, replacing))
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 1, err
    assert f"{number.name}: finishing or undoing what is under way; once more to stop at once" in err
    assert "error: stopped before everything was done; `reconciler apply` goes on from here" in err
    assert "the run was stopped before it was begun" in err
    assert "1 done, 1 blocked." in out
    assert "Settled" not in out
    assert names(docker_api, replacing) == ["after-1", "web-1"]
    assert (level(docker_api, replacing, "web"), level(docker_api, replacing, "after")) == ("debug", "info")
    replacing.run("apply")
    assert level(docker_api, replacing, "after") == "debug"


def test_what_waits_for_a_proof_is_undone(replacing: Project, docker_api: docker.APIClient) -> None:
    spec(replacing, "debug", ready_after="30s")
    with start(replacing) as running:
        wait(lambda: "running" in state(docker_api, f"{replacing.name}-web-1", "debug") or running.poll() is not None)
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 1, err
    assert "stopped while waiting for" in err
    assert "1 failed, restored, 1 blocked." in out
    assert names(docker_api, replacing) == ["after-1", "web-1"]
    assert "running" in state(docker_api, f"{replacing.name}-web-1", "info")


def test_json_too(replacing: Project, docker_api: docker.APIClient) -> None:
    import json

    with start(replacing, "--json") as running:
        wait(is_stopping(docker_api, replacing))
        running.send_signal(signal.SIGTERM)
        out, _ = running.communicate(timeout=60)
    document = json.loads(out)
    assert (running.returncode, document["settled"]) == (1, False)
    assert [outcome["status"] for outcome in document["outcomes"]] == ["done", "blocked"]
    assert "stopped before everything was done" in document["error"]


def test_the_second_signal_stops_at_once(replacing: Project, docker_api: docker.APIClient) -> None:
    with start(replacing) as running:
        wait(is_stopping(docker_api, replacing))
        running.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert time.monotonic() - began < 2
    assert "stopped in the middle; the next `reconciler apply` finishes or undoes what was begun" in err
    replacing.run("apply")
    assert names(docker_api, replacing) == ["after-1", "web-1"]
    assert level(docker_api, replacing, "web") == "debug"


def test_the_second_signal_leaves_the_cursor(replacing: Project, docker_api: docker.APIClient) -> None:
    with Terminal(replacing.command("apply", "--yes"), str(replacing.root)) as shown:
        shown.wait_for("container.web  ")
        wait(is_stopping(docker_api, replacing))
        shown.process.send_signal(signal.SIGINT)
        shown.wait_for("once more to stop at once")
        shown.process.send_signal(signal.SIGINT)
        assert shown.finish() == 130
        assert shown.screen.rfind("\x1b[?25h") > shown.screen.rfind("\x1b[?25l")
    replacing.run("apply")


@pytest.mark.parametrize("delay", [0.0, 1.0, 3.2])
def test_killed(delay: float, replacing: Project, docker_api: docker.APIClient) -> None:
    """kill -9 anywhere: the next apply settles, and nothing is left over."""
    with start(replacing) as running:
        wait(is_stopping(docker_api, replacing))
        time.sleep(delay)
        running.kill()
        running.communicate(timeout=60)
    replacing.run("apply")
    assert names(docker_api, replacing) == ["after-1", "web-1"]
    assert level(docker_api, replacing, "web") == "debug"
    assert replacing.run("plan", "--detailed-exitcode").code == 0


def test_killed_while_building(project: Project) -> None:
    project.write("site/Dockerfile", f"FROM busybox:latest\nRUN echo {secrets.token_hex(8)}; sleep 2\n")
    project.write("image.toml", '[image.site]\nbuild = "./site"\n')
    with start(project) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "Step 2/" in line:
                break
        running.kill()
        running.communicate(timeout=60)
    project.run("apply")
    assert project.run("plan", "--detailed-exitcode").code == 0
