"""What a run is doing when something goes wrong: a project as it is, and as it is to be.

The same scenarios are for the real engine (`points`) and for the one in memory (`test_memory`). A scenario is played
again and again, turn after turn: what one turn ends with is mostly what the next begins with, which saves making it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from reconciler.engine.interface import Engine

#: serves what is in /data on port 80 and ends at once when told to; ends with 3 at once; ends with 0 at once
SERVER, BROKEN, JOB = "faults-server:1", "faults-broken:1", "faults-job:1"
#: the file in the volume `data` that has to be there to the end
KEPT = "/data/kept"

Files = Mapping[str, str]


class Scenario(NamedTuple):
    """A change of a project, and what has to be there in the end.

    Attributes:
        before, after: turn → the files of the project, by name; `{project}` and `{port}` stand for this player's.
        names: of the containers in the end, without the project.
        command: what changes it.
        by_hand: what somebody does to the engine before, given the project's name.
        afresh: each turn begins with nothing.
        fails: the command can never succeed; what was before goes on as it was.
        volumes: the volumes in the end, without the project.
        turns_volumes: likewise, those that depend on the turn.
    """

    name: str
    before: Callable[[int], Files]
    after: Callable[[int], Files]
    names: tuple[str, ...] = ("web-1",)
    command: tuple[str, ...] = ("apply", "--yes")
    by_hand: Callable[[Engine, str], None] | None = None
    afresh: bool = False
    fails: bool = False
    volumes: tuple[str, ...] = ("data",)
    networks: tuple[str, ...] = ("front",)


def _spec(*tables: str, head: str = "") -> Files:
    rollout = 'rollout = { ready_after = "0s", drain = "0s" }'
    return {"spec.toml": "\n".join(('[project]\nname = "{project}"', rollout, head, *tables)) + "\n"}


def _container(name: str, turn: int, *more: str, image: str = SERVER, mount: str = "data:/data") -> str:
    lines = [
        f"[container.{name}]",
        f'image = "{image}"',
        f'environment = {{ TURN = "{turn}" }}',
        'restart = "unless-stopped"' if image in (SERVER, "site") else "",
        f'volumes = ["{mount}"]' if mount else "",
        *(more or ('networks = ["front"]',)),
    ]
    return "\n".join(filter(None, lines))


_STORAGE = "[network.front]\n[volume.data]"
_PORT = 'networks = ["front"]\nports = ["127.0.0.1:{port}:80"]'
_READ_ONLY = "data:/data:ro"


def _web(turn: int, *more: str, mount: str = "data:/data") -> Files:
    return _spec(_container("web", turn, *more, mount=mount), _STORAGE)


def _replaced(turn: int) -> Files:
    return _web(turn, _PORT)


def _start_first(turn: int) -> Files:
    order = 'networks = { front = { aliases = ["www"] } }\nrollout = { order = "start-first" }'
    return _web(turn, order, mount=_READ_ONLY)


def _scaled(count: int) -> Files:
    return _web(0, f'networks = ["front"]\nscale = {count}', mount=_READ_ONLY)


def _network(turn: int) -> Files:
    members = (_container("web", 0), _container("db", 0, mount=""))
    return _spec(*members, f'[network.front]\nlabels = {{ turn = "{turn}" }}\n[volume.data]')


def _volume(turn: int) -> Files:
    web = _container("web", 0, f'networks = ["front"]\nvolumes = ["data:/data", "more-{turn}:/more"]', mount="")
    return _spec(web, _STORAGE, f"[volume.more-{turn}]")


def _built(turn: int) -> Files:
    web = _container("web", 0, image="site")
    site = '[image.site]\nbuild = "./site"'
    dockerfile = f"FROM {SERVER}\nLABEL turn={turn}\n"
    return {**_spec(web, site, _STORAGE), "site/Dockerfile": dockerfile}


def _two(turn: int) -> Files:
    db = _container("db", 0, 'networks = ["front"]\nvolumes = ["old:/old"]', mount="")
    return _spec(_container("web", 0), db, _STORAGE, "[network.back]\n[volume.old]", head="prune = true")


def _pruned(turn: int) -> Files:
    return _spec(_container("web", 0), _STORAGE, head="prune = true")


def _first(turn: int) -> Files:
    needs = 'networks = ["front", "back"]\ndepends_on = ["db"]'
    return _spec(_container("web", 0, needs), _container("db", 0, mount=""), _STORAGE, "[network.back]")


def _broken(turn: int) -> Files:
    proof = 'networks = ["front"]\nrollout = { ready_after = "1s" }'  # enough for it to end
    return _spec(_container("web", turn, proof, image=BROKEN), _STORAGE)


def _with_job(turn: int) -> Files:
    job = _container("migrate", turn, 'kind = "job"', 'networks = ["front"]', image=JOB, mount="")
    web = _container("web", turn, 'networks = ["front"]\ndepends_on = { migrate = "completed" }')
    return _spec(job, web, _STORAGE)


def _contents(turn: int) -> Files:
    uses = 'networks = ["front"]\nconfigs = [{ source = "site", target = "/etc/site.conf", on_change = "restart" }]'
    return {
        **_spec(_container("web", 0, uses), f'[config.site]\ncontent = "turn {turn}"', _STORAGE),
    }


def _adopted(turn: int) -> Files:
    return _spec(_container("web", 0), _STORAGE, head="adopt = true")


def _docker_run(engine: Engine, project: str) -> None:
    """`docker run` by hand, with the names that ours will have."""
    body = {"Image": SERVER, "HostConfig": {"Binds": [f"{project}_data:/data"], "NetworkMode": "bridge"}}
    container_id, _ = engine.create_container(f"{project}-web-1", body, "")
    engine.start_container(container_id)


def _nothing(turn: int) -> Files:
    return {}


def _later(files: Callable[[int], Files]) -> Callable[[int], Files]:
    return lambda turn: files(turn + 1)


SCENARIOS = (
    Scenario(
        "first apply", _nothing, _first, names=("db-1", "web-1"), afresh=True, networks=("back", "front")
    ),
    Scenario("replace, stop-first", _replaced, _later(_replaced)),
    Scenario("replace, start-first", _start_first, _later(_start_first)),
    Scenario("scale up", lambda turn: _scaled(1), lambda turn: _scaled(3), names=("web-1", "web-2", "web-3")),
    Scenario("scale down", lambda turn: _scaled(3), lambda turn: _scaled(1)),
    Scenario("network replaced", _network, _later(_network), names=("db-1", "web-1")),
    Scenario("volume change", _volume, _later(_volume), volumes=("data", "more-*")),
    Scenario("image rebuilt", _built, _later(_built)),
    Scenario("content changed", _contents, _later(_contents)),
    Scenario("prune", _two, _pruned),
    Scenario("roll-back", lambda turn: _web(0), _broken, fails=True),
    Scenario("job", _with_job, _later(_with_job), names=("migrate-1", "web-1")),
    Scenario("adopt", _nothing, _adopted, by_hand=_docker_run, afresh=True, volumes=("data",)),
    Scenario("destroy", _first, _first, names=(), command=("destroy", "--yes"), networks=()),
)  # fmt: skip


def filled(files: Files, project: str, port: int) -> dict[str, str]:
    """The files of one player."""
    return {name: text.replace("{project}", project).replace("{port}", str(port)) for name, text in files.items()}
