"""Worlds to look at: projects on the engine in memory, served as `reconciler run` serves them.

python -m tests.page.scenes SCENE [PORT]     serves one until it is interrupted
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.cli.session import locator
from reconciler.loop.instance import Instance, Outside, ProjectSettings, Settings
from reconciler.loop.judge import Policy
from reconciler.loop.keeping import StateDirectory
from reconciler.loop.schedule import Timing
from reconciler.loop.sources import Plain
from reconciler.loop.telling import Condition, ProjectStatus, Snapshot, SourceStatus
from reconciler.loop.triggers import Cause
from reconciler.model.address import parse_address
from reconciler.model.observed import EngineFacts
from reconciler.service.http.interface import Served
from reconciler.service.http.listening import Place
from reconciler.service.http.server import Server
from reconciler.service.redaction import Secrets
from reconciler.source.interface import Revision
from tests.page.past import Past
from tests.planning.stage import JOB
from tests.service.http.conftest import Log
from tests.support.memory import Behaviour, Image, MemoryEngine

FORMER = "9c41e7d0b2f54a7aa1c3d6e8f90b12ac34de5678"
TOKEN = "a-token-that-is-long-enough"
_FAST = Timing(files=0.05, events=0.01, retry=30, retry_most=300, resync=300)

SHOP = """
[image.web]
reference = "shop/web:{web}"
pull_policy = "missing"
[container.web]
image = "web"
scale = 2
networks = ["edge", "backend"]
environment = {{ LOG_LEVEL = "info", WORKERS = "{workers}" }}
depends_on = {{ api = "healthy" }}
mem_limit = "{memory}"
restart = "unless-stopped"
[container.proxy]
image = "caddy:2.10"
ports = ["127.0.0.1:8080:80"]
networks = ["edge"]
restart = "unless-stopped"
[container.api]
image = "shop/api:{api}"
ports = ["127.0.0.1:4000:4000"]
networks = {{ backend = {{ aliases = ["api.internal"] }} }}
environment = {{ LOG_LEVEL = "{level}", DB_PASSWORD = "{password}", CACHE = "redis:6379" }}
healthcheck = {{ test = ["CMD", "wget", "-qO-", "http://localhost:4000/health"], interval = "5s", retries = 3 }}
mem_limit = "{memory}"
rollout = {{ order = "stop-first", timeout = "120s" }}
restart = "unless-stopped"
[container.worker]
image = "shop/api:{api}"
command = ["work", "--queue", "orders"]
networks = ["backend"]
restart = "unless-stopped"
[container.redis]
image = "redis:7.4"
networks = ["backend"]
volumes = ["cache:/data"]
[container.db]
image = "postgres:17"
networks = ["backend"]
volumes = ["db:/var/lib/postgresql/data"]
healthcheck = {{ test = ["CMD", "pg_isready"], interval = "5s" }}
[container.migrate]
image = "shop/migrate:9"
networks = ["backend"]
restart = "no"
[network.backend]
internal = true
[network.edge]
[volume.db]
[volume.cache]
"""
METRICS = """
[container.prometheus]
image = "prom/prometheus:3.5"
ports = ["127.0.0.1:9090:9090"]
volumes = ["series:/prometheus"]
networks = ["watch"]
[container.grafana]
image = "grafana/grafana:12.1"
ports = ["127.0.0.1:3000:3000"]
networks = ["watch"]
environment = { GF_SECURITY_ADMIN_PASSWORD = "kept-in-a-vault" }
[container.node]
image = "prom/node-exporter:1.9"
networks = ["watch"]
pid = "host"
[network.watch]
[volume.series]
"""
BLOG = """
[container.site]
image = "caddy:2.10"
ports = ["80:80", "443:443"]
volumes = ["certificates:/data"]
[volume.certificates]
"""
_PLAIN = {
    "web": "3.2", "api": "1.4", "workers": "4", "memory": "256M", "level": "info", "password": "correct-horse-battery",
}  # fmt: skip
_BROKEN = b"""2026-11-24 15:02:11 INFO  starting shop-api 1.5
2026-11-24 15:02:11 INFO  connecting to db:5432 as shop
2026-11-24 15:02:12 ERROR migration 0042 is missing: relation "orders_v2" does not exist
Traceback (most recent call last):
  File "/app/main.py", line 31, in <module>
    check_schema(connection, expected=42)
SystemExit: refusing to serve on schema 41
"""


class Scenery:
    """One world. Whatever is made is taken down by `close`."""

    def __init__(self, port: int = 0, *, token: bool = True) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="scene-")
        self.directory = Path(self._directory.name)
        self.engine: Any = _engine()
        self.past = Past()
        state = StateDirectory(None, lambda text: None)
        outside = Outside(lambda: self.engine, state, lambda text: None, locate=locator)
        self.instance = Instance(outside, Settings((), _FAST))
        self.policies: dict[str, Policy] = {}
        #: what a git source would say of itself, by project
        self.sources: dict[str, SourceStatus] = {}
        self.complaints: list[str] = []
        secrets = Secrets()
        secrets.add({"correct-horse-battery", "kept-in-a-vault"})
        self._served = Served(
            _Told(self.instance, self.sources),  # type: ignore[arg-type]  # it is one, and says more
            secrets, Log(), lambda: True, lambda: True, lambda: TOKEN if token else "", journal=self.past,
        )  # fmt: skip
        self.instance.observers.append(self.past)
        self.server = self._serve(port)
        self.instance.start()

    def _serve(self, port: int) -> Server:
        server = Server(self._served, Place(host="127.0.0.1", port=port), "", self.complaints.append)
        self.instance.observers.append(server.observe)
        server.start()
        return server

    def serve_again(self) -> None:
        """Anew, at the same port, as after a restart."""
        self.instance.observers.remove(self.server.observe)
        self.server = self._serve(self.server.place.port)

    @property
    def address(self) -> str:
        return str(self.server.place)

    def close(self) -> None:
        self.server.stop()
        self.instance.stop(5)
        self._directory.cleanup()

    # --- projects ----------------------------------------------------------------------------------------------

    def write(self, name: str, spec: str) -> None:
        (self.directory / name).mkdir(exist_ok=True)
        fresh = self.directory / name / "fresh"
        fresh.write_text(f'[project]\nname = "{name}"\n{spec}')
        whole = self.directory / name / f"{name}.toml"
        fresh.replace(whole)
        if any(item.name == name for item in self.instance.snapshot().projects):
            self.instance.reconcile(name, str(whole), Cause.FILES)  # told at once, where a watch may be a second late

    def keep(self, *names: str) -> None:
        projects = [
            ProjectSettings(name, Plain(self.directory / name), self.policies.get(name, Policy())) for name in names
        ]
        self.instance.reload(Settings(tuple(projects), _FAST))

    def status(self, name: str) -> ProjectStatus:
        return next(item for item in self.instance.snapshot().projects if item.name == name)

    def until(self, name: str, *conditions: Condition) -> None:
        wait(lambda: self.status(name).condition in conditions and not self.status(name).is_running)

    def container(self, name: str) -> str:
        return next(key for key, item in list(self.engine.containers.all.items()) if item["Name"] == f"/{name}")

    def three_projects(self) -> None:
        self.write("shop", SHOP.format(**_PLAIN))
        self.write("metrics", METRICS)
        self.write("blog", BLOG)
        self.keep("shop", "metrics", "blog")
        for name in ("shop", "metrics", "blog"):
            self.until(name, Condition.SETTLED)

    def edit_shop(self, **changes: str) -> None:
        self.write("shop", SHOP.format(**{**_PLAIN, **changes}))


class _Told:
    """An instance whose projects stand elsewhere, and say of their sources what those of git do."""

    def __init__(self, instance: Instance, sources: dict[str, SourceStatus]) -> None:
        self._instance, self._sources = instance, sources

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instance, name)

    def snapshot(self) -> Snapshot:
        found = self._instance.snapshot()
        return found._replace(projects=tuple(self._elsewhere(item) for item in found.projects))

    def _elsewhere(self, status: ProjectStatus) -> ProjectStatus:
        path = f"/srv/{status.name}"
        source = self._sources.get(status.name, SourceStatus(path))
        attempted = source.accepted.commit if source.accepted else status.attempted
        applied = source.applied.commit if source.applied else status.applied
        return status._replace(path=path, source=source, attempted=attempted, applied=applied)


class _Engine(MemoryEngine):
    def facts(self) -> EngineFacts:
        return super().facts()._replace(name="harbour", version="28.5.2")


def _engine() -> MemoryEngine:
    engine = _Engine((1, 51), {})
    started = datetime.now(UTC)

    def now() -> str:
        moment = started - timedelta(days=3, hours=4) if not is_old.is_set() else datetime.now(UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.000000001Z")

    is_old = threading.Event()
    engine.containers.now = now  # type: ignore[method-assign]
    engine.begin_present = is_old.set  # type: ignore[attr-defined]
    remote = engine.images.remote
    for reference in ("shop/web:3.2", "shop/web:3.3", "shop/api:1.4", "redis:7.4", "postgres:17", "caddy:2.10"):
        remote[reference] = _image(reference)
    for reference in ("prom/prometheus:3.5", "grafana/grafana:12.1", "prom/node-exporter:1.9"):
        remote[reference] = _image(reference)
    remote["shop/api:1.5"] = _image("shop/api:1.5", Behaviour(health="starting", output=_BROKEN[:96]))
    remote["shop/api:1.6"] = _image("shop/api:1.6", Behaviour(exit_code=1, output=_BROKEN))
    remote["shop/migrate:9"] = JOB
    for reference in list(remote):
        remote[f"docker.io/{reference}" if reference.count("/") else f"docker.io/library/{reference}"] = remote[
            reference
        ]
    return engine


def _image(name: str, behaviour: Behaviour = Behaviour()) -> Image:
    return Image({"Cmd": ["serve"], "Env": ["PATH=/usr/bin"]}, behaviour, seed=name)


# --- scenes --------------------------------------------------------------------------------------------------------


def settled(scenery: Scenery) -> None:
    scenery.three_projects()
    scenery.sources["shop"] = _source(FORMER)


def changing(scenery: Scenery) -> None:
    """A roll-out waits for its candidate."""
    scenery.three_projects()
    scenery.engine.begin_present()
    scenery.edit_shop(api="1.5", memory="384M")
    wait(lambda: "shop-api-1.next" in _names(scenery) or "shop-api-1.prev" in _names(scenery))
    time.sleep(1.5)


def failing(scenery: Scenery) -> None:
    """A candidate failed, and the old one serves."""
    scenery.three_projects()
    scenery.engine.begin_present()
    scenery.edit_shop(api="1.6", level="debug")
    scenery.until("shop", Condition.FAILING)


def away(scenery: Scenery) -> None:
    scenery.three_projects()
    scenery.engine.go_away()
    wait(lambda: not scenery.instance.snapshot().engine.is_connected)


def drifting(scenery: Scenery) -> None:
    """Differences that are only reported, a resource that is suspended, a spec with a mistake."""
    scenery.three_projects()
    scenery.policies["shop"] = Policy(heal=False)
    scenery.keep("shop", "metrics", "blog")
    scenery.engine.begin_present()
    for name, body in (
        ("shop-api-1", {"Memory": 512 << 20, "MemorySwap": 1 << 30}),
        ("shop-redis-1", {"RestartPolicy": {"Name": "always"}}),
    ):
        scenery.engine.update_container(scenery.container(name), body)
    scenery.instance.suspend("metrics", parse_address("container.grafana"))
    scenery.write("blog", BLOG.replace("ports", "prots") + '[container.extra]\nimgae = "x"\n')
    scenery.until("blog", Condition.INVALID)
    scenery.until("shop", Condition.OUT_OF_SYNC)
    scenery.until("metrics", Condition.SETTLED, Condition.SUSPENDED)


def many(scenery: Scenery) -> None:
    """A hundred resources, a few of which are not as they should be."""
    spec = '[network.mesh]\n' + "".join(
        f'[container.{name}-{number:02}]\nimage = "shop/web:3.2"\nnetworks = ["mesh"]\nports = ["127.0.0.1:{base + number}:80"]\n'
        for name, base in (("edge", 10000), ("render", 11000), ("search", 12000), ("orders", 13000))
        for number in range(1, 26)
    )  # fmt: skip
    scenery.write("fleet", spec)
    scenery.write("metrics", METRICS)
    scenery.keep("fleet", "metrics")
    scenery.until("fleet", Condition.SETTLED)
    scenery.policies["fleet"] = Policy(heal=False)
    scenery.keep("fleet", "metrics")
    scenery.engine.begin_present()
    for name in ("fleet-render-07-1", "fleet-search-19-1"):
        scenery.engine.update_container(scenery.container(name), {"Memory": 64 << 20, "MemorySwap": 128 << 20})
    scenery.engine.exit(scenery.container("fleet-orders-11-1"), 137)
    scenery.until("fleet", Condition.OUT_OF_SYNC)


def refused(scenery: Scenery) -> None:
    """A newer revision of a git source is not taken."""
    scenery.three_projects()
    scenery.sources["shop"] = _source(FORMER)._replace(
        attempted=Revision("e07f3b5512f04a7aa1c3d6e8f90b12ac34de9911", "main", "Faster queue", "Mallory"),
        reason="unsigned",
        refusal="commit e07f3b5512 is not signed by anyone in /etc/reconciler/signers",
    )


def _source(commit: str) -> SourceStatus:
    revision = Revision(commit, "main", "More memory for the api", "Alice Example", "2026-11-24T09:12:00+00:00")
    where = "https://git.example.com/team/hosts.git, main, hosts/harbour/shop"
    return SourceStatus(where, revision, revision, revision)


SCENES: dict[str, Callable[[Scenery], None]] = {
    scene.__name__: scene for scene in (settled, changing, failing, away, drifting, many, refused)
}


def _names(scenery: Scenery) -> list[str]:
    return [item["Name"][1:] for item in list(scenery.engine.containers.all.values())]


def wait(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)


@contextmanager
def scene(name: str, port: int = 0, *, token: bool = True) -> Iterator[Scenery]:
    scenery = Scenery(port, token=token)
    try:
        SCENES[name](scenery)
        yield scenery
    finally:
        scenery.engine.come_back()
        for item in list(scenery.engine.containers.all):
            if "Health" in scenery.engine.containers.get(item)["State"]:
                scenery.engine.set_health(item, "healthy")  # so that what waits ends
        scenery.close()


if __name__ == "__main__":
    with scene(sys.argv[1], int((sys.argv[2:] or ["8500"])[0])) as shown:
        print(shown.address, TOKEN, flush=True)
        threading.Event().wait()
