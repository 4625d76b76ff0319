"""Random worlds: what a project was, what was done to it by hand, and what it is to be."""

from __future__ import annotations

from typing import Any, NamedTuple

import tomli
from hypothesis import strategies as st

from tests.options import examples
from tests.planning.stage import OTHER, RICH, Stage, tried

CONTAINERS, NETWORKS, VOLUMES = ("aa", "bb", "cc", "dd"), ("back", "front"), ("data", "more")
PORTS = ("7001", "7002", "7003")
#: drawn apart, because they depend on each other or on other resources
_APART = {
    "image", "container_name", "ports", "networks", "network_mode", "volumes", "expose", "healthcheck", "restart",
    "cpus", "cpu_period", "cpu_quota", "mem_limit", "memswap_limit", "mem_reservation", "pid", "ipc", "hostname", "tmpfs",
    "cpu_rt_period", "cpu_rt_runtime", "volumes_from", "oom_kill_disable", "uts", "annotations",
}  # fmt: skip
FILLED = {"{project}": "shop", "{disk}": "/dev/sda", "{hex}": "1"}


def _parsed(text: str) -> Any:
    return tomli.loads(f"x = {text}")["x"]


#: option → the values that are drawn from
VALUES: dict[str, list[Any]] = {
    name: [_parsed(example.first), _parsed(example.second)]
    for name, example in examples.CONTAINER.items()
    if name not in _APART
}

#: how it is replaced; that it insists on an order which cannot be is rare
ROLLOUTS: list[dict[str, Any]] = [
    {},
    {},
    *({"rollout": {"ready_after": "1s", **more}} for more in ({}, {}, {"drain": "1s"}, {"max_parallel": 2})),
    *({"rollout": {"ready_after": "1s", "on_failure": way}} for way in ("keep", "stop")),
    {"rollout": {"order": "stop-first"}},
    {"rollout": {"order": "start-first"}},
]

Spec = dict[str, dict[str, Any]]


class Version(NamedTuple):
    """A spec, and what stands in the build context."""

    spec: Spec
    context: str


class Deed(NamedTuple):
    """Something that is done by hand; `pick` says to which of the objects."""

    what: str
    pick: int
    other: int = 0


class Scene(NamedTuple):
    earlier: tuple[Version, ...]
    deeds: tuple[Deed, ...]
    now: Version


@st.composite
def containers(draw: st.DrawFn, name: str, before: list[str], spec: Spec, *, networks: list[str]) -> dict[str, Any]:
    """One container; it may depend on those in `before`."""
    image = draw(st.sampled_from(["busybox:latest", "busybox:latest", "rich:7", "job:1", "remote:1", "app"]))
    options: dict[str, Any] = {"image": image}
    for option in draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=5, unique=True)):
        options[option] = draw(st.sampled_from(VALUES[option]))
    options |= draw(st.sampled_from([{}, {}, {"cpus": 0.5}, {"cpus": 2}, {"cpu_quota": 25000}]))
    options |= draw(st.sampled_from([{}, {}, {"mem_limit": "64M"}, {"mem_limit": "64M", "memswap_limit": "96M"}]))
    policies = ["no", "on-failure:2"] if image == "job:1" else ["no", "always", "unless-stopped", "on-failure"]
    options |= draw(st.sampled_from([{}, *({"restart": policy} for policy in policies)]))
    if image == "job:1":
        options |= draw(st.sampled_from([{}, {"kind": "job"}, {"kind": "job"}]))
    else:
        options |= draw(st.sampled_from([{}, {}, {"healthcheck": {"test": "true", "interval": "1s"}}]))
    options |= draw(st.sampled_from(ROLLOUTS)) if "kind" not in options else {}
    mounts = draw(st.lists(st.sampled_from(["data:/data", "more:/more:ro", "/anonymous"]), max_size=2, unique=True))
    for mount in mounts:
        if mount[0] != "/":
            spec.setdefault(f"volume.{mount.partition(':')[0]}", {})
    options |= {"volumes": mounts} if mounts else {}
    options |= draw(st.sampled_from([{}, {}, {"tmpfs": ["/scratch:size=64k"]}, {"tmpfs": ["/var/lib/rich"]}]))
    others = [other for other in before if f"container.{other}" in spec]
    condition = st.sampled_from(others).flatmap(
        lambda other: st.tuples(st.just(other), st.just(_condition(spec, other)))
    )
    if draw(st.booleans()) and others:
        options["depends_on"] = dict(draw(st.lists(condition, min_size=1, max_size=2)))
        if "kind" not in options and draw(st.booleans()):
            options["depends_on"] = {
                other: {"condition": reached, "restart": True} for other, reached in options["depends_on"].items()
            }
    donors = [
        name
        for name in others
        if spec[f"container.{name}"]["image"] != "job:1" and "scale" not in spec[f"container.{name}"]
    ]
    shares = donors and draw(st.integers(0, 4)) == 0
    if shares:
        options["network_mode"] = f"service:{draw(st.sampled_from(donors))}"
        for option in ("dns", "dns_search", "dns_opt", "extra_hosts", "domainname", "sysctls"):
            options.pop(option, None)
    elif draw(st.booleans()) and networks:
        chosen = draw(st.lists(st.sampled_from(networks), min_size=1, unique=True))
        settings = st.sampled_from([{}, {"aliases": ["x.internal"]}, {"priority": 5}])
        options["networks"] = {network: draw(settings) for network in chosen}
    fixed = draw(st.integers(0, 5))
    taken = {port for table in spec.values() for port in table.get("ports", ())}
    free = [f"{port}:80" for port in PORTS if f"{port}:80" not in taken]
    if fixed == 0:
        options["container_name"] = f"named-{name}"
    elif fixed in (1, 2) and free and not shares:
        options["ports"] = [draw(st.sampled_from(free))]
    elif (
        fixed == 3
        and "kind" not in options
        and not any(other.get("network_mode") == f"service:{name}" for other in spec.values())
    ):
        options["scale"] = draw(st.integers(1, 3))
    return options


def _condition(spec: Spec, name: str) -> str:
    """The most that can be asked of a container."""
    table = spec[f"container.{name}"]
    if table["image"] == "job:1":
        return "completed"
    return "healthy" if "healthcheck" in table else "started"


@st.composite
def versions(draw: st.DrawFn) -> Version:
    spec: Spec = {}
    networks = draw(st.lists(st.sampled_from(NETWORKS), unique=True))
    for network in sorted(networks):
        second = 50 + NETWORKS.index(network)  # a subnet that goes from one network to another is no order's matter
        subnets = [{"ipam": {"config": [{"subnet": f"10.{second}.{third}.0/24"}]}} for third in (1, 2)]
        spec[f"network.{network}"] = draw(
            st.sampled_from([{}, {}, {"internal": True}, {"labels": {"team": "shop"}}, {"attachable": True}, *subnets])
        )
    for volume in draw(st.lists(st.sampled_from(VOLUMES), unique=True)):
        spec[f"volume.{volume}"] = draw(st.sampled_from([{}, {}, {"labels": {"team": "shop"}}]))
    names = draw(st.lists(st.sampled_from(CONTAINERS), min_size=1, unique=True).map(sorted))
    for number, name in enumerate(names):
        spec[f"container.{name}"] = draw(containers(name, names[:number], spec, networks=networks))
    if any(table.get("image") == "app" for table in spec.values()):
        spec["image.app"] = {"build": "./app"}
    for content in ("config.motd", "config.other", "secret.key"):
        spec[content] = {"content": draw(st.sampled_from(["one", "two"]))}
    return Version(spec, draw(st.sampled_from(["one", "two", "three"])))


OURS = (
    "stop", "remove", "pause", "exit", "crash", "rename", "swap names", "call it next", "call it prev", "more memory",
    "other policy", "leave network", "join network", "remove network", "remove volume", "move tag", "remove image",
)  # fmt: skip
STRANGERS = (
    "stranger by name", "their container", "newer container", "stranger network", "stranger volume", "their volume",
    "stranger on network", "stranger image", "committed",
)  # fmt: skip


def deeds(kinds: tuple[str, ...] = OURS + STRANGERS) -> st.SearchStrategy[tuple[Deed, ...]]:
    one = st.builds(Deed, st.sampled_from(kinds), st.integers(0, 7), st.integers(0, 3))
    return st.lists(one, max_size=4).map(tuple)


def scenes(kinds: tuple[str, ...] = OURS + STRANGERS) -> st.SearchStrategy[Scene]:
    """Often a small step from one version to the next, as it is in life."""
    earlier = st.lists(versions(), max_size=2).map(tuple)
    return st.builds(_scene, earlier, deeds(kinds), versions(), st.integers(0, 2), st.randoms(use_true_random=False))


def _scene(earlier: tuple[Version, ...], done: tuple[Deed, ...], now: Version, step: int, random: Any) -> Scene:
    if earlier and step:
        before = earlier[-1]
        # in half of them nothing changes but by hand
        now = before if step == 1 else Version(_stepped(before.spec, now.spec, random), now.context)
    return Scene(earlier, done, now)


def _stepped(before: Spec, drawn: Spec, random: Any) -> Spec:
    """The spec from before with one container's plain options changed."""
    names = sorted(name for name in before if name.startswith("container."))
    name = random.choice(names)
    source = random.choice(sorted(key for key in drawn if key.startswith("container.")))
    plain = {key: value for key, value in drawn[source].items() if key in VALUES and "network_mode" not in before[name]}
    return {**before, name: {**before[name], **plain}}


# --- putting it on -------------------------------------------------------------------------------------------------


def put_on(stage: Stage, scene: Scene) -> None:
    """Apply the earlier specs, and do what is done by hand."""
    for version in scene.earlier:
        stage.apply(stage.write(version.spec, version.context))
    for deed in scene.deeds:
        do(stage, deed)


def do(stage: Stage, deed: Deed) -> None:
    """By hand, if the engine allows it and there is something to do it to."""
    engine, ours = stage.engine, stage.ours()
    found = ours[deed.pick % len(ours)] if ours else None
    if deed.what in STRANGERS:
        _bring(stage, deed, found)
    elif deed.what == "move tag":
        engine.images.add(("busybox:latest", "rich:7")[deed.pick % 2], OTHER if deed.other % 2 else RICH)
    elif deed.what in ("remove network", "remove volume", "remove image"):
        _take_away(stage, deed)
    elif found is not None:
        second = ours[deed.other % len(ours)]
        tried(lambda: _harm(stage, deed, found, second))


def _harm(stage: Stage, deed: Deed, found: dict[str, Any], second: dict[str, Any]) -> None:
    engine, container_id, name = stage.engine, found["Id"], found["Name"][1:]
    networks = [network for network in engine.networks.all.values() if network["Name"].startswith("shop_")]
    attached = sorted(found["NetworkSettings"]["Networks"])
    match deed.what:
        case "stop":
            engine.stop_container(container_id, 0)
        case "remove":
            engine.stop_container(container_id, 0)
            engine.remove_container(container_id)
        case "pause" if found["State"]["Status"] == "running":
            engine.pause(container_id)
        case "exit" | "crash" if found["State"]["Status"] == "running":
            engine.exit(container_id, 0 if deed.what == "exit" else 1)
            if found["State"]["Status"] == "restarting":
                engine.restart_container(container_id, 0)  # as the engine does by itself
        case "rename":
            engine.rename_container(container_id, f"stray-{deed.other}")
        case "swap names" if second is not found:
            other = second["Name"][1:]
            engine.rename_container(container_id, "swapping")
            engine.rename_container(second["Id"], name)
            engine.rename_container(container_id, other)
        case "call it next" | "call it prev":
            engine.rename_container(container_id, name + (".next" if deed.what.endswith("next") else ".prev"))
        case "more memory":
            engine.update_container(container_id, {"Memory": 512 * 1024**2, "MemorySwap": 1024**3})
        case "other policy":
            engine.update_container(container_id, {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 1}})
        case "leave network" if attached:
            network = next((n for n in engine.networks.all.values() if n["Name"] == attached[0]), None)
            if network is not None:
                engine.disconnect(network["Id"], container_id)
        case "join network" if networks and attached:
            network = networks[deed.other % len(networks)]
            if network["Name"] not in attached:
                engine.connect(network["Id"], container_id, {"Aliases": ["by-hand"]})


def _take_away(stage: Stage, deed: Deed) -> None:
    engine = stage.engine
    networks = [n["Id"] for n in engine.networks.all.values() if n["Name"].startswith("shop_")]
    volumes = [name for name in engine.volumes if name.startswith("shop_")]
    if deed.what == "remove network" and networks:
        tried(lambda: engine.remove_network(networks[deed.pick % len(networks)]))
    elif deed.what == "remove volume" and volumes:
        name = volumes[deed.pick % len(volumes)]
        if tried(lambda: engine.remove_volume(name)):
            stage.strangers.discard(name)
    elif deed.what == "remove image":
        tried(lambda: engine.remove_image(("remote:1", "shop-app:latest")[deed.pick % 2]))


def _bring(stage: Stage, deed: Deed, found: dict[str, Any] | None) -> None:
    engine = stage.engine
    name = f"shop-{CONTAINERS[deed.pick % len(CONTAINERS)]}-1"
    theirs = {"reconciler.project": "other", "reconciler.address": f"container.{CONTAINERS[deed.pick % 4]}"}
    network, volume = f"shop_{NETWORKS[deed.pick % 2]}", f"shop_{VOLUMES[deed.pick % 2]}"
    match deed.what:
        case "stranger by name":
            tried(lambda: stage.make_stranger(name))
        case "their container":
            tried(lambda: stage.make_stranger(name + (".next" if deed.other == 3 else ""), theirs))
        case "newer container":
            ours = {**theirs, "reconciler.project": "shop", "reconciler.fingerprint": "2:image=1"}
            tried(lambda: stage.make_stranger(name, ours))
        case "stranger network":
            tried(lambda: stage.strangers.add(engine.create_network({"Name": network})[0]))
        case "stranger volume" | "their volume" if volume not in engine.volumes:
            labels = {**theirs, "reconciler.address": "volume.data"} if deed.what == "their volume" else {}
            engine.create_volume({"Name": volume, "Labels": labels})
            stage.strangers.add(volume)
        case "stranger on network":
            known = sorted(n["Name"] for n in engine.networks.all.values() if n["Name"].startswith("shop_"))
            if known:
                tried(lambda: stage.make_stranger(f"guest-{deed.other}", network=known[deed.pick % len(known)]))
        case "stranger image":
            stage.strangers.add(engine.images.add("shop-app:latest", OTHER._replace(seed="theirs")))
        case "committed" if found is not None:
            stage.commit(found["Name"][1:], f"committed:{deed.other}")
            tried(lambda: stage.run_committed(f"committed:{deed.other}", f"debug-{deed.other}"))
