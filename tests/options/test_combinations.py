"""Random specs on the real engine: applied, the plan is empty; one option changed, the plan names exactly it; taken away,
all is as in a container made anew.

A few dozen in the default run. `make soak` sets RECONCILER_EXAMPLES for a thousand, and RECONCILER_SEED for others.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import docker
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from reconciler.engine.connect import connect
from reconciler.model.address import Kind
from reconciler.model.plan import Verb
from tests.options import examples
from tests.options.test_every_option import CONTENTS, LOOP, fill
from tests.support.engine import remove_project
from tests.support.inprocess import AT_ONCE, Workbench

#: options that exclude one another or need the loop's command, or that a machine may not have
LEFT_OUT = {
    "image",
    "command",
    "entrypoint",
    "memswap_limit",
    "network_mode",
    "privileged",
    "pid",
    "ipc",
    "cpus",
    "uts",
    "annotations",
    "volumes_from",
}
NAMES = sorted(name for name, example in examples.CONTAINER.items() if name not in LEFT_OUT and not example.lacks)
#: what an image may declare by itself, line by line
DECLARES = (
    "ENV FROM_IMAGE=1 LEVEL=image",
    "LABEL from.image=yes team=image",
    "EXPOSE 9000 53/udp",
    "VOLUME /image-volume",
    "HEALTHCHECK --interval=1s --retries=2 CMD true",
    "USER 0:0",
    "WORKDIR /tmp",
    "STOPSIGNAL SIGTERM",
    'ENTRYPOINT ["/bin/sh", "-c"]',
    'CMD ["trap exit TERM; while :; do sleep 0.1; done"]',
)
SHARDS = 4
EXAMPLES = int(os.environ.get("RECONCILER_EXAMPLES", "24"))
SEED = int(os.environ.get("RECONCILER_SEED", "1"))


class Drawn(NamedTuple):
    """One random project: the lines of its Dockerfile, which value of which option, and the option that changes."""

    image: list[str]
    values: dict[str, str]
    changed: str


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=4, max_size=24))
    values = {name: draw(st.sampled_from(examples.CONTAINER[name][:2])) for name in chosen}
    return Drawn(draw(st.lists(st.sampled_from(DECLARES), unique=True)), values, draw(st.sampled_from(chosen)))


def spec(image: list[str], values: dict[str, str]) -> str:
    loop = LOOP if not any(line.startswith("ENTRYPOINT") for line in image) else f"entrypoint = []\n{LOOP}"
    lines = ["[container.web]", 'image = "base"', loop, *(f"{name} = {value}" for name, value in values.items())]
    return "\n".join([*lines, '[image.base]\nbuild = "./base"', "[network.side]", "[volume.data]", CONTENTS]) + "\n"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_combinations(shard: int, engine_host: str, docker_api: docker.APIClient) -> None:
    """Also with images that declare what images can declare."""

    @seed(SEED * SHARDS + shard)
    @settings(
        max_examples=EXAMPLES // SHARDS,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],  # an example takes seconds, so making it smaller would take minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(one=drawn())
    def check(one: Drawn) -> None:
        with TemporaryDirectory() as directory:
            bench = Workbench(
                f"mix-{secrets.token_hex(4)}", Path(directory), connect(engine_host, os.environ), rollout=AT_ONCE
            )
            try:
                _check(bench, docker_api, one)
            finally:
                bench.engine.close()
                remove_project(docker_api, bench.name)

    check()


def _check(bench: Workbench, docker_api: docker.APIClient, one: Drawn) -> None:
    (bench.directory / "base").mkdir()
    (bench.directory / "base" / "Dockerfile").write_text("\n".join(["FROM busybox:latest", *one.image, ""]))
    (bench.directory / "conf").mkdir()
    values = {name: fill(value, bench) for name, value in one.values.items()}
    bench.write(spec(one.image, values))
    if _is_refused(bench):
        return
    if any("Podman" in outcome.message for outcome in bench.apply().outcomes):
        return  # only while it was applied it was known what the image declares
    bench.settle()
    first = _held(bench, values)
    both = examples.CONTAINER[one.changed]
    other = both.second if one.values[one.changed] == both.first else both.first
    _change(bench, one, {**values, one.changed: fill(other, bench)})
    _change(bench, one, values)
    assert _held(bench, values) == first, "there and back is not where it began"
    less = {name: value for name, value in values.items() if name != one.changed}
    _change(bench, one, less)
    taken_away = _held(bench, less)
    docker_api.remove_container(_name(bench, less), force=True)
    bench.settle()
    assert _held(bench, less) == taken_away, "taken away is not what a new container has"


def _is_refused(bench: Workbench) -> bool:
    """What Podman would drop is refused whole; test_every_option tells which options those are."""
    return any(change.verb is Verb.BLOCKED and "Podman" in change.note for change in bench.plan().changes)


def _change(bench: Workbench, one: Drawn, values: dict[str, str]) -> None:
    """The plan names the option that changes and no other, with a verb that changes a container; then it settles."""
    bench.write(spec(one.image, values))
    changes = [change for change in bench.plan().changes if change.address.kind is Kind.CONTAINER]
    named = {field.path.partition(".")[0] for change in changes for field in change.fields}
    assert named <= {one.changed, *examples.CONTAINER[one.changed].moves}
    assert all(change.verb in (Verb.UPDATE, Verb.REPLACE) for change in changes)
    bench.settle()


def _held(bench: Workbench, values: dict[str, str]) -> dict[str, object]:
    """All that the engine holds of the container, but what it draws anew for each."""
    config = bench.config(_name(bench, values))
    held = {name: value for name, value in config.items() if name not in ("hostname", "networks", "labels")}
    variables = held["environment"]
    if isinstance(variables, Mapping) and "HOSTNAME" not in values.get("environment", ""):  # Podman adds it
        held["environment"] = {name: value for name, value in variables.items() if name != "HOSTNAME"}
    return held


def _name(bench: Workbench, values: dict[str, str]) -> str:
    return values.get("container_name", f'"{bench.name}-web-1"').strip('"')
