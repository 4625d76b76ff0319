"""A verdict on a container → its steps, each with the one that takes it back.

Replacement is stop-first through names: the candidate is made as `NAME.next`, so that the engine has accepted all of
it before anything is stopped; the current one is stopped and becomes `NAME.prev`; the candidate gets the name and is
started; then the predecessor goes. When a step fails, those before it are taken back and the predecessor serves
again. When we are killed, the names say how far it came. A job takes the same way; its predecessor, which serves
nobody, goes when the new run has ended well, and is not started again when it did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reconciler.model.desired import Condition, ContainerResource
from reconciler.model.observed import EngineFacts, ObservedContainer
from reconciler.model.ownership import CONTENTS, owner_labels
from reconciler.model.plan import (
    Action,
    Connect,
    CreateContainer,
    DeliverFiles,
    Disconnect,
    FieldChange,
    File,
    Reason,
    Ref,
    RemoveContainer,
    RemoveHolder,
    RenameContainer,
    RestartContainer,
    StartContainer,
    Step,
    StopContainer,
    UnpauseContainer,
    UpdateContainer,
    WaitContainer,
)
from reconciler.model.structures import decides_within
from reconciler.model.values import Config
from reconciler.planning.phases import NEXT, PREVIOUS

MULTIPLE_ENDPOINTS_SINCE = (1, 44)
DEFAULT_GRACE_SECONDS = 10
_HELD_UP = ("running", "restarting", "paused")


def ref(container: ObservedContainer) -> Ref:
    return Ref(container.name, container.id)


def grace_seconds(config: Config | None) -> int:
    period = (config or {}).get("stop_grace_period")
    return period if isinstance(period, int) else DEFAULT_GRACE_SECONDS


def declared_options(resource: ContainerResource) -> Config:
    """The options of a container, its name with them: that too can be changed in place, and can drift."""
    return {**resource.config, "container_name": resource.name}


class Blueprint(NamedTuple):
    """All that is needed to make one container: what the resource says, and what the world adds to it."""

    resource: ContainerResource
    project: str
    reference: str
    facts: EngineFacts
    donors: Mapping[str, Ref]
    networks: Mapping[str, Ref]
    waits: tuple[Step, ...] = ()
    files: tuple[File, ...] = ()
    record: str = ""

    def make(self, name: str, anonymous: Mapping[str, str]) -> list[Step]:
        """Create it under a name, and attach what could not be attached at creation."""
        resource = self.resource
        at_once = resource.networks if self.facts.api_version >= MULTIPLE_ENDPOINTS_SINCE else resource.networks[:1]
        config = {key: value for key, value in resource.config.items() if key not in self.donors}
        labels = owner_labels(self.project, resource.address, declared_options(resource))
        create = CreateContainer(
            name=name,
            image=self.reference,
            config=config,
            labels={**labels, CONTENTS: self.record} if self.record else labels,
            networks=at_once,
            donors=self.donors,
            anonymous=anonymous,
            platform=resource.platform,
            holders=resource.holders,
        )
        steps = [Step(create, undo=(RemoveContainer(Ref(name), unused=True),))]
        steps += [Step(DeliverFiles(Ref(name), self.files))] if self.files else []
        endpoints = resource.config.get("networks")
        for network in resource.networks[len(at_once) :]:
            endpoint = endpoints.get(network) if isinstance(endpoints, Mapping) else None
            steps.append(Step(Connect(self.networks[network], Ref(name), endpoint or {})))  # type: ignore[arg-type]
        return steps


def create_steps(blueprint: Blueprint, anonymous: Mapping[str, str]) -> list[Step]:
    """Create and start; `anonymous` as for a replacement."""
    name = blueprint.resource.name
    return [*blueprint.waits, *blueprint.make(name, anonymous), *start_steps(blueprint.resource, Ref(name))]


def start_steps(resource: ContainerResource, target: Ref, undo: tuple[Action, ...] = ()) -> list[Step]:
    """Start it; of a job, wait for its end too. From the start on nothing is taken back."""
    start = Step(StartContainer(target), undo, commits=True)
    return [start, wait_for_end(target)] if resource.is_job else [start]


def wait_for_end(job: Ref) -> Step:
    return Step(WaitContainer(job, Condition.COMPLETED, wait_seconds(None, Condition.COMPLETED)))


def replace_steps(
    blueprint: Blueprint, current: ObservedContainer, anonymous: Mapping[str, str], *, stopped_by_us: bool
) -> list[Step]:
    """Replace, stop-first.

    Args:
        anonymous: volumes nobody named that the candidate takes over, by path.
        stopped_by_us: the current one does not run because an earlier replacement was cut off.
    """
    name = blueprint.resource.name
    candidate = name + NEXT
    make = blueprint.make(candidate, anonymous)
    if stopped_by_us:
        # An earlier run was cut off after it had stopped it: if this one fails too, it serves again.
        make[0] = make[0]._replace(undo=(*make[0].undo, *_bring_back(blueprint.resource, current)))
    return [
        *blueprint.waits,
        *make,
        *_retire_steps(current, name + PREVIOUS),
        *promote_steps(blueprint.resource, Ref(candidate)),
        Step(RemoveContainer(Ref(name + PREVIOUS, current.id))),
        *_remove_holders(current),
    ]


def _bring_back(resource: ContainerResource, predecessor: ObservedContainer) -> tuple[Action, ...]:
    """Make a predecessor what it was. Its restart policy was set to `no` when it was stopped.

    A job is not started: whether it had ended well before nobody knows any more, so that the next plan decides.
    """
    target = ref(predecessor)
    policy = resource.config.get("restart") or "no"
    rename = (RenameContainer(target, resource.name),) if predecessor.name != resource.name else ()
    start = () if resource.is_job else (StartContainer(target),)
    return *rename, UpdateContainer(target, {"restart": policy}), *start


def _retire_steps(current: ObservedContainer, name: str) -> list[Step]:
    """Stop the current one and move it aside, so that no restart of the engine wakes it."""
    target, steps = ref(current), []
    policy = (current.config or {}).get("restart") or "no"
    if policy != "no":
        restore = UpdateContainer(target, {"restart": policy})
        steps.append(Step(UpdateContainer(target, {"restart": "no"}), undo=(restore,)))
    if current.status == "paused":
        steps.append(Step(UnpauseContainer(target)))
    if current.status in _HELD_UP:
        steps.append(Step(StopContainer(target, grace_seconds(current.config)), undo=(StartContainer(target),)))
    if current.name != name:
        steps.append(Step(RenameContainer(target, name), undo=(RenameContainer(target, current.name),)))
    return steps


def promote_steps(resource: ContainerResource, candidate: Ref) -> list[Step]:
    """Give a candidate its name and start it. From there on nothing is taken back."""
    promoted = Ref(resource.name, candidate.id)
    return [
        Step(RenameContainer(candidate, resource.name), undo=(RenameContainer(promoted, candidate.name),)),
        *start_steps(resource, promoted, undo=(StopContainer(promoted),)),
    ]


def recover_steps(
    resource: ContainerResource, candidate: ObservedContainer, predecessor: ObservedContainer | None
) -> list[Step]:
    """Finish a replacement that was cut off before the candidate was promoted; if it fails, the predecessor serves."""
    promoted, aside = candidate.name == resource.name, Ref(resource.name + NEXT, candidate.id)
    first = [Step(UnpauseContainer(ref(candidate)))] if candidate.status == "paused" else []
    first += [Step(RenameContainer(ref(candidate), aside.name))] if promoted else []
    rename, *start = promote_steps(resource, aside if promoted else ref(candidate))
    if predecessor is None:
        return [*first, rename, *start]
    rename = rename._replace(undo=(*rename.undo, *_bring_back(resource, predecessor)))
    return [*first, rename, *start, *remove_steps(predecessor)]


def remove_steps(container: ObservedContainer) -> list[Step]:
    steps = []
    if container.status == "paused":
        steps.append(Step(UnpauseContainer(ref(container))))
    if container.status in _HELD_UP:
        steps.append(Step(StopContainer(ref(container), grace_seconds(container.config))))
    return [*steps, Step(RemoveContainer(ref(container))), *_remove_holders(container)]


def _remove_holders(container: ObservedContainer) -> list[Step]:
    """Nobody else has what is in them."""
    return [Step(RemoveHolder(volume)) for volume in container.holders]


def update_steps(
    resource: ContainerResource,
    current: ObservedContainer,
    fields: Sequence[FieldChange],
    expected: Config,
    observed: Config,
    networks: Mapping[str, Ref],
) -> list[Step]:
    """What changes a container in place: endpoints, settings, name, state; in this order."""
    target = ref(current)
    options = {field.path.partition(".")[0] for field in fields}
    steps = _endpoint_steps(target, current, expected, observed, networks) if "networks" in options else []
    settings = {field.path.partition(".")[0] for field in fields if field.forces == "update"}
    if settings & {"mem_limit", "memswap_limit"}:
        settings |= {"mem_limit", "memswap_limit"}  # the engine judges one by what it holds of the other
    if settings:
        steps.append(Step(UpdateContainer(target, {name: expected.get(name) for name in sorted(settings)})))
    if current.name != resource.name:
        steps.append(Step(RenameContainer(target, resource.name)))
    if "state" in options and current.status == "paused":
        steps.append(Step(UnpauseContainer(target)))
        steps += [wait_for_end(target)] if resource.is_job else []
    elif "state" in options:
        steps += [step._replace(commits=False) for step in start_steps(resource, target)]
    elif any(field.forces == "restart" and field.reason is Reason.DEPENDENCY for field in fields):
        steps.append(Step(RestartContainer(target, grace_seconds(current.config))))
    return steps


def _endpoint_steps(
    target: Ref, current: ObservedContainer, expected: Config, observed: Config, networks: Mapping[str, Ref]
) -> list[Step]:
    """Disconnect and connect: an endpoint cannot be changed. New ones come first, so that one is always there."""
    wanted, seen = _mapping(expected.get("networks")), _mapping(observed.get("networks"))
    attached = {name: Ref(name, current.network_ids.get(name, "")) for name in seen}
    steps = [Step(Connect(networks[name], target, _mapping(wanted[name]))) for name in wanted if name not in seen]
    for name in wanted:
        if name in seen and wanted[name] != seen[name]:
            steps.append(Step(Disconnect(attached[name], target)))
            steps.append(Step(Connect(networks[name], target, _mapping(wanted[name]))))
    return [*steps, *(Step(Disconnect(attached[name], target)) for name in seen if name not in wanted)]


def wait_seconds(config: Config | None, condition: Condition) -> float:
    """How long a condition may take: what the health check needs to fail for good. Work takes as long as it takes: 0."""
    if condition is Condition.COMPLETED:
        return 0.0
    return decides_within(_mapping((config or {}).get("healthcheck")))


def _mapping(value: object) -> Config:
    return value if isinstance(value, Mapping) else {}
