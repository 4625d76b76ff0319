"""What is asked for besides settling: targets, replacements, no builds, waiting, volumes; and logs, restart."""

import signal
import subprocess
import time

import docker

from tests.cli.conftest import LOOP
from tests.support.engine import Project


def container(project: Project, name: str, more: str = "", image: str = "busybox:latest") -> None:
    project.write(f"{name}.toml", f'[container.{name}]\nimage = "{image}"\n{LOOP}\n{more}\n')


def ids(api: docker.APIClient, project: Project) -> dict[str, str]:
    found = api.containers(all=True, filters={"label": f"reconciler.project={project.name}"})
    return {item["Names"][0].removeprefix(f"/{project.name}-"): item["Id"] for item in found}


def test_target_takes_what_it_needs(project: Project, docker_api: docker.APIClient) -> None:
    container(project, "db")
    container(project, "web", 'depends_on = ["db"]')
    container(project, "other")
    planned = project.run("plan", "--json", "--target", "container.web").json()
    assert [change["address"] for change in planned["changes"]] == ["network.default", "container.db", "container.web"]
    project.run("apply", "--target", "container.web")
    assert sorted(ids(docker_api, project)) == ["db-1", "web-1"]


def test_target_of_instances_and_of_what_has_left(project: Project, docker_api: docker.APIClient) -> None:
    container(project, "web", "scale = 2")
    container(project, "db")
    project.run("apply")
    before = ids(docker_api, project)
    container(project, "web", 'scale = 2\nlabels = ["a=b"]')
    project.run("apply", "--target", "container.web[2]")
    after = ids(docker_api, project)
    assert [name for name in before if before[name] != after[name]] == ["web-2"]
    project.run("apply", "--target", "container.web")
    project.directory.joinpath("db.toml").unlink()
    container(project, "web", "scale = 1")
    project.run("apply", "--target", "container.db")
    assert sorted(ids(docker_api, project)) == ["web-1", "web-2"]
    project.run("apply")
    assert sorted(ids(docker_api, project)) == ["web-1"]


def test_replace(project: Project, docker_api: docker.APIClient) -> None:
    container(project, "web", "scale = 2")
    container(project, "db")
    project.run("apply")
    before = ids(docker_api, project)
    applied = project.run("apply", "--replace", "container.web[1]")
    assert "-/+ container.web[1]  (replace: it was asked for)" in applied.stdout
    after = ids(docker_api, project)
    assert [name for name in before if before[name] != after[name]] == ["web-1"]
    assert project.run("plan", "--detailed-exitcode").code == 0
    assert project.run("plan", "--replace", "container.db[1]").code == 0
    for absent in ("container.web[3]", "container.db[2]"):
        refused = project.run("plan", "--replace", absent, check=False)
        assert (refused.code, f"{absent} is not in the spec" in refused.stderr) == (1, True)


def test_no_build(project: Project, docker_api: docker.APIClient) -> None:
    project.write("site/Dockerfile", "FROM busybox:latest\nCOPY page /page\n")
    project.write("site/page", "one")
    project.write("image.toml", '[image.site]\nbuild = "./site"\n')
    container(project, "web", image="site")
    blocked = project.run("apply", "--no-build", check=False)
    assert blocked.code == 1
    assert "--no-build forbids building it" in blocked.stdout
    project.run("apply")
    before = ids(docker_api, project)
    project.write("site/page", "two")
    assert project.run("plan", "--no-build", "--detailed-exitcode").code == 0
    assert project.run("plan", "--detailed-exitcode", check=False).code == 2
    project.run("apply", "--no-build")
    assert ids(docker_api, project) == before


def check(test: str, more: str = "") -> str:
    return f'healthcheck = {{ test = "{test}", interval = "200ms", timeout = "2s", retries = 2{more} }}'


def test_wait_until_healthy(project: Project) -> None:
    script = "sleep 1; touch /ready; trap exit TERM; while :; do sleep 0.1; done"
    health = check("test -f /ready", ', start_period = "20s"')
    project.write(
        "web.toml", f'[container.web]\nimage = "busybox:latest"\ncommand = ["sh", "-c", "{script}"]\n{health}\n'
    )
    project.run("apply", "--wait")
    assert project.run("status").code == 0


def test_wait_for_what_never_is(project: Project) -> None:
    container(project, "web", check("echo no luck; exit 1"))
    result = project.run("apply", "--wait", check=False)
    assert result.code == 1
    assert "unhealthy" in result.stderr
    document = project.run("apply", "--wait", "--json", check=False)
    assert document.code == 1
    assert (document.json()["settled"], "unhealthy" in document.json()["error"]) == (False, True)


def test_volumes_go_only_when_asked(project: Project, docker_api: docker.APIClient) -> None:
    container(project, "web", 'volumes = ["pages:/p"]\n[volume.pages]')
    project.run("apply")
    project.run("destroy", "--yes")
    assert ids(docker_api, project) == {}
    volume = f"{project.name}_pages"
    assert docker_api.inspect_volume(volume)
    refused = project.run("destroy", "--volumes", check=False)
    assert refused.code == 1
    assert docker_api.inspect_volume(volume)
    project.run("destroy", "--volumes", "--yes")
    assert not docker_api.volumes(filters={"name": volume})["Volumes"]


def test_a_pruned_volume_needs_yes(project: Project, docker_api: docker.APIClient) -> None:
    container(project, "web", 'volumes = ["pages:/p"]\n[volume.pages]')
    project.run("apply")
    project.write("project.toml", f'[project]\nname = "{project.name}"\nprune = true\n')
    container(project, "web")
    refused = project.run("apply", check=False)
    assert refused.code == 1
    assert f"would remove volumes with what is in them: {project.name}_pages" in refused.stderr
    project.run("apply", "--yes")
    assert not docker_api.volumes(filters={"name": f"{project.name}_pages"})["Volumes"]


# --- logs, restart -------------------------------------------------------------------------------------------------


def speaker(project: Project, more: str = "") -> None:
    script = "echo one; echo wrong >&2; sleep 1.2; echo two; trap exit TERM; while :; do sleep 0.1; done"
    project.write(
        "web.toml", f'[container.web]\nimage = "busybox:latest"\ncommand = ["sh", "-c", "{script}"]\n{more}\n'
    )
    project.run("apply")


def logs(project: Project, *options: str) -> tuple[str, str]:
    result = project.run("logs", str(project.directory), *options, path="container.web")
    return result.stdout, result.stderr


def test_logs(project: Project) -> None:
    speaker(project)
    deadline = time.monotonic() + 20
    while "two" not in logs(project)[0] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert logs(project) == ("one\ntwo\n", "wrong\n")
    assert logs(project, "--tail", "1") == ("two\n", "")
    assert logs(project, "--tail", "0") == ("", "")
    out, err = logs(project, "-t")
    first, second = (line.split(" ") for line in out.splitlines())
    assert (first[1], second[1], err.split(" ")[1]) == ("one", "two", "wrong\n")
    assert logs(project, "--since", second[0])[0].endswith("two\n")
    assert logs(project, "--since", "1h") == ("one\ntwo\n", "wrong\n")
    assert logs(project, "--since", "2100-01-01") == ("", "")


def test_logs_of_a_terminal_and_of_several(project: Project) -> None:
    speaker(project, "tty = true\nscale = 2")
    out, err = logs(project)
    assert out.count("one\n") == 2
    assert err == "==> container.web[1] <==\n==> container.web[2] <==\n"


def test_follow_ends_with_the_signal(project: Project) -> None:
    speaker(project)
    command = project.command("logs", str(project.directory), "-f", path="container.web")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as followed:
        assert followed.stdout is not None
        assert [followed.stdout.readline(), followed.stdout.readline()] == ["one\n", "two\n"]
        assert followed.poll() is None
        followed.send_signal(signal.SIGINT)
        out, err = followed.communicate(timeout=20)
        assert (followed.returncode, out, err) == (0, "", "wrong\n")


def test_follow_ends_with_the_container(project: Project, docker_api: docker.APIClient) -> None:
    speaker(project)
    command = project.command("logs", str(project.directory), "-f", path="container.web")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as followed:
        assert followed.stdout is not None
        followed.stdout.readline()
        docker_api.kill(f"{project.name}-web-1")
        followed.communicate(timeout=20)
        assert followed.returncode == 0


def test_restart(project: Project, docker_api: docker.APIClient) -> None:
    container(project, "web", "scale = 2")
    project.run("apply")

    def started() -> list[str]:
        return [docker_api.inspect_container(f"{project.name}-web-{n}")["State"]["StartedAt"] for n in (1, 2)]

    before = started()
    result = project.run("restart", str(project.directory), path="container.web[2]")
    assert result.stdout == "container.web[2]: restarted\n"
    after = started()
    assert (after[0] == before[0], after[1] > before[1]) == (True, True)
    assert project.run("restart", str(project.directory), path="container.web").stdout.count("restarted") == 2
    assert project.run("plan", "--detailed-exitcode").code == 0
