"""`deploy` and `profiles`: what Compose says for a swarm or for a selection, in the words of one engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.address import Kind
from reconciler.model.devices import declare_request
from reconciler.model.rows import BY_NAME
from reconciler.model.values import Value, canonical_text
from reconciler.spec.keys import Keys
from reconciler.spec.scope import Scope, Table

#: active profiles beside those of [project], separated by commas
PROFILES_VARIABLE = "RECONCILER_PROFILES"
MAX_SCALE = 500

#: where it stands in `deploy` → the option it means
_MEANS = {
    "resources.limits.cpus": "cpus",
    "resources.limits.memory": "mem_limit",
    "resources.limits.pids": "pids_limit",
    "resources.reservations.memory": "mem_reservation",
    "replicas": "scale",
}
_COUNTS = ("pids_limit", "scale")
_RESTART = {"none": "no", "any": "always"}
_SWARM_ONLY = (
    "mode", "endpoint_mode", "placement", "update_config", "rollback_config", "labels", "resources.reservations.cpus",
    "resources.reservations.generic_resources", "restart_policy.delay", "restart_policy.window",
)  # fmt: skip


def lower(scope: Scope) -> Scope:
    """The scope with containers of active profiles only, their `deploy` said by the options it means."""
    active = _active(scope)
    tables = scope.tables(Kind.CONTAINER)
    inactive = {
        name: tuple(table["profiles"])
        for name, table in tables.items()
        if table.get("profiles") and active.isdisjoint({*table["profiles"], "*"})
    }
    lowered = {name: _lower(scope, name, table) for name, table in tables.items() if name not in inactive}
    return scope._replace(document={**scope.document, Kind.CONTAINER.value: lowered}, inactive=inactive)


def _active(scope: Scope) -> set[str]:
    """`*` among the active ones stands for all."""
    names = {*scope.document.get("project", {}).get("profiles", ())}
    names |= {name.strip() for name in scope.environment.get(PROFILES_VARIABLE, "").split(",") if name.strip()}
    if "*" not in names:
        return names
    return {name for table in scope.tables(Kind.CONTAINER).values() for name in table.get("profiles", ())}


def _lower(scope: Scope, name: str, table: Table) -> Table:
    deploy = table.get("deploy")
    if not deploy:
        return table
    keys: Keys = (Kind.CONTAINER.value, name, "deploy")
    lowered = dict(table)
    for place, option in _MEANS.items():
        value = _dig(deploy, place)
        if value is not None:
            _say(scope, (*keys, *place.split(".")), lowered, option, value)
    policy = deploy.get("restart_policy")
    if policy is not None:
        _say(scope, (*keys, "restart_policy"), lowered, "restart", _restart(policy))
    return lowered


def _say(scope: Scope, keys: Keys, table: Table, option: str, value: Any) -> None:
    """Set an option that `deploy` means, unless that is nonsense or the table says something else."""
    form = BY_NAME[Kind.CONTAINER][option].form
    try:
        value = _count(option, value) if option in _COUNTS else value
        meant = form.declare(value)
    except ValueError as error:
        scope.problems.refused(keys, error)
        return
    if option in table and not scope.problems.is_broken((*keys[:2], option)):
        try:
            agrees = form.declare(table[option]) == meant
        except ValueError:
            return  # its own mistake is told where it stands
        if not agrees:
            message = f"{'.'.join(map(str, keys[2:]))} and {option} contradict each other"
            scope.problems.at(keys, message, "keep one of the two")
        return
    table[option] = value


def _count(option: str, value: Any) -> int:
    text = str(value)
    least, most = (0, MAX_SCALE) if option == "scale" else (-1, 2**31)
    if not text.lstrip("-").isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"{value!r} is not a count; write a whole number from {least} to {most}")
    return int(text)


def _restart(policy: Mapping[str, Any]) -> str:
    condition = policy.get("condition", "any")
    attempts = policy.get("max_attempts")
    times = f":{attempts}" if attempts is not None and condition == "on-failure" else ""
    return f"{_RESTART.get(condition, condition)}{times}"


def reserve_devices(scope: Scope, name: str, table: Table, config: dict[str, Value]) -> None:
    """Add the devices that `deploy` reserves to those that `gpus` asks for."""
    keys: Keys = (Kind.CONTAINER.value, name, "deploy", "resources", "reservations", "devices")
    asked = config.get("gpus")
    requests: list[Value] = list(asked) if isinstance(asked, tuple) else []
    for at, item in enumerate(_dig(table.get("deploy") or {}, "resources.reservations.devices") or ()):
        if not item.get("capabilities"):
            scope.problems.at((*keys, at), "it does not say what it must be capable of", 'write capabilities = ["gpu"]')
            continue
        try:
            requests.append(declare_request(item, []))
        except ValueError as error:
            scope.problems.refused((*keys, at), error)
    if requests:
        config["gpus"] = tuple(sorted(requests, key=canonical_text))


def not_carried_out(scope: Scope) -> tuple[str, ...]:
    """What is understood and has no meaning here, by the reason."""
    swarm: list[str] = []
    session: list[str] = []
    words: list[str] = []
    for name, table in scope.tables(Kind.CONTAINER).items():
        address, deploy = f"container.{name}", table.get("deploy") or {}
        swarm += [f"{address}.deploy.{place}" for place in _SWARM_ONLY if _dig(deploy, place) is not None]
        session += [f"{address}.{option}" for option in ("attach", "develop") if option in table]
        words += [
            f"{address}.{option}[{at}].{key}"
            for option, unheeded in (("volumes", ("consistency",)), ("ports", ("name", "mode", "app_protocol")))
            for at, item in enumerate(table.get(option, ()))
            for key in (unheeded if isinstance(item, Mapping) else ())
            if key in item
        ]
    said = (
        (swarm, "means something to a swarm only"),
        (session, "is about commands of Compose, which are not those of this program"),
        (words, "changes nothing on a Docker Engine"),
    )
    return tuple(f"not carried out: {', '.join(places)}: it {reason}" for places, reason in said if places)


def _dig(table: Mapping[str, Any], place: str) -> Any:
    value: Any = table
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
