"""One file → its text, with limits: the file may be somebody else's."""

from __future__ import annotations

from pathlib import Path

from reconciler.spec.paths import kind_of

#: of a spec file
MAX_FILE_BYTES = 256 * 1024


class UnreadableError(Exception):
    """A file that cannot be used as text; says why, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read_bytes(name: str, limit: int) -> bytes:
    """What is in a regular file of at most `limit` bytes.

    Raises:
        UnreadableError: it is something else, is larger, or cannot be read.
    """
    try:
        # A pipe would keep us waiting for a writer.
        if kind_of(name) in ("directory", "other"):
            raise UnreadableError("is not a regular file", "put a file there, or take it away")
        with Path(name).open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UnreadableError(
            f"cannot be read: {error.strerror}", "check that it exists and its permissions"
        ) from error
    if len(content) > limit:
        raise UnreadableError(f"is larger than {limit >> 10} KiB", "split it into several files")
    return content


def read_text(name: str, limit: int) -> str:
    """The text of a regular file of at most `limit` bytes.

    Raises:
        UnreadableError: it is something else, is larger, is not UTF-8, or cannot be read.
    """
    content = read_bytes(name, limit)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is not UTF-8 text (line {line})", "save it in UTF-8") from error
