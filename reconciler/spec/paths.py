"""Paths in a spec → absolute paths of this host."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping


def absolute(directory: str, path: str, environment: Mapping[str, str]) -> str:
    """The clean absolute path, `~` being the home directory.

    Symbolic links stay as they are: a GitOps checkout that moves behind one must not look like a change.
    """
    if path == "~" or path.startswith("~/"):
        path = environment.get("HOME", "/") + path[1:]
    return posixpath.normpath(posixpath.join(directory, path))


def is_inside(directory: str, path: str) -> bool:
    """Whether `path`, relative to a directory, stays inside it, symbolic links followed."""
    if path.startswith("/") or ".." in path.split("/"):
        return False
    root = posixpath.realpath(directory)
    return posixpath.commonpath([root, posixpath.realpath(posixpath.join(directory, path))]) == root
