"""A second opinion: the safety rules, worked out anew from a finished plan and the observation it was made from.

It shares no code with the planner, so that a bug there becomes a refused plan and not a lost volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.errors import UnsafePlanError
from reconciler.model.address import Kind
from reconciler.model.desired import Condition
from reconciler.model.observed import ObservedContainer, ObservedState
from reconciler.model.ownership import ADDRESS, ADOPTED, CONTENTS, HOLDER, IMAGE_PROJECT, PROJECT, Owner, owner_of
from reconciler.model.plan import (
    Action,
    AwaitReady,
    AwaitRemoval,
    BuildImage,
    Change,
    Connect,
    CreateContainer,
    DeliverFiles,
    Disconnect,
    Plan,
    Ref,
    RemoveContainer,
    RemoveHolder,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    RestartContainer,
    SignalContainer,
    StartContainer,
    StopContainer,
    TagImage,
    UnpauseContainer,
    UpdateContainer,
    Verb,
    WaitContainer,
)

_ON_CONTAINERS = (
    DeliverFiles,
    RestartContainer,
    SignalContainer,
    StartContainer,
    StopContainer,
    UnpauseContainer,
    RenameContainer,
    RemoveContainer,
    UpdateContainer,
    Connect,
    Disconnect,
)
_ENDING = (RestartContainer, SignalContainer, StopContainer, RemoveContainer, Disconnect)


def check(planned: Plan, observed: ObservedState, *, may_lose_volumes: bool | None = None) -> Plan:
    """The plan itself, when it breaks no rule.

    Args:
        may_lose_volumes: volumes may be removed (`destroy --volumes`, `prune = true` of the project), or may not (`destroy`);
            None: those that say so themselves.

    Raises:
        UnsafePlanError: naming every rule that is broken.
    """
    violations = sorted(set(_violations(planned, observed, may_lose_volumes=may_lose_volumes)))
    if violations:
        raise UnsafePlanError(violations)
    return planned


def _violations(planned: Plan, observed: ObservedState, *, may_lose_volumes: bool | None) -> Iterator[str]:
    yield from _order(planned)
    for change in planned.changes:
        for action in _actions(change):
            if observed.own and isinstance(action, _ENDING) and action.container.id == observed.own:
                yield f"{change.address}: {action.container.name} is the container in which this program runs"
        if change.verb is Verb.BLOCKED and change.steps:
            yield f"{change.address}: it is blocked and has steps all the same"
        yield from _ownership(planned.project, change, observed)
        yield from _made_before_stopped(change)
        yield from _proved_before_gone(change, observed)
        yield from _given_before_started(change)
        yield from _kept_until_done(change)
        for action in _actions(change):
            if not isinstance(action, RemoveVolume):
                continue
            if not (_marked(action, observed) if may_lose_volumes is None else may_lose_volumes):
                yield f"{change.address}: volume {action.name} would be removed without being asked for"
    yield from _names(planned, observed)


def _actions(change: Change) -> Iterator[Action]:
    for step in change.steps:
        yield step.action
        yield from step.undo


def _order(planned: Plan) -> Iterator[str]:
    """Whatever a change comes after stands before it."""
    seen, present = set(), {change.address for change in planned.changes}
    for change in planned.changes:
        for address in change.after:
            if address in present and address not in seen:
                yield f"{change.address}: it stands before {address}, which it needs"
        seen.add(change.address)


def _ownership(project: str, change: Change, observed: ObservedState) -> Iterator[str]:
    """No action touches what another project or nobody owns; adopting is the one exception, for its own object."""
    containers = {item.id: item for item in observed.containers}
    networks = {item.id: item for item in observed.networks}
    volumes = {item.name: item for item in observed.volumes}
    images = {item.id: item for item in observed.images}
    for action in _actions(change):
        if isinstance(action, _ON_CONTAINERS) and action.container.id:
            found = containers.get(action.container.id)
            adopted = found is not None and not found.labels.get(PROJECT) and _is_adopted(change, found.id, observed)
            if found is None:
                yield f"{change.address}: container {action.container.id[:12]} was not observed"
            elif not adopted and owner_of(Kind.CONTAINER, found.labels, project)[0] is not Owner.OURS:
                yield f"{change.address}: container {found.name} is not ours"
        elif isinstance(action, RemoveNetwork) and action.network.id:
            network = networks.get(action.network.id)
            if network is None or owner_of(Kind.NETWORK, network.labels, project)[0] is not Owner.OURS:
                yield f"{change.address}: network {action.network.name} is not ours"
            else:
                for member_id, name in network.members:
                    member = containers.get(member_id)
                    if member is None or owner_of(Kind.CONTAINER, member.labels, project)[0] is not Owner.OURS:
                        yield f"{change.address}: {name}, which is not ours, is attached to {network.name}"
        elif isinstance(action, RemoveVolume):
            volume = volumes.get(action.name)
            if volume is None or owner_of(Kind.VOLUME, volume.labels, project)[0] is not Owner.OURS:
                yield f"{change.address}: volume {action.name} is not ours"
        elif isinstance(action, RemoveHolder):
            volume = volumes.get(action.volume)
            if volume is None or volume.labels.get(HOLDER) != project:
                yield f"{change.address}: volume {action.volume} was not made for files of ours"
        elif isinstance(action, RemoveImage):
            image = images.get(action.id)
            if image is None or image.labels.get(IMAGE_PROJECT) != project:
                yield f"{change.address}: image {action.reference} is not a build of ours"
        elif isinstance(action, TagImage | BuildImage):
            for tag in action.tags if isinstance(action, BuildImage) else (action.reference,):
                named = observed.image_by_reference(tag)
                owner = named.labels.get(IMAGE_PROJECT) if named is not None else project
                if owner != project and (owner or change.verb is not Verb.ADOPT):
                    yield f"{change.address}: the tag {tag} is on an image that is not a build of ours"


def _is_adopted(change: Change, container_id: str, observed: ObservedState) -> bool:
    """Whether this change takes it over, or one that was cut off did: then its successor says so."""
    return change.verb is Verb.ADOPT or any(
        item.labels.get(ADOPTED) == container_id and item.labels.get(ADDRESS) == str(change.address)
        for item in observed.containers
    )


def _marked(action: RemoveVolume, observed: ObservedState) -> bool:
    return any(v.name == action.name and v.labels.get("reconciler.prune") == "true" for v in observed.volumes)


def _made_before_stopped(change: Change) -> Iterator[str]:
    """In a replacement the engine has accepted the new container before the old one is stopped or removed."""
    if change.verb not in (Verb.REPLACE, Verb.ADOPT) or change.address.kind is not Kind.CONTAINER:
        return
    made = False
    serving = {s.action.container.id for s in change.steps if isinstance(s.action, RenameContainer)}
    for step in change.steps:
        made = made or isinstance(step.action, CreateContainer)
        stops = isinstance(step.action, StopContainer | RemoveContainer)
        if stops and not made and step.action.container.id in serving:  # type: ignore[union-attr]
            yield f"{change.address}: {step.action.container.name} would be stopped before its successor is made"  # type: ignore[union-attr]


def _proved_before_gone(change: Change, observed: ObservedState) -> Iterator[str]:
    """What served is removed after its successor has proved itself; start-first, it is not even stopped before.

    There the successor also has the old one's names by then, on every network on which it is.
    """
    if change.verb is not Verb.REPLACE or change.address.kind is not Kind.CONTAINER or _is_job(change):
        return
    final = {s.action.name for s in change.steps if isinstance(s.action, RenameContainer) and not s.action.container.id}
    renamed = {s.action.container.id for s in change.steps if isinstance(s.action, RenameContainer)}
    names = {*final, *(f"{name}.prev" for name in final)}
    old = {item.id: item for item in observed.containers if item.id in renamed or item.name in names}
    proved, joined, made = False, set(), None
    for step in change.steps:
        match step.action:
            case CreateContainer():
                made = step.action
            case AwaitReady(container) if not container.id:
                proved = True
            case Connect(network, container, endpoint) if not container.id and endpoint.get("aliases"):
                joined.add(network.name)
            case RemoveContainer(container) if container.id in old and made is not None and not proved:
                yield f"{change.address}: {container.name} would be removed before its successor has proved itself"
            case StopContainer(container) | Disconnect(container=container) if (
                container.id in old and change.order == "start-first"
            ):
                if not proved and (made is not None or not _has_other(change, container.id, observed)):
                    yield f"{change.address}: {container.name} would stop serving before its successor has proved itself"
                if made is not None and not _named_on(old[container.id]) & set(made.networks) <= joined:
                    yield f"{change.address}: {container.name} would stop serving before its successor has its names"


def _has_other(change: Change, container_id: str, observed: ObservedState) -> bool:
    """Whether another container of this resource runs: of an earlier roll-out that was cut off."""
    return any(
        item.id != container_id and item.status == "running" and item.labels.get(ADDRESS) == str(change.address)
        for item in observed.containers
    )


def _is_job(change: Change) -> bool:
    """Whether it waits for the end of what it starts."""
    actions = [step.action for step in change.steps]
    started = next((at for at, action in enumerate(actions) if isinstance(action, StartContainer)), len(actions))
    return any(isinstance(a, WaitContainer) and a.condition is Condition.COMPLETED for a in actions[started:])


def _named_on(container: ObservedContainer) -> set[str]:
    """The networks on which clients find it by another name than its own."""
    endpoints = (container.config or {}).get("networks")
    found = endpoints.items() if isinstance(endpoints, Mapping) else ()
    return {network for network, endpoint in found if isinstance(endpoint, Mapping) and endpoint.get("aliases")}


def _given_before_started(change: Change) -> Iterator[str]:
    """A container that is made with files has them before it is started."""
    waiting = False
    for step in change.steps:
        match step.action:
            case CreateContainer(labels=labels, config=config):
                waiting = CONTENTS in labels and bool(config.get("configs") or config.get("secrets"))
            case DeliverFiles():
                waiting = False
            case StartContainer(container) if waiting:
                yield f"{change.address}: {container.name} would be started before it has its files"


def _kept_until_done(change: Change) -> Iterator[str]:
    """The container of a job goes after the run that takes its place has ended well, never before."""
    promoted = {s.action.name for s in change.steps if isinstance(s.action, RenameContainer)}
    kept = {s.action.container.id for s in change.steps if isinstance(s.action, RenameContainer)} - {""}
    awaited = False
    for step in reversed(change.steps):
        action = step.action
        if isinstance(action, WaitContainer):
            awaited = awaited or (action.condition is Condition.COMPLETED and action.container.name in promoted)
        elif awaited and isinstance(action, RemoveContainer) and action.container.id in kept:
            yield f"{change.address}: {action.container.name} would be removed before the job in its place has ended"


def _names(planned: Plan, observed: ObservedState) -> Iterator[str]:
    """No container is made or renamed onto a name that is taken at that moment."""
    taken = {item.name: item.id for item in observed.containers}
    for change in planned.changes:
        for step in change.steps:
            match step.action:
                case CreateContainer(name=name):
                    if name in taken:
                        yield f"{change.address}: the name {name} is taken when it is made"
                    taken[name] = ""
                case RenameContainer(container, name):
                    if name in taken and taken[name] != container.id:
                        yield f"{change.address}: the name {name} is taken when it is renamed"
                    _release(taken, container)
                    taken[name] = container.id
                case RemoveContainer(container) | AwaitRemoval(container):
                    _release(taken, container)


def _release(taken: dict[str, str], container: Ref) -> None:
    for name, container_id in list(taken.items()):
        if (container.id and container_id == container.id) or (not container.id and name == container.name):
            del taken[name]
