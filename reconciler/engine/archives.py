"""Files inside of containers, as the engine hands them out: in a tar."""

from __future__ import annotations

import io
import tarfile

from reconciler.engine.interface import Engine
from reconciler.errors import NotFoundError
from reconciler.model.contents import MARKER, parse_recorded
from reconciler.model.observed import ObservedContainer

#: states in which nothing was told to it, or nothing can be read
_WITHOUT = ("created", "removing", "dead")


def read_file(archive: bytes) -> bytes:
    """What is in the one file of a tar; nothing when it holds something else."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            entry = tar.next()
            stream = tar.extractfile(entry) if entry is not None and entry.isfile() else None
            return stream.read() if stream is not None else b""
    except tarfile.TarError:
        return b""


def with_note(engine: Engine, container: ObservedContainer) -> ObservedContainer:
    """The same; what a note inside of it says of its contents goes before its label.

    Every container that was given contents is asked, 1 ms each: one that has gone back to what its label says shows it
    nowhere else.
    """
    if not container.contents.hashes or container.status in _WITHOUT:
        return container
    try:
        note = parse_recorded(read_file(engine.get_archive(container.id, MARKER)).decode())
    except (NotFoundError, UnicodeDecodeError):
        return container
    hashes = {**container.contents.hashes, **note.hashes}
    return container._replace(contents=container.contents._replace(hashes=hashes))
