"""Paths in a spec → absolute paths of this host, and what is there."""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Mapping
from pathlib import Path


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


def kind_of(path: str) -> str:
    """ "file", "directory", "other", or "" for what is not there or may not be looked at."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:  # a name may also be too long
        return ""
    return "file" if stat.S_ISREG(mode) else "directory" if stat.S_ISDIR(mode) else "other"
