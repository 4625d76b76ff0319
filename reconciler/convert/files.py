"""Uses of configs and secrets → the entries of a spec; a mount of the file where none can be put.

The engine writes no file to a read-only root, and nothing can be mounted over `/` to hold one. Compose mounts the file
itself, so that is what is done there too, with `watch` for its content.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from reconciler.convert.compose.values import Map, Place, Seq, Text, flag
from reconciler.convert.mounts import shortened
from reconciler.convert.output import Output

_SECRETS = "/run/secrets"


class Use(NamedTuple):
    """One use of a config or a secret; `file` is what is mounted instead, None where it is put there as everywhere."""

    key: str
    item: Map
    place: Place
    target: str
    file: Text | None


def uses(service: Map, key: str, contents: Mapping[str, Any]) -> Iterator[Use]:
    """What a service uses of `key`, configs or secrets."""
    value = service.get(key)
    for item, place in value.entries() if isinstance(value, Seq) else ():
        source = str(item.get("source"))
        target = str(item.get("target") or source)
        target = target if target.startswith("/") else posixpath.join(_SECRETS if key == "secrets" else "/", target)
        declared = (contents.get(key) or {}).get(source)
        file = declared.get("file") if isinstance(declared, Map) else None
        is_rooted = flag(service.get("read_only")) is True and posixpath.dirname(target) == "/"
        yield Use(key, item, place, target, file if is_rooted and isinstance(file, Text) else None)


def put(use: Use) -> Any:
    """The entry of one that is put into the container."""
    table = {key: entry for key, entry in use.item.items() if entry is not None and not key.startswith("x-")}
    if isinstance(table.get("mode"), int):
        table["mode"] = f"{table['mode']:04o}"
    return table["source"] if list(table) == ["source"] else table


def mount(use: Use, file: Text, subject: str, output: Output, made: dict[str, Any]) -> None:
    """Mount its file, and have the content watched; not that of a secret, whose hash would be shown."""
    target = use.item.get("target")
    target = target if isinstance(target, Text) and target == use.target else Text(use.target)
    made.setdefault("volumes", [])
    made["volumes"].append(shortened({"type": Text("bind"), "source": file, "target": target, "read_only": True}))
    if use.key == "configs" and file not in made.setdefault("watch", []):
        made["watch"].append(file)
    message = f"{use.item['source']} is mounted at {use.target}, as by Compose: no file can be put there with read_only"
    output.note(use.place, subject, message)


def is_put(services: Map, key: str, name: str, contents: Mapping[str, Any]) -> bool:
    """Whether a config or secret is put somewhere, or used by a build, so that it has to be declared."""
    if any(
        use.file is None and use.item["source"] == name for s in services.values() for use in uses(s, key, contents)
    ):
        return True
    builds = [build for s in services.values() if isinstance(build := s.get("build"), Map)]
    return any(item.get("source") == name for build in builds for item in build.get(key) or ())
