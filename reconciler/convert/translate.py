"""A Compose project → the tables of a spec."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.convert.compose.documents import fail
from reconciler.convert.compose.project import Project
from reconciler.convert.compose.scalars import show_scalar
from reconciler.convert.compose.selection import selected
from reconciler.convert.compose.values import Map, Place, Seq, Text, flag
from reconciler.convert.files import is_put
from reconciler.convert.images import Images
from reconciler.convert.mounts import named_volume
from reconciler.convert.output import Output, Section
from reconciler.convert.services import Service, container
from reconciler.model.address import Kind
from reconciler.model.rows import BY_NAME
from reconciler.spec.problems import nearest

_CONTENT = ("file", "environment", "content")


def translate(project: Project, profiles: Iterable[str]) -> Output:
    """The spec of a project.

    Raises:
        SpecError: the project names what it does not declare.
    """
    if not project.document.get("services"):
        raise fail(Place(project.files[0], 0), "declares no services", "name a Compose file with services:")
    services = selected(project.document.get("services") or Map(), profiles)
    output = Output([], [], [])
    head = Section("project")
    head.table["name"] = project.name
    output.sections.append(head)
    for name, service in (project.document.get("services") or {}).items():
        if name not in services:
            place = project.document["services"].place(name)
            output.note(place, f"services.{name}", f"is left out: of the profile {', '.join(service['profiles'])}")
    used = _used(project, services)
    for name, place in project.variables.unset.items():
        output.note(place, name, "is set nowhere: Compose takes an empty text for it, and so does the spec")
    images = Images(services, project.name, output)
    lost = _lost(project, used, output)
    jobs = _jobs(services)
    for name, service in services.items():
        if name in images.sections:
            output.sections.append(images.sections[name])
        image = images.of(name, service)
        if image is None:
            if "provider" not in service:
                raise fail(services.place(name), "has neither image nor build", "write one of them", f"services.{name}")
            output.note(services.place(name), f"services.{name}", "is left out: it is no container but a provider")
            continue
        section = Section("container", name, _comments(services, name))
        section.table["image"] = image
        if name in jobs and "kind" in BY_NAME[Kind.CONTAINER]:
            section.table["kind"] = "job"
        translated = Service(name, service, output, services, lost, project.document)
        section.table |= container(translated, is_job=name in jobs)
        section.comments += _left_out(output, name)
        output.sections.append(section)
    for kind, key in (("network", "networks"), ("volume", "volumes"), ("config", "configs"), ("secret", "secrets")):
        for name, table in (project.document.get(key) or {}).items():
            place = project.document[key].place(name)
            if (key, name) in lost or (name in used[key] and not _is_declared(services, key, name, project)):
                continue
            if name in used[key]:
                made = _declared(kind, f"{key}.{name}", table if isinstance(table, Map) else Map(place), output)
                if made and made.get("name") == f"{project.name}_{name}" and "external" not in made:
                    del made["name"]
                if made is not None and not (kind == "network" and name == "default" and not made):
                    output.sections.append(Section(kind, name))
                    output.sections[-1].table |= made
            elif (kind, name) != ("network", "default"):
                output.note(place, f"{key}.{name}", "is left out, as by Compose: no imported service uses it")
    return output


def _jobs(services: Map) -> set[str]:
    """Services that others wait for until they have completed."""
    return {
        name
        for service in services.values()
        for name, settings in (service.get("depends_on") or {}).items()
        if isinstance(settings, Map) and settings.get("condition") == "service_completed_successfully"
    }


def _used(project: Project, services: Map) -> dict[str, set[str]]:
    """The names of networks, volumes, configs and secrets that services use, each of them declared."""
    used: dict[str, set[str]] = {"networks": set(), "volumes": set(), "configs": set(), "secrets": set()}
    for name, service in services.items():
        networks = service.get("networks")
        found = [("networks", network) for network in networks or ()]
        if not networks and not service.get("network_mode"):
            used["networks"].add("default")
        found += [("volumes", named_volume(mount)) for mount in service.get("volumes") or ()]
        found += [(key, str(use.get("source"))) for key in ("configs", "secrets") for use in service.get(key) or ()]
        build = service.get("build")
        for use in (build.get("secrets") or ()) if isinstance(build, Map) else ():
            used["secrets"].add(str(use.get("source")))
        for key, other in found:
            declared = project.document.get(key) or {}
            if other and other not in declared and (key, other) != ("networks", "default"):
                near = nearest(other, declared)
                hint = f"did you mean '{near}'?" if near else f"declare it under {key}:"
                raise fail(service.place(key), f"there is no {key[:-1]} '{other}'", hint, f"services.{name}.{key}")
            used[key].add(other)
    return used


def _is_declared(services: Map, key: str, name: str, project: Project) -> bool:
    """Whether the spec declares it; not a config whose file is only mounted."""
    return key in ("networks", "volumes") or is_put(services, key, name, project.document)


def _lost(project: Project, used: dict[str, set[str]], output: Output) -> frozenset[tuple[str, str]]:
    """Configs and secrets whose content is not the project's."""
    lost = set()
    for key in ("configs", "secrets"):
        for name in sorted(used[key]):
            value: Map = project.document[key][name] or Map()
            if not any(value.get(source) is not None for source in _CONTENT):
                message = (
                    "is not carried over: it comes from outside the project; give its file, environment or content"
                )
                output.note(project.document[key].place(name), f"{key}.{name}", message)
                lost.add((key, name))
    return frozenset(lost)


def _left_out(output: Output, service: str) -> list[str]:
    """What a person should see beside the container: the options that are not carried over."""
    prefix = f"services.{service}."
    found = [note for note in output.notes if note.subject.startswith(prefix) and "is not carried over" in note.message]
    return [f"{note.subject.removeprefix(prefix)} {note.message}" for note in found]


def _declared(kind: str, subject: str, value: Map, output: Output) -> dict[str, Any] | None:
    """The table of a network, volume, config or secret."""
    if kind in ("config", "secret"):
        return {key: value[key] for key in _CONTENT if value.get(key) is not None}
    external = value.get("external")
    if isinstance(external, Map) or flag(external) is True:
        name = external.get("name") if isinstance(external, Map) else value.get("name")
        return {"external": True, **({"name": name} if name is not None else {})}
    rows = BY_NAME[Kind(kind)]
    made: dict[str, Any] = {}
    for key, item in value.items():
        if item is None or key == "external" or key.startswith("x-"):
            continue
        if key not in rows:
            output.note(value.place(key), f"{subject}.{key}", "is not carried over: a spec cannot say it")
            continue
        made[key] = flag(item) if key in ("internal", "attachable", "enable_ipv6", "enable_ipv4") else _plain(item)
    return {key: item for key, item in made.items() if item not in ({}, [])}


def _plain(value: Any) -> Any:
    if isinstance(value, Map):
        return {key: _plain(item) for key, item in value.items() if item is not None and not key.startswith("x-")}
    if isinstance(value, Seq):
        return [_plain(item) for item in value]
    return value if isinstance(value, Text | bool) else Text(show_scalar(value))


def _comments(services: Map, name: str) -> list[str]:
    """The comments that stand right above a service."""
    place = services.place(name)
    try:
        from pathlib import Path

        lines = Path(place.file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found: list[str] = []
    at = place.line - 2
    while 0 <= at < len(lines) and lines[at].strip().startswith("#"):
        found.insert(0, lines[at].strip().lstrip("#").strip())
        at -= 1
    return [line for line in found if line]
