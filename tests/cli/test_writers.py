"""Two of us at once, and a run that is killed, on a real engine."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import docker
import pytest

from tests.cli.test_interrupts import is_stopping, level, names, replacing, spec, wait
from tests.support.engine import Project, leases_of

__all__ = ["replacing"]


def start(project: Project, directory: Path | None = None) -> subprocess.Popen[str]:
    """An apply; with `directory`, one that knows nothing of the locks of this machine."""
    environment = {**os.environ, **({"RUNTIME_DIRECTORY": str(directory)} if directory else {})}
    command = project.command("apply", "--yes")
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("one_machine", [True, False])
def test_the_second_waits_and_finds_nothing_to_do(
    one_machine: bool, replacing: Project, docker_api: docker.APIClient, tmp_path: Path
) -> None:
    directories = [tmp_path / "a", tmp_path / ("a" if one_machine else "b")]
    with start(replacing, directories[0]) as first:
        wait(is_stopping(docker_api, replacing))
        assert len(leases_of(docker_api, replacing.name)) == 1
        status = replacing.run("status", check=False)
        assert f"(process {first.pid})" in status.stdout
        assert "Being changed by " in status.stdout
        writer = replacing.run("status", "--json", check=False).json()["writer"]
        assert writer["pid"] == first.pid
        with start(replacing, directories[1]) as second:
            out, err = second.communicate(timeout=60)
        first_out, first_err = first.communicate(timeout=60)
    assert first.returncode == 0, first_out + first_err
    assert second.returncode == 0, out + err
    assert f"waiting for {writer['user']}@{writer['host']} (process {first.pid})" in err
    assert names(docker_api, replacing) == ["after-1", "web-1"]
    assert level(docker_api, replacing, "after") == "debug"
    assert leases_of(docker_api, replacing.name) == []
    assert replacing.run("status", "--json", check=False).json()["writer"] is None
    assert replacing.run("plan", "--detailed-exitcode").code == 0


def test_a_killed_run_is_in_nobodys_way(replacing: Project, docker_api: docker.APIClient, tmp_path: Path) -> None:
    with start(replacing) as first:
        wait(is_stopping(docker_api, replacing))
        first.send_signal(signal.SIGKILL)
    assert len(leases_of(docker_api, replacing.name)) == 1
    assert "Being changed by" not in replacing.run("status", check=False).stdout, "nobody is there any more"
    plan = replacing.run("plan", "--json").json()
    assert not [change for change in plan["changes"] if "lock" in change["address"]]
    began = time.monotonic()
    done = replacing.run("apply", "--yes", env={"RUNTIME_DIRECTORY": str(tmp_path)})
    assert "waiting for" not in done.stderr
    assert time.monotonic() - began < 50
    assert leases_of(docker_api, replacing.name) == []
    assert level(docker_api, replacing, "web") == "debug"


def test_another_machine_is_named(project: Project, docker_api: docker.APIClient) -> None:
    spec(project, "info")
    holder = {"host": "far-away", "user": "alice", "pid": 17}
    said = json.dumps({"project": project.name, "token": "t", "seconds": 60, **holder})
    name = f"reconciler.lock.{project.name}.t"
    docker_api.create_volume(name, labels={"reconciler.lock": said})
    for command in ("plan", "drift"):
        shown = project.run(command, check=False)
        assert "note: being changed by alice@far-away (process 17)" in shown.stderr
    failed = project.run("apply", check=False)
    assert failed.code == 1
    assert "waiting for alice@far-away (process 17)" in failed.stderr
    assert (
        f"error: project {project.name} is being changed by alice@far-away (process 17); nothing was changed"
        in failed.stderr
    )
    assert names(docker_api, project) == []
    assert leases_of(docker_api, project.name) == [name]
    docker_api.remove_volume(name)
    project.run("apply")
    assert leases_of(docker_api, project.name) == []
    assert project.run("plan").stderr == ""


def test_what_changes_nothing_takes_no_lease(project: Project, docker_api: docker.APIClient) -> None:
    spec(project, "info")
    assert project.run("apply", "-v").stderr.count('"call": "create_volume"') == 1
    for command in ("apply", "plan", "drift", "status"):
        assert "create_volume" not in project.run(command, "-v").stderr, command


def test_most_of_a_project_is_removed_only_when_that_is_said(
    project: Project, docker_api: docker.APIClient, tmp_path: Path
) -> None:
    for name in ("a", "b", "c", "d"):
        project.write(f"{name}.toml", f'[container.{name}]\nimage = "busybox:latest"\nnetwork_mode = "none"\n')
    project.run("apply", check=False)
    for name in ("b", "c", "d"):
        project.directory.joinpath(f"{name}.toml").unlink()
    refused = project.run("apply", "--yes", check=False)
    assert refused.code == 1
    assert "3 of 4 containers have left the spec at once" in refused.stdout
    assert "`apply --allow-removals`" in refused.stdout
    assert len(names(docker_api, project)) == 4
    file = tmp_path / "plan.json"
    project.run("plan", "--allow-removals", "--out", str(file))
    project.run("apply", check=False, path=str(file))
    assert names(docker_api, project) == ["a-1"]
