"""Files inside of containers, as the engine hands them out: in a tar."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

from reconciler.engine.interface import Engine
from reconciler.errors import NotFoundError
from reconciler.model.contents import MARKER, parse_recorded
from reconciler.model.observed import ObservedState


def read_file(archive: bytes) -> bytes:
    """What is in the one file of a tar; nothing when it holds something else."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            entry = tar.next()
            stream = tar.extractfile(entry) if entry is not None and entry.isfile() else None
            return stream.read() if stream is not None else b""
    except tarfile.TarError:
        return b""


def with_notes(engine: Engine, observed: ObservedState, ids: Iterable[str]) -> ObservedState:
    """The same; of these containers, what a note inside of them says of their contents goes before their label."""
    notes = {}
    for container_id in ids:
        try:
            notes[container_id] = parse_recorded(read_file(engine.get_archive(container_id, MARKER)).decode())
        except (NotFoundError, UnicodeDecodeError):
            continue
    if not notes:
        return observed
    return observed._replace(
        containers=tuple(
            item._replace(contents=item.contents._replace(hashes={**item.contents.hashes, **notes[item.id].hashes}))
            if item.id in notes
            else item
            for item in observed.containers
        )
    )
