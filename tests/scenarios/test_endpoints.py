"""Endpoints with fixed addresses: made, changed, taken away."""

import docker

from reconciler.model.plan import Verb
from tests.scenarios.conftest import LOOP
from tests.support.engine import octet
from tests.support.inprocess import Workbench


def spec(bench: Workbench, endpoint: str, other: str = "{}") -> str:
    text = f"""
[container.web]
image = "busybox:latest"
{LOOP}
networks = {{ fixed = {endpoint}, side = {other} }}
[network.fixed]
enable_ipv6 = true
ipam = {{ config = [{{ subnet = "10.{octet(bench.name)}.7.0/24" }}, {{ subnet = "fd00:{octet(bench.name)}:7::/64" }}] }}
[network.side]
"""
    return text.replace("OCTET", str(octet(bench.name)))


def endpoint_of(api: docker.APIClient, bench: Workbench, network: str = "fixed") -> dict[str, object]:
    found = api.inspect_container(f"{bench.name}-web-1")["NetworkSettings"]["Networks"]
    return dict(found[f"{bench.name}_{network}"])


def test_fixed_addresses(bench: Workbench, docker_api: docker.APIClient) -> None:
    fixed = '{ ipv4_address = "10.OCTET.7.10", ipv6_address = "fd00:OCTET:7:0::10", aliases = ["one"] }'
    bench.settle(spec(bench, fixed))
    container = docker_api.inspect_container(f"{bench.name}-web-1")["Id"]
    assert str(endpoint_of(docker_api, bench)["IPAddress"]).endswith(".7.10")
    bench.write(spec(bench, fixed.replace(".7.10", ".7.11").replace("7:0::10", "7::11")))
    change = bench.change("container.web")
    assert change.verb is Verb.UPDATE
    assert {field.path.rpartition(".")[2] for field in change.fields} == {"ipv4_address", "ipv6_address"}
    assert {field.reason for field in change.fields} == {"spec-changed"}
    bench.settle()
    assert str(endpoint_of(docker_api, bench)["IPAddress"]).endswith(".7.11")
    assert docker_api.inspect_container(f"{bench.name}-web-1")["Id"] == container, "its endpoint was changed in place"
    bench.settle(spec(bench, "{}"))


def test_mac_address_needs_a_replacement(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec(bench, '{ mac_address = "02:42:AC:11:00:02", priority = 10 }'))
    assert endpoint_of(docker_api, bench)["MacAddress"] == "02:42:ac:11:00:02"
    bench.write(spec(bench, '{ mac_address = "02-42-ac-11-00-03", priority = 10 }'))
    assert bench.change("container.web").verb is Verb.REPLACE
    bench.settle()
    bench.settle(spec(bench, "{}"))


def test_a_mac_address_the_engine_cannot_set_is_refused(bench: Workbench) -> None:
    """Engines before API 1.44 attach one network at creation; a later connect ignores the address."""
    bench.write(spec(bench, "{ priority = 10 }", '{ mac_address = "02:42:ac:11:00:09" }'))
    change = next(change for change in bench.plan().changes if str(change.address) == "container.web")
    if bench.engine.facts().api_version < (1, 44):
        assert change.verb is Verb.BLOCKED
        assert "priority" in change.note
    else:
        bench.settle()


def test_the_first_network_follows_priority(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec(bench, "{}", "{ priority = 5 }"))
    mode = docker_api.inspect_container(f"{bench.name}-web-1")["HostConfig"]["NetworkMode"]
    assert mode == f"{bench.name}_side"
