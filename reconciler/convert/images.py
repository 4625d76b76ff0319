"""`build` of the services → the images of a spec; a service refers to the image by its name."""

from __future__ import annotations

from typing import Any

from reconciler.convert.compose.scalars import show_scalar
from reconciler.convert.compose.values import Map, Seq, Text, flag
from reconciler.convert.output import Output, Section
from reconciler.spec.builds import REMOTE
from reconciler.spec.long_forms import BUILD


class Images:
    """The images that the services build: `sections` in the order of the file."""

    def __init__(self, services: Map, project: str, output: Output) -> None:
        self.output, self.services, self.project = output, services, project
        self.sections: dict[str, Section] = {}
        self._by_tag: dict[str, str] = {}
        for name, service in services.items():
            if service.get("build") is not None:
                self._declare(name, service, project)

    def of(self, name: str, service: Map) -> Text | None:
        """What a container says as its image; None when the service names none."""
        image = service.get("image")
        tag = str(image) if image is not None else ""
        if service.get("build") is not None:
            return Text(name if name in self.sections else self._by_tag[tag])
        if tag in self._by_tag:
            return Text(self._by_tag[tag])
        return image if image is not None else None

    def _declare(self, name: str, service: Map, project: str) -> None:
        tag = service.get("image")
        build = self._build(name, service)
        first = self._by_tag.get(str(tag)) if tag is not None else None
        if first is not None:
            if self.sections[first].table["build"] != build:
                message = f"builds {tag}, as '{first}' does otherwise: only that build is carried over"
                self.output.note(service.place("build"), f"services.{name}.build", message)
            return
        section = Section("image", name)
        if tag is not None and tag != f"{project}-{name}":
            section.table["tag"] = tag
        section.table["build"] = build["context"] if list(build) == ["context"] else build
        if service.get("platform"):
            section.table["platform"] = service["platform"]
        self.sections[name] = section
        self._by_tag[str(tag) if tag is not None else f"{project}-{name}"] = name

    def _build(self, name: str, service: Map) -> dict[str, Any]:
        value: Map = service["build"]
        made: dict[str, Any] = {"context": value.get("context") or Text(".")}
        if REMOTE.match(made["context"]):
            message = f"{made['context']} has to be cloned, and the directory named: a spec builds what it can look at"
            self.output.note(value.place("context"), f"services.{name}.build.context", message)
        for key, item in value.items():
            subject = f"services.{name}.build.{key}"
            if key in ("context",) or key.startswith("x-") or item is None:
                continue
            if key not in BUILD.model_fields:
                self.output.note(value.place(key), subject, "is not carried over: a spec cannot say it")
            elif key == "additional_contexts":
                made[key] = {k: self._context(v) for k, v in item.items() if v is not None} or None
            elif key in ("args", "labels", "ssh"):
                made[key] = {k: v for k, v in item.items() if v is not None} or None
            elif key in ("no_cache", "pull", "privileged"):
                made[key] = flag(item)
            else:
                made[key] = _plain(item)
        return {key: item for key, item in made.items() if item is not None}

    def _context(self, source: Text) -> Text:
        """`service:NAME` is the image of that service, which is built first."""
        kind, _, name = source.partition(":")
        service = self.services.get(name) if kind == "service" else None
        if service is None:
            return source
        tag = service.get("image") or Text(f"{self.project}-{name}")
        return Text(f"docker-image://{tag}", f"docker-image://{tag.raw}")


def _plain(value: Any) -> Any:
    if isinstance(value, Map):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, Seq):
        return [_plain(item) for item in value]
    return value if isinstance(value, Text | bool | int) else Text(show_scalar(value))
