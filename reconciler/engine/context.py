"""What a build is given: the files of its context, the hash of all that it reads, and the archive that is sent.

In:     a `Build`; the file system.
Out:    entries in a fixed order; `digest` tells whether a build would be given something else than last time.

In `archive` and `staging` what is sent is hashed once more on its way: a file that is edited between the plan and the
build would otherwise be in an image that is labelled with the old content.

Two deviations from Docker's client, both towards fewer needless builds: `.git` is left out unless the ignore file
says `!.git`, and neither times nor owners count.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterable, Iterator
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
#: what a Dockerfile that stands in the spec is called in the archive
INLINE_NAME = ".reconciler.Dockerfile"


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


class Digest:
    """The hash of all that a build reads, while it is read: what is on the disk, or what is sent."""

    def __init__(self, build: Build) -> None:
        settings: dict[str, object] = {
            "version": 1,
            "dockerfile": "" if build.inline else dockerfile_path(build),
            "args": dict(build.args),
            "labels": dict(build.labels),
            "target": build.target,
            "platform": ",".join(build.platforms),
        }
        # What may be in the result counts, as in BuildKit's cache: what RUN can reach, and what is attached. How fast
        # or whether a build succeeds (caches, limits, privileges, secrets, ssh) does not.
        more: dict[str, object] = {
            "dockerfile_inline": build.inline,
            "images": {name: source for name, source in build.contexts.items() if "://" in source},
            "network": build.network,
            "extra_hosts": list(build.extra_hosts),
            "sources": {str(address): content for address, content in build.sources.items()},
            "provenance": build.provenance,
            "sbom": build.sbom,
        }
        settings |= {name: value for name, value in more.items() if value}
        self._total = hashlib.sha256(canonical_text(settings).encode())
        self._dockerfile = settings["dockerfile"]

    def context(self, name: str) -> None:
        """What is added from now on is in this context, not in the one that `build.context` names."""
        self._total.update(b"\ncontext " + os.fsencode(name))

    def add(self, entry: Entry, content: bytes) -> None:
        """`content` is the hash of a file. What is sent without being asked for counts only if it is the Dockerfile."""
        if entry.is_forced and entry.path != self._dockerfile:
            return
        name, target = os.fsencode(entry.path), os.fsencode(entry.target)
        self._total.update(b"\n%d %d %o " % (len(name), len(target), entry.status.st_mode) + name + target + content)

    def end(self, expected: str = "") -> str:
        """The hash in hex.

        Raises:
            SpecError: it is not the expected one.
        """
        found = self._total.hexdigest()
        if expected not in ("", found):
            raise _problem(
                "what the build reads has changed since it was planned, so nothing was built", "run it again"
            )
        return found


def scan(build: Build) -> list[Entry]:
    """Everything that the builder is given, sorted by path. Sockets, pipes and devices are left out.

    Raises:
        SpecError: there is no such directory or Dockerfile, the ignore file is wrong, something cannot be read, or
            it is too much.
    """
    forced = {_IGNORE_FILE} if build.inline else {dockerfile_path(build), _IGNORE_FILE}
    return _scan(build.context, _ignore(build), forced)


def scan_directory(directory: str) -> list[Entry]:
    """The same for a further context. Raises as `scan`."""
    if not Path(directory).is_dir():
        raise _problem(f"{directory}: there is no such directory to build from", "correct `additional_contexts`")
    return _scan(directory, _read_ignore(Path(directory) / _IGNORE_FILE) or Ignore(_ALWAYS_IGNORED), set())


def _scan(directory: str, ignore: Ignore, forced: set[str]) -> list[Entry]:
    entries: list[Entry] = []
    size = 0
    for entry in _walk(directory, ignore, forced):
        entries.append(entry)
        size += entry.status.st_size if entry.is_file else 0
        if len(entries) > MOST_ENTRIES or size > MOST_BYTES:
            raise _problem(
                f"{directory}: too large for a build context (at most {MOST_ENTRIES} files, {MOST_BYTES // 1024**3} GiB)",
                f"name what the build does not need in {_IGNORE_FILE}, or choose a smaller directory",
            )
    entries.sort(key=itemgetter(0))
    return entries


def directories(build: Build) -> list[tuple[str, str]]:
    """(name, directory) of the further contexts that are directories, in a fixed order."""
    return sorted((name, source) for name, source in build.contexts.items() if "://" not in source)


def digest(build: Build, cache_dir: Path | None) -> str:
    """Hex SHA-256 over all that the build reads: paths, modes, contents, Dockerfile, arguments, target, platform, labels.

    `cache_dir` holds hashes of files by their status; None reads every file. Raises as `scan`.
    """
    total = Digest(build)
    _add_files(total, build.context, scan(build), StatCache(cache_dir, f"{build.context}\n{build.dockerfile}"))
    for name, directory in directories(build):
        total.context(name)
        _add_files(total, directory, scan_directory(directory), StatCache(cache_dir, f"{directory}\ncontext"))
    return total.end()


def _add_files(total: Digest, directory: str, entries: list[Entry], cache: StatCache) -> None:
    for entry in entries:
        content = b""
        if entry.is_file:
            content = cache.get(entry.path, entry.status) or cache.put(
                entry.path, entry.status, _hash_file(directory, entry)
            )
        total.add(entry, content)
    cache.save()


def archive(build: Build, expected: str = "", heeded: str = "") -> Iterator[bytes]:
    """The context as a tar file, in blocks of at most 1 MiB, the same for the same files: sorted, owned by root.

    Its end is not given when it is not what was `expected`, a `digest`: a builder refuses half an archive. Raises as
    `scan`, also while it is read.

    Args:
        heeded: the ignore file that the builder heeds before every other, and would leave out still more by. It gets
            one of ours instead, which names what is not to be in the image.
    """
    total = Digest(build)
    ignored = ""
    hidden = [heeded]
    replaced = heeded or (_IGNORE_FILE if build.inline else "")
    for entry in scan(build):
        blocks: Iterable[bytes] = read_exactly(build.context, entry) if entry.is_file else ()
        content = hashlib.sha256()
        hidden += [entry.path] if entry.is_forced else []
        if entry.path == replaced and entry.is_file:
            text = b"".join(blocks)
            content.update(text)
            ignored = text.decode("utf-8", "surrogateescape")
        else:
            yield _member(entry).tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            for block in blocks:
                content.update(block)
                yield block
            yield b"\0" * (-entry.status.st_size % _TAR_BLOCK if entry.is_file else 0)
        total.add(entry, content.digest() if entry.is_file else b"")
    total.end(expected)
    if build.inline:
        # The builder removes what its ignore file names, once it has read it: nothing of this is in the image.
        yield from _text_member(INLINE_NAME, build.inline)
        hidden.append(INLINE_NAME)
    if heeded:
        yield from _text_member(heeded, "".join(f"{path}\n" for path in hidden))
    elif build.inline:
        yield from _text_member(_IGNORE_FILE, f"{ignored or _IGNORE_FILE}\n{INLINE_NAME}\n")
    yield b"\0" * (2 * _TAR_BLOCK)


def _member(entry: Entry) -> tarfile.TarInfo:
    member = tarfile.TarInfo(entry.path)
    member.mode = stat.S_IMODE(entry.status.st_mode)
    member.mtime = int(entry.status.st_mtime)
    if entry.is_file:
        member.size = entry.status.st_size
    elif entry.target:
        member.type, member.linkname = tarfile.SYMTYPE, entry.target
    else:
        member.type = tarfile.DIRTYPE
    return member


def _text_member(name: str, text: str) -> Iterator[bytes]:
    content = text.encode("utf-8", "surrogateescape")
    member = tarfile.TarInfo(name)
    member.size = len(content)
    yield member.tobuf(tarfile.PAX_FORMAT) + content + b"\0" * (-len(content) % _TAR_BLOCK)


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
    if build.inline:
        return build.inline
    file = Path(build.context) / dockerfile_path(build)
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unreadable(str(file), error) from error


def _ignore(build: Build) -> Ignore:
    """The patterns of `<Dockerfile>.dockerignore` beside the Dockerfile, else of `.dockerignore`."""
    root = Path(build.context)
    own = None if build.inline else _read_ignore(root / f"{dockerfile_path(build)}.dockerignore")
    return own or _read_ignore(root / _IGNORE_FILE) or Ignore(_ALWAYS_IGNORED)


def _read_ignore(file: Path) -> Ignore | None:
    try:
        # What is always ignored comes first, so that any of them can take it back.
        return read_patterns(file.read_text(encoding="utf-8", errors="surrogateescape"), _ALWAYS_IGNORED)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(str(file), error) from error
    except ValueError as error:
        raise SpecError([Problem(str(file), 0, 0, "", str(error))]) from error


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


def _hash_file(directory: str, entry: Entry) -> bytes:
    file = f"{directory}/{entry.path}"
    try:
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - many small files: a Path each is a third of the time
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise _unreadable(file, error) from error


def read_exactly(directory: str, entry: Entry) -> Iterator[bytes]:
    """As many bytes as the entry's status told of; what was appended since is left out."""
    file, missing = Path(directory) / entry.path, entry.status.st_size
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
