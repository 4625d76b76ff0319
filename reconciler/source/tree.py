"""A commit → a directory, read object by object.

`git archive` obeys attributes of the repository (export-subst changes content, export-ignore hides it), and a
checkout obeys filters and line endings. Here each file is what the commit says, byte for byte, and everything is
known of a tree (paths, kinds, sizes) before the first file is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple

from reconciler.source.git import Git, TooMuchError, plain
from reconciler.source.interface import Reason, RefusedError
from reconciler.source.settings import Limits

_FILE, _PROGRAM, _LINK, _SUBMODULE = "100644", "100755", "120000", "160000"
_LONGEST_LINK = 4096


class Entry(NamedTuple):
    mode: str
    object: str
    size: int
    path: str


class Tree(NamedTuple):
    """What is written of a commit, and what a person should know of the rest."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


def read_tree(git: Git, commit: str, limits: Limits) -> Tree:
    """The files of a commit. Raises RefusedError when they are too many, too large, or would leave the tree."""
    try:
        listing = git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit, most=limits.files * 400 + 65536)
    except TooMuchError as error:
        raise _too_many(commit, limits) from error
    entries, notes, folded = list[Entry](), list[str](), dict[str, str]()
    total = 0
    for line in listing.split(b"\0")[:-1]:
        entry = _entry(line, commit)
        _check_path(entry.path, limits)
        if entry.mode == _SUBMODULE:
            notes.append(f"{entry.path} is a submodule, which is not fetched: it is missing from the checkout")
            continue
        if entry.mode not in (_FILE, _PROGRAM, _LINK):
            raise _unsafe(entry.path, f"has the odd mode {entry.mode}", "commit it anew")
        other = folded.setdefault(entry.path.casefold(), entry.path)
        if other != entry.path:
            notes.append(f"{entry.path} and {other} differ in case only")
        if entry.size > limits.file_size:
            raise RefusedError(
                Reason.TOO_LARGE,
                f"{entry.path} has {entry.size} bytes; more than {limits.file_size} are not checked out",
                "keep large files elsewhere",
            )
        total += entry.size
        entries.append(entry)
    if len(entries) > limits.files:
        raise _too_many(commit, limits)
    if total > limits.size:
        raise RefusedError(
            Reason.TOO_LARGE,
            f"commit {commit[:12]} has {total} bytes of files; more than {limits.size} are not checked out",
            "raise max_size, or keep large files elsewhere",
        )
    return Tree(tuple(entries), tuple(notes[:20]))


def write_tree(git: Git, tree: Tree, directory: Path) -> None:
    """Write the files into an empty directory: modes 644 and 755, directories 755, links last."""
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    made = {""}
    links = list[tuple[Path, str]]()
    with git.started("cat-file", "--batch") as process:
        for entry, content in _contents(process, tree.entries):
            _make_parents(directory, entry.path, made)
            place = directory / entry.path
            if entry.mode == _LINK:
                links.append((place, _target(entry.path, content)))
            else:
                _write_file(place, content, 0o755 if entry.mode == _PROGRAM else 0o644)
    for place, target in links:
        place.symlink_to(target)


def is_whole(tree: Tree, directory: Path) -> bool:
    """Whether everything is there in its size: after a power failure a file may be empty."""
    try:
        return all((directory / entry.path).lstat().st_size == entry.size for entry in tree.entries)
    except OSError:
        return False


def _entry(line: bytes, commit: str) -> Entry:
    head, _, name = line.partition(b"\t")
    mode, _, identity, size = head.decode("ascii").split()
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        shown = plain(name.decode("utf-8", "backslashreplace"))
        raise _unsafe(shown, f"has a name that is not UTF-8, in commit {commit[:12]}", "rename it") from None
    return Entry(mode, identity, 0 if size == "-" else int(size), path)


def _check_path(path: str, limits: Limits) -> None:
    parts = path.split("/")
    if path != plain(path, len(path)):
        raise _unsafe(plain(path), "has control characters or odd blanks in its name", "rename it")
    if any(part in ("", ".", "..") or part.casefold() in (".git", "git~1") for part in parts):
        raise _unsafe(path, "has a name that git itself refuses", "rename it")
    if len(parts) > limits.depth or len(path.encode()) > limits.path_bytes or any(len(p.encode()) > 255 for p in parts):
        raise RefusedError(Reason.TOO_LARGE, f"{plain(path, 200)} is too long or too deep a path", "shorten it")


def _target(path: str, content: bytes) -> str:
    """Where a link points to. Only leading `..` are counted on: behind a name they could start from another link."""
    try:
        target = content.decode("utf-8")
    except UnicodeDecodeError:
        raise _unsafe(path, "is a link to a name that is not UTF-8", "point it elsewhere") from None
    parts = target.split("/")
    up = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    leaves = target.startswith("/") or up > path.count("/") or ".." in parts[up:]
    if not target or leaves or len(content) > _LONGEST_LINK or not target.isprintable():
        raise _unsafe(
            path, f"is a link to {plain(target, 200) or 'nothing'}, out of the tree", "link to a file of the repository"
        )
    if any(part.casefold() == ".git" for part in parts):
        raise _unsafe(path, "is a link into .git", "link to a file of the repository")
    return target


def _contents(process: Popen[bytes], entries: tuple[Entry, ...]) -> Iterator[tuple[Entry, bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    for entry in entries:
        process.stdin.write(f"{entry.object}\n".encode())
        process.stdin.flush()
        head = process.stdout.readline().split()
        if len(head) != 3 or head[1] != b"blob" or int(head[2]) != entry.size:
            raise EOFError(f"{entry.path} cannot be read from the repository")
        content = process.stdout.read(entry.size + 1)[:-1]
        if len(content) != entry.size:
            raise EOFError(f"{entry.path} ends early in the repository")
        yield entry, content


def _make_parents(directory: Path, path: str, made: set[str]) -> None:
    parts = path.split("/")[:-1]
    for length in range(1, len(parts) + 1):
        parent = "/".join(parts[:length])
        if parent not in made:
            (directory / parent).mkdir(mode=0o755)
            (directory / parent).chmod(0o755)
            made.add(parent)


def _write_file(place: Path, content: bytes, mode: int) -> None:
    number = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(number, "wb") as file:  # noqa: PTH123 - of a descriptor
        os.fchmod(number, mode)
        file.write(content)


def _unsafe(path: str, message: str, hint: str) -> RefusedError:
    return RefusedError(Reason.UNSAFE, f"{path} {message}", hint)


def _too_many(commit: str, limits: Limits) -> RefusedError:
    return RefusedError(
        Reason.TOO_LARGE,
        f"commit {commit[:12]} has more than {limits.files} files",
        "raise max_files, or give the hosts a repository of their own",
    )
