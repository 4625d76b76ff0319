"""`volumes` and `ports` of a service → the entries of a spec, in short form where that says the same."""

from __future__ import annotations

from typing import Any

from reconciler.convert.compose.scalars import show_scalar
from reconciler.convert.compose.values import Map, Place, Seq, Text, flag, number
from reconciler.convert.output import Output
from reconciler.model.mounts import declare_mounts
from reconciler.model.structures import declare_ports
from reconciler.spec.long_forms import BIND, MOUNT, PORT, TMPFS, VOLUME

_KNOWN = frozenset(
    {"ro", "rw", "z", "Z", "nocopy", "shared", "slave", "private", "rshared", "rslave", "rprivate"}
)  # fmt: skip
_OPTIONS = {"bind": BIND, "volume": VOLUME, "tmpfs": TMPFS}


def mounts(value: Seq, subject: str, output: Output) -> list[Any]:
    """The entries of `volumes`."""
    made = []
    for item, place in value.entries():
        entry = _long(item, place, subject, output) if isinstance(item, Map) else _short(item, place, subject, output)
        if entry is not None:
            made.append(entry)
    return made


def named_volume(item: Any) -> str:
    """The volume of the project that a mount uses, if any."""
    if isinstance(item, Map):
        return str(item.get("source") or "") if item.get("type") == "volume" else ""
    source, mark, _ = str(item).partition(":")
    return "" if not mark or source.startswith((".", "/", "~")) else source


def _short(item: Text, place: Place, subject: str, output: Output) -> Any:
    source, _, rest = item.partition(":")
    target, _, options = rest.partition(":")
    words = options.split(",") if options else []
    dropped = [word for word in words if word not in _KNOWN]
    if dropped:
        output.note(place, subject, f"{', '.join(dropped)} in {item} means nothing, as for Compose, and is left out")
        kept = ",".join(word for word in words if word not in dropped)
        item = Text(":".join(filter(None, (source, target, kept))))
    try:
        declare_mounts([str(item)])
    except ValueError as error:
        output.note(place, subject, f"is left out: {str(error).partition(';')[0]}")
        return None
    return item


def _long(item: Map, place: Place, subject: str, output: Output) -> Any:
    kind = str(item.get("type"))
    if kind not in ("bind", "volume", "tmpfs", "image"):
        output.note(place, subject, f"a mount of the type {kind} does not exist on a Linux engine without a swarm")
        return None
    made: dict[str, Any] = {}
    for key, value in item.items():
        where = f"{subject}.{key}"
        if key in _OPTIONS and isinstance(value, Map):
            options = _options(key, value, where, output)
            if options:
                made[key] = options
        elif key == "read_only":
            if flag(value) is not False:
                made[key] = flag(value)
        elif key in MOUNT.model_fields:
            made[key] = value
        elif key == "consistency":
            output.note(item.place(key), where, "means nothing on Linux and is left out")
        elif value not in (None, {}) and not key.startswith("x-"):
            output.note(item.place(key), where, "is left out: a spec cannot say it")
    return shortened(made)


def _options(kind: str, value: Map, subject: str, output: Output) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, item in value.items():
        if key in ("create_host_path", "nocopy"):
            default = key == "create_host_path"
            if flag(item) is not default:
                made[key] = flag(item)
        elif key == "mode" and isinstance(item, int):
            made[key] = f"{item:04o}"
        elif key in _OPTIONS[kind].model_fields:
            made[key] = number(item) if key == "size" else item
        elif item is not None and not key.startswith("x-"):
            output.note(value.place(key), f"{subject}.{key}", "is left out: a spec cannot say it")
    return made


def shortened(made: dict[str, Any]) -> Any:
    """`source:target[:ro]` where the table says no more, and what stands in it does not get another meaning."""
    source, target = made.get("source"), made.get("target")
    if set(made) - {"type", "source", "target", "read_only"} or not isinstance(target, Text):
        return made
    if made.get("read_only", True) is not True or made["type"] not in ("bind", "volume") or ":" in target:
        return made
    if source is None:
        return target if made["type"] == "volume" and "read_only" not in made else made
    is_path = source.startswith((".", "/", "~"))
    if ":" in source or is_path is not (made["type"] == "bind"):
        return made
    end = ":ro" if "read_only" in made else ""
    return Text(f"{source}:{target}{end}", f"{source.raw}:{target.raw}{end}")


def ports(value: Seq, subject: str, output: Output) -> list[Any]:
    """The entries of `ports`."""
    made: list[Any] = []
    for item, place in value.entries():
        entry = (
            _port(item, subject, output)
            if isinstance(item, Map)
            else Text(show_scalar(item))
            if not isinstance(item, Text)
            else item
        )
        try:
            declare_ports([entry if isinstance(entry, dict) else str(entry)])
        except ValueError as error:
            output.note(place, subject, f"is left out: {str(error).partition(';')[0]}")
            continue
        if entry not in made:
            made.append(entry)
    return made


def _port(item: Map, subject: str, output: Output) -> Any:
    made: dict[str, Any] = {}
    for key, value in item.items():
        if key in PORT.model_fields and value not in (None, ""):
            made[key] = number(value) if key == "target" else value
        elif key == "mode" and value in ("host", "ingress"):
            continue  # without a swarm the two are the same
        elif key not in PORT.model_fields and not key.startswith("x-"):
            output.note(item.place(key), f"{subject}.{key}", "is left out: it describes the port and changes nothing")
    published, address = made.get("published"), made.get("host_ip")
    parts = [address, published, made.get("target")]
    if any(isinstance(part, Text) and part.raw != part for part in parts) or made.get("target") is None:
        return made
    end = "" if made.get("protocol") in (None, "tcp") else f"/{made['protocol']}"
    host = f"[{address}]" if address and ":" in str(address) else address
    front = [str(part) if part is not None else "" for part in (host, published)] if host else [str(published or "")]
    return Text(":".join([*(front if any(front) else []), str(made["target"])]) + end)
