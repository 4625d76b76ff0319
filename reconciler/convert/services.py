"""One service → the table of a container."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from reconciler.convert.compose.documents import fail
from reconciler.convert.compose.scalars import show_scalar
from reconciler.convert.compose.values import Map, Seq, Text, flag, number
from reconciler.convert.compose.words import split_words
from reconciler.convert.deploy import amount, deploy, devices, reserve
from reconciler.convert.files import mount, put, uses
from reconciler.convert.mounts import mounts, ports
from reconciler.convert.output import Output
from reconciler.model.address import Kind
from reconciler.model.forms import CPUS, SIZE, SWAP
from reconciler.model.rows import BY_NAME
from reconciler.spec.long_forms import DEPENDENCY, ENDPOINT, ENV_FILE
from reconciler.spec.scalars import expected_type

_ROWS = BY_NAME[Kind.CONTAINER]

#: options that mean nothing here, with the reason
WITHOUT_MEANING = {
    "attach": "says what `docker compose up` shows in the terminal",
    "cpu_count": "is for Windows containers",
    "cpu_percent": "is for Windows containers",
    "credential_spec": "is for Windows containers",
    "develop": "is for `docker compose watch`",
    "isolation": "is for Windows containers",
    "models": "is not carried over: an engine runs no models; start them beside it",
    "post_start": "is not carried over: nothing runs commands inside containers; put it into the entrypoint",
    "pre_stop": "is not carried over: nothing runs commands inside containers; put it into the entrypoint",
    "provider": "is not carried over: the service is no container",
    "pull_refresh_after": "is not carried over: an image is pulled always, when it is missing, or never",
    "use_api_socket": "is not carried over: mount /var/run/docker.sock where it is meant",
}
_ELSEWHERE = frozenset({"build", "image", "extends", "profiles", "deploy", "depends_on", "scale"})
_CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}


class Service(NamedTuple):
    """A service while it is translated.

    Attributes:
        lost: the configs and secrets that the spec will not have.
        contents: what is declared of them, by `configs` and `secrets`.
    """

    name: str
    value: Map
    output: Output
    services: Map
    lost: frozenset[tuple[str, str]] = frozenset()
    contents: Mapping[str, Any] = {}

    def note(self, key: str, message: str) -> None:
        self.output.note(self.value.place(key), f"services.{self.name}.{key}", message)

    def subject(self, key: str) -> str:
        return f"services.{self.name}.{key}"


def container(service: Service, *, is_job: bool = False) -> dict[str, Any]:
    """The options of a container, without its image and `kind`."""
    made: dict[str, Any] = {}
    value = service.value
    for key, item in value.items():
        if key == "depends_on":
            _put(made, key, _dependencies(service, _depends_on(value)))
        if key == "deploy" and isinstance(item, Map):
            _deploy(service, item, made)
        if key in _ELSEWHERE or key.startswith("x-"):
            continue
        if key in WITHOUT_MEANING:
            service.note(key, WITHOUT_MEANING[key])
        elif key in ("links", "external_links", "mac_address") and value.get("network_mode") is not None:
            service.note(
                key, f"is not carried over: with network_mode = {value['network_mode']} there is no network for it"
            )
        elif key not in _ROWS or not _ROWS[key].declared:
            service.note(key, "is not carried over: a spec cannot say it")
        elif item is not None and not (key == "restart" and "restart" in made):
            _put(made, key, _SPECIAL.get(key, _plain)(service, key, item))
    for key in ("configs", "secrets"):
        for use in uses(value, key, service.contents):
            if use.file is not None:
                mount(use, use.file, service.subject(key), service.output, made)
    if "depends_on" not in made:
        _put(made, "depends_on", _dependencies(service, _depends_on(value)))
    if value.get("scale") is not None:
        made["scale"] = number(value["scale"])
    if is_job and isinstance(scale := made.get("scale"), int) and scale > 1:
        service.note(
            "scale" if value.get("scale") is not None else "deploy",
            f"is not carried over: others wait for its end, and such a job runs once, not {made.pop('scale')} times",
        )
    if is_job and made.pop("rollout", None):
        service.note(
            "deploy", "update_config is not carried over: others wait for its end, and such a job is not rolled out"
        )
    return {key: item for key, item in made.items() if not (key == "scale" and item == 1)}


def _depends_on(value: Map) -> Map:
    """What the service waits for; also what it links to where a spec has no links, under a network mode."""
    made: Map = (value.get("depends_on") or Map(value.place("depends_on"))).copy()
    if value.get("network_mode") is not None:
        for link in value.get("links") or ():
            made.setdefault(str(link).partition(":")[0], None)
    return made


def _put(made: dict[str, Any], key: str, value: Any) -> None:
    if value is not None:
        made[key] = value


def _deploy(service: Service, value: Map, made: dict[str, Any]) -> None:
    meant = deploy(value, service.subject("deploy"), service.output)
    if "gpus" in meant and service.value.get("gpus") is not None:  # both count
        meant = {**meant, **reserve(meant.pop("gpus"))}
    # Of restart the one in deploy wins; of anything else both say the same, or Compose refuses it.
    wins = ("restart", "deploy")
    made |= {key: item for key, item in meant.items() if key in wins or service.value.get(key) is None}


def _plain(_service: Service, key: str, value: Any) -> Any:
    """An option that has the same form in a spec."""
    form, wanted = _ROWS[key].form, expected_type((Kind.CONTAINER.value, "", key))
    if wanted is bool:
        return flag(value)
    if wanted is int:
        return number(value)
    if form in (SIZE, SWAP, CPUS):
        return amount(value)
    if isinstance(value, Seq):
        return [item if isinstance(item, Text | Map) else Text(show_scalar(item)) for item in value]
    if isinstance(value, Map):
        return _plain_table(value)
    return value if isinstance(value, Text) else Text(show_scalar(value))


def _plain_table(value: Map) -> dict[str, Any]:
    return {
        key: _plain_table(item) if isinstance(item, Map) else list(item) if isinstance(item, Seq) else item
        for key, item in value.items()
        if item is not None and not key.startswith("x-")
    }


def _pair(name: str, item: Any) -> Text:
    text = item if isinstance(item, Text) else Text(show_scalar(item))
    return Text(f"{name}={text}", f"{Text(name).raw}={text.raw}")


def _texts(_service: Service, key: str, value: Any) -> Any:
    """Texts by name; a list where a name stands alone, for a variable of the environment that is not set there."""
    if key == "environment" and None in value.values():
        return [Text(name) if item is None else _pair(name, item) for name, item in value.items()]
    return {name: item for name, item in value.items() if item is not None} or None


def _argv(service: Service, key: str, value: Any) -> Any:
    """The words; a text stays one where a spec splits it as Compose does."""
    if isinstance(value, Text):
        try:
            words = split_words(value)
        except ValueError as error:
            raise fail(service.value.place(key), f"{value!r}: {error}", "write a list", service.subject(key)) from None
        try:
            is_same = shlex.split(value) == words
        except ValueError:
            is_same = False
        return value if is_same and words else [Text(word) for word in words]
    return (
        [Text(show_scalar(item)) if not isinstance(item, Text) else item for item in value]
        if isinstance(value, Seq)
        else value
    )


def _env_files(service: Service, key: str, value: Any) -> Any:
    made: list[Any] = []
    for item, place in value.entries():
        table = {
            name: flag(entry) if name == "required" else entry
            for name, entry in item.items()
            if name in ENV_FILE.model_fields and entry is not None
        }
        if table.get("required", True) is True:
            table.pop("required", None)
        if item.get("format") and "format" not in ENV_FILE.model_fields:
            message = f"the format {item['format']} of {item['path']} cannot be said: references in it are replaced"
            service.output.note(place, service.subject(key), message)
        made.append(table["path"] if list(table) == ["path"] else table)
    return made[0] if len(made) == 1 and isinstance(made[0], str) else made or None


def _networks(service: Service, key: str, value: Any) -> Any:
    if not isinstance(value, Map) or (list(value) == ["default"] and not value["default"]):
        return None
    made: dict[str, Any] = {}
    for name, settings in value.items():
        table: dict[str, Any] = {}
        for option, item in (settings or {}).items():
            where = f"{service.subject(key)}.{name}.{option}"
            if option in ENDPOINT.model_fields and item is not None:
                plain = _plain_table(item) if isinstance(item, Map) else list(item) if isinstance(item, Seq) else item
                table[option] = number(plain) if option in ("priority", "gw_priority") else plain
            elif item is not None and not option.startswith("x-"):
                service.output.note(settings.place(option), where, "is not carried over: a spec cannot say it")
        made[name] = table
    return made if any(made.values()) else list(made)


def _dependencies(service: Service, value: Any) -> Any:
    made: dict[str, Any] = {}
    subject = service.subject("depends_on")
    for name, settings in value.items():
        said = settings if isinstance(settings, Map) else Map()
        table: dict[str, Any] = {"condition": _CONDITIONS.get(str(said.get("condition") or ""), "started")}
        if flag(said.get("restart")) is True:
            table["restart"] = True
        if flag(said.get("required")) is False:
            table["required"] = False
        if name not in service.services:  # the selection has seen to it that it is not required
            service.output.note(value.place(name), subject, f"{name} is not there and not required: it is left out")
            continue
        for key in [key for key in table if key not in DEPENDENCY.model_fields]:
            del table[key]
            service.output.note(value.place(name), subject, f"{name}: {key} is not carried over")
        made[name] = table["condition"] if list(table) == ["condition"] else table
    if all(item == "started" for item in made.values()):
        return list(made) or None
    return made


def _healthcheck(_service: Service, _key: str, value: Any) -> Any:
    made = _plain_table(value)
    if flag(made.get("disable")) is True:
        return {"disable": True}
    made.pop("disable", None)
    if "retries" in made:
        made["retries"] = number(made["retries"])
    return made or None


def _logging(_service: Service, _key: str, value: Any) -> Any:
    made = _plain_table(value)
    if "options" in made:
        made["options"] = {
            key: item if isinstance(item, Text) else Text(show_scalar(item)) for key, item in made["options"].items()
        }
    return made or None


def _ulimits(_service: Service, _key: str, value: Any) -> Any:
    return {
        name: {key: number(item) for key, item in limit.items()} if isinstance(limit, Map) else number(limit)
        for name, limit in value.items()
    } or None


def _files(service: Service, key: str, _value: Any) -> Any:
    """Uses of configs and secrets that are put into the container."""
    made = []
    for use in uses(service.value, key, service.contents):
        if (key, str(use.item.get("source"))) in service.lost:
            service.output.note(use.place, service.subject(key), f"{use.item['source']} is not carried over")
        elif use.file is None:
            made.append(put(use))
    return made or None


def _devices(_service: Service, _key: str, value: Any) -> Any:
    made = []
    for item in value:
        if isinstance(item, Map):
            parts = [item.get("source"), item.get("target"), item.get("permissions")]
            made.append(Text(":".join(str(part) for part in parts if part)))
        else:
            made.append(item)
    return made or None


def _pull_policy(service: Service, key: str, value: Any) -> Any:
    if value in ("always", "missing", "never", "if_not_present"):
        if service.value.get("build") is not None:
            service.note(key, "is left out: the image is built here")
            return None
        return "missing" if value == "if_not_present" else value
    if value == "build":
        return None
    service.note(key, f"{value} is not carried over: an image is pulled always, when it is missing, or never")
    return None


Shape = Callable[[Service, str, Any], Any]
_SPECIAL: dict[str, Shape] = {
    "annotations": _texts,
    "command": _argv,
    "configs": _files,
    "devices": _devices,
    "entrypoint": _argv,
    "env_file": _env_files,
    "environment": _texts,
    "gpus": lambda _service, _key, value: devices(value),
    "healthcheck": _healthcheck,
    "labels": _texts,
    "logging": _logging,
    "networks": _networks,
    "ports": lambda service, key, value: ports(value, service.subject(key), service.output) or None,
    "pull_policy": _pull_policy,
    "secrets": _files,
    "sysctls": _texts,
    "ulimits": _ulimits,
    "volumes": lambda service, key, value: mounts(value, service.subject(key), service.output) or None,
}
