"""Live containers → a spec that adopts them: what they have beyond the image's and the engine's defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.convert.compose.values import NOWHERE
from reconciler.convert.output import Output, Section
from reconciler.convert.undeclare import undeclare
from reconciler.errors import UsageError
from reconciler.model.address import Address, Kind
from reconciler.model.desired import ContainerResource
from reconciler.model.observed import EngineFacts, ObservedContainer, ObservedImage, ObservedState
from reconciler.model.options import Silent
from reconciler.model.ownership import PROJECT, foreign_labels
from reconciler.model.rows import CONTAINER
from reconciler.model.values import Value
from reconciler.planning.expected import expected_container, observed_container
from reconciler.spec.naming import default_project, wrong_resource
from reconciler.spec.problems import nearest

_COMPOSE = "com.docker.compose."
_SHARED = ("network_mode", "pid", "ipc")
_APART = frozenset({"image", "container_name", "networks", "labels", "command", "entrypoint", "expose", "healthcheck"})
#: what an engine gives where it is asked for nothing, as far as it can be known
_USUAL: dict[str, tuple[Value, ...]] = {
    "shm_size": (64 * 1024 * 1024, None),
    "ipc": ("private", "shareable", None),
    "init": (None, False),
    "ulimits": ({}, None),
    "cgroup": ("private", None),
}


class Running(NamedTuple):
    """The containers to be imported, by their name in the spec, and what the engine holds beside them."""

    chosen: Mapping[str, ObservedContainer]
    project: str
    state: ObservedState
    output: Output

    def image(self, container: ObservedContainer) -> ObservedImage | None:
        return next((image for image in self.state.images if image.id == container.image_id), None)


def choose(
    state: ObservedState, names: Sequence[str], project: str, directory: str
) -> tuple[str, dict[str, ObservedContainer]]:
    """The project's name, and the containers by their name in the spec.

    Raises:
        UsageError: there is no such container, or it is managed already.
    """
    by_name = {container.name: container for container in state.containers}
    found = []
    for name in dict.fromkeys(names):
        container = by_name.get(name)
        if container is None:
            near = nearest(name, by_name)
            raise UsageError(
                f"there is no container {name}\n    hint: "
                + (f"did you mean {near}?" if near else "`docker ps -a` lists them")
            )
        owner = container.labels.get(PROJECT)
        if owner:
            raise UsageError(f"{name} belongs to project {owner} already\n    hint: its spec has what you want")
        found.append(container)
    of_compose = {str(container.labels.get(f"{_COMPOSE}project") or "") for container in found}
    project = project or (of_compose.pop() if len(of_compose) == 1 else "") or default_project(directory)
    services = [str(container.labels.get(f"{_COMPOSE}service") or container.name) for container in found]
    return project, {
        service if services.count(service) == 1 and not wrong_resource(service) else container.name: container
        for service, container in zip(services, found, strict=True)
    }


def translate_running(running: Running) -> None:
    """The sections of the spec, into the output."""
    sections = running.output.sections
    project = Section("project")
    project.table |= {"name": running.project, "adopt": True}
    sections.append(project)
    networks: dict[str, None] = {}
    volumes: dict[str, None] = {}
    for name, container in running.chosen.items():
        section = Section("container", name)
        section.table |= _container(running, name, container)
        sections.append(section)
        networks |= dict.fromkeys(section.table.get("networks") or ())
        mounts: Any = (container.config or {}).get("volumes") or {}
        volumes |= {
            mount["source"]: None for mount in mounts.values() if mount["type"] == "volume" and mount.get("source")
        }
    for kind, used in (("network", networks), ("volume", volumes)):
        for name in used:
            section = Section(kind, name)
            section.table["external"] = True
            sections.append(section)


def _container(running: Running, name: str, container: ObservedContainer) -> dict[str, Any]:
    image = running.image(container)
    supplied = image.supplies if image is not None and image.supplies is not None else {}
    found = container.config or {}
    told = {key: found[key] for key in ("ports", "mem_limit") if found.get(key)}
    resource = ContainerResource(Address(Kind.CONTAINER, name), container.name, told, Address(Kind.IMAGE, name))
    silence = expected_container(resource, supplied, running.state.facts, container, {})
    seen = observed_container(container, silence, container.network_ids)
    made: dict[str, Any] = {"image": _reference(running, name, container)}
    if container.name != f"{running.project}-{name}-1":
        made["container_name"] = container.name
    made |= _process(seen, silence, supplied)
    for row in CONTAINER:
        value: Any = seen.get(row.name)
        if not row.declared or not row.path or row.name in _APART or value is None:
            continue
        if row.name in _SHARED:
            value = _shared(running, str(value))
        if row.name == "volumes_from":
            value = {_shared(running, f"container:{donor}"): mode for donor, mode in value.items()}
        if row.name == "network_mode" and found.get("networks") and value not in ("bridge", "host", "none"):
            continue
        if row.name == "environment":
            value = _beyond(value, silence.get("environment"))
        if row.name == "volumes":
            value = _beyond(value, silence.get("volumes"))
        if not _is_silent(row.name, value, silence, running.state.facts, container) and (
            row.silent is not Silent.ENGINE or value
        ):
            made[row.name] = undeclare(row.name, value)
    made |= _rest(running, name, seen, silence)
    if container.mac_address:
        _fix_mac(running, name, made, str(found.get("network_mode")), container.mac_address)
    for row in CONTAINER:
        if not row.declared and seen.get(row.name) != row.default:
            message = f"{row.path} = {row.form.show(seen[row.name])} is not carried over: a spec cannot say it"
            running.output.note(NOWHERE, f"container.{name}", message)
    return made


def _is_silent(
    option: str, value: Any, silence: Mapping[str, Value], facts: EngineFacts, container: ObservedContainer
) -> bool:
    """Whether saying nothing comes to the same."""
    if option in ("ports",):
        return not value
    if option == "mem_limit":
        return value is None
    if option == "hostname":
        shares = str((container.config or {}).get("network_mode")).startswith("container:")
        return shares or value in (container.id[:12], facts.name)
    if option == "logging":
        return bool(value.get("driver") in (facts.logging_driver, None) and not value.get("options"))
    if option == "runtime":
        return value in (facts.default_runtime, None, "")
    if option == "network_mode":
        return False
    if option in ("environment", "volumes"):
        return not value
    return value in _USUAL.get(option, ()) or bool(value == silence.get(option))


def _beyond(value: Any, silence: Any) -> dict[str, Any]:
    """The entries that the image does not give."""
    given = silence or {}
    return {key: item for key, item in (value or {}).items() if item is not None and given.get(key) != item}


def _process(seen: Mapping[str, Any], silence: Mapping[str, Any], supplied: Mapping[str, Any]) -> dict[str, Any]:
    """Entrypoint and command: an entrypoint of one's own drops the image's command."""
    made: dict[str, Any] = {}
    entrypoint, command = seen.get("entrypoint"), seen.get("command")
    if entrypoint != supplied.get("entrypoint"):
        made["entrypoint"] = list(entrypoint or [""])
        if command:
            made["command"] = list(command)
    elif command != silence.get("command"):
        made["command"] = list(command or ())
    return made


def _rest(running: Running, name: str, seen: Mapping[str, Any], silence: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    exposed = [port for port in seen.get("expose") or {} if port not in (silence.get("expose") or {})]
    if exposed:
        made["expose"] = undeclare("expose", dict.fromkeys(exposed, True))
    check = _beyond(seen.get("healthcheck"), silence.get("healthcheck"))
    if check:
        made["healthcheck"] = undeclare("healthcheck", check)
    labels = _beyond(foreign_labels(seen.get("labels") or {}), silence.get("labels"))
    of_compose = [label for label in labels if label.startswith(_COMPOSE)]
    if of_compose:
        running.output.note(
            NOWHERE,
            f"container.{name}.labels",
            "those of Docker Compose are left out: it would take the container for its own",
        )
    own = {label: value for label, value in labels.items() if label not in of_compose}
    if own:
        made["labels"] = own
    endpoints: Mapping[str, Any] = seen.get("networks") or {}
    networks = {network: _endpoint(name, endpoint) for network, endpoint in endpoints.items()}
    links = {link: None for endpoint in endpoints.values() for link in endpoint.get("links") or ()}
    if links:
        made["external_links"] = list(links)
    if networks and seen.get("network_mode") != "bridge":
        made["networks"] = networks if any(networks.values()) else list(networks)
        made.pop("network_mode", None)
    return made


def _fix_mac(running: Running, name: str, made: dict[str, Any], mode: str, mac: str) -> None:
    """A MAC address that was asked for belongs to the network that the container was made with."""
    networks = made.get("networks")
    if not networks or mode not in networks:
        message = f"{mac} is not carried over: with network_mode = {mode} there is no network for it"
        running.output.note(NOWHERE, f"container.{name}.mac_address", message)
        return
    tables = networks if isinstance(networks, dict) else {network: {} for network in networks}
    made["networks"] = {**tables, mode: {**tables[mode], "mac_address": mac}}


def _endpoint(name: str, endpoint: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: undeclare("networks", value) for key, value in endpoint.items() if value and key != "links"}
    aliases = [alias for alias in made.pop("aliases", []) if alias != name]
    return {"aliases": aliases, **made} if aliases else made


def _shared(running: Running, mode: str) -> str:
    """A namespace of another container by name: `service:NAME` for one that is imported too."""
    match = re.fullmatch(r"container:(.+)", mode)
    if match is None:
        return mode
    for name, container in running.chosen.items():
        if match[1] in (container.id, container.name):
            return f"service:{name}"
    other = next((container.name for container in running.state.containers if container.id == match[1]), match[1])
    return f"container:{other}"


def _reference(running: Running, name: str, container: ObservedContainer) -> str:
    """The reference that the container was made with; a tag of its image where that was an id."""
    image = running.image(container)
    tags = image.tags if image is not None else ()
    if not re.fullmatch(r"(sha256:)?[0-9a-f]{12,64}", container.image):
        return container.image
    if tags:
        return tags[0]
    running.output.note(
        NOWHERE, f"container.{name}.image", "was made from an image without a tag; give it one: docker tag ID NAME"
    )
    return container.image
