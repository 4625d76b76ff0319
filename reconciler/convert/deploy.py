"""`deploy` of a service → the options that say the same here; the rest is for a swarm."""

from __future__ import annotations

from typing import Any

from reconciler.convert.compose.scalars import show_scalar
from reconciler.convert.compose.values import Map, Seq, Text, number
from reconciler.convert.output import Output

_SWARM = "is for a swarm and means nothing to a single engine"
_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}
_LIMITS = {"cpus": "cpus", "memory": "mem_limit", "pids": "pids_limit"}


def deploy(value: Map, subject: str, output: Output) -> dict[str, Any]:
    """The options of the container that `deploy` gives."""
    made: dict[str, Any] = {}
    for key, item in value.items():
        place, where = value.place(key), f"{subject}.{key}"
        if item is None or key.startswith("x-") or (key == "mode" and item == "replicated"):
            continue
        if key == "replicas":
            made["scale"] = number(item)
        elif key == "resources":
            _resources(item, where, output, made)
        elif key == "restart_policy":
            made.update(_restart(item, where, output))
        elif key == "labels":
            output.note(place, where, "are labels of a swarm service; Compose puts them on no container either")
        elif key == "update_config" and item.get("order") in ("start-first", "stop-first"):
            made["rollout"] = {"order": item["order"]}
            rest = [name for name in item if name != "order"]
            if rest:
                output.note(place, where, f"{', '.join(rest)}: {_SWARM}; see rollout")
        else:
            output.note(place, where, _SWARM)
    return made


def _resources(value: Map, subject: str, output: Output, made: dict[str, Any]) -> None:
    for part in ("limits", "reservations"):
        for key, item in (value.get(part) or {}).items():
            where, place = f"{subject}.{part}.{key}", value[part].place(key)
            if item is None or key.startswith("x-"):
                continue
            if part == "limits" and key in _LIMITS:
                made[_LIMITS[key]] = number(item) if key == "pids" else amount(item)
            elif part == "reservations" and key == "memory":
                made["mem_reservation"] = amount(item)
            elif part == "reservations" and key == "devices":
                made |= _reserved(item)
            elif part == "reservations" and key == "cpus":
                output.note(place, where, "is left out, as by Compose: an engine reserves no processors")
            else:
                output.note(place, where, _SWARM)


def _reserved(value: Seq) -> dict[str, Any]:
    """Requests for devices: `gpus`, or where something else than GPUs is asked for, as Compose writes it."""
    requests: list[Any] = devices(value)
    if all("gpu" in (request.get("capabilities") or ()) for request in requests):
        return {"gpus": requests}
    return reserve(requests)


def reserve(requests: list[Any]) -> dict[str, Any]:
    """Requests for devices in the form of `deploy`, which also counts beside `gpus`."""
    return {"deploy": {"resources": {"reservations": {"devices": requests}}}}


def amount(value: Any) -> Any:
    """A size or a number of processors; whole numbers stay numbers."""
    if isinstance(value, Text | bool | int):
        return value
    return Text(show_scalar(value))


def _restart(value: Map, subject: str, output: Output) -> dict[str, Any]:
    policy = _CONDITIONS.get(str(value.get("condition") or "any"), "always")
    times = value.get("max_attempts")
    for key in ("delay", "window"):
        if value.get(key) is not None:
            output.note(value.place(key), f"{subject}.{key}", _SWARM)
    return {"restart": f"{policy}:{times}" if policy == "on-failure" and times else policy}


def devices(value: Any) -> Any:
    """A list of device requests, as `gpus` has it."""
    if not isinstance(value, Seq):
        return value
    return [_device(item) if isinstance(item, Map) else item for item in value]


def _device(item: Map) -> dict[str, Any]:
    return {key: number(entry) if key == "count" else entry for key, entry in item.items() if entry is not None}
