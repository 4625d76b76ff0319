"""A verdict on a container → its steps: making, changing in place, removing. `replacing` has those of a replacement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reconciler.model.desired import Condition, ContainerResource
from reconciler.model.observed import EngineFacts, ObservedContainer
from reconciler.model.ownership import ADOPTED, CONTENTS, owner_labels
from reconciler.model.plan import (
    AwaitRemoval,
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
from reconciler.model.rows import AUTO_REMOVE
from reconciler.model.structures import decides_within
from reconciler.model.values import Config

MULTIPLE_ENDPOINTS_SINCE = (1, 44)
DEFAULT_GRACE_SECONDS = 10
#: for ports to be bound, once it runs
_BIND_SECONDS = 10.0
HELD_UP = ("running", "restarting", "paused")


def ref(container: ObservedContainer) -> Ref:
    return Ref(container.name, container.id)


def grace_seconds(config: Config | None) -> int:
    period = (config or {}).get("stop_grace_period")
    return period if isinstance(period, int) else DEFAULT_GRACE_SECONDS


def declared_options(resource: ContainerResource) -> Config:
    """The options of a container, its name with them: that too can be changed in place, and can drift."""
    return {**resource.config, "container_name": resource.name}


class Blueprint(NamedTuple):
    """All that is needed to make one container: what the resource says, and what the world adds to it.

    `published`: the engine binds its ports, as it does unless all its networks are internal. `adopts`: the id of the
    container that nobody owns, whose place it takes.
    """

    resource: ContainerResource
    project: str
    reference: str
    facts: EngineFacts
    donors: Mapping[str, Ref]
    networks: Mapping[str, Ref]
    waits: tuple[Step, ...] = ()
    files: tuple[File, ...] = ()
    record: str = ""
    published: bool = False
    adopts: str = ""

    def make(self, name: str, anonymous: Mapping[str, str], *, named: bool = True) -> list[Step]:
        """Create it under a name, and attach what could not be attached at creation.

        Args:
            named: clients find it by its aliases at once.
        """
        resource = self.resource
        at_once = resource.networks if self.facts.api_version >= MULTIPLE_ENDPOINTS_SINCE else resource.networks[:1]
        config = {key: value for key, value in resource.config.items() if key not in self.donors}
        endpoints = {network: _mapping(endpoint) for network, endpoint in _mapping(config.get("networks")).items()}
        if not named:
            endpoints = {network: {**endpoint, "aliases": None} for network, endpoint in endpoints.items()}
            config["networks"] = endpoints
        labels = owner_labels(self.project, resource.address, declared_options(resource))
        labels |= {CONTENTS: self.record} if self.record else {}
        labels |= {ADOPTED: self.adopts} if self.adopts else {}
        create = CreateContainer(
            name=name,
            image=self.reference,
            config=config,
            labels=labels,
            networks=at_once,
            donors=self.donors,
            anonymous=anonymous,
            platform=resource.platform,
            holders=resource.holders,
        )
        steps = [Step(create, undo=(RemoveContainer(Ref(name), unused=True),))]
        steps += [Step(DeliverFiles(Ref(name), self.files))] if self.files else []
        for network in resource.networks[len(at_once) :]:
            steps.append(Step(Connect(self.networks[network], Ref(name), endpoints.get(network, {}))))
        return steps


def create_steps(blueprint: Blueprint, anonymous: Mapping[str, str]) -> list[Step]:
    """Create and start; `anonymous` as for a replacement.

    One that was made whole and does not start stays, for whoever looks why; the next run makes it anew.
    """
    name = blueprint.resource.name
    *make, last = blueprint.make(name, anonymous)
    return [*blueprint.waits, *make, last._replace(undo=(), commits=True), *start_steps(blueprint.resource, Ref(name))]


def start_steps(resource: ContainerResource, target: Ref) -> list[Step]:
    """Start it; of a job, wait for its end too. From the start on nothing is taken back."""
    start = Step(StartContainer(target), commits=True)
    return [start, wait_for_end(target)] if resource.is_job else [start]


def wait_for_end(job: Ref) -> Step:
    return Step(WaitContainer(job, Condition.COMPLETED, wait_seconds(None, Condition.COMPLETED)))


def remove_steps(container: ObservedContainer) -> list[Step]:
    steps = []
    if container.status == "paused":
        steps.append(Step(UnpauseContainer(ref(container))))
    if container.status in HELD_UP:
        steps.append(Step(StopContainer(ref(container), grace_seconds(container.config))))
    goes_by_itself = bool(steps) and is_removed_at_its_end(container)
    gone = AwaitRemoval(ref(container)) if goes_by_itself else RemoveContainer(ref(container))
    return [*steps, Step(gone), *remove_holders(container)]


def is_removed_at_its_end(container: ObservedContainer) -> bool:
    """Whether the engine removes it by itself, as `docker run --rm` has it: then nothing of it can be kept."""
    return bool((container.config or {}).get(AUTO_REMOVE))


def remove_holders(container: ObservedContainer) -> list[Step]:
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
    # One that was joined while it did not run has no id of the network yet.
    attached = {name: Ref(name, current.network_ids.get(name) or networks[name].id) for name in seen}
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
    if condition is Condition.STARTED:
        return _BIND_SECONDS
    return decides_within(_mapping((config or {}).get("healthcheck")))


def _mapping(value: object) -> Config:
    return value if isinstance(value, Mapping) else {}
