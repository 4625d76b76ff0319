"""Roll-outs on a real engine: both orders, every way to fail, cut off anywhere, names that are never without a server."""

from pathlib import Path
from threading import Event

import docker
import pytest

from benchmarks.engine import Engine
from benchmarks.traffic import IMAGE, Clients, make_image
from reconciler.apply.executor import Happening
from reconciler.model.report import Status
from reconciler.reconcile import act
from tests.scenarios.conftest import LOOP
from tests.scenarios.test_replacement import cut_off, names
from tests.support.inprocess import Workbench, explain

CHECK = 'healthcheck = { test = "true", interval = "200ms", timeout = "5s", retries = 1 }'
NEVER = 'healthcheck = { test = "echo no database; false", interval = "200ms", timeout = "5s", retries = 1 }'
CRASH = 'command = ["sh", "-c", "echo cannot read the configuration; exit 3"]'
ORDERS = ("start-first", "stop-first")


def spec(order: str = "auto", level: str = "info", command: str = LOOP, extra: str = CHECK, more: str = "") -> str:
    return (
        f'[container.web]\nimage = "busybox:latest"\n{command}\nenvironment = {{ LEVEL = "{level}" }}\n'
        f'restart = "unless-stopped"\nrollout = {{ order = "{order}"{more} }}\n'
        f'networks = {{ front = {{ aliases = ["www", "shop.internal"] }}, back = {{}} }}\n{extra}\n'
        "[network.front]\n[network.back]\n"
    )


def web(api: docker.APIClient, bench: Workbench, suffix: str = "") -> dict[str, object]:
    found: dict[str, object] = api.inspect_container(f"{bench.name}-web-1{suffix}")
    return found


def aliases(found: dict[str, object]) -> dict[str, set[str]]:
    networks = found["NetworkSettings"]["Networks"]  # type: ignore[index]
    return {name.rpartition("_")[2]: set(endpoint["Aliases"] or ()) for name, endpoint in networks.items()}


def assert_serves(api: docker.APIClient, bench: Workbench, container_id: object) -> None:
    assert names(api, bench) == [f"{bench.name}-web-1"]
    found = web(api, bench)
    assert found["Id"] == container_id
    assert found["State"]["Running"]  # type: ignore[index]
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"  # type: ignore[index]
    assert aliases(found)["front"] >= {"web", "www", "shop.internal"}
    assert aliases(found)["back"] >= {"web"}


@pytest.mark.parametrize("order", ORDERS)
def test_a_replacement_that_works(order: str, bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec())
    before = web(docker_api, bench)["Id"]
    bench.write(spec(order, "debug"))
    assert bench.change("container.web").order == order
    bench.settle()
    after = web(docker_api, bench)["Id"]
    assert after != before
    assert_serves(docker_api, bench, after)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("command", "extra", "said"),
    [
        (CRASH, CHECK, "cannot read the configuration"),
        (CRASH.replace("exit 3", "sleep 0.3; exit 3"), "", "cannot read the configuration"),
        (LOOP, NEVER, "no database"),
        (LOOP, NEVER.replace("retries = 1", "retries = 1000"), "is not ready after 2 s"),
        ('command = ["/no/such/program"]', CHECK, "no such file"),
    ],
    ids=["crash", "crash-later", "unhealthy", "too-late", "no-start"],
)
def test_what_does_not_work_gives_way(
    order: str, command: str, extra: str, said: str, bench: Workbench, docker_api: docker.APIClient
) -> None:
    bench.settle(spec())
    before = web(docker_api, bench)["Id"]
    timeout = ', timeout = "2s"' if "1000" in extra else ""
    bench.write(spec(order, "debug", command, extra, timeout))
    report = bench.apply()
    (outcome,) = report.outcomes
    expected = Status.FAILED if (order, "no/such" in command) == ("start-first", True) else Status.RESTORED
    assert outcome.status is expected, explain(report)
    assert said in outcome.message.lower(), explain(report)
    assert not report.is_settled
    assert_serves(docker_api, bench, before)
    bench.settle(spec())


@pytest.mark.parametrize(
    ("way", "order", "left"),
    [
        ("keep", "stop-first", {"": "running", ".prev": "exited"}),
        ("stop", "stop-first", {"": "exited", ".prev": "exited"}),
        ("keep", "start-first", {"": "running", ".next": "running"}),
        ("stop", "start-first", {"": "running", ".next": "exited"}),
    ],
)
def test_on_failure(way: str, order: str, left: dict[str, str], bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec())
    bench.write(spec(order, "debug", extra=NEVER, more=f', on_failure = "{way}"'))
    report = bench.apply()
    assert [outcome.status for outcome in report.outcomes] == [Status.FAILED], explain(report)
    assert names(docker_api, bench) == sorted(f"{bench.name}-web-1{suffix}" for suffix in left)
    for suffix, status in left.items():
        assert web(docker_api, bench, suffix)["State"]["Status"] == status  # type: ignore[index]
    bench.settle(spec(order, "trace"))
    assert_serves(docker_api, bench, web(docker_api, bench)["Id"])


@pytest.mark.parametrize("meanwhile", ["same", "edited"])
@pytest.mark.parametrize("done", range(1, 16))
def test_a_start_first_cut_off_anywhere_settles(
    done: int, meanwhile: str, bench: Workbench, docker_api: docker.APIClient
) -> None:
    bench.settle(spec())
    bench.write(spec("start-first", "debug"))
    change = bench.change("container.web")
    assert len(change.steps) >= 15
    cut_off(bench, change, done)
    bench.settle(spec("start-first", "debug" if meanwhile == "same" else "trace"))
    assert_serves(docker_api, bench, web(docker_api, bench)["Id"])


@pytest.mark.parametrize("order", ORDERS)
def test_a_run_that_is_stopped_does_not_wait(order: str, bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec())
    before = web(docker_api, bench)["Id"]
    bench.write(spec(order, "debug", extra=NEVER.replace("retries = 1", "retries = 1000")))
    cancelled = Event()

    def stop_once_it_waits(happening: Happening) -> None:
        if happening.text.endswith("is ready"):
            cancelled.set()

    report = act(bench.plan(), bench.engine, bench.look, stop_once_it_waits, cancelled)
    (outcome,) = report.outcomes
    assert outcome.status is Status.RESTORED, explain(report)
    assert "stopped while waiting for" in outcome.message
    assert_serves(docker_api, bench, before)


def test_a_container_on_internal_networks_has_no_ports(bench: Workbench, port: int) -> None:
    """The engine publishes nothing there, so nothing is waited for."""
    text = f'[container.web]\nimage = "busybox:latest"\n{LOOP}\nports = ["127.0.0.1:{port}:80"]\nnetworks = ["front"]\n'
    internal = "[network.front]\ninternal = true\n"
    bench.settle(text + internal)
    bench.settle(f'{text}environment = {{ LEVEL = "debug" }}\n{internal}')


def test_instances_are_replaced_in_turn(bench: Workbench, docker_api: docker.APIClient) -> None:
    bench.settle(spec(extra=f"scale = 3\n{CHECK}"))
    bench.write(spec("stop-first", "debug", extra=f"scale = 3\n{NEVER}"))
    report = bench.apply()
    assert [outcome.status.value for outcome in report.outcomes] == ["failed, restored", "blocked", "blocked"]
    bench.settle(spec("stop-first", "debug", extra=f"scale = 3\n{CHECK}"))
    assert names(docker_api, bench) == [f"{bench.name}-web-{index}" for index in (1, 2, 3)]


@pytest.mark.parametrize("manner", ["graceful", "abrupt"])
def test_clients_that_retry_lose_nothing(manner: str, bench: Workbench, engine_host: str, tmp_path: Path) -> None:
    """Ten replacements under load: no request fails for a client that tries again within 300 ms."""
    api = Engine(engine_host)
    make_image(api, tmp_path)

    def text(number: int) -> str:
        return (
            f'[container.web]\nimage = "{IMAGE}"\ncommand = ["/server", "80", "{manner}"]\n'
            f'environment = {{ NUMBER = "{number}" }}\nnetworks = ["front"]\nrollout = {{ order = "start-first" }}\n'
            'healthcheck = { test = ["CMD", "/server", "80", "check"], interval = "200ms", timeout = "5s" }\n'
            "[network.front]\n"
        )

    bench.settle(text(0))
    clients = Clients(api, f"{bench.name}_front", "web", retry_ms=300, clients=4)
    clients.begin()
    for number in range(1, 11):
        bench.settle(text(number))
    count = clients.count()
    assert count.requests > 100
    assert count.failures == 0, count
