"""What the adversary does: by hand on the engine, in the files, to the service. Each is a moment; none waits."""

from __future__ import annotations

import random
import secrets
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from tests.support.proxy import Proxy

if TYPE_CHECKING:
    import docker

LOOP = 'command = ["sh", "-c", "trap exit TERM; while :; do sleep 0.2; done"]'
#: writes a word into the volume once; it must be there at the end
KEEPER = 'command = ["sh", "-c", "trap exit TERM; [ -f /data/word ] || echo $$WORD > /data/word; while :; do sleep 0.2; done"]'
CHECK = 'healthcheck = { test = "true", interval = "500ms", timeout = "10s", retries = 3 }'


class Target:
    """The project under attack: its files, its objects, and the service that keeps it."""

    def __init__(self, name: str, directory: Path, api: docker.APIClient, proxy: Proxy) -> None:
        self.name, self.directory, self.api, self.proxy = name, directory, api, proxy
        self.word = secrets.token_hex(8)
        self.service: Callable[[signal.Signals], None] = lambda number: None
        self.restart_engine: Callable[[], None] = lambda: None
        self.squatters: list[str] = []

    def spec(self, level: str = "info", scale: int = 2, extra: str = "") -> str:
        return f"""
[project]
name = "{self.name}"
[image.site]
build = "./site"
[container.web]
image = "busybox:latest"
{LOOP}
{CHECK}
scale = {scale}
environment = {{ LEVEL = "{level}" }}
networks = {{ front = {{ aliases = ["www"] }}, back = {{}} }}
[container.db]
image = "busybox:latest"
{KEEPER}
environment = {{ WORD = "{self.word}" }}
volumes = ["data:/data"]
networks = ["back"]
restart = "unless-stopped"
mem_limit = "32M"
[container.site]
image = "site"
{LOOP}
configs = [{{ source = "motd", target = "/etc/motd", on_change = "restart" }}]
depends_on = ["db"]
networks = ["front"]
[config.motd]
content = "{level}"
[network.front]
[network.back]
[volume.data]
{extra}
"""

    def write(self, text: str) -> None:
        """As an editor does: beside it, then in its place."""
        partly = self.directory / ".spec.new"
        partly.write_text(text)
        partly.replace(self.directory / "spec.toml")

    def write_site(self, page: str) -> None:
        site = self.directory / "site"
        site.mkdir(exist_ok=True)
        (site / "Dockerfile").write_text("FROM busybox:latest\nCOPY page /page\n")
        (site / "page").write_text(page)

    def containers(self) -> list[Mapping[str, Any]]:
        found = self.api.containers(all=True, filters={"label": f"reconciler.project={self.name}"})
        return [item for item in found if item["Labels"].get("reconciler.address")]


def deeds(target: Target, chance: random.Random) -> dict[str, tuple[int, Callable[[], object]]]:
    """By name: how often beside the others, and what it does. The engine may refuse it."""
    api, name = target.api, target.name

    def one() -> str:
        found = sorted(item["Id"] for item in target.containers())
        return chance.choice(found) if found else "nobody"

    def network() -> str:
        return f"{name}_{chance.choice(['front', 'back'])}"

    def squat() -> None:
        """A stranger takes a name of ours as soon as it is free."""
        place = f"{name}-{chance.choice(['web-1', 'web-2', 'site-1'])}"
        with suppress(APIError):
            api.remove_container(place, force=True)
        made = api.create_container("busybox:latest", ["true"], name=place)["Id"]
        target.squatters.append(made)

    def leave() -> None:
        if target.squatters:
            api.remove_container(target.squatters.pop(), force=True, v=True)

    def pull_down() -> None:
        place = network()
        for member in api.inspect_network(place)["Containers"] or {}:
            api.disconnect_container_from_network(member, place, force=True)
        api.remove_network(place)

    def edit() -> None:
        more = chance.choice(["", f'[container.more]\nimage = "busybox:latest"\n{LOOP}\n'])
        target.write(target.spec(secrets.token_hex(2), chance.choice([1, 2, 3]), more))

    def half() -> None:
        text = target.spec(secrets.token_hex(2))
        (target.directory / "spec.toml").write_text(text[: chance.randrange(len(text))])

    def away() -> None:
        aside = target.directory.with_name("aside")
        target.directory.rename(aside)
        if chance.random() < 0.5:
            target.directory.mkdir()
            target.directory.rmdir()
        aside.rename(target.directory)

    def cut() -> None:
        target.proxy.cut()
        target.proxy.mend()

    return {
        "rm -f": (6, lambda: api.remove_container(one(), force=True)),
        "kill": (6, lambda: api.kill(one())),
        "stop": (3, lambda: api.stop(one(), timeout=1)),
        "pause": (2, lambda: api.pause(one())),
        "restart": (2, lambda: api.restart(one(), timeout=0)),
        "rename": (3, lambda: api.rename(one(), f"moved-{secrets.token_hex(3)}")),
        "update": (3, lambda: api.update_container(one(), mem_limit="64m", memswap_limit="64m")),
        "update restart": (2, lambda: api.update_container(one(), restart_policy={"Name": "always"})),
        "disconnect": (3, lambda: api.disconnect_container_from_network(one(), network(), force=True)),
        "connect": (2, lambda: api.connect_container_to_network(one(), f"{name}-other")),
        "pull a network down": (2, pull_down),
        "untag": (1, lambda: api.remove_image(f"{name}-site:latest", force=True)),
        "squat": (1, squat),
        "leave": (3, leave),
        "edit": (6, edit),
        "edit the build": (2, lambda: target.write_site(secrets.token_hex(4))),
        "half a file": (2, half),
        "nonsense": (1, lambda: target.write("[container.web\nimage = ")),
        "directory away and back": (1, away),
        "SIGHUP": (1, lambda: target.service(signal.SIGHUP)),
        "SIGKILL": (1, lambda: target.service(signal.SIGKILL)),
        "connections cut": (1, cut),
        "the engine restarts": (1, target.restart_engine),
    }


def restore(target: Target) -> None:
    """The last word: a whole spec, and no squatters."""
    with suppress(OSError):
        shutil.rmtree(target.directory.with_name("aside"))
    for made in target.squatters:
        with suppress(APIError):
            target.api.remove_container(made, force=True, v=True)
    target.write_site("last")
    target.write(target.spec("last"))
