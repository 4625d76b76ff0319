"""A disk that is full, an engine that dies: what serves goes on serving, and the next apply settles."""

import subprocess
import time

import docker

from tests.service.test_run import running
from tests.support.engine import Project
from tests.support.victim import Victim

LOOP = 'command = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]'
STUBBORN = 'command = ["sh", "-c", "trap : TERM; while :; do sleep 0.1; done"]\nstop_grace_period = "3s"'


def web(project: Project, level: str, command: str = LOOP) -> None:
    project.write(
        "web.toml", f'[container.web]\nimage = "busybox:latest"\n{command}\nenvironment = {{ LEVEL = "{level}" }}\n'
    )


def test_a_build_fills_the_disk(shop: Project, victim: Victim) -> None:
    web(shop, "info")
    shop.run("apply")
    shop.write("site/Dockerfile", "FROM busybox:latest\nRUN dd if=/dev/zero of=/big bs=1M count=200\n")
    shop.write("image.toml", '[image.site]\nbuild = "./site"\n')
    failed = shop.run("apply", check=False)
    assert failed.code == 1
    assert "cannot build image" in failed.stderr
    assert "No space left on device" in failed.stderr
    assert "hint: the disk of the engine is full; `docker system df` shows by what" in failed.stderr
    shop.directory.joinpath("image.toml").unlink()
    assert shop.run("plan", "--detailed-exitcode").code == 0, "nothing else was touched"


def test_no_room_for_a_replacement(shop: Project, victim: Victim) -> None:
    web(shop, "info")
    shop.run("apply")
    with docker.APIClient(victim.host, version="auto") as api:
        before = api.inspect_container(f"{shop.name}-web-1")
        web(shop, "debug")
        filler = victim.fill()
        failed = shop.run("apply", check=False)
        assert failed.code == 1
        assert "no space left on device" in failed.stderr.lower()
        assert "the disk of the engine is full" in failed.stderr
        after = api.inspect_container(f"{shop.name}-web-1")
        assert (after["Id"], after["State"]["Running"]) == (before["Id"], True), "it serves as before"
        filler.unlink()
        shop.run("apply")
        assert "LEVEL=debug" in api.inspect_container(f"{shop.name}-web-1")["Config"]["Env"]
    assert shop.run("plan", "--detailed-exitcode").code == 0


def test_the_engine_dies_in_the_middle(shop: Project, victim: Victim) -> None:
    web(shop, "info", STUBBORN)
    shop.run("apply")
    web(shop, "debug", STUBBORN)
    with docker.APIClient(victim.host, version="auto") as api:
        running = subprocess.Popen(
            shop.command("apply", "--yes"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 30
        while not api.containers(all=True, filters={"name": f"{shop.name}-web-1.next"}):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    victim.engine("kill")
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "container.web: failed" in err, "what became of the changes is told all the same"
    assert "error: what the engine holds now is not known: no engine at" in err
    assert "Settled" not in out
    victim.engine("up")
    shop.run("apply")
    assert shop.run("plan", "--detailed-exitcode").code == 0
    with docker.APIClient(victim.host, version="auto") as api:
        found = api.containers(all=True, filters={"label": f"reconciler.project={shop.name}"})
        assert [item["Names"][0] for item in found] == [f"/{shop.name}-web-1"]
        assert "LEVEL=debug" in api.inspect_container(found[0]["Id"])["Config"]["Env"]


def test_the_engine_dies_under_run(shop: Project, victim: Victim) -> None:
    """In the middle of a roll-out: the service waits, says so once, and finishes what was begun when the engine is back."""
    web(shop, "info", STUBBORN)
    with running(shop, "specs") as service:
        service.until_ready()
        web(shop, "debug", STUBBORN)
        service.until(lambda: any("stop container" in line.get("text", "") for line in service.lines()))
        victim.engine("kill")
        service.until(lambda: "engine away" in service.events())
        victim.engine("up")
        # Where it finds the engine again in the same pass, that pass finishes, and the project was settled all along.
        service.until(lambda: shop.run("plan", "--detailed-exitcode", check=False).code == 0, 60)
        told = [line for line in service.lines() if line["event"] == "engine away"]
        assert [line.get("project", "") for line in told].count("") == 1, "once, however often it was tried"
        assert "a bug in reconciler" not in service.log.read_text()
        with docker.APIClient(victim.host, version="auto") as api:
            found = api.containers(all=True, filters={"label": f"reconciler.project={shop.name}"})
            assert [item["Names"][0] for item in found] == [f"/{shop.name}-web-1"]
            assert "LEVEL=debug" in api.inspect_container(found[0]["Id"])["Config"]["Env"]
        assert service.end() == 0
