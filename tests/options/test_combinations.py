"""Random combinations of options on the real engine: applied, the plan is empty; one changed, the plan names exactly it."""

import os
import secrets
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.engine.connect import connect
from reconciler.model.address import Kind
from reconciler.model.plan import Verb
from tests.options import examples
from tests.options.test_every_option import LOOP, fill
from tests.support.engine import remove_project
from tests.support.inprocess import AT_ONCE, Workbench

#: options that exclude one another or need the loop's command, or that a machine may not have
LEFT_OUT = {"image", "command", "entrypoint", "memswap_limit", "network_mode", "privileged", "pid", "ipc", "cpus"}
NAMES = sorted(set(examples.CONTAINER) - LEFT_OUT)
IMAGE = """FROM busybox:latest
ENV FROM_IMAGE=1 LEVEL=image
LABEL from.image=yes team=image
EXPOSE 9000
VOLUME /image-volume
HEALTHCHECK --interval=45s --retries=2 CMD true
USER 0:0
WORKDIR /tmp
STOPSIGNAL SIGTERM
"""


def spec(values: dict[str, str]) -> str:
    lines = ["[container.web]", 'image = "base"', LOOP, *(f"{name} = {value}" for name, value in values.items())]
    return "\n".join([*lines, '[image.base]\nbuild = "./base"', "[network.side]", "[volume.data]"]) + "\n"


def test_combinations(engine_host: str, docker_api: docker.APIClient) -> None:
    """Also with an image that itself declares what images can declare."""

    @settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(
        chosen=st.lists(st.sampled_from(NAMES), unique=True, min_size=6, max_size=20),
        changed=st.randoms(use_true_random=False),
    )
    def check(chosen: list[str], changed: object) -> None:
        with TemporaryDirectory() as directory:
            bench = Workbench(
                f"mix-{secrets.token_hex(4)}", Path(directory), connect(engine_host, os.environ), rollout=AT_ONCE
            )
            try:
                _check(bench, chosen, changed.choice(chosen))  # type: ignore[attr-defined]
            finally:
                bench.engine.close()
                remove_project(docker_api, bench.name)

    check()


def _check(bench: Workbench, chosen: list[str], changed: str) -> None:
    (bench.directory / "base").mkdir()
    (bench.directory / "base" / "Dockerfile").write_text(IMAGE)
    (bench.directory / "conf").mkdir()
    values = {name: fill(examples.CONTAINER[name].first, bench) for name in chosen}
    bench.settle(spec(values))
    first = bench.config(_name(bench, values))
    bench.write(spec({**values, changed: fill(examples.CONTAINER[changed].second, bench)}))
    changes = [change for change in bench.plan().changes if change.address.kind is Kind.CONTAINER]
    named = {field.path.partition(".")[0] for change in changes for field in change.fields}
    assert named <= {changed, *examples.CONTAINER[changed].moves}
    assert all(change.verb in (Verb.UPDATE, Verb.REPLACE) for change in changes)
    bench.settle()
    bench.settle(spec(values))
    again = bench.config(_name(bench, values))
    ignored = {"hostname", "networks", "labels"}
    assert {k: v for k, v in again.items() if k not in ignored} == {k: v for k, v in first.items() if k not in ignored}


def _name(bench: Workbench, values: dict[str, str]) -> str:
    return values.get("container_name", f'"{bench.name}-web-1"').strip('"')
