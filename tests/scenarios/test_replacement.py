"""Replacing: what is made before what, what a failure leaves, and what a cut-off run leaves."""

import socket
from pathlib import Path

import docker
import pytest

from reconciler.model.describe import describe
from reconciler.model.plan import Change, Verb
from reconciler.model.report import Status
from tests.scenarios.conftest import LOOP
from tests.support.engine import inside
from tests.support.inprocess import Workbench, explain


def spec(level: str = "info", extra: str = "") -> str:
    return f'[container.web]\nimage = "busybox:latest"\n{LOOP}\nenvironment = {{ LEVEL = "{level}" }}\nrestart = "unless-stopped"\n{extra}\n'


def names(api: docker.APIClient, bench: Workbench) -> list[str]:
    found = api.containers(all=True, filters={"label": f"reconciler.project={bench.name}"})
    return sorted(item["Names"][0].lstrip("/") for item in found)


def test_the_new_one_is_made_before_the_old_one_is_stopped(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec())
    bench.write(spec("debug"))
    web = f"{bench.name}-web-1"
    change = bench.change("container.web")
    assert change.verb is Verb.REPLACE
    assert [describe(step.action) for step in change.steps] == [
        f"create container {web}.next from busybox:latest",
        f"update container {web}: restart",
        f"stop container {web} (up to 10 s)",
        f"rename container {web} to {web}.prev",
        f"rename container {web}.next to {web}",
        f"start container {web}",
        f"wait until {web} is ready",
        f"remove container {web}.prev",
    ]
    bench.settle()
    assert names(docker_api, bench) == [web]


def test_what_the_engine_refuses_stops_nothing(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec())
    before = docker_api.inspect_container(f"{bench.name}-web-1")
    bench.write(spec("debug", 'cap_add = ["NO_SUCH_THING"]'))
    report = bench.apply()
    assert [outcome.status for outcome in report.outcomes] == [Status.FAILED]
    after = docker_api.inspect_container(f"{bench.name}-web-1")
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert names(docker_api, bench) == [f"{bench.name}-web-1"]


@pytest.mark.parametrize("broken", ['command = ["/no/such/program"]', "port"])
def test_a_candidate_that_cannot_start_brings_the_old_one_back(
    broken: str, bench: Workbench, docker_api: docker.APIClient, port: int
) -> None:
    bench.settle(spec())
    before = docker_api.inspect_container(f"{bench.name}-web-1")
    with socket.socket() as busy:
        if broken == "port":
            busy.bind(("127.0.0.1", port))
            busy.listen()
            bench.write(spec("debug", f'ports = ["127.0.0.1:{port}:80"]'))
        else:
            bench.write(spec("debug").replace(LOOP, broken))
        report = bench.apply()
    assert [outcome.status for outcome in report.outcomes] == [Status.RESTORED], explain(report)
    after = docker_api.inspect_container(f"{bench.name}-web-1")
    assert after["Id"] == before["Id"]
    assert after["State"]["Running"]
    assert after["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert names(docker_api, bench) == [f"{bench.name}-web-1"]


def cut_off(bench: Workbench, change: Change, done: int) -> None:
    """Carry out only the first steps of a change, as a run that is killed does."""
    from threading import Event

    from reconciler.apply.actions import Performer
    from reconciler.model.plan import RenameContainer

    performer = Performer(bench.engine, lambda address, line: None, Event())
    for step in change.steps[:done]:
        performer.perform(str(change.address), step.action)
        if isinstance(step.action, RenameContainer):
            performer.alias(step.action.name, step.action.container)


@pytest.mark.parametrize("meanwhile", ["same", "reverted", "edited"])
@pytest.mark.parametrize("done", range(1, 7))
def test_a_replacement_cut_off_anywhere_is_finished(
    done: int, meanwhile: str, bench: Workbench, docker_api: docker.APIClient
) -> None:
    """Killed after any step, the next run settles: one container, its name, its restart policy, running."""
    bench.settle(spec())
    bench.write(spec("debug"))
    cut_off(bench, bench.change("container.web"), done)
    level = {"same": "debug", "reverted": "info", "edited": "trace"}[meanwhile]
    bench.settle(spec(level))
    assert names(docker_api, bench) == [f"{bench.name}-web-1"]
    found = docker_api.inspect_container(f"{bench.name}-web-1")
    assert f"LEVEL={level}" in found["Config"]["Env"]
    assert found["State"]["Running"]
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_a_create_cut_off_is_started(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.write(spec())
    change = next(change for change in bench.plan().changes if str(change.address) == "container.web")
    bench.engine.create_network(
        {
            "Name": f"{bench.name}_default",
            "Labels": {"reconciler.project": bench.name, "reconciler.address": "network.default"},
        }
    )
    cut_off(bench, change, 1)
    assert bench.change("container.web").reason == "interrupted"
    bench.settle()


def test_anonymous_volumes_are_carried_over(bench: Workbench, docker_api: docker.APIClient) -> None:
    """What nobody named is data all the same."""
    bench.settle(spec(extra='volumes = ["/data"]'))
    web = f"{bench.name}-web-1"
    inside(docker_api, web, "sh", "-c", "echo kept | tee /data/file")
    bench.settle(spec("debug", 'volumes = ["/data"]'))
    assert inside(docker_api, web, "cat", "/data/file") == "kept\n"


def test_a_network_is_replaced_under_its_members(bench: Workbench, docker_api: docker.APIClient) -> None:
    text = spec(extra='networks = ["front", "back"]') + "[network.back]\n[network.front]\n"
    bench.settle(text)
    started = docker_api.inspect_container(f"{bench.name}-web-1")["State"]["StartedAt"]
    bench.write(text + "internal = true\n")
    changes = bench.plan().changes
    assert [(str(change.address), change.verb) for change in changes] == [("network.front", Verb.REPLACE)]
    bench.settle()
    found = docker_api.inspect_container(f"{bench.name}-web-1")
    assert found["State"]["StartedAt"] == started, "the member was not restarted"
    assert docker_api.inspect_network(f"{bench.name}_front")["Internal"] is True


def test_members_that_are_not_ours_block_a_network(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec(extra='networks = ["front"]') + "[network.front]\n")
    stranger = docker_api.create_container("busybox:latest", ["sleep", "60"], name=f"{bench.name}-stranger")["Id"]
    try:
        docker_api.connect_container_to_network(stranger, f"{bench.name}_front")
        bench.write(spec(extra='networks = ["front"]') + "[network.front]\ninternal = true\n")
        change = bench.change("network.front")
        assert (change.verb, change.reason) == (Verb.BLOCKED, "owned-by-other")
        assert f"{bench.name}-stranger" in change.note
        bench.write('[container.other]\nimage = "busybox:latest"\ncommand = ["true"]\nnetwork_mode = "none"\n')
        blocked = next(change for change in bench.plan().changes if str(change.address) == "network.front")
        assert blocked.verb is Verb.BLOCKED
    finally:
        docker_api.remove_container(stranger, force=True)


def test_who_shares_a_namespace_is_replaced_with_its_donor(bench: Workbench, docker_api: docker.APIClient) -> None:
    sidecar = f'[container.side]\nimage = "busybox:latest"\n{LOOP}\nnetwork_mode = "service:web"\n'
    bench.settle(spec() + sidecar)
    bench.write(spec("debug") + sidecar)
    assert [(str(c.address), c.verb, c.reason) for c in bench.plan().changes] == [
        ("container.web", Verb.REPLACE, "spec-changed"),
        ("container.side", Verb.REPLACE, "dependency"),
    ]
    bench.settle()
    donor = docker_api.inspect_container(f"{bench.name}-web-1")["Id"]
    assert docker_api.inspect_container(f"{bench.name}-side-1")["HostConfig"]["NetworkMode"] == f"container:{donor}"


def test_a_volume_is_never_replaced(bench: Workbench, docker_api: docker.APIClient) -> None:
    text = spec(extra='volumes = ["data:/data"]')
    bench.settle(text + "[volume.data]\n")
    bench.write(text + '[volume.data]\nlabels = ["a=b"]\n')
    change = bench.change("volume.data")
    assert (change.verb, change.reason, change.fields[0].path) == (Verb.BLOCKED, "would-lose-data", "labels.a")
    assert not bench.apply().is_settled
    bench.settle(spec())
    assert docker_api.inspect_volume(f"{bench.name}_data")["Labels"]["reconciler.project"] == bench.name, (
        "it left the spec and stays"
    )
    bench.directory.joinpath("spec.toml").write_text(f'[project]\nname = "{bench.name}"\nprune = true\n{spec()}')
    bench.settle()
    with pytest.raises(docker.errors.NotFound):
        docker_api.inspect_volume(f"{bench.name}_data")


def test_a_dead_dependency_blocks_only_its_dependents(bench: Workbench) -> None:
    bench.write(f"""
[container.db]
image = "busybox:latest"
{LOOP}
healthcheck = {{ test = "false", interval = "200ms", retries = 1 }}
[container.app]
image = "busybox:latest"
{LOOP}
depends_on = {{ db = "healthy" }}
[container.front]
image = "busybox:latest"
{LOOP}
depends_on = ["app"]
[container.other]
image = "busybox:latest"
{LOOP}
""")
    report = bench.apply()
    assert {str(o.address): o.status.value for o in report.outcomes if o.address.kind == "container"} == {
        "container.db": "done",
        "container.app": "failed",
        "container.front": "blocked",
        "container.other": "done",
    }, explain(report)
    messages = {str(o.address): o.message for o in report.outcomes}
    assert "unhealthy" in messages["container.app"]
    assert messages["container.front"] == "it needs container.app, which is failed"


def test_scale(bench: Workbench, docker_api: docker.APIClient, tmp_path: Path) -> None:
    """Up and down touches only what comes or goes."""
    bench.settle(spec())
    first = docker_api.inspect_container(f"{bench.name}-web-1")["Id"]
    bench.write(spec(extra="scale = 3"))
    assert [(str(c.address), c.verb) for c in bench.plan().changes] == [
        ("container.web[2]", Verb.CREATE),
        ("container.web[3]", Verb.CREATE),
    ]
    bench.settle()
    assert len(names(docker_api, bench)) == 3
    bench.write(spec(extra="scale = 2"))
    assert [(str(c.address), c.verb) for c in bench.plan().changes] == [("container.web[3]", Verb.REMOVE)]
    bench.settle()
    bench.settle(spec(extra="scale = 0") + '[container.x]\nimage = "busybox:latest"\ncommand = ["true"]\n')
    bench.settle(spec())
    assert docker_api.inspect_container(f"{bench.name}-web-1")["Id"] != first


def test_a_port_moves_from_one_to_another(bench: Workbench, port: int) -> None:
    """The one that gives it up comes first."""
    ports = f'ports = ["127.0.0.1:{port}:80"]\n'
    other = f'[container.other]\nimage = "busybox:latest"\n{LOOP}\n'
    bench.settle(spec(extra=ports) + other)
    bench.settle(spec() + other + ports)
    bench.settle(spec(extra=ports))


def test_destroy_takes_everything_and_volumes_when_asked(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(
        spec(extra='volumes = ["data:/data"]\ndepends_on = ["db"]')
        + f'[volume.data]\n[container.db]\nimage = "busybox:latest"\n{LOOP}\n'
    )
    report = bench.destroy()
    assert report.is_settled, explain(report)
    removed = [str(outcome.address) for outcome in report.outcomes]
    assert removed.index("container.web") < removed.index("container.db"), "in the reverse order"
    assert not names(docker_api, bench)
    assert not [v for v in docker_api.volumes()["Volumes"] or [] if v["Name"].startswith(bench.name)]


def test_an_exchange_of_ports_is_refused_with_advice(bench: Workbench, port: int) -> None:
    """No order of whole changes does it, so it is not tried again and again."""
    other = f'[container.other]\nimage = "busybox:latest"\n{LOOP}\n'
    one, two = (f'ports = ["127.0.0.1:{number}:80"]\n' for number in (port, port + 1))
    bench.settle(spec(extra=one) + other + two)
    bench.write(spec(extra=two) + other + one)
    assert {change.verb for change in bench.plan().changes} == {Verb.BLOCKED, Verb.REPLACE}
    report = bench.apply()
    assert {outcome.status for outcome in report.outcomes} == {Status.BLOCKED}
    assert "another name or port" in report.outcomes[0].message + report.outcomes[1].message


def test_a_kept_name_moves_to_a_renamed_resource(bench: Workbench, docker_api: docker.APIClient) -> None:
    """[container.a] becomes [container.b] with the same container_name: one pass."""
    text = f'image = "busybox:latest"\n{LOOP}\ncontainer_name = "{bench.name}-kept"\n'
    bench.settle(f"[container.a]\n{text}")
    bench.settle(f"[container.b]\n{text}")
    assert names(docker_api, bench) == [f"{bench.name}-kept"]


def test_a_container_of_a_commit_of_ours_is_not_ours(bench: Workbench, docker_api: docker.APIClient) -> None:
    """It inherits every label of our container."""
    bench.settle(spec())
    docker_api.commit(f"{bench.name}-web-1", repository=bench.name, tag="debug")
    stranger = docker_api.create_container(f"{bench.name}:debug", ["sleep", "60"], name=f"{bench.name}-debug")["Id"]
    docker_api.start(stranger)
    try:
        assert bench.plan().is_settled
        bench.settle(spec("debug"))
        assert bench.destroy().is_settled
        assert docker_api.inspect_container(stranger)["State"]["Running"]
    finally:
        docker_api.remove_container(stranger, force=True)
        docker_api.remove_image(f"{bench.name}:debug")


def test_a_network_and_a_members_endpoint_change_together(bench: Workbench) -> None:
    both = 'networks = { front = { aliases = ["a"] }, back = {} }'
    bench.settle(spec(extra=both) + "[network.back]\n[network.front]\n")
    bench.settle(spec(extra='networks = { front = { aliases = ["b"] } }') + "[network.front]\ninternal = true\n")


@pytest.mark.parametrize("done", [4, 5])
def test_a_cut_off_replacement_whose_candidate_cannot_start_is_undone(
    done: int, bench: Workbench, docker_api: docker.APIClient, port: int
) -> None:
    """The predecessor was stopped by the run that was cut off; it serves again."""
    bench.settle(spec())
    before = docker_api.inspect_container(f"{bench.name}-web-1")["Id"]
    bench.write(spec("debug", f'ports = ["127.0.0.1:{port}:80"]'))
    cut_off(bench, bench.change("container.web"), done)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", port))
        busy.listen()
        report = bench.apply()
    assert [outcome.status for outcome in report.outcomes] == [Status.RESTORED], explain(report)
    after = docker_api.inspect_container(f"{bench.name}-web-1")
    assert after["State"]["Running"]
    assert after["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert after["Id"] == before
    bench.settle()


def test_a_missing_external_volume_holds_up_who_uses_it(bench: Workbench, docker_api: docker.APIClient) -> None:
    """Otherwise the engine would make it by itself, empty, and all would look settled."""
    bench.write(
        spec(extra='volumes = ["ext:/data"]\nnetworks = ["proxy"]')
        + f'[volume.ext]\nexternal = true\nname = "{bench.name}-ext"\n[network.proxy]\nexternal = true\nname = "{bench.name}-proxy"\n'
    )
    report = bench.apply()
    assert {str(o.address): o.status.value for o in report.outcomes if o.address.kind != "image"} == {
        "network.proxy": "blocked",
        "volume.ext": "blocked",
        "container.web": "blocked",
    }
    assert f"docker network create {bench.name}-proxy" in report.outcomes[0].message
    docker_api.create_volume(f"{bench.name}-ext")
    network = docker_api.create_network(f"{bench.name}-proxy")["Id"]
    try:
        bench.settle()
        assert bench.destroy().is_settled
        docker_api.inspect_network(network)
    finally:
        docker_api.remove_network(network)
        docker_api.remove_volume(f"{bench.name}-ext")


def test_a_network_that_is_called_otherwise_leaves_none_behind(bench: Workbench, docker_api: docker.APIClient) -> None:
    text = spec(extra='networks = ["front"]') + "[network.front]\n"
    bench.settle(text + f'name = "{bench.name}-one"\n')
    bench.settle(text + f'name = "{bench.name}-two"\n')
    found = docker_api.networks(filters={"label": f"reconciler.project={bench.name}"})
    assert [network["Name"] for network in found] == [f"{bench.name}-two"]
