"""Whose an object is: strangers are left alone, taken over only when told, and labels of other versions respected."""

import docker

from reconciler.model.ownership import FINGERPRINT, SETTINGS
from reconciler.model.plan import Verb
from tests.scenarios.conftest import LOOP
from tests.support.engine import inside
from tests.support.inprocess import Workbench


def spec(extra: str = "") -> str:
    return f'[container.web]\nimage = "busybox:latest"\n{LOOP}\n{extra}\n'


def test_a_strangers_name_blocks_until_adopted(bench: Workbench, docker_api: docker.APIClient) -> None:
    """A container is replaced, with its anonymous volumes; a network and a volume that match are used as they are."""
    web = f"{bench.name}-web-1"
    host = docker_api.create_host_config()
    made = docker_api.create_container(
        "busybox:latest", ["sleep", "60"], name=web, volumes=["/data"], host_config=host
    )["Id"]
    docker_api.start(made)
    inside(docker_api, made, "sh", "-c", "echo kept | tee /data/file")
    network = docker_api.create_network(f"{bench.name}_default", labels={"com.docker.compose.project": "x"})["Id"]
    docker_api.create_volume(f"{bench.name}_data", labels={"com.docker.compose.project": "x"})
    text = spec('volumes = ["data:/var/lib/data", "/data"]') + "[volume.data]\n"
    try:
        bench.write(text)
        assert {(str(c.address), c.verb, c.reason) for c in bench.plan().changes} == {
            ("network.default", Verb.BLOCKED, "name-taken"),
            ("volume.data", Verb.BLOCKED, "name-taken"),
            ("container.web", Verb.BLOCKED, "name-taken"),
        }
        assert not bench.apply().is_settled
        assert docker_api.inspect_container(made)["State"]["Running"], "it was not touched"
        bench.directory.joinpath("spec.toml").write_text(f'[project]\nname = "{bench.name}"\nadopt = true\n{text}')
        assert [(str(c.address), c.verb) for c in bench.plan().changes] == [("container.web", Verb.ADOPT)]
        bench.settle()
        assert inside(docker_api, web, "cat", "/data/file") == "kept\n"
        assert bench.destroy().is_settled
        docker_api.inspect_network(network)
        docker_api.inspect_volume(f"{bench.name}_data")
    finally:
        docker_api.remove_network(network)
        docker_api.remove_volume(f"{bench.name}_data")


def relabelled(bench: Workbench, api: docker.APIClient, version: str) -> str:
    """The project's container as another version of this program would have made it: its hashes mean something else."""
    web = f"{bench.name}-web-1"
    found = api.inspect_container(web)
    labels = {
        **found["Config"]["Labels"],
        FINGERPRINT: f"{version}:command=other",
        SETTINGS: f"{version}:networks.x=other",
    }
    api.remove_container(web, force=True)
    made = bench.engine.create_container(
        web,
        {
            "Image": "busybox:latest",
            "Cmd": found["Config"]["Cmd"],
            "Labels": labels,
            "HostConfig": {"NetworkMode": f"{bench.name}_default"},
            "NetworkingConfig": {"EndpointsConfig": {f"{bench.name}_default": {"Aliases": ["web"]}}},
        },
        "",
    )[0]
    api.start(made)
    return made


def test_what_an_older_version_made_is_left_alone(bench: Workbench, docker_api: docker.APIClient) -> None:
    """Its hashes cannot be compared, and that is no reason to replace it; a real difference still is, as drift."""
    bench.settle(spec())
    made = relabelled(bench, docker_api, "0")
    assert bench.plan().is_settled
    bench.write(spec("tty = true"))
    change = bench.change("container.web")
    assert (change.verb, change.reason) == (Verb.REPLACE, "drifted")
    assert docker_api.inspect_container(made)["State"]["Running"]


def test_what_a_newer_version_made_is_refused(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec())
    made = relabelled(bench, docker_api, "9")
    change = bench.change("container.web")
    assert change.verb is Verb.BLOCKED
    assert "update reconciler" in change.note
    assert not bench.apply().is_settled
    assert docker_api.inspect_container(made)["State"]["Running"]


def test_another_projects_container_is_not_touched(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec(f'container_name = "{bench.name}-shared"'))
    other = Workbench(f"{bench.name}-other", bench.directory.parent, bench.engine)
    other.write(spec(f'container_name = "{bench.name}-shared"\nnetwork_mode = "none"'))
    change = other.change("container.web")
    assert (change.verb, change.reason) == (Verb.BLOCKED, "owned-by-other")
    assert bench.name in change.note
    assert bench.plan().is_settled


def test_hex_names_are_not_taken_for_ids(bench: Workbench, docker_api: docker.APIClient) -> None:
    """The engine also matches the beginnings of ids: a container called `db` that is absent must not find a stranger."""
    strangers = []
    prefix = ""
    for _ in range(400):
        made = docker_api.create_container("busybox:latest", ["true"])["Id"]
        strangers.append(made)
        if made[0] in "abcdef":
            prefix = made[:2]
            break
    try:
        bench.settle(spec(f'container_name = "{prefix}"\nnetwork_mode = "none"'))
        assert docker_api.inspect_container(strangers[-1])["State"]["Status"] == "created"
        bench.settle(f'[container.other]\nimage = "busybox:latest"\n{LOOP}\nnetwork_mode = "none"\n')
        assert docker_api.inspect_container(strangers[-1])["State"]["Status"] == "created", "removal missed it too"
    finally:
        for made in strangers:
            docker_api.remove_container(made, force=True)
