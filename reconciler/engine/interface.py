"""What the rest of the program asks of an engine. `client` is the real one; the tests have one in memory.

Bodies and answers are those of the Engine API, as `json` reads them. Every method may raise the errors of
`reconciler.errors`: EngineUnavailableError, OutcomeUnknownError (writes only), NotFoundError, EngineRefusedError.
Ids are full ids: the engine also matches prefixes, and a prefix can be a stranger's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from reconciler.model.desired import Build
from reconciler.model.observed import EngineFacts

Json: TypeAlias = dict[str, Any]
#: one line of progress of a pull or a build, for a person
Progress: TypeAlias = Callable[[str], None]


class Events(Protocol):
    """Events as the engine tells them. They end, without an error, when the engine goes or `close` is called."""

    def __iter__(self) -> Iterator[Json]: ...
    def close(self) -> None:
        """From any thread: whoever waits for the next event gets the end."""
        ...


class Engine(Protocol):
    """One Docker Engine. Safe to use from several threads at once."""

    def ping(self) -> None:
        """Is it there, and can it be spoken to? All other calls find out by themselves."""
        ...

    # --- reads: lists are whole, nothing is filtered ------------------------------------------------------------

    def facts(self) -> EngineFacts: ...
    def list_containers(self) -> list[Json]: ...
    def inspect_containers(self, ids: Sequence[str]) -> list[Json]:
        """Inspect answers in the order of `ids`; those that are gone by now are left out."""
        ...

    def list_networks(self) -> list[Json]: ...
    def list_volumes(self) -> list[Json]: ...
    def list_images(self) -> list[Json]: ...
    def inspect_image(self, reference: str) -> Json: ...
    def registry_digest(self, reference: str) -> str:
        """The digest that the registry has for a reference now (`sha256:...`)."""
        ...

    def container_logs(
        self, container_id: str, *, follow: bool, tail: str, timestamps: bool, since: str
    ) -> Iterator[tuple[str, bytes]]:
        """Chunks of ("stdout" or "stderr", bytes)."""
        ...

    def events(self, since: str, filters: Mapping[str, Sequence[str]]) -> Events:
        """What happens from now on, and what happened since a time (`1700000000.000000001`; "" for none).

        The engine remembers the last 256 only, and none from before its own start. Its filters are those of the API.
        """
        ...

    def get_archive(self, container_id: str, path: str) -> bytes:
        """A file or directory of a container, running or not, as a tar; NotFoundError when it is not there."""
        ...

    # --- writes: each is one call --------------------------------------------------------------------------------

    def pull_image(self, reference: str, platform: str, progress: Progress) -> None: ...
    def build_image(self, build: Build, tags: Sequence[str], labels: Mapping[str, str], progress: Progress) -> None: ...
    def tag_image(self, image_id: str, reference: str) -> None: ...
    def remove_image(self, reference: str) -> None:
        """Take this tag away, and the image with its last tag. Never by force."""
        ...

    def create_network(self, body: Json) -> tuple[str, tuple[str, ...]]:
        """Its id, and the engine's warnings."""
        ...

    def remove_network(self, network_id: str) -> None: ...
    def connect(self, network_id: str, container_id: str, endpoint: Json) -> None: ...
    def disconnect(self, network_id: str, container_id: str) -> None: ...
    def create_volume(self, body: Json) -> None: ...
    def remove_volume(self, name: str) -> None: ...
    def create_container(self, name: str, body: Json, platform: str) -> tuple[str, tuple[str, ...]]:
        """Its id, and the engine's warnings."""
        ...

    def start_container(self, container_id: str) -> None: ...
    def stop_container(self, container_id: str, timeout: int) -> None: ...
    def restart_container(self, container_id: str, timeout: int) -> None: ...
    def unpause_container(self, container_id: str) -> None: ...
    def rename_container(self, container_id: str, name: str) -> None: ...
    def remove_container(self, container_id: str, *, volumes: bool = False) -> None:
        """Anonymous volumes stay, but with `volumes` those go that nobody else uses. A container that still runs is refused."""
        ...

    def put_archive(self, container_id: str, path: str, archive: bytes) -> None:
        """Unpack a tar at a directory that is there. Owners and modes are those of the tar; missing parents are made."""
        ...

    def signal_container(self, container_id: str, signal: str) -> None: ...

    def check_health(self, container_id: str, seconds: float) -> None:
        """Run the health check once where the engine does not do so by itself (Podman), waiting at most `seconds`.

        What came of it is in the next inspect answer.
        """

    def update_container(self, container_id: str, body: Json) -> tuple[str, ...]:
        """The engine's warnings."""
        ...

    def close(self) -> None: ...
