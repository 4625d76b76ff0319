"""What a build is given: the files of its context, the hash of all that it reads, and the archive that is sent.

In:     a `Build`; the file system.
Out:    entries in a fixed order; `digest` tells whether a build would be given something else than last time.

Two deviations from Docker's client, both towards fewer needless builds: `.git` is left out unless the ignore file
says `!.git`, and neither times nor owners count.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from reconciler.engine.ignore import Ignore, read_patterns
from reconciler.engine.stat_cache import StatCache
from reconciler.errors import Problem, SpecError
from reconciler.model.desired import Build
from reconciler.model.values import canonical_text

#: more than that is a mistake, such as a home directory as context
MOST_ENTRIES = 500_000
MOST_BYTES = 16 * 1024**3
_IGNORE_FILE = ".dockerignore"
_ALWAYS_IGNORED = read_patterns(".git").patterns
_BLOCK = 1024 * 1024
_TAR_BLOCK = 512


class Entry(NamedTuple):
    """One thing in the context.

    `path` is relative, with `/`; `target` is that of a symbolic link; `is_forced` marks what Docker's client sends
    although it is ignored, the Dockerfile and the ignore file: the engine takes them out again.
    """

    path: str
    status: os.stat_result
    target: str = ""
    is_forced: bool = False

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)


def scan(build: Build) -> list[Entry]:
    """Everything that the builder is given, sorted by path. Sockets, pipes and devices are left out.

    Raises:
        SpecError: there is no such directory or Dockerfile, the ignore file is wrong, something cannot be read, or
            it is too much.
    """
    dockerfile = dockerfile_path(build)
    entries: list[Entry] = []
    size = 0
    for entry in _walk(build.context, _ignore(build, dockerfile), {dockerfile, _IGNORE_FILE}):
        entries.append(entry)
        size += entry.status.st_size if entry.is_file else 0
        if len(entries) > MOST_ENTRIES or size > MOST_BYTES:
            raise _problem(
                f"{build.context}: too large for a build context (at most {MOST_ENTRIES} files, {MOST_BYTES // 1024**3} GiB)",
                f"name what the build does not need in {_IGNORE_FILE}, or choose a smaller directory",
            )
    entries.sort(key=itemgetter(0))
    return entries


def digest(build: Build, cache_dir: Path | None) -> str:
    """Hex SHA-256 over all that the build reads: paths, modes, contents, Dockerfile, arguments, target, platform, labels.

    `cache_dir` holds hashes of files by their status; None reads every file. Raises as `scan`.
    """
    dockerfile = dockerfile_path(build)
    settings = {
        "version": 1,
        "dockerfile": dockerfile,
        "args": dict(build.args),
        "labels": dict(build.labels),
        "target": build.target,
        "platform": build.platform,
    }
    total = hashlib.sha256(canonical_text(settings).encode())
    cache = StatCache(cache_dir, f"{build.context}\n{dockerfile}")
    entries = scan(build)
    for entry in entries:
        if entry.is_forced and entry.path != dockerfile:
            continue
        content = b""
        if entry.is_file:
            content = cache.get(entry.path, entry.status) or cache.put(
                entry.path, entry.status, _hash_file(build, entry)
            )
        name, target = os.fsencode(entry.path), os.fsencode(entry.target)
        total.update(b"\n%d %d %o " % (len(name), len(target), entry.status.st_mode) + name + target + content)
    cache.save()
    return total.hexdigest()


def archive(build: Build) -> Iterator[bytes]:
    """The context as a tar file, in blocks of at most 1 MiB, the same for the same files: sorted, owned by root.

    Raises as `scan`, also while it is read.
    """
    for entry in scan(build):
        member = tarfile.TarInfo(entry.path)
        member.mode = stat.S_IMODE(entry.status.st_mode)
        member.mtime = int(entry.status.st_mtime)
        if entry.is_file:
            member.size = entry.status.st_size
        elif entry.target:
            member.type, member.linkname = tarfile.SYMTYPE, entry.target
        else:
            member.type = tarfile.DIRTYPE
        yield member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if entry.is_file:
            yield from _read_exactly(build, entry)
            yield b"\0" * (-entry.status.st_size % _TAR_BLOCK)
    yield b"\0" * (2 * _TAR_BLOCK)


def dockerfile_path(build: Build) -> str:
    """The Dockerfile's path inside the context, cleaned.

    Raises:
        SpecError: it is not there, or not inside: a link out of it counts as outside.
    """
    if not Path(build.context).is_dir():
        raise _problem(f"{build.context}: there is no such directory to build from", "correct `context`")
    path = posixpath.normpath(build.dockerfile)
    root, file = Path(build.context).resolve(), (Path(build.context) / path).resolve()
    if posixpath.isabs(path) or path.split("/")[0] == ".." or not file.is_relative_to(root):
        raise _problem(f"{build.dockerfile}: the Dockerfile is not inside the context {build.context}", "move it there")
    if not file.is_file():
        raise _problem(f"{Path(build.context) / path}: there is no such Dockerfile", "correct `dockerfile`")
    return path


def read_dockerfile(build: Build) -> str:
    """Its text. Raises as `dockerfile_path`."""
    file = Path(build.context) / dockerfile_path(build)
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unreadable(str(file), error) from error


def _ignore(build: Build, dockerfile: str) -> Ignore:
    """The patterns of `<Dockerfile>.dockerignore` beside the Dockerfile, else of `.dockerignore`."""
    root = Path(build.context)
    for file in (root / f"{dockerfile}.dockerignore", root / _IGNORE_FILE):
        try:
            # What is always ignored comes first, so that any of them can take it back.
            return read_patterns(file.read_text(encoding="utf-8", errors="surrogateescape"), _ALWAYS_IGNORED)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise _unreadable(str(file), error) from error
        except ValueError as error:
            raise SpecError([Problem(str(file), 0, 0, "", str(error))]) from error
    return Ignore(_ALWAYS_IGNORED)


def _walk(root: str, ignore: Ignore, forced: set[str]) -> Iterator[Entry]:
    """Entries in no order. Directories that are left out are not entered, unless something in them is not."""
    pending: list[tuple[str, tuple[bool, ...]]] = [("", ())]
    while pending:
        directory, above = pending.pop()
        try:
            with os.scandir(f"{root}/{directory}") as found:
                for item in found:
                    path = f"{directory}/{item.name}" if directory else item.name
                    is_directory = item.is_dir(follow_symlinks=False)
                    ignored, matched = ignore.judge(path, above)
                    is_forced = ignored and path in forced
                    if ignored and not is_forced:
                        if is_directory and (ignore.may_keep_below(path) or _is_above(path, forced)):
                            pending.append((path, matched))
                        continue
                    if is_directory:
                        pending.append((path, matched))
                    if (entry := _entry(item, path, is_forced=is_forced)) is not None:
                        yield entry
        except OSError as error:
            raise _unreadable(error.filename or f"{root}/{directory}", error) from error


def _is_above(directory: str, paths: set[str]) -> bool:
    return any(path.startswith(f"{directory}/") for path in paths)


def _entry(item: os.DirEntry[str], path: str, *, is_forced: bool) -> Entry | None:
    status = item.stat(follow_symlinks=False)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        return Entry(path, status, os.readlink(item.path), is_forced)  # noqa: PTH115 - there is no Path here
    return Entry(path, status, "", is_forced) if kind in (stat.S_IFREG, stat.S_IFDIR) else None


def _hash_file(build: Build, entry: Entry) -> bytes:
    file = f"{build.context}/{entry.path}"
    try:
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - many small files: a Path each is a third of the time
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise _unreadable(file, error) from error


def _read_exactly(build: Build, entry: Entry) -> Iterator[bytes]:
    """As many bytes as the entry's header told of; what was appended since is left out."""
    file, missing = Path(build.context) / entry.path, entry.status.st_size
    try:
        with file.open("rb", buffering=0) as stream:
            while missing and (block := stream.read(min(missing, _BLOCK))):
                missing -= len(block)
                yield block
    except OSError as error:
        raise _unreadable(str(file), error) from error
    if missing:
        raise _problem(f"{file}: it became shorter while it was sent to the builder", "try again when it is at rest")


def _problem(message: str, hint: str) -> SpecError:
    return SpecError([Problem("", 0, 0, "", message, hint)])


def _unreadable(file: str, error: OSError) -> SpecError:
    reason = (error.strerror or str(error)).lower()
    return _problem(
        f"{file}: it belongs to the build context and cannot be read ({reason})",
        f"give this user the right to read it, or name it in {_IGNORE_FILE}",
    )
