"""docs/options.md, made from the option table and the schema: `python -m tests.docs.options` prints it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.address import Kind
from reconciler.model.options import Cost, Option, Silent, Supplied
from reconciler.model.rows import TABLE
from reconciler.model.structures import INTERFACE_NAME
from reconciler.spec.documents import describe
from reconciler.spec.schema import json_schema

_TITLES = {
    Kind.CONTAINER: "Containers: `[container.NAME]`",
    Kind.IMAGE: "Images: `[image.NAME]`",
    Kind.NETWORK: "Networks: `[network.NAME]`",
    Kind.VOLUME: "Volumes: `[volume.NAME]`",
}
_TAKES = {
    Cost.NOTHING: "nothing by itself",
    Cost.RENAME: "renamed in place",
    Cost.UPDATE: "updated in place",
    Cost.NETWORK: "connected anew",
    Cost.REPLACE: "replaced",
    Cost.DATA: "refused: it would lose data",
}
#: where the cost of a row says less than there is to say
_SPECIALLY = {
    (Kind.CONTAINER, "networks"): "connected anew; a mac_address: replaced",
    (Kind.CONTAINER, "env_file"): "as environment",
    (Kind.CONTAINER, "configs"): "replaced; a new content: by on_change",
    (Kind.CONTAINER, "secrets"): "replaced; a new content: by on_change",
    (Kind.CONTAINER, "watch"): "a new content: by on_change",
    (Kind.CONTAINER, "scale"): "instances are made or removed",
    (Kind.IMAGE, "tag"): "built or tagged; its containers replaced",
    (Kind.IMAGE, "build"): "built; its containers replaced",
    (Kind.IMAGE, "reference"): "pulled; its containers replaced",
    (Kind.NETWORK, "name"): "another one is made",
    (Kind.VOLUME, "name"): "another one is made; this one stays",
}
#: long forms, by the name of their definition in the schema
_LONG = {
    "Build": "build",
    "BuildSecret": "build: secrets",
    "Healthcheck": "healthcheck",
    "Port": "ports",
    "Mount": "volumes",
    "BindOptions": "volumes: bind",
    "VolumeOptions": "volumes: volume",
    "TmpfsOptions": "volumes: tmpfs",
    "Endpoint": "networks",
    "Dependency": "depends_on",
    "EnvFile": "env_file",
    "Ulimit": "ulimits",
    "Logging": "logging",
    "Ipam": "ipam",
    "IpamPool": "ipam: config",
    "File": "configs and secrets",
    "Watch": "watch",
    "Rollout": "rollout",
}
_ROLLOUT = "For the project and for each container; a key that a container does not say is the project's. See [planning.md](planning.md)."
_INTRODUCTION = """\
# Options

Written by `make golden` from the table of options that the program works from (`reconciler/model/rows.py`); a test keeps
the two the same. Names and forms are those of the Compose specification.

- **Changing it** is what a change of the option takes: *updated in place* and *connected anew* leave the container
  running, *replaced* makes a new one and stops the old. *Nothing by itself*: no object holds the option, it steers what
  is done.
- **Default** is what an option that is not in the spec is compared with. *The image's*: what the image says stands;
  *the image's entries*: they stand below those of the spec. *The engine's*: a default of the engine that cannot be
  read, so it is not compared while the spec is silent.
- **Sizes** are bytes, or a number with a unit: `"256M"`, `"1.5G"` (powers of 1024). **Durations** are `"1m30s"`,
  `"500ms"`. Where a number or a boolean stands, a text with a variable may stand: `scale = "${WORKERS:-2}"`.
- **API** is where the engine holds it, in its create call and in `docker inspect`.

Every option works on API 1.41 (Docker 20.10) and newer, but these. On an older engine they block what has them, since it
would drop them in silence, and the plan says which engine has them: GATED.
"""
#: parts of options that need a newer API, as they are written
_PARTS = {
    "start_interval": "`healthcheck.start_interval`",
    "=cdi": "CDI names in `devices`",
    "gw_priority": "`networks.gw_priority`",
    INTERFACE_NAME: "`networks.interface_name`",
    "recursive=writable": '`volumes.bind.recursive = "writable"`',
    "recursive=readonly": '`volumes.bind.recursive = "readonly"`',
    "subpath": "`volumes.volume.subpath`",
    "type=image": '`volumes.type = "image"`',
}


def _gated() -> str:
    """Every option, and every part of one, that an older engine does not have."""
    found = []
    for kind, rows in TABLE.items():
        for row in rows:
            if row.since > (0, 0):
                found.append((row.since, f"`{row.name}`" + (" of a network" if kind is Kind.NETWORK else "")))
            found += [(since, _PARTS[part]) for part, since in row.parts.items()]
    return ", ".join(f"{name} ({since[0]}.{since[1]})" for since, name in sorted(found))


def page() -> str:
    """The whole page."""
    schema = json_schema()
    parts = [_INTRODUCTION.replace("GATED", _gated())]
    for kind in (Kind.CONTAINER, Kind.IMAGE, Kind.NETWORK, Kind.VOLUME):
        further = _further(schema["$defs"][kind.value.capitalize()], kind)
        parts.append("\n".join([f"## {_TITLES[kind]}\n", *_table(kind), *further]))
    parts.append("\n".join(["## The project: `[project]`\n", *_keys(schema["$defs"]["Project"])]))
    title = "## Contents: `[config.NAME]` and `[secret.NAME]`\n\nEach is one of these.\n"
    parts.append("\n".join([title, *_keys(schema["$defs"]["Content"])]))
    parts.append("## Long forms\n\nWhere an option takes a table, these are its keys.")
    for name, option in _LONG.items():
        note = f"{_ROLLOUT}\n\n" if option == "rollout" else ""
        parts.append("\n".join([f"### {option}\n\n{note}".rstrip("\n") + "\n", *_keys(schema["$defs"][name])]))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _table(kind: Kind) -> Iterator[str]:
    yield "| option | what it is | example | default | changing it | API |"
    yield "|---|---|---|---|---|---|"
    for row in TABLE[kind]:
        if row.declared:
            path = f"`{row.path}`" if row.path else "–"
            path += f" (API {row.since[0]}.{row.since[1]})" if row.since > (0, 0) else ""
            cells = (f"`{row.name}`", describe(row), f"`{row.example}`", _default(row), _takes(kind, row), path)
            yield _line(*cells)


def _default(row: Option) -> str:
    if row.silent is Silent.ENGINE:
        return "the engine's"
    if row.image is Supplied.FILLS:
        return "the image's"
    if row.image is Supplied.MERGES:
        return "the image's entries"
    return "none" if row.default in (None, {}, ()) else f"`{_toml(row.default)}`"


def _takes(kind: Kind, row: Option) -> str:
    if specially := _SPECIALLY.get((kind, row.name)):
        return specially
    if row.cost is Cost.UPDATE and not row.clears:
        return f"{_TAKES[row.cost]}; taking it away: replaced"
    if kind is Kind.NETWORK and row.cost is Cost.REPLACE:
        return "replaced; its members leave it for a moment"
    return _TAKES[row.cost]


def _further(definition: dict[str, Any], kind: Kind) -> list[str]:
    """Options of a resource that are no rows, since they are about what is done with it."""
    known = {row.name for row in TABLE[kind]}
    rest = {name: item for name, item in definition["properties"].items() if name not in known}
    return ["", "And, no option of the engine:", "", *_keys({"properties": rest})] if rest else []


def _keys(definition: dict[str, Any]) -> Iterator[str]:
    required = definition.get("required") or ()
    yield "| key | what it is | example |"
    yield "|---|---|---|"
    for name, item in definition["properties"].items():
        examples = item.get("examples") or ()
        example = f"`{_toml(examples[0])}`" if examples else ""
        yield _line(f"`{name}`" + (" (required)" if name in required else ""), item.get("description", ""), example)


def _toml(value: Any) -> str:
    """A value as it is written in a spec."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_toml(item)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(page(), end="")
