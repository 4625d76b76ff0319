"""What a person does by hand is found, and put right by the smallest sufficient action."""

from collections.abc import Callable

import docker
import pytest

from reconciler.model.describe import describe
from reconciler.model.plan import Verb
from tests.scenarios.conftest import LOOP
from tests.support.inprocess import Workbench

SPEC = f"""
[container.web]
image = "busybox:latest"
{LOOP}
networks = ["front", "back"]
restart = "unless-stopped"
mem_limit = "64M"
[network.front]
[network.back]
"""

Hand = Callable[[docker.APIClient, str, str], None]


def _stranger_network(api: docker.APIClient, container: str, project: str) -> None:
    network = api.create_network(f"{project}_extra", labels={"reconciler.project": project})
    api.connect_container_to_network(container, network["Id"])


HANDS: dict[str, tuple[Hand, str, list[str]]] = {
    # With the restart policy that it has: an update without one takes it away on Podman.
    "update": (lambda api, c, p: api.update_container(c, mem_limit="128m", memswap_limit="256m", restart_policy={"Name": "unless-stopped"}), "mem_limit", ["update container"]),
    "update-restart": (lambda api, c, p: api.update_container(c, restart_policy={"Name": "always"}), "restart", ["update container"]),
    "disconnect": (lambda api, c, p: api.disconnect_container_from_network(c, f"{p}_back"), "networks", ["connect"]),
    "connect": (_stranger_network, "networks", ["disconnect"]),
    "stop": (lambda api, c, p: api.stop(c), "state", ["start container"]),
    "kill": (lambda api, c, p: api.kill(c), "state", ["start container"]),
    "pause": (lambda api, c, p: api.pause(c), "state", ["unpause container"]),
    "rename": (lambda api, c, p: api.rename(c, f"{p}-other"), "container_name", ["rename container"]),
}  # fmt: skip


@pytest.mark.parametrize("hand", HANDS)
def test_a_change_by_hand_is_drift(hand: str, bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(SPEC)
    container = docker_api.inspect_container(f"{bench.name}-web-1")["Id"]
    act, field, actions = HANDS[hand]
    act(docker_api, container, bench.name)
    change = (
        bench.change("container.web")
        if hand != "connect"
        else next(c for c in bench.plan().changes if str(c.address) == "container.web")
    )
    assert change.verb is Verb.UPDATE
    assert {item.path.partition(".")[0] for item in change.fields} - {"memswap_limit"} == {field}
    assert {item.reason for item in change.fields} == {"drifted"}
    assert [
        describe(step.action).rpartition(" ")[0].startswith(actions[0]) or describe(step.action).startswith(actions[0])
        for step in change.steps
    ] == [True]
    bench.settle()
    assert docker_api.inspect_container(f"{bench.name}-web-1")["Id"] == container, "it was not replaced"


def test_removed_by_hand_is_made_again(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(SPEC)
    docker_api.remove_container(f"{bench.name}-web-1", force=True)
    docker_api.remove_network(f"{bench.name}_back")
    assert [(str(c.address), c.verb) for c in bench.plan().changes] == [
        ("network.back", Verb.CREATE),
        ("container.web", Verb.CREATE),
    ]
    bench.settle()


def test_network_made_anew_by_hand(bench: Workbench, docker_api: docker.APIClient) -> None:
    """The endpoint on the network of the same name is dead: it is noticed and joined again."""
    bench.settle(SPEC)
    container = f"{bench.name}-web-1"
    docker_api.stop(container)
    docker_api.disconnect_container_from_network(container, f"{bench.name}_back")
    docker_api.remove_network(f"{bench.name}_back")
    bench.settle()
    networks = docker_api.inspect_container(container)["NetworkSettings"]["Networks"]
    assert sorted(networks) == [f"{bench.name}_back", f"{bench.name}_front"]


def test_crashed_is_started_and_done_is_left(bench: Workbench, docker_api: docker.APIClient) -> None:
    """Exit 0 under `no` or `on-failure` is done; any other end is drift."""
    bench.write("""
[container.done]
image = "busybox:latest"
command = ["true"]
[container.retried]
image = "busybox:latest"
command = ["true"]
restart = "on-failure"
[container.failed]
image = "busybox:latest"
command = ["false"]
""")
    report = bench.apply()
    docker_api.wait(f"{bench.name}-failed-1")
    change = bench.change("container.failed")
    assert (change.verb, change.fields[0].path, change.fields[0].observed) == (Verb.UPDATE, "state", "exited (1)")
    assert not report.is_settled or bench.plan().changes


def test_tag_moved_by_hand_replaces(bench: Workbench, docker_api: docker.APIClient) -> None:
    repository = f"{bench.name}-moved"
    docker_api.tag("busybox:latest", repository, "1")
    bench.settle(f'[container.web]\nimage = "{repository}:1"\n{LOOP}\n')
    made = docker_api.create_container("busybox:latest", "true")["Id"]
    docker_api.commit(made, repository=repository, tag="1", changes="LABEL moved=yes")
    docker_api.remove_container(made)
    change = bench.change("container.web")
    assert (change.verb, change.reason, change.fields[0].path) == (Verb.REPLACE, "image-changed", "image")
    bench.settle()
    docker_api.remove_container(f"{bench.name}-web-1", force=True)
    docker_api.remove_image(f"{repository}:1")
