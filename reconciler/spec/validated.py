"""Documents whose structure was found valid before, so that an unchanged spec does not load pydantic again.

One empty file a document in `$XDG_CACHE_HOME/reconciler/validated/`, named by a hash of the document and of this
program's version. It is only ever a shortcut: no cache directory, no markers, no difference but time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reconciler import __version__

MAX_MARKERS = 64


def cache_directory(environment: Mapping[str, str]) -> Path | None:
    """Where what can be worked out again is kept; it need not exist. None for a user without a home, such as a service."""
    home = environment.get("HOME")
    cache = environment.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    return Path(cache) / "reconciler" if cache.startswith("/") else None


def marker_of(document: Mapping[str, object], environment: Mapping[str, str]) -> Path | None:
    """The document's marker; None when there is no place for one."""
    cache = cache_directory(environment)
    if cache is None:
        return None
    import hashlib
    import json

    text = json.dumps([__version__, document], sort_keys=True, separators=(",", ":"), default=repr)
    return cache / "validated" / hashlib.sha256(text.encode()).hexdigest()


def is_marked(marker: Path | None) -> bool:
    return marker is not None and marker.exists()


def mark(marker: Path | None) -> None:
    """Remember a valid document, and forget the oldest beyond a few."""
    if marker is None:
        return
    try:
        marker.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        marker.touch(mode=0o600)
        for old in sorted(marker.parent.iterdir(), key=lambda file: file.stat().st_mtime)[:-MAX_MARKERS]:
            old.unlink()
    except OSError:
        return  # a read-only home is no mistake of the spec
