"""The contents a container is given: whether it has what the spec says now, and what is done when not.

A label says which contents a container was made with. It cannot be changed, so what is put into a container later is
noted in a file inside it, after its process was told: cut off in between, it is told again.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.contents import (
    MARKER,
    OWN_DIRECTORY,
    Content,
    OnChange,
    Recorded,
    Use,
    has_hash,
    hash_content,
    recorded_text,
    salt_of,
)
from reconciler.model.desired import ContainerResource
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import (
    DeliverFiles,
    FieldChange,
    File,
    Reason,
    Ref,
    RestartContainer,
    SignalContainer,
    Step,
)
from reconciler.model.values import Value
from reconciler.planning.world import World

_RUNS = ("running", "paused", "restarting")
_HIDDEN = "(sensitive)"


def record(world: World, resource: ContainerResource) -> str:
    """What the label of a container says that is made now; "" where there is nothing to say."""
    if not resource.contents:
        return ""
    configs, secrets = (_mapping(resource.config.get(option)) for option in ("configs", "secrets"))
    return recorded_text(Recorded(configs, secrets, _hashes(world, resource)))


def files_of(world: World, resource: ContainerResource) -> tuple[File, ...]:
    """All the files that a new container is given."""
    return _files(world, (use for use in resource.contents if use.target))


def content_fields(resource: ContainerResource, container: ObservedContainer) -> list[FieldChange]:
    """The contents that are not those which the container has, or was last told of."""
    fields = []
    for key, use in _strongest(resource).items():
        before = container.contents.hashes.get(key, "")
        if before and has_hash(use.content, before):
            continue
        if not before and use.target:
            continue  # that it is given this file at all is the difference
        hidden = use.content.is_secret
        after = "" if hidden else hash_content(use.content, "")[:12]
        forces = f"signal:{use.signal}" if use.on_change is OnChange.SIGNAL else use.on_change.value
        fields.append(
            FieldChange(
                key,
                None if hidden else before[:12] or None,
                None if hidden else after,
                Reason.CONTENT_CHANGED if before else Reason.SPEC_CHANGED,
                forces,
                hidden,
                shown=(_HIDDEN, _HIDDEN) if hidden else (before[:12] or "(not watched)", after),
            )
        )
    return fields


def in_place_steps(
    world: World, resource: ContainerResource, container: ObservedContainer, fields: Iterable[FieldChange], grace: int
) -> tuple[list[Step], list[Step]]:
    """What comes before all else that changes a container in place, and what comes last."""
    changed, starts = {field.path for field in fields}, any(field.path == "state" for field in fields)
    uses = [use for use in resource.contents if use.content.key in changed]
    if not uses:
        return [], []
    target = Ref(container.name, container.id)
    files = _files(world, (use for use in uses if use.target))
    told: list[Step] = []
    restarts = any(use.on_change is OnChange.RESTART for use in uses)
    if restarts and (container.status in _RUNS or not starts):
        told = [Step(RestartContainer(Ref(resource.name, container.id), grace))]
    elif container.status in _RUNS and not restarts:
        signals = sorted({use.signal for use in uses if use.on_change is OnChange.SIGNAL})
        told = [Step(SignalContainer(Ref(resource.name, container.id), signal)) for signal in signals]
    text = recorded_text(Recorded({}, {}, _hashes(world, resource)))
    note = File(MARKER, Content("", "note", text.encode()), text, 0, 0, 0o444, _base_of_marker(resource))
    before = [Step(DeliverFiles(target, files))] if files else []
    return before, [*told, Step(DeliverFiles(Ref(resource.name, container.id), (note,)))]


def _strongest(resource: ContainerResource) -> dict[str, Use]:
    """By key, the use of a content that takes most."""
    found: dict[str, Use] = {}
    for use in resource.contents:
        key = use.content.key
        if key not in found or use.weight > found[key].weight:
            found[key] = use
    return found


def _hashes(world: World, resource: ContainerResource) -> dict[str, str]:
    return {use.content.key: _hash(world, use.content) for use in resource.contents}


def _hash(world: World, content: Content) -> str:
    return hash_content(content, salt_of(world.facts.id, world.desired.project, content) if content.is_secret else "")


def _files(world: World, uses: Iterable[Use]) -> tuple[File, ...]:
    return tuple(
        File(use.target, use.content, _hash(world, use.content), use.uid, use.gid, use.mode, use.base) for use in uses
    )


def _base_of_marker(resource: ContainerResource) -> str:
    return OWN_DIRECTORY if OWN_DIRECTORY in resource.holders else "/"


def _mapping(value: Value) -> dict[str, Value]:
    return dict(value) if isinstance(value, dict) else {}
