"""An engine in memory, at the level of the API's JSON: what dockerd does, for the calls that `Engine` has.

It is held to the same contract suite as a real engine (tests/engine/test_contract.py), so what it answers is what
dockerd 20.10 answers, and later ones where `version` says so. What a person does by hand stands below `by hand`.
"""

import functools
import marshal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from reconciler.engine.interface import Events, Json, Progress
from reconciler.errors import EngineRefusedError, EngineUnavailableError, NotFoundError
from reconciler.model.desired import Build
from reconciler.model.observed import EngineFacts
from tests.support import memory_shapes as shapes
from tests.support.failing import MUTATING
from tests.support.memory_containers import Containers
from tests.support.memory_events import Broadcast, picture
from tests.support.memory_images import Behaviour, Image, Images
from tests.support.memory_networks import Networks

__all__ = ["Behaviour", "Image", "MemoryEngine"]

_Method = TypeVar("_Method", bound=Callable[..., Any])


def copied(value: Any) -> Any:
    """JSON copied whole, ten times as fast as `deepcopy`; anything else as it is."""
    return marshal.loads(marshal.dumps(value)) if isinstance(value, dict | list) else value


def call(method: _Method) -> _Method:
    """One call of the engine: counted, alone, and with answers and bodies that nobody else can change."""

    @functools.wraps(method)
    def counted(self: "MemoryEngine", *args: Any, **options: Any) -> Any:
        with self.lock:
            self.calls[method.__name__] += 1
            self.check_presence()
            if method.__name__ not in MUTATING:
                return copied(method(self, *map(copied, args), **options))
            with self.telling():
                return copied(method(self, *map(copied, args), **options))

    return cast("_Method", counted)


class MemoryEngine:
    """Implements `reconciler.engine.interface.Engine`.

    Attributes:
        calls: how often each method was called.
        images: what is local, what the registry has (`images.remote`), what builds make (`images.builds`).
    """

    def __init__(self, version: tuple[int, int] = (1, 41), images: Mapping[str, Image] | None = None) -> None:
        self.version = version
        self.calls: Counter[str] = Counter()
        self.lock = threading.RLock()
        self.broadcast = Broadcast()
        self.is_away = False
        self.images = Images(version)
        self.networks = Networks()
        self.volumes: dict[str, Json] = {}
        self.containers = Containers(self.images, self.networks, self.volumes, version)
        for reference, image in (
            images or {"busybox:latest": Image({"Cmd": ["sh"], "Env": ["PATH=/bin:/usr/bin"]})}
        ).items():
            self.images.add(reference, image)

    @call
    def ping(self) -> None:
        pass

    # --- reads ---------------------------------------------------------------------------------------------------

    @call
    def facts(self) -> EngineFacts:
        return EngineFacts(
            id="MEMORY", name="memory", version="20.10.24", api_version=self.version, architecture="x86_64"
        )

    @call
    def list_containers(self) -> list[Json]:
        return [shapes.listed_container(container) for container in reversed(self.containers.all.values())]

    @call
    def inspect_containers(self, ids: Sequence[str]) -> list[Json]:
        return [self.containers.all[container_id] for container_id in ids if container_id in self.containers.all]

    @call
    def list_networks(self) -> list[Json]:
        return list(self.networks.all.values())

    @call
    def list_volumes(self) -> list[Json]:
        return list(self.volumes.values())

    @call
    def list_images(self) -> list[Json]:
        return self.images.listed()

    @call
    def inspect_image(self, reference: str) -> Json:
        return self.images.inspected(reference)

    @call
    def registry_digest(self, reference: str) -> str:
        return self.images.registry_digest(reference)

    def container_logs(
        self, container_id: str, *, follow: bool, tail: str, timestamps: bool, since: str
    ) -> Iterator[tuple[str, bytes]]:
        with self.lock:
            self.calls["container_logs"] += 1
            output = self.images.of(self.containers.get(container_id)["Image"]).behaviour.output
        yield from [("stdout", output)] if output else []

    def events(self, since: str, filters: Mapping[str, Sequence[str]]) -> Events:
        with self.lock:
            self.calls["events"] += 1
            self.check_presence()
            return self.broadcast.subscribe(since, filters)

    @call
    def get_archive(self, container_id: str, path: str) -> bytes:
        return self.containers.files.read(self.containers.get(container_id), path)

    # --- writes: images --------------------------------------------------------------------------------------------

    @call
    def pull_image(self, reference: str, platform: str, progress: Progress) -> None:
        self.images.pull(reference, platform)

    def build_image(self, build: Build, tags: Sequence[str], labels: Mapping[str, str], progress: Progress) -> None:
        with self.lock, self.telling():
            self.calls["build_image"] += 1
            self.check_presence()
            self.images.build(build, tags, labels)
        progress(f"Successfully tagged {' '.join(tags)}")

    @call
    def tag_image(self, image_id: str, reference: str) -> None:
        self.images.add(reference, self.images.of(self.images.find(image_id)))

    @call
    def remove_image(self, reference: str) -> None:
        users = {container["Image"]: container["Id"] for container in self.containers.all.values()}
        self.images.remove(reference, users)

    # --- writes: networks and volumes ------------------------------------------------------------------------------

    @call
    def create_network(self, body: Json) -> tuple[str, tuple[str, ...]]:
        return self.networks.create(body), ()

    @call
    def remove_network(self, network_id: str) -> None:
        self.networks.remove(network_id, in_use=self.containers.is_network_in_use(network_id))

    @call
    def connect(self, network_id: str, container_id: str, endpoint: Json) -> None:
        self.containers.connect(container_id, self.networks.get(network_id), endpoint)

    @call
    def disconnect(self, network_id: str, container_id: str) -> None:
        self.containers.disconnect(container_id, self.networks.get(network_id))

    @call
    def create_volume(self, body: Json) -> None:
        existing = self.volumes.get(body["Name"])
        if existing and body.get("Driver") and existing["Driver"] != body["Driver"]:
            raise EngineRefusedError(
                f"A volume named {body['Name']} already exists with the {existing['Driver']} driver."
                " Choose a different volume name.",
                409,
            )
        # One that is there is answered with success, whatever labels and options are asked for.
        self.volumes.setdefault(body["Name"], shapes.volume(body, self.containers.now()))

    @call
    def remove_volume(self, name: str) -> None:
        if name not in self.volumes:
            raise NotFoundError(f"get {name}: no such volume", 404)
        users = self.containers.users_of_volume(name)
        if users:
            raise EngineRefusedError(f"remove {name}: volume is in use - [{', '.join(users)}]", 409)
        del self.volumes[name]

    # --- writes: containers ----------------------------------------------------------------------------------------

    @call
    def create_container(self, name: str, body: Json, platform: str) -> tuple[str, tuple[str, ...]]:
        return self.containers.create(name, body), ()

    @call
    def start_container(self, container_id: str) -> None:
        self.containers.start(container_id)

    @call
    def stop_container(self, container_id: str, timeout: int) -> None:
        self.containers.stop(container_id)

    @call
    def restart_container(self, container_id: str, timeout: int) -> None:
        self.containers.stop(container_id)
        self.containers.start(container_id)

    @call
    def unpause_container(self, container_id: str) -> None:
        self.containers.unpause(container_id)

    @call
    def rename_container(self, container_id: str, name: str) -> None:
        self.containers.rename(container_id, name)

    @call
    def remove_container(self, container_id: str, *, volumes: bool = False) -> None:
        self.containers.remove(container_id, volumes=volumes)

    @call
    def update_container(self, container_id: str, body: Json) -> tuple[str, ...]:
        self.containers.update(container_id, body)
        return ()

    @call
    def put_archive(self, container_id: str, path: str, archive: bytes) -> None:
        self.containers.files.write(self.containers.get(container_id), path, archive)

    def check_health(self, container_id: str, seconds: float) -> None:
        """Its checks run by themselves."""

    @call
    def signal_container(self, container_id: str, signal: str) -> None:
        self.containers.signal(container_id, signal)

    def close(self) -> None:
        self.calls["close"] += 1

    # --- by hand: what a person or a process does past the program under test ------------------------------------------

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What is done within is told to those who follow the events."""
        if not self.broadcast.is_used:
            yield
            return
        before = picture(self)
        try:
            yield
        finally:
            self.broadcast.tell_difference(before, picture(self))

    def check_presence(self) -> None:
        if self.is_away:
            raise EngineUnavailableError("cannot reach the engine at memory: connection refused")

    def go_away(self) -> None:
        """No call is answered, every stream of events ends, and what was told is forgotten."""
        with self.lock:
            self.is_away = True
        self.broadcast.lose_everyone(forget=True)

    def come_back(self) -> None:
        with self.lock:
            self.is_away = False

    def remove_by_force(self, container_id: str) -> None:
        """`docker rm -f`"""
        with self.lock, self.telling():
            del self.containers.all[container_id]

    def pause(self, container_id: str) -> None:
        with self.lock, self.telling():
            shapes.set_status(self.containers.get(container_id)["State"], "paused")

    def exit(self, container_id: str, code: int) -> None:
        """The process ends by itself; the restart policy decides what follows."""
        with self.lock, self.telling():
            self.containers.process_ends(container_id, code)

    def set_health(self, container_id: str, status: str) -> None:
        with self.lock, self.telling():
            self.containers.get(container_id)["State"]["Health"] = {"Status": status, "FailingStreak": 0, "Log": []}
