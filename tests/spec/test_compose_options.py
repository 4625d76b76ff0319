"""What Compose says of a container beyond the options of the engine: deploy, profiles, links, label files."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.model.address import Address, Kind
from reconciler.model.desired import Condition, Dependency
from tests.spec.test_resolve import container, only, spec


def test_deploy_means_options_of_the_container(tmp_path: Path) -> None:
    state = spec(
        tmp_path,
        """
[container.web]
image = "x:1"
cpus = 0.5
[container.web.deploy]
replicas = "2"
labels = { a = "b" }
placement = { constraints = ["node.role==manager"] }
restart_policy = { condition = "on-failure", max_attempts = 3, delay = "5s" }
[container.web.deploy.resources]
limits = { cpus = "0.50", memory = "64M", pids = 10 }
reservations = { memory = "32m", devices = [{ capabilities = ["tpu"], device_ids = ["1"] }] }
""",
    )
    web = container(state, "web", 2)
    assert web.config["cpus"] == 500_000_000
    assert (web.config["mem_limit"], web.config["mem_reservation"]) == (64 << 20, 32 << 20)
    assert (web.config["pids_limit"], web.config["restart"]) == (10, "on-failure:3")
    assert web.config["gpus"] == ({"capabilities": ("tpu",), "device_ids": ("1",)},)
    (warning,) = state.warnings
    for place in ("labels", "placement", "restart_policy.delay"):
        assert f"container.web.deploy.{place}" in warning


def test_what_is_understood_and_not_carried_out_is_named(tmp_path: Path) -> None:
    state = spec(
        tmp_path,
        """
[container.db]
image = "x:1"
[container.web]
image = "x:1"
attach = false
develop = { watch = [{ path = ".", action = "rebuild" }] }
depends_on = { db = { condition = "started", restart = true }, cache = { required = false } }
ports = [{ target = 80, name = "web", app_protocol = "http" }]
volumes = [{ type = "bind", source = "/x", target = "/x", consistency = "cached" }, "/y:/y:delegated"]
""",
    )
    said = "\n".join(state.warnings)
    for place in (
        "attach",
        "develop",
        "ports[0].name",
        "ports[0].app_protocol",
        "volumes[0].consistency",
    ):
        assert f"container.web.{place}" in said
    web = container(state, "web")
    assert web.depends_on == (Dependency(Address(Kind.CONTAINER, "db"), Condition.STARTED, restart=True),)
    assert web.config["volumes"] == {"/x": {"type": "bind", "source": "/x"}, "/y": {"type": "bind", "source": "/y"}}


@pytest.mark.parametrize(
    ("project", "variable", "expected"),
    [
        ("", "", ["web"]),
        ("debug", "", ["debug", "web"]),
        ("", "debug, x", ["debug", "web"]),
        ("", "*", ["debug", "other", "web"]),
    ],
)
def test_profiles(tmp_path: Path, project: str, variable: str, expected: list[str]) -> None:
    text = f"""
[project]
profiles = {[project] if project else []}
[container.web]
image = "x:1"
[container.debug]
image = "y:1"
profiles = ["debug"]
[container.other]
image = "z:1"
profiles = ["other"]
"""
    state = spec(tmp_path, text, RECONCILER_PROFILES=variable)
    assert sorted(item.address.name for item in state.containers()) == expected
    assert len(state.images()) == len(expected), "an image that only inactive containers have is not wanted either"


def test_links_are_settings_of_every_endpoint(tmp_path: Path) -> None:
    rest = """[container.db]
image = "x:1"
[network.side]
"""
    options = 'links = ["db:database"]\nexternal_links = ["legacy:old"]\nnetworks = ["default", "side"]\nmac_address = "02-42-AC-11-00-02"'
    web = only(tmp_path, options, rest)
    endpoints: Any = web.config["networks"]
    links = ("legacy:old", "shop-db-1:database", "shop-db-1:db-1", "shop-db-1:shop-db-1")
    assert [endpoints[name]["links"] for name in web.networks] == [links, links]
    assert [endpoints[name].get("mac_address") for name in web.networks] == ["02:42:ac:11:00:02", None]
    assert web.depends_on == (Dependency(Address(Kind.CONTAINER, "db"), Condition.STARTED),)


def test_label_files(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "labels.env").write_text("team=web\ncom.example.tier=front # the first\n")
    web = only(tmp_path, 'label_file = "labels.env"\nlabels = { team = "shop" }')
    assert web.config["labels"] == {"team": "shop", "com.example.tier": "front"}


def test_mounts_of_images_and_of_other_containers(tmp_path: Path) -> None:
    rest = """[image.models]
reference = "models:2"
[container.db]
image = "x:1"
"""
    volumes = """volumes = [
    { type = "image", source = "models", target = "/models", image = { subpath = "small" } },
    { type = "image", source = "other:1", target = "/other" },
]
volumes_from = ["db:ro", "container:legacy"]"""
    web = only(tmp_path, volumes, rest)
    assert web.config["volumes"] == {
        "/models": {"type": "image", "source": "models:2", "subpath": "small"},
        "/other": {"type": "image", "source": "other:1"},
    }
    assert web.config["volumes_from"] == {"service:db": "ro", "container:legacy": "rw"}
    assert {Address(Kind.IMAGE, "models"), Address(Kind.IMAGE, "other:1")} <= set(web.needs)
