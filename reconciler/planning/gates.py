"""What the version of an engine's API would drop in silence: found in the rows, said before anything is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.model.address import Kind
from reconciler.model.desired import ContainerResource
from reconciler.model.observed import EngineFacts
from reconciler.model.options import Option
from reconciler.model.rows import BY_NAME
from reconciler.model.structures import INTERFACE_NAME
from reconciler.model.values import Config, Value
from reconciler.planning.expand import MULTIPLE_ENDPOINTS_SINCE

Version = tuple[int, int]

#: the first Docker Engine that speaks a version of the API
_ENGINES = {
    (1, 42): "23.0", (1, 43): "24.0", (1, 44): "25.0", (1, 45): "26.0", (1, 46): "27.0", (1, 47): "27.2",
    (1, 48): "28.0", (1, 49): "28.1", (1, 50): "28.2", (1, 51): "28.3",
}  # fmt: skip


def missing(kind: Kind, config: Config, facts: EngineFacts) -> str:
    """What this engine is too old for, as a note; "" when it knows everything."""
    return _note(dict(_needed(kind, config)), facts)


def missing_for_container(resource: ContainerResource, facts: EngineFacts) -> str:
    """As `missing`; also what depends on the order in which networks are joined."""
    needed = dict(_needed(Kind.CONTAINER, resource.config))
    endpoints = resource.config.get("networks")
    for network in resource.networks[1:]:
        endpoint = endpoints.get(network) if isinstance(endpoints, Mapping) else None
        if isinstance(endpoint, Mapping) and "mac_address" in endpoint:
            # A connect ignores it; only the network that a container is made with takes it.
            name = f"a mac_address on {network}, which is not the network with the highest priority,"
            needed[name] = MULTIPLE_ENDPOINTS_SINCE
    return _note(needed, facts)


def _note(needed: Mapping[str, Version], facts: EngineFacts) -> str:
    too_new = [
        f"{name} needs Engine {_ENGINES[since]} (API {since[0]}.{since[1]})"
        for name, since in sorted(needed.items())
        if since > facts.api_version
    ]
    return f"{', '.join(too_new)}; this engine speaks {facts.api_text}" if too_new else ""


def _needed(kind: Kind, config: Config) -> Iterator[tuple[str, Version]]:
    for name, value in config.items():
        row = BY_NAME[kind][name]
        if value is not None:
            yield name, row.since
            yield from _needed_within(row, name, value)


def _needed_within(row: Option, path: str, value: Value) -> Iterator[tuple[str, Version]]:
    if not row.parts or not isinstance(value, Mapping):
        return
    for key, item in value.items():
        for part in (key, f"{key}={item}", f"={item}"):
            if part in row.parts:
                yield _as_written(path, key, part, item), row.parts[part]
        yield from _needed_within(row, f"{path}.{key}", item)


def _as_written(path: str, key: str, part: str, item: Value) -> str:
    """A gated part by the words of the spec."""
    if part == INTERFACE_NAME:
        return f"{path.removesuffix('.driver_opts')}.interface_name"
    if part.startswith("="):
        return f"{path}: the {str(item).upper()} name {key}"
    return f"{path}.{key}" if part == key else f'{path}: {key} = "{item}"'
