"""A file or a directory of the host → one hash of what is in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.spec.reading import UnreadableError

MAX_FILES = 10_000
MAX_BYTES = 64 * 1024 * 1024


def hash_path(name: str) -> str:
    """Changes with the names and the contents of all files in it; neither with times nor with owners.

    Raises:
        UnreadableError: something in it cannot be read, or it is too large.
    """
    import hashlib

    total, digest = 0, hashlib.sha256()
    for count, (shown, path) in enumerate(_files(Path(name))):
        try:
            held = _bytes_of(path)
        except OSError as error:
            what = f"holds {shown}, which " if shown else ""
            raise UnreadableError(
                f"{what}cannot be read: {error.strerror}", "check that it is there and its permissions"
            ) from error
        total += len(held)
        if total > MAX_BYTES or count >= MAX_FILES:
            limit = f"{MAX_BYTES >> 20} MiB in {MAX_FILES} files"
            raise UnreadableError(f"holds more than {limit}", "watch only what the container reads at its start")
        for part in (shown.encode("utf-8", "surrogateescape"), held):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _files(root: Path) -> list[tuple[str, Path]]:
    """Each file below, by its path from `root`; `root` itself when it is none."""
    if not root.is_dir():
        return [("", root)]
    found: list[tuple[str, Path]] = []
    for directory, names, files in os.walk(root, onerror=_refuse):
        here = Path(directory)
        links = [name for name in names if (here / name).is_symlink()]
        found += [(str((here / name).relative_to(root)), here / name) for name in (*files, *links)]
        if len(found) > MAX_FILES:
            break
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise UnreadableError(f"holds {error.filename}, which cannot be listed: {error.strerror}", "check its permissions")


def _bytes_of(path: Path) -> bytes:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode) and not path.is_file():
        return str(path.readlink()).encode("utf-8", "surrogateescape")
    if not path.is_file():
        return b""  # a socket or a pipe has no content, and would keep us waiting
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
