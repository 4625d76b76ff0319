"""Files that were put into containers in memory: into their own layer, or into a volume."""

import io
import posixpath
import tarfile
from typing import NamedTuple

from reconciler.errors import EngineRefusedError, NotFoundError
from tests.support.memory_shapes import Json

#: what every image is taken to have
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1001:worker:/home:/bin/sh\n"
GROUP = b"root:x:0:\nworkers:x:1001:\nextra:x:1002:\n"


class File(NamedTuple):
    content: bytes
    uid: int = 0
    gid: int = 0
    mode: int = 0o644


class Files:
    """By the id of a container or the name of a volume, what is in it, by path. Removed containers take theirs along."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, File]] = {}

    def write(self, container: Json, directory: str, archive: bytes) -> None:
        if container["HostConfig"]["ReadonlyRootfs"] and _volume_at(container, directory) is None:
            raise EngineRefusedError("container rootfs is marked read-only", 500)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for entry in tar:
                stream = tar.extractfile(entry)
                assert stream is not None
                holder, path = _place(container, posixpath.join(directory, entry.name))
                self.held.setdefault(holder, {})[path] = File(stream.read(), entry.uid, entry.gid, entry.mode)

    def read(self, container: Json, path: str) -> bytes:
        file = self.look(container, path)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo(posixpath.basename(path))
            entry.size, entry.uid, entry.gid, entry.mode = len(file.content), file.uid, file.gid, file.mode
            tar.addfile(entry, io.BytesIO(file.content))
        return archive.getvalue()

    def look(self, container: Json, path: str) -> File:
        holder, within = _place(container, path)
        image = {"/etc/passwd": File(PASSWD), "/etc/group": File(GROUP)}
        found = self.held.get(holder, {}).get(within) or image.get(path)
        if found is None:
            raise NotFoundError(f"Could not find the file {path} in container {container['Id']}", 404)
        return found

    def paths(self, container: Json) -> list[str]:
        """All files that were put into its own layer."""
        return sorted(self.held.get(container["Id"], {}))


def _volume_at(container: Json, path: str) -> Json | None:
    covering = [m for m in container["Mounts"] if f"{path}/".startswith(f"{m['Destination'].rstrip('/')}/")]
    return max(covering, key=lambda mount: len(mount["Destination"]), default=None)


def _place(container: Json, path: str) -> tuple[str, str]:
    mount = _volume_at(container, path)
    if mount is None or mount["Type"] == "tmpfs":
        return container["Id"], path
    return mount.get("Name") or mount["Source"], path[len(mount["Destination"]) :]
