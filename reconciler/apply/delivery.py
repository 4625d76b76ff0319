"""Files into a container: as a tar over the engine's API, so that the engine may be on another machine."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator

from reconciler.engine.archives import read_file
from reconciler.engine.interface import Engine
from reconciler.errors import EngineRefusedError, NotFoundError
from reconciler.model.plan import File

#: of user and of group
Owner = tuple[int, int]


def deliver(engine: Engine, container_id: str, files: tuple[File, ...]) -> None:
    """Put them there, owned as they say, or by the container's user.

    Raises:
        EngineError: the engine refused, or the container's user is not known in it.
    """
    owner = _user_of(engine, container_id) if any(None in (file.uid, file.gid) for file in files) else (0, 0)
    for base in sorted({file.base for file in files}):
        engine.put_archive(container_id, base, _archive(base, [file for file in files if file.base == base], owner))


def _archive(base: str, files: list[File], owner: Owner) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path[len(base) :].lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(file.content.bytes), file.mode, int(time.time())
            entry.uid = owner[0] if file.uid is None else file.uid
            entry.gid = owner[1] if file.gid is None else file.gid
            tar.addfile(entry, io.BytesIO(file.content.bytes))
    return stream.getvalue()


def _user_of(engine: Engine, container_id: str) -> Owner:
    """The numbers of the user that a container's process runs as, by the container's own files where it is a name."""
    answers = engine.inspect_containers([container_id])
    if not answers:
        raise NotFoundError(f"container {container_id[:12]} is gone", 404)
    user, _, group = str((answers[0].get("Config") or {}).get("User") or "0").partition(":")
    if user in ("0", "root") and not group:
        return 0, 0
    uid, gid = _numbers(engine, container_id, user) if not (user.isdecimal() and group) else (int(user), 0)
    if group.isdecimal():
        return uid, int(group)
    return uid, _group(engine, container_id, group) if group else gid


def _numbers(engine: Engine, container_id: str, user: str) -> Owner:
    """Of a user and its own group, as the engine finds them."""
    for name, uid, gid in _entries(engine, container_id, "/etc/passwd", 4):
        if user in (name, uid) and uid.isdecimal() and gid.isdecimal():
            return int(uid), int(gid)
    if user.isdecimal():
        return int(user), 0
    raise _unknown(f"user {user!r}", "/etc/passwd")


def _group(engine: Engine, container_id: str, group: str) -> int:
    for name, gid, _ in _entries(engine, container_id, "/etc/group", 3):
        if name == group and gid.isdecimal():
            return int(gid)
    raise _unknown(f"group {group!r}", "/etc/group")


def _unknown(who: str, path: str) -> EngineRefusedError:
    return EngineRefusedError(
        f"the {who} that the container runs as is not in its {path}, so its files have no owner",
        hint="write numbers: user = 'UID:GID', or uid and gid of each file",
    )


def _entries(engine: Engine, container_id: str, path: str, least: int) -> Iterator[tuple[str, str, str]]:
    """(name, third field, fourth field) of each line."""
    try:
        archive = engine.get_archive(container_id, path)
    except NotFoundError:
        return
    for line in read_file(archive).decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if len(fields) >= least:
            yield fields[0], fields[2], fields[3] if len(fields) > 3 else ""
