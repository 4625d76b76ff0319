"""What a spec that is right becomes."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SpecError
from reconciler.model.address import Address, Kind
from reconciler.model.desired import (
    Build,
    Condition,
    ContainerResource,
    Dependency,
    DesiredState,
    ImageResource,
    NetworkResource,
    Origin,
    PullPolicy,
    VolumeResource,
)
from reconciler.model.rollout import Order, Rollout
from reconciler.spec.load import load


def spec(directory: Path, text: str, **environment: str) -> DesiredState:
    directory = directory / "shop"
    directory.mkdir(exist_ok=True)
    (directory / "spec.toml").write_text(text)
    return load(directory, environment)


def container(state: DesiredState, name: str, index: int = 0) -> ContainerResource:
    found = state.resources[Address(Kind.CONTAINER, name, index)]
    assert isinstance(found, ContainerResource)
    return found


def only(directory: Path, options: str, rest: str = "", **environment: str) -> ContainerResource:
    """The one container of a spec, called web."""
    return container(spec(directory, f'[container.web]\nimage = "x:1"\n{options}\n{rest}', **environment), "web")


def test_the_example_of_the_design(tmp_path: Path) -> None:
    directory = tmp_path / "specs"
    (directory / "api").mkdir(parents=True)
    (directory / "api" / "Dockerfile").write_text("FROM scratch\n")
    (directory / ".env.api").write_text("LOG_LEVEL=debug\nFROM_FILE='yes'\n")
    (directory / "api.toml").write_text(
        """
[image.api]
tag = "shop/api:1.4"
build = { context = "./api", target = "prod", args = { VERSION = "1.4" } }

[container.api]
image = "api"
command = ["python", "app.py"]
ports = ["127.0.0.1:4000:80"]
environment = { LOG_LEVEL = "info", DB_URL = "${DB_URL:?set it in .env}" }
env_file = [".env.api"]
volumes = ["data:/var/lib/data", "./conf:/etc/api:ro"]
networks = { backend = { aliases = ["api.internal"] } }
depends_on = { redis = "healthy" }
restart = "unless-stopped"
healthcheck = { test = ["CMD", "wget", "-qO-", "http://localhost/health"], interval = "5s", retries = 3 }
mem_limit = "256M"
cpus = 0.5
rollout = { order = "start-first", timeout = "60s", on_failure = "rollback" }
"""
    )
    (directory / "rest.toml").write_text(
        """
[project]
name = "shop"
[image.redis]
reference = "redis:7.4"
pull_policy = "missing"
[container.redis]
image = "redis"
[network.backend]
internal = true
[volume.data]
"""
    )
    state = load(directory, {"DB_URL": "postgres://db"})
    assert state.project == "shop"
    assert state.files == (str(directory / "api.toml"), str(directory / "rest.toml"))
    api = container(state, "api")
    assert api == ContainerResource(
        address=Address(Kind.CONTAINER, "api"),
        name="shop-api-1",
        config={
            "image": "shop/api:1.4",
            "command": ("python", "app.py"),
            "ports": {"80/tcp": ("127.0.0.1:4000",)},
            "environment": {"LOG_LEVEL": "info", "DB_URL": "postgres://db", "FROM_FILE": "yes"},
            "volumes": {
                "/var/lib/data": {"type": "volume", "source": "shop_data"},
                "/etc/api": {"type": "bind", "source": f"{directory}/conf", "read_only": True},
            },
            "networks": {"shop_backend": {"aliases": ("api", "api.internal")}},
            "restart": "unless-stopped",
            "healthcheck": {
                "test": ("CMD", "wget", "-qO-", "http://localhost/health"),
                "interval": 5 * 10**9,
                "retries": 3,
            },
            "mem_limit": 256 * 1024**2,
            "cpus": 5 * 10**8,
        },
        image=Address(Kind.IMAGE, "api"),
        networks=("shop_backend",),
        depends_on=(Dependency(Address(Kind.CONTAINER, "redis"), Condition.HEALTHY),),
        needs=(Address(Kind.NETWORK, "backend"), Address(Kind.VOLUME, "data")),
        origin=Origin(str(directory / "api.toml"), ("container", "api")),
        rollout=Rollout(Order.START_FIRST, insists=True, timeout=60.0),
    )
    assert container(state, "redis").networks == ("shop_default",)
    image = state.resources[Address(Kind.IMAGE, "api")]
    assert isinstance(image, ImageResource)
    assert image.build == Build(f"{directory}/api", target="prod", args={"VERSION": "1.4"})
    assert [str(address) for address in state.resources] == [
        "image.api", "image.redis", "network.backend", "network.default", "volume.data", "container.api", "container.redis",
    ]  # fmt: skip
    assert state.warnings == (
        "container.api publishes ports, but all its networks are internal: nothing outside reaches them",
    )


@pytest.mark.parametrize(
    ("directory", "name"),
    [("shop", "shop"), ("My Shop", "myshop"), ("_-9x", "9x"), ("a.b_c-d", "ab_c-d")],
)
def test_the_project_is_called_like_its_directory(tmp_path: Path, directory: str, name: str) -> None:
    (tmp_path / directory).mkdir()
    (tmp_path / directory / "a.toml").write_text('[image.x]\nreference = "x:1"\n')
    assert load(tmp_path / directory, {}).project == name
    assert load(tmp_path / directory / "a.toml", {}).project == name


def test_a_relative_path_names_files_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "a.toml").write_text('[container.web]\nimage = "x:1"\nvolumes = ["./c:/c", "~/h:/h"]\n')
    monkeypatch.chdir(tmp_path / "shop")
    state = load(Path(), {"HOME": "/home/someone"})
    assert (state.project, state.files) == ("shop", ("a.toml",))
    assert container(state, "web").config["volumes"] == {
        "/c": {"type": "bind", "source": f"{tmp_path}/shop/c"},
        "/h": {"type": "bind", "source": "/home/someone/h"},
    }
    monkeypatch.chdir(tmp_path)
    assert load(Path("shop"), {}).files == ("shop/a.toml",)


def test_bind_paths_keep_the_name_of_a_linked_checkout(tmp_path: Path) -> None:
    (tmp_path / "rev1").mkdir()
    (tmp_path / "current").symlink_to("rev1")
    (tmp_path / "rev1" / "a.toml").write_text('[container.web]\nimage = "x:1"\nvolumes = ["./c:/c"]\n')
    mounts: Any = container(load(tmp_path / "current", {}), "web").config["volumes"]
    assert mounts["/c"]["source"] == f"{tmp_path}/current/c"


class TestScale:
    def test_instances_count_from_one(self, tmp_path: Path) -> None:
        state = spec(tmp_path, '[container.web]\nimage = "x:1"\nscale = 3\nports = ["80"]\n')
        assert [(str(c.address), c.name) for c in state.containers()] == [
            ("container.web[1]", "shop-web-1"), ("container.web[2]", "shop-web-2"), ("container.web[3]", "shop-web-3"),
        ]  # fmt: skip
        assert len(state.instances(Address(Kind.CONTAINER, "web"))) == 3

    @pytest.mark.parametrize("options", ["", "scale = 1", 'scale = "${N}"'])
    def test_one_is_not_scaled(self, tmp_path: Path, options: str) -> None:
        assert only(tmp_path, options, N="1").name == "shop-web-1"

    def test_none(self, tmp_path: Path) -> None:
        state = spec(
            tmp_path, '[container.web]\nimage = "x:1"\nscale = 0\n[container.b]\nimage = "x:1"\ndepends_on = ["web"]'
        )
        assert [c.name for c in state.containers()] == ["shop-b-1"]

    def test_a_container_may_have_a_name(self, tmp_path: Path) -> None:
        web = only(tmp_path, 'container_name = "the-web"')
        assert web.name == "the-web"
        assert "container_name" not in web.config


class TestNetworks:
    def test_the_default_network_is_there_only_when_used(self, tmp_path: Path) -> None:
        state = spec(tmp_path, '[container.web]\nimage = "x:1"\n')
        assert [(str(n.address), n.name, n.origin.file) for n in state.networks()] == [
            ("network.default", "shop_default", "")
        ]
        web = container(state, "web")
        assert web.config["networks"] == {"shop_default": {"aliases": ("web",)}}
        assert web.needs == (Address(Kind.NETWORK, "default"),)
        state = spec(
            tmp_path, '[container.web]\nimage = "x:1"\nnetwork_mode = "host"\n[network.default]\ninternal = true\n'
        )
        assert state.networks() == []
        assert "networks" not in container(state, "web").config
        assert container(state, "web").networks == ()

    def test_the_default_network_can_be_configured(self, tmp_path: Path) -> None:
        state = spec(
            tmp_path,
            '[container.web]\nimage = "x:1"\nnetworks = []\n[network.default]\nname = "mine"\ninternal = true\n',
        )
        assert [(n.name, n.config) for n in state.networks()] == [("mine", {"name": "mine", "internal": True})]
        assert container(state, "web").networks == ("mine",)

    def test_the_order_is_priority_then_name(self, tmp_path: Path) -> None:
        web = only(
            tmp_path,
            "networks = { a = {}, c = { priority = 10 }, b = { aliases = ['w', 'web', 'w'] } }",
            '[network.a]\n[network.b]\nname = "z"\n[network.c]\nexternal = true\n',
        )
        assert web.networks == ("c", "shop_a", "z")
        assert web.config["networks"] == {
            "shop_a": {"aliases": ("web",)}, "c": {"aliases": ("web",)}, "z": {"aliases": ("w", "web")},
        }  # fmt: skip
        assert web.needs == (Address(Kind.NETWORK, "a"), Address(Kind.NETWORK, "b"), Address(Kind.NETWORK, "c"))

    def test_the_engines_own_networks_take_no_alias(self, tmp_path: Path) -> None:
        web = only(tmp_path, 'networks = ["outside"]', '[network.outside]\nexternal = true\nname = "bridge"\n')
        assert web.config["networks"] == {"bridge": {}}

    def test_a_shared_namespace_is_a_dependency(self, tmp_path: Path) -> None:
        web = only(
            tmp_path,
            'network_mode = "service:db"\npid = "service:db"\nipc = "container:other"\ndepends_on = { db = "service_healthy" }',
            '[container.db]\nimage = "x:1"\n',
        )
        assert (web.config["network_mode"], web.config["ipc"]) == ("service:db", "container:other")
        assert web.depends_on == (Dependency(Address(Kind.CONTAINER, "db"), Condition.HEALTHY),)
        web = only(tmp_path, 'pid = "service:db"', '[container.db]\nimage = "x:1"\n')
        assert web.depends_on == (Dependency(Address(Kind.CONTAINER, "db"), Condition.STARTED),)


def test_volumes(tmp_path: Path) -> None:
    state = spec(
        tmp_path,
        """
[container.web]
image = "x:1"
volumes = [
    "data:/data:ro", "named:/named", "theirs:/theirs", "/anonymous", "/abs/../x:/x",
    { type = "bind", source = "rel", target = "/rel", bind = { create_host_path = false } },
    { type = "tmpfs", target = "/tmp", tmpfs = { size = "1M" } },
]
[volume.data]
prune = true
[volume.named]
name = "other"
adopt = true
[volume.theirs]
external = true
""",
    )
    web = container(state, "web")
    assert web.config["volumes"] == {
        "/data": {"type": "volume", "source": "shop_data", "read_only": True},
        "/named": {"type": "volume", "source": "other"},
        "/theirs": {"type": "volume", "source": "theirs"},
        "/anonymous": {"type": "volume"},
        "/x": {"type": "bind", "source": "/x"},
        "/rel": {"type": "bind", "source": f"{tmp_path}/shop/rel", "create_host_path": False},
        "/tmp": {"type": "tmpfs", "size": 1024**2},
    }
    assert web.needs == (
        Address(Kind.NETWORK, "default"),
        Address(Kind.VOLUME, "data"),
        Address(Kind.VOLUME, "named"),
        Address(Kind.VOLUME, "theirs"),
    )
    assert [(v.name, v.external, v.prune, v.adopt) for v in state.volumes()] == [
        ("shop_data", False, True, False), ("other", False, False, True), ("theirs", True, False, False),
    ]  # fmt: skip


class TestImages:
    def test_a_reference_that_nobody_declares_is_implied_once(self, tmp_path: Path) -> None:
        state = spec(
            tmp_path,
            '[container.a]\nimage = "x:1"\npull_policy = "never"\n[container.b]\nimage = "x:1"\npull_policy = "always"\n'
            '[container.c]\nimage = "x:1"\n[container.d]\nimage = "y"\npull_policy = "if_not_present"\nplatform = "linux/arm64"\n',
        )
        assert [(i.reference, i.pull_policy, i.implied, i.platform, i.origin.keys) for i in state.images()] == [
            ("x:1", PullPolicy.ALWAYS, True, "", ("container", "a", "image")),
            ("y", PullPolicy.MISSING, True, "linux/arm64", ("container", "d", "image")),
        ]
        assert container(state, "d").platform == "linux/arm64"
        assert container(state, "b").image == Address(Kind.IMAGE, "x:1")

    def test_the_reference_of_a_declared_image_means_that_image(self, tmp_path: Path) -> None:
        state = spec(
            tmp_path,
            '[image.redis]\nreference = "redis"\n[container.a]\nimage = "docker.io/library/redis:latest"\n[container.b]\nimage = "redis"\n',
        )
        assert {c.image for c in state.containers()} == {Address(Kind.IMAGE, "redis")}
        assert [i.implied for i in state.images()] == [False]
        assert container(state, "a").config["image"] == "redis"

    def test_a_build_without_a_tag(self, tmp_path: Path) -> None:
        (tmp_path / "shop").mkdir()
        (tmp_path / "shop" / "Dockerfile").write_text("FROM scratch\n")
        state = spec(tmp_path, '[image.api]\nbuild = "."\nplatform = "linux/amd64"\n')
        (image,) = state.images()
        assert image.reference == "shop-api"
        assert image.build == Build(f"{tmp_path}/shop", platforms=("linux/amd64",))
        assert image.platform == "linux/amd64"

    @pytest.mark.parametrize(
        "reference",
        [
            "redis",
            "redis:7.4",
            "a/b/c:tag",
            "localhost:5000/x",
            "r.test/x@sha256:" + "0" * 64,
            "r.test:1/a_b/c__d--e:X",
            "[::1]:5000/x:1",
        ],
    )
    def test_references(self, tmp_path: Path, reference: str) -> None:
        (image,) = spec(tmp_path, f'[container.a]\nimage = "{reference}"\n').images()
        assert image.reference == reference

    def test_a_different_bare_name_is_no_misspelling(self, tmp_path: Path) -> None:
        state = spec(tmp_path, '[image.api]\nreference = "shop/api"\n[container.a]\nimage = "redis"\n')
        assert [i.reference for i in state.images()] == ["shop/api", "redis"]


@pytest.mark.parametrize(
    "raw",
    [
        '["db", "cache"]',
        '{ db = "started", cache = "service_started" }',
        '{ db = {}, cache = { condition = "started" } }',
    ],
)
def test_forms_of_dependencies(tmp_path: Path, raw: str) -> None:
    web = only(tmp_path, f"depends_on = {raw}", '[container.db]\nimage = "x:1"\n[container.cache]\nimage = "x:1"\n')
    assert web.depends_on == tuple(
        Dependency(Address(Kind.CONTAINER, name), Condition.STARTED) for name in ("cache", "db")
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('environment = ["A=1", "B"]', {"A": "1", "B": "outside"}),
        ("environment = { A = 1, B = true, C = 1.5 }", {"A": "1", "B": "true", "C": "1.5"}),
        ('env_file = ".env.x"', {"FILE": "file"}),
        ('env_file = [{ path = "absent", required = false }]\nenvironment = { FILE = "own" }', {"FILE": "own"}),
        ('env_file = [".env.x"]\nenvironment = { FILE = "own" }', {"FILE": "own"}),
        ("environment = {}", {}),
    ],
)
def test_environment(tmp_path: Path, options: str, expected: dict[str, str]) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / ".env.x").write_text("FILE=file\n")
    assert only(tmp_path, options, B="outside").config["environment"] == expected


def test_texts_of_variables_become_numbers_and_booleans(tmp_path: Path) -> None:
    web = only(
        tmp_path,
        'cpus = "${CPUS}"\nread_only = "${FLAG}"\ntty = "${NO:-false}"\ncpu_shares = "${SHARES}"\nports = ["${PORT}:80"]\n'
        'healthcheck = { test = "true", retries = "${N}", disable = "${NO:-false}" }\nenvironment = { N = "${N}" }\n'
        'volumes = [{ type = "bind", source = ".", target = "/x", read_only = "${FLAG}" }]\n'
        'networks = { default = { priority = "${N}" } }\nulimits = { nofile = { soft = "${N}", hard = "${SHARES}" } }',
        CPUS="0.5", FLAG="true", SHARES="512", PORT="4000", N="3",
    )  # fmt: skip
    config: Any = web.config
    assert (config["cpus"], config["read_only"], config["tty"], config["cpu_shares"]) == (5 * 10**8, True, False, 512)
    assert config["healthcheck"] == {"test": ("CMD-SHELL", "true"), "retries": 3}
    assert config["environment"] == {"N": "3"}
    assert config["volumes"]["/x"]["read_only"] is True
    assert config["ulimits"] == {"nofile": "3:512"}


def test_dotenv_stands_below_the_environment(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / ".env").write_text("A=file\nB=file\n")
    assert only(tmp_path, 'command = ["$A", "$B"]', A="outside").config["command"] == ("outside", "file")


def test_adoption_is_inherited(tmp_path: Path) -> None:
    state = spec(
        tmp_path,
        '[project]\nadopt = true\nprune = true\n[container.a]\nimage = "x:1"\n[container.b]\nimage = "x:1"\nadopt = false\n[volume.v]\n',
    )
    assert state.prune
    assert [(str(r.address), r.adopt) for r in state.resources.values() if not isinstance(r, ImageResource)] == [
        ("network.default", True), ("volume.v", True), ("container.a", True), ("container.b", False),
    ]  # fmt: skip


def test_options_that_only_steer_are_not_in_the_config(tmp_path: Path) -> None:
    web = only(
        tmp_path, 'scale = 1\npull_policy = "missing"\ndepends_on = []\nenv_file = []\nadopt = true\nrollout = {}'
    )
    assert sorted(web.config) == ["environment", "image", "networks"]
    state = spec(tmp_path, '[network.n]\nexternal = true\nname = "x"\n[volume.v]\nprune = true\n')
    assert state.resources[Address(Kind.NETWORK, "n")] == NetworkResource(
        Address(Kind.NETWORK, "n"),
        "x",
        {},
        external=True,
        origin=Origin(f"{tmp_path}/shop/spec.toml", ("network", "n")),
    )
    volume = state.resources[Address(Kind.VOLUME, "v")]
    assert isinstance(volume, VolumeResource)
    assert volume.config == {}


def test_reading_changes_nothing(tmp_path: Path) -> None:
    text = '[container.web]\nimage = "x:1"\nenvironment = { A = "${A:-1}" }\nvolumes = ["./x:/x"]\n'
    first = spec(tmp_path, text, XDG_CACHE_HOME=f"{tmp_path}/cache")
    second = spec(tmp_path, text, XDG_CACHE_HOME=f"{tmp_path}/cache")
    assert first == second
    assert [file.name for file in (tmp_path / "shop").iterdir()] == ["spec.toml"]


def test_problems_can_be_compared_and_printed(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        only(tmp_path, "scale = true")
    (problem,) = raised.value.problems
    assert (Path(problem.file).name, problem.line, problem.column, problem.path) == (
        "spec.toml",
        3,
        1,
        "container.web.scale",
    )
