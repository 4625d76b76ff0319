"""Images of the engine in memory: tags that move, a registry that is a dict, builds that need no builder."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from reconciler.errors import EngineRefusedError, NotFoundError
from reconciler.model.desired import Build
from reconciler.model.observed import normal_reference
from tests.support.memory_shapes import Json, Version, hex_id


class Behaviour(NamedTuple):
    """What a container of an image does.

    Attributes:
        exit_code: it ends at once with this code; None runs until it is stopped.
        start_error: it cannot be started, with these words.
        health: the status its health check reaches at once, if it has one: healthy, unhealthy or starting.
        stop_code: its exit code after a stop.
        output: what it writes.
    """

    exit_code: int | None = None
    start_error: str = ""
    health: str = "healthy"
    stop_code: int = 137
    output: bytes = b""


class Image(NamedTuple):
    """What a registry has, or a build makes: `config` as inspect shows it. `seed` makes two of them different."""

    config: Mapping[str, Any] = {}
    behaviour: Behaviour = Behaviour()
    seed: str = ""
    platform: str = ""

    @property
    def id(self) -> str:
        return f"sha256:{hex_id('image', self.config, self.seed)}"

    @property
    def digest(self) -> str:
        """Its digest in any registry."""
        return f"sha256:{hex_id('manifest', self.id)}"


class Images:
    """`remote` is what pulls find, by normal reference; `builds` what a build of a tag makes, beyond its labels."""

    def __init__(self, version: Version) -> None:
        self.remote: dict[str, Image] = {}
        self.builds: dict[str, Image] = {}
        self._version = version
        self._images: dict[str, Image] = {}
        self._created: dict[str, int] = {}
        self._tags: dict[str, str] = {}
        self._digests: dict[str, str] = {}

    def add(self, reference: str, image: Image) -> str:
        """Put an image under a tag, away from the image that had it; its id."""
        self._images[image.id] = image
        self._created.setdefault(image.id, 1_700_000_000 + len(self._created))
        if reference:
            self._tags[normal_reference(reference)] = image.id
        return image.id

    def find(self, reference: str) -> str:
        """The id behind a reference, a digest, an id or the beginning of an id.

        Raises:
            NotFoundError
        """
        normal = normal_reference(reference)
        found = self._tags.get(normal) or self._digests.get(normal)
        if found:
            return found
        wanted = reference.removeprefix("sha256:")
        if re.fullmatch("[0-9a-f]{4,64}", wanted):
            for image_id in self._images:
                if image_id.removeprefix("sha256:").startswith(wanted):
                    return image_id
        raise NotFoundError(f"No such image: {normal}", 404)

    def of(self, image_id: str) -> Image:
        return self._images[image_id]

    def pull(self, reference: str, platform: str) -> None:
        image = self._at_registry(reference)
        if platform and image.platform and platform != image.platform:
            raise EngineRefusedError(f"no matching manifest for {platform} in the manifest list entries", 404)
        normal = normal_reference(reference)
        name = normal.partition("@")[0] if "@" in normal else normal.rpartition(":")[0]
        self.add("" if "@" in normal else reference, image)
        self._digests[f"{name}@{image.digest}"] = image.id

    def registry_digest(self, reference: str) -> str:
        return self._at_registry(reference).digest

    def _at_registry(self, reference: str) -> Image:
        name, _, digest = normal_reference(reference).partition("@")
        for known, image in self.remote.items():
            if known == name or (digest and known.rpartition(":")[0] == name and image.digest == digest):
                return image
        raise NotFoundError(f"manifest for {reference} not found: manifest unknown", 404)

    def build(self, build: Build, tags: Sequence[str], labels: Mapping[str, str]) -> str:
        """The same build with the same labels is the same image, as with the builder's cache."""
        image = next(
            (self.builds[tag] for tag in map(normal_reference, tags) if tag in self.builds), Image({"Cmd": ["sh"]})
        )
        config = {**image.config, "Labels": {**(image.config.get("Labels") or {}), **build.labels, **labels}}
        made = image._replace(config=config, seed=hex_id(image.seed, build._asdict()))
        for tag in tags or [""]:
            self.add(tag, made)
        return made.id

    def remove(self, reference: str, users: Mapping[str, str]) -> None:
        """Take a tag away, and the image with its last one; `users` are container ids by the image they use."""
        image_id, normal = self.find(reference), normal_reference(reference)
        tags = [tag for tag, tagged in self._tags.items() if tagged == image_id]
        short = image_id[7:19]
        if normal in tags:
            if len(tags) == 1 and image_id in users:
                raise EngineRefusedError(
                    f'conflict: unable to remove repository reference "{reference}" (must force) -'
                    f" container {users[image_id][:12]} is using its referenced image {short}",
                    409,
                )
            del self._tags[normal]
            if len(tags) > 1:
                return
        elif len(tags) > 1:
            raise EngineRefusedError(
                f"conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories",
                409,
            )
        elif image_id in users:
            raise EngineRefusedError(
                f"conflict: unable to delete {short} (must be forced) - image is being used by container {users[image_id][:12]}",
                409,
            )
        self._tags = {tag: tagged for tag, tagged in self._tags.items() if tagged != image_id}
        self._digests = {digest: held for digest, held in self._digests.items() if held != image_id}
        del self._images[image_id]

    def listed(self) -> list[Json]:
        return [self._listed(image_id) for image_id in self._images]

    def _listed(self, image_id: str) -> Json:
        tags, digests = self._names(image_id)
        if not tags and self._version < (1, 43):
            tags, digests = ["<none>:<none>"], digests or ["<none>@<none>"]
        return {
            "Id": image_id, "ParentId": "", "RepoTags": tags, "RepoDigests": digests, "Created": self._created[image_id],
            "Labels": deepcopy(self._images[image_id].config.get("Labels")), "Size": 1, "SharedSize": -1, "Containers": -1,
        }  # fmt: skip

    def inspected(self, reference: str) -> Json:
        image_id = self.find(reference)
        tags, digests = self._names(image_id)
        config = {
            "Env": None,
            "Cmd": None,
            "Entrypoint": None,
            "WorkingDir": "",
            "User": "",
            "Volumes": None,
            "Labels": None,
        }
        return {
            "Id": image_id, "RepoTags": tags, "RepoDigests": digests, "Created": "2023-11-14T22:13:20Z",
            "Config": {**config, **deepcopy(dict(self._images[image_id].config))}, "Architecture": "amd64", "Os": "linux",
        }  # fmt: skip

    def _names(self, image_id: str) -> tuple[list[str], list[str]]:
        tags = sorted(tag for tag, tagged in self._tags.items() if tagged == image_id)
        return tags, sorted(digest for digest, held in self._digests.items() if held == image_id)
