"""The resolved mounts of a container in memory: what was named, and a volume for each path that the image declares."""

import posixpath

from reconciler.errors import EngineRefusedError
from tests.support.memory_shapes import Json, hex_id


def resolve_mounts(host: Json, config: Json, container_id: str) -> list[Json]:
    """`Mounts` as inspect shows it: by `Binds`, by `HostConfig.Mounts`, and by declared paths that nobody mounts."""
    mounts: dict[str, Json] = {}
    for text in host["Binds"] or ():
        source, target, *options = text.split(":")
        words = options[0].split(",") if options else []
        _put(
            mounts,
            _bind(source, target, words) if source.startswith("/") else _volume(source, target, "ro" not in words, "z"),
        )
    for body in host.get("Mounts") or ():
        target, writable = body["Target"], not body.get("ReadOnly")
        if body["Type"] == "bind":
            _put(mounts, _bind(body["Source"], target, [] if writable else ["ro"]))
        elif body["Type"] == "volume":
            made = _volume(body.get("Source") or hex_id(container_id, target), target, writable, "z")
            labels = (body.get("VolumeOptions") or {}).get("Labels")
            _put(mounts, made | ({"Labels": labels} if labels else {}))
        else:
            _put(
                mounts,
                {
                    "Type": body["Type"],
                    "Source": "",
                    "Destination": target,
                    "Mode": "",
                    "RW": writable,
                    "Propagation": "",
                },
            )
    for target in config["Volumes"] or ():
        if posixpath.normpath(target) not in mounts:
            _put(mounts, _volume(hex_id(container_id, target), target, True, ""))
    return list(mounts.values())


def _put(mounts: dict[str, Json], mount: Json) -> None:
    target = posixpath.normpath(mount["Destination"])
    if target in mounts:
        raise EngineRefusedError(f"Duplicate mount point: {target}", 400)
    mounts[target] = mount | {"Destination": target}


def _bind(source: str, target: str, words: list[str]) -> Json:
    mode = ",".join(words)
    return {
        "Type": "bind", "Source": posixpath.normpath(source), "Destination": target, "Mode": mode,
        "RW": "ro" not in words, "Propagation": next((word for word in words if "shared" in word or "slave" in word), "rprivate"),
    }  # fmt: skip


def _volume(name: str, target: str, writable: bool, mode: str) -> Json:
    return {
        "Type": "volume", "Name": name, "Source": f"/var/lib/docker/volumes/{name}/_data", "Destination": target,
        "Driver": "local", "Mode": mode, "RW": writable, "Propagation": "",
    }  # fmt: skip
