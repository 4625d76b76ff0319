"""Every option of the table on the real engine: add it, change it, take it away; each time the plan names exactly it,
with the class of the table, and afterwards there is nothing left to do."""

import re
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import tomli

from reconciler.model.address import Kind
from reconciler.model.options import Cost, Silent
from reconciler.model.ownership import foreign_labels
from reconciler.model.plan import Change, Verb
from reconciler.model.report import Status
from reconciler.model.rows import BY_NAME, TABLE
from tests.options import examples
from tests.options.examples import Example
from tests.support.engine import octet
from tests.support.inprocess import Workbench, explain

CONTENTS = '[config.motd]\ncontent = "Welcome."\n[config.other]\ncontent = "x"\n[secret.key]\nenvironment = "PATH"'
LOOP = 'command = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]'
VERBS = {
    Cost.UPDATE: {Verb.UPDATE},
    Cost.NETWORK: {Verb.UPDATE},
    Cost.RENAME: {Verb.UPDATE},
    Cost.REPLACE: {Verb.REPLACE},
    Cost.DATA: {Verb.BLOCKED},
}


def declared(kind: Kind) -> list[str]:
    return [row.name for row in TABLE[kind] if row.declared and row.path]


@pytest.mark.parametrize("kind", [Kind.CONTAINER, Kind.NETWORK, Kind.VOLUME])
def test_every_option_has_an_example(kind: Kind) -> None:
    """A new row of the table brings its example."""
    table = {Kind.CONTAINER: examples.CONTAINER, Kind.NETWORK: examples.NETWORK, Kind.VOLUME: examples.VOLUME}[kind]
    assert sorted(table) == sorted(declared(kind))


def uplink() -> str:
    """The interface of the default route: a macvlan network needs a parent."""
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    return next(route[0] for route in routes if route[1] == "00000000")


def disk() -> str:
    """A block device, of which there is one wherever there are files."""
    names = sorted(entry.name for entry in Path("/sys/block").iterdir())
    return next(f"/dev/{name}" for name in names if Path(f"/dev/{name}").is_block_device())


def fill(text: str, bench: Workbench) -> str:
    number = int(bench.name.rpartition("-")[2], 16)
    for key, value in (
        ("{project}", bench.name),
        ("{directory}", str(bench.directory)),
        ("{port}", str(20000 + number % 20000)),
        ("{octet}", str(octet(bench.name))),
        ("{hex}", bench.name[-4:]),
        ("{parent}", uplink()),
        ("{disk}", disk()),
        ("{other}", f"{bench.name}:other"),
        ("{third}", f"{bench.name}:third"),
    ):
        text = text.replace(key, value)
    return text


def container_spec(name: str, value: str | None, example: Example) -> str:
    lines = ["[container.web]"]
    lines.append("" if name == "image" and value else 'image = "busybox:latest"')
    if name == "entrypoint" and value:
        lines.append('command = ["trap exit TERM; while :; do sleep 0.1; done"]')
    elif not (name == "command" and value):
        lines.append(LOOP)
    lines.append(example.also)
    lines.append(f"{name} = {value}" if value is not None else "")
    lines.append("[network.side]\n[volume.data]" if name in ("networks", "volumes") else "")
    lines.append(CONTENTS if name in ("configs", "secrets") else "")
    if name == "volumes_from":
        lines.append(f'[container.donor]\nimage = "busybox:latest"\n{LOOP}\nvolumes = ["data:/data", "/anonymous"]')
        lines.append("[volume.data]")
    return "\n".join(line for line in lines if line) + "\n"


def expect_only(
    change: Change, kind: Kind, name: str, example: Example, *, removes: bool = False, first: bool = True
) -> None:
    """The plan names exactly this option, with the verb of the table, and lays it to the spec.

    What was changed in place before counts as drift: labels say how a container was made, and stay.
    """
    row = BY_NAME[kind][name]
    named = {field.path.partition(".")[0] if row.declared else field.path for field in change.fields}
    assert name in named, change.fields
    assert named <= {name, *example.moves}, change.fields
    expected = {Verb.REPLACE} if example.replaces else VERBS[row.cost]
    if removes and row.cost is Cost.UPDATE and not row.clears:
        expected = {Verb.REPLACE}
    if name == "memswap_limit":  # without it swap is twice the memory, which can be set; a limit cannot be lifted
        lifted = any(field.path == name and field.desired == -1 for field in change.fields)
        expected = {Verb.REPLACE if lifted else Verb.UPDATE}
    assert change.verb in expected, change
    if first or row.cost in (Cost.REPLACE, Cost.DATA):
        assert all(field.reason == "spec-changed" for field in change.fields if field.path.startswith(name)), (
            change.fields
        )


@pytest.fixture
def images(bench: Workbench, docker_api: docker.APIClient) -> Iterator[None]:
    """Two images that are not busybox."""
    for tag in ("other", "third"):
        container = docker_api.create_container("busybox:latest", "true")["Id"]
        docker_api.commit(container, repository=bench.name, tag=tag, changes=f"LABEL variant={tag}")
        docker_api.remove_container(container)
    yield
    for container in docker_api.containers(all=True, filters={"label": f"reconciler.project={bench.name}"}):
        docker_api.remove_container(container["Id"], force=True)
    for tag in ("other", "third"):
        docker_api.remove_image(f"{bench.name}:{tag}")


def container_change(bench: Workbench) -> Change | None:
    changes = [change for change in bench.plan().changes if change.address.kind is Kind.CONTAINER]
    return changes[0] if changes else None


def settings(bench: Workbench) -> dict[str, object]:
    """All that the engine holds of the container, but what it draws anew for each."""
    config = dict(bench.config(f"{bench.name}-web-1"))
    endpoints = config["networks"]
    assert isinstance(endpoints, dict)
    config["networks"] = {
        name: {**endpoint, "mac_address": None, "ipv4_address": None} for name, endpoint in endpoints.items()
    }
    environment = config["environment"]
    assert isinstance(environment, dict)
    config["environment"] = {**environment, "HOSTNAME": None}  # Podman's
    labels = config["labels"]
    assert isinstance(labels, dict)
    return {**config, "hostname": None, "labels": foreign_labels(labels)}


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("name", declared(Kind.CONTAINER))
def test_container_option(name: str, bench: Workbench) -> None:
    """Create without, add, change, remove: the class of the table each time, settled each time."""
    example = Example(*(fill(part, bench) if isinstance(part, str) else part for part in examples.CONTAINER[name]))
    bench.settle(container_spec(name, None, example))
    fresh = settings(bench)
    if not can_have(bench, container_spec(name, example.first, example), name, example):
        assert settings(bench) == fresh, "what cannot be done changes nothing"
        return
    bench.settle(container_spec(name, None, example))
    before: str | None = None
    for value in (example.first, example.second, None):
        bench.write(container_spec(name, value, example))
        change = container_change(bench)
        if same_value(name, before, value):
            assert change is None, "two ways to write one value are no difference"
        else:
            assert change is not None, f"{name}: {before} -> {value} was not noticed"
            expect_only(change, Kind.CONTAINER, name, example, removes=value is None, first=before is None)
        bench.settle()
        before = value
    assert settings(bench) == fresh, "taking it away did not bring back what a fresh container has"


def can_have(bench: Workbench, text: str, name: str, example: Example) -> bool:
    """Whether this engine has the option. If not, that is said: by the plan for its version, by the engine for its host."""
    since = BY_NAME[Kind.CONTAINER][name].since
    bench.write(text)
    if since > bench.engine.facts().api_version:
        change = bench.change("container.web")
        assert change.verb is Verb.BLOCKED
        assert f"{name} needs Engine" in change.note
        assert f"(API {since[0]}.{since[1]})" in change.note
        return False
    if not example.lacks:
        return True
    report = bench.apply()
    if report.is_settled:
        return True
    failed = next(outcome for outcome in report.outcomes if str(outcome.address) == "container.web")
    assert failed.status in (Status.FAILED, Status.RESTORED), explain(report)
    assert re.search(example.lacks, failed.message), failed.message
    return False


def same_value(name: str, before: str | None, after: str | None) -> bool:
    row = BY_NAME[Kind.CONTAINER][name]
    unset = row.default if row.silent is Silent.DEFAULT else object()
    values = [unset if value is None else canonical(name, value) for value in (before, after)]
    return values[0] == values[1]


def canonical(name: str, value: str) -> object:
    return BY_NAME[Kind.CONTAINER][name].form.declare(tomli.loads(f"x = {value}")["x"])


@pytest.mark.parametrize("name", declared(Kind.NETWORK))
def test_network_option(name: str, bench: Workbench) -> None:
    example = Example(*(fill(part, bench) if isinstance(part, str) else part for part in examples.NETWORK[name]))

    def spec(value: str | None) -> str:
        lines = ["[network.side]", example.also, f"{name} = {value}" if value is not None else ""]
        return "\n".join(line for line in lines if line) + "\n"

    since = BY_NAME[Kind.NETWORK][name].since
    if since > bench.engine.facts().api_version:
        bench.write(spec(example.first))
        change = bench.change("network.side")
        assert change.verb is Verb.BLOCKED
        assert f"{name} needs Engine" in change.note
        return
    bench.settle(spec(None))
    values = (example.first, example.second, None)
    for value in values:
        bench.write(spec(value))
        for change in bench.plan().changes:
            if change.verb is not Verb.REMOVE and name != "name":
                expect_only(change, Kind.NETWORK, name, example)
        bench.settle()


@pytest.mark.parametrize("name", declared(Kind.VOLUME))
def test_volume_option(name: str, bench: Workbench) -> None:
    """A volume that differs is never replaced: it is blocked, and says what it would lose."""
    example = Example(*(fill(part, bench) if isinstance(part, str) else part for part in examples.VOLUME[name]))
    bench.settle(f"[volume.data]\n{name} = {example.first}\n")
    bench.write(f"[volume.data]\n{name} = {example.second}\n")
    changes = bench.plan().changes
    if example.first == example.second:
        assert not changes
    elif name == "name":
        assert [change.verb for change in changes] == [Verb.CREATE]
    else:
        assert [(change.verb, change.reason) for change in changes] == [(Verb.BLOCKED, "would-lose-data")]
        assert "lose what is in it" in changes[0].note
        assert not bench.apply().is_settled
    bench.settle(f"[volume.data]\n{name} = {example.first}\n")
