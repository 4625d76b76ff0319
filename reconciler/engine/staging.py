"""A private copy of all that a build reads, for a builder that takes directories and not an archive.

Docker's own program would apply ignore files by itself, and send what is there at that moment. The copy holds what was
hashed and nothing else, so that both builders are given the same; it is gone when the build has ended.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from reconciler.engine.context import Digest, Entry, directories, read_dockerfile, read_exactly, scan, scan_directory
from reconciler.errors import Problem, SpecError
from reconciler.model.desired import Build


class Staged(NamedTuple):
    """Absolute paths in the copy; `contexts` by name, those that are images as they were."""

    context: str
    dockerfile: str
    contexts: dict[str, str]


def stage(build: Build, place: Path, expected: str = "") -> Staged:
    """Copy what a build reads into the directory `place`, which is ours alone.

    Raises:
        SpecError: as `context.scan`, or what was copied is not what was `expected`, a `context.digest`.
    """
    total = Digest(build)
    _copy(total, build.context, scan(build), place / "context")
    contexts = {name: source for name, source in build.contexts.items() if "://" in source}
    for at, (name, directory) in enumerate(directories(build)):
        total.context(name)
        target = place / f"context-{at}"
        _copy(total, directory, scan_directory(directory), target)
        contexts[name] = str(target)
    total.end(expected)
    dockerfile = place / "dockerfile" / "Dockerfile"
    dockerfile.parent.mkdir()
    dockerfile.write_text(read_dockerfile(build), encoding="utf-8")
    # Found beside the Dockerfile, it counts instead of the context's, which has been applied.
    dockerfile.with_name("Dockerfile.dockerignore").write_text("# all that is here is wanted\n", encoding="utf-8")
    return Staged(str(place / "context"), str(dockerfile), contexts)


def _copy(total: Digest, directory: str, entries: list[Entry], target: Path) -> None:
    _directory(target)
    made: list[tuple[Path, Entry]] = []
    try:
        for entry in entries:
            path = target / entry.path
            content = hashlib.sha256()
            if entry.is_file:
                # What is sent only because the classic builder needs it there is not copied.
                output = os.devnull if entry.is_forced else str(_parent(path))
                with open(output, "wb", buffering=0) as stream:  # noqa: PTH123 - the null device may be meant
                    for block in read_exactly(directory, entry):
                        content.update(block)
                        stream.write(block)
            elif entry.target:
                _parent(path).symlink_to(entry.target)
            else:
                _directory(path)
            total.add(entry, content.digest() if entry.is_file else b"")
            if not entry.is_forced and not entry.target:
                made.append((path, entry))
        # The deepest first: a directory may be one that nothing can be written to.
        for path, entry in reversed(made):
            # Whoever may read the original through a group owns the copy.
            path.chmod(stat.S_IMODE(entry.status.st_mode) | (0o500 if path.is_dir() else 0o400))
            os.utime(path, ns=(entry.status.st_atime_ns, entry.status.st_mtime_ns))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        hint = "it is put into the directory of temporary files; TMPDIR names another one"
        raise SpecError([Problem("", 0, 0, "", f"{target}: no copy of the build context ({reason})", hint)]) from error


def _parent(path: Path) -> Path:
    """The path itself, with the directories above it made, which an ignore file may have left out."""
    _directory(path.parent)
    return path


def _directory(path: Path) -> None:
    if not path.is_dir():
        _directory(path.parent)
        path.mkdir()
        path.chmod(0o755)  # whatever the umask: the image has it too


def remove(place: Path) -> None:
    """Remove a copy, directories in it that may not be written to as well."""
    import shutil

    for directory, _, _ in os.walk(place):
        Path(directory).chmod(0o700)
    shutil.rmtree(place, ignore_errors=True)
