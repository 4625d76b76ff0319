"""Hashes of files kept by what `stat` says of them, so that an unchanged file is not read again.

Measured with 50,000 files of 2 KB in 510 directories, all in the page cache: a digest takes 1.15 s when it reads every
file, 0.48 s with this cache, of which 0.32 s is the scan. (On a cold disk, or with larger files, reading takes far longer
and the cache takes the same.) All of it is needed each time, so one marshalled dict (4.8 MB, 26 ms to load) beats a
table in sqlite (66 ms).
"""

from __future__ import annotations

import marshal
import os
import tempfile
import time
import zlib
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

_MAGIC = b"reconciler files 1\n"
#: As git's "racily clean" files: within the clock's grain a file may be written again without a trace in its times.
_RACY_NS = 2_000_000_000

#: size, time of content, inode, time of change (ns), hash
_Row: TypeAlias = tuple[int, int, int, int, bytes]


class StatCache:
    """The hashes of one build's files. What cannot be read or written is as if it were empty."""

    def __init__(self, directory: Path | None, key: str) -> None:
        name = sha256(os.fsencode(key)).hexdigest()[:32]
        self._file = directory / f"context-{name}" if directory else None
        self._known = _load(self._file) if self._file else {}
        self._seen: dict[str, _Row] = {}
        # What changed shortly before now may change again within the same tick, while it is being read.
        self._trusted_before = time.time_ns() - _RACY_NS

    def get(self, path: str, status: os.stat_result) -> bytes | None:
        """The hash of a file with just this status; None when it must be read."""
        row = self._known.get(path)
        if row is None or row[:4] != (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns):
            return None
        self._seen[path] = row
        return row[4]

    def put(self, path: str, status: os.stat_result, content: bytes) -> bytes:
        """Remember and return a hash; `status` is from before the file was read."""
        if max(status.st_mtime_ns, status.st_ctime_ns) < self._trusted_before:
            self._seen[path] = (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns, content)
        return content

    def save(self) -> None:
        """Keep what was asked for or put since the beginning, and nothing else. A failure only costs time."""
        if self._file is None or self._seen == self._known:
            return
        body = marshal.dumps(self._seen)
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._file.parent, prefix=".context-")
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(_MAGIC + zlib.crc32(body).to_bytes(4, "big") + body)
                Path(name).replace(self._file)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise


def _load(file: Path) -> dict[str, _Row]:
    try:
        content = file.read_bytes()
    except OSError:
        return {}
    start = len(_MAGIC) + 4
    body = memoryview(content)[start:]
    # marshal trusts what it reads; a file cut short, or of another version, must not reach it.
    if not content.startswith(_MAGIC) or zlib.crc32(body) != int.from_bytes(content[len(_MAGIC) : start], "big"):
        return {}
    try:
        rows = marshal.loads(body)  # noqa: S302 - our own file, in our own directory, checked above
    except (ValueError, TypeError, EOFError):
        return {}
    return rows if isinstance(rows, dict) else {}
