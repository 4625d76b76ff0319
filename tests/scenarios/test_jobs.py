"""Jobs and cascades on the real engine: migrate then serve, fail then fix, killed in the middle."""

import json
import signal
import subprocess
import time

import docker
import pytest

from reconciler.model.plan import Verb
from reconciler.model.report import Status
from tests.scenarios.conftest import LOOP
from tests.scenarios.test_replacement import cut_off
from tests.support.engine import Project
from tests.support.inprocess import Workbench, explain


def spec(command: str, schema: int = 1, level: str = "info") -> str:
    return f"""
[container.migrate]
image = "busybox:latest"
kind = "job"
command = ["sh", "-c", {json.dumps(command)}]
environment = {{ SCHEMA = "{schema}" }}
volumes = ["data:/data"]

[container.web]
image = "busybox:latest"
{LOOP}
environment = {{ LEVEL = "{level}" }}
volumes = ["data:/data:ro"]
depends_on = ["migrate"]

[volume.data]
"""


WORKS = "sleep 1; echo $$SCHEMA | tee -a /data/schema"
FAILS = "echo 1; echo 'no such table: users' >&2; exit 3"


def state(api: docker.APIClient, bench: Workbench, name: str = "migrate") -> dict[str, object]:
    answer: dict[str, object] = api.inspect_container(f"{bench.name}-{name}-1")
    return answer


def log(api: docker.APIClient, bench: Workbench) -> str:
    text: bytes = api.logs(f"{bench.name}-migrate-1")
    return text.decode()


def names(api: docker.APIClient, bench: Workbench) -> list[str]:
    found = api.containers(all=True, filters={"label": f"reconciler.project={bench.name}"})
    return sorted(item["Names"][0].lstrip("/").removeprefix(f"{bench.name}-") for item in found)


def test_it_runs_before_who_needs_it_and_once(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec(WORKS))
    job, web = state(docker_api, bench), state(docker_api, bench, "web")
    assert job["State"]["FinishedAt"] < web["State"]["StartedAt"]  # type: ignore[index]
    assert log(docker_api, bench) == "1\n", "it is kept with its log"
    assert bench.plan().is_settled
    bench.settle(spec(WORKS, schema=2))
    assert log(docker_api, bench) == "2\n"
    assert state(docker_api, bench, "web")["State"] == web["State"], "who runs and has not changed is left alone"
    assert names(docker_api, bench) == ["migrate-1", "web-1"]


def test_it_fails_and_is_then_fixed(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec(WORKS))
    web = state(docker_api, bench, "web")
    bench.write(spec(FAILS, 2, "debug"))
    report = bench.apply()
    outcomes = {str(outcome.address): outcome for outcome in report.outcomes}
    assert outcomes["container.migrate"].status is Status.FAILED, explain(report)
    assert "exit code 3; it wrote at last:" in outcomes["container.migrate"].message
    assert "no such table: users" in outcomes["container.migrate"].message
    assert outcomes["container.web"].status is Status.BLOCKED
    assert state(docker_api, bench, "web")["State"] == web["State"], "what served goes on"
    assert names(docker_api, bench) == ["migrate-1", "migrate-1.prev", "web-1"]
    assert "no such table" in log(docker_api, bench), "the failed one is kept for its log"
    time.sleep(2)
    again = bench.apply()
    assert not again.is_settled, "tried again by hand, and failed again"
    message = next(o.message for o in again.outcomes if o.status is Status.FAILED)
    assert message.count("no such table") == 1, "the last lines are those of the last run"
    bench.settle(spec(WORKS, 2, "debug"))
    assert names(docker_api, bench) == ["migrate-1", "web-1"]


def test_what_ended_well_is_not_run_again_with_its_network(bench: Workbench, docker_api: docker.APIClient) -> None:
    """A network made anew, a restart of everything else by hand: its key is the same."""
    text = spec(WORKS).replace('kind = "job"', 'kind = "job"\nnetworks = ["back"]')
    bench.settle(text + "[network.back]\n")
    began = state(docker_api, bench)["State"]
    bench.settle(text + "[network.back]\ninternal = true\n")
    assert state(docker_api, bench)["State"] == began


def test_removed_by_hand_it_runs_again(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec(WORKS))
    docker_api.remove_container(f"{bench.name}-migrate-1")
    assert bench.change("container.migrate").verb is Verb.CREATE
    bench.settle()


def test_killed_on_the_host_it_runs_again(bench: Workbench, docker_api: docker.APIClient) -> None:
    """Its exit code says that it did not end by itself."""
    bench.settle(spec(WORKS))
    bench.write(spec("test -e /data/again && exit 0; touch /data/again; exec sleep 600"))
    api = docker_api
    change = next(c for c in bench.plan().changes if str(c.address) == "container.migrate")
    cut_off(bench, change, 4)
    api.kill(f"{bench.name}-migrate-1", "SIGKILL")
    change = next(c for c in bench.plan().changes if str(c.address) == "container.migrate")
    assert change.fields[0].shown == ("exited (137)", "done")
    bench.settle()
    assert names(api, bench) == ["migrate-1", "web-1"]


def test_the_client_is_killed_in_the_middle(project: Project, docker_api: docker.APIClient) -> None:
    """kill -9 while the job runs: it goes on in the engine, and the next apply waits for it and runs nothing twice."""
    project.write("spec.toml", spec("touch /data/begun; sleep 4; echo ran >> /data/runs; cat /data/runs"))
    running = subprocess.Popen(
        project.command("apply", "--yes"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    job = f"{project.name}-migrate-1"
    deadline = time.monotonic() + 30
    while not docker_api.containers(filters={"name": job, "status": "running"}):
        assert time.monotonic() < deadline, running.poll()
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=10)
    assert not docker_api.containers(all=True, filters={"name": f"{project.name}-web-1"})
    project.run("apply", "--yes")
    assert docker_api.logs(job) == b"ran\n"
    assert project.run("plan", "--detailed-exitcode").code == 0
    status = json.loads(project.run("status", "--json").stdout)
    line = next(item for item in status["resources"] if item["address"] == "container.migrate")
    assert (line["health"], line["job"], bool(line["since"])) == ("done", True, True)
    assert "ran" in project.run("logs", str(project.directory), path="container.migrate").stdout


def test_ctrl_c_ends_the_waiting_and_not_the_job(project: Project, docker_api: docker.APIClient) -> None:
    project.write("spec.toml", spec("sleep 3; echo ran"))
    running = subprocess.Popen(
        project.command("apply", "--yes"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    job = f"{project.name}-migrate-1"
    deadline = time.monotonic() + 30
    while not docker_api.containers(filters={"name": job, "status": "running"}):
        assert time.monotonic() < deadline, running.poll()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert running.returncode == 1
    assert f"stopped while waiting for {job}" in err
    assert docker_api.inspect_container(job)["State"]["Running"], "it is not ours to stop"
    project.run("apply", "--yes")
    assert docker_api.logs(job) == b"ran\n"


# --- cascades ------------------------------------------------------------------------------------------------------

SERVER = 'command = ["sh", "-c", "mkdir -p /www; echo up > /www/index.html; exec httpd -f -p 80 -h /www"]\ninit = true'
PAIR = f"""
[container.web]
image = "busybox:latest"
{SERVER}
environment = {{ LEVEL = "info" }}
[container.side]
image = "busybox:latest"
{LOOP}
network_mode = "service:web"
"""


def fetch(docker_api: docker.APIClient, bench: Workbench, url: str, seconds: float = 5) -> str:
    """What the sidecar gets over the network that it shares, within the time that a server needs to begin."""
    deadline = time.monotonic() + seconds
    while True:
        made = docker_api.exec_create(f"{bench.name}-side-1", ["timeout", "3", "wget", "-qO-", url])["Id"]
        text: bytes = docker_api.exec_start(made)
        if (text and docker_api.exec_inspect(made)["ExitCode"] == 0) or time.monotonic() > deadline:
            return text.decode()
        time.sleep(0.1)


def test_the_network_works_after_its_donor_was_restarted(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(PAIR)
    assert fetch(docker_api, bench, "http://127.0.0.1/") == "up\n"
    docker_api.restart(f"{bench.name}-web-1", timeout=1)
    assert not fetch(docker_api, bench, "http://127.0.0.1/", 1).startswith("up"), (
        "it is cut off: that is the engine's way"
    )
    change = bench.change("container.side")
    assert (change.verb, change.reason, change.fields[0].forces) == (Verb.UPDATE, "dependency", "restart")
    bench.settle()
    assert fetch(docker_api, bench, "http://127.0.0.1/") == "up\n"


@pytest.mark.parametrize("how", ["replaced", "removed", "stopped"])
def test_the_network_works_after_its_donor_was(how: str, bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(PAIR)
    if how == "removed":
        docker_api.remove_container(f"{bench.name}-web-1", force=True)
    elif how == "stopped":
        docker_api.stop(f"{bench.name}-web-1", timeout=1)
    bench.settle(PAIR.replace("info", "debug") if how == "replaced" else PAIR)
    assert fetch(docker_api, bench, "http://127.0.0.1/") == "up\n"
    assert fetch(docker_api, bench, "http://web/") == "up\n", "names are found as well"


def test_a_dependent_is_restarted_when_asked(bench: Workbench, docker_api: docker.APIClient) -> None:
    def text(level: str) -> str:
        db = f'[container.db]\nimage = "busybox:latest"\n{LOOP}\nenvironment = {{ LEVEL = "{level}" }}\n'
        web = f'[container.web]\nimage = "busybox:latest"\n{LOOP}\n'
        return (
            db
            + web
            + "depends_on = { db = { restart = true } }\n"
            + web.replace("web", "calm")
            + 'depends_on = ["db"]\n'
        )

    bench.settle(text("info"))
    before = {name: state(docker_api, bench, name) for name in ("web", "calm")}
    bench.settle(text("debug"))
    web, calm = state(docker_api, bench, "web"), state(docker_api, bench, "calm")
    assert web["Id"] == before["web"]["Id"]
    assert web["State"] != before["web"]["State"]
    assert calm["State"] == before["calm"]["State"]
