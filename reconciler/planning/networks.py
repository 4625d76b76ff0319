"""Networks and volumes: what differs, and the change that follows."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.model.address import Kind
from reconciler.model.desired import NetworkResource, VolumeResource
from reconciler.model.observed import ObservedContainer, ObservedNetwork, ObservedVolume
from reconciler.model.ownership import PRUNE, Owner, owner_labels, owner_of, parse_fingerprint
from reconciler.model.plan import (
    Change,
    Connect,
    CreateNetwork,
    CreateVolume,
    Disconnect,
    FieldChange,
    Reason,
    Ref,
    RemoveNetwork,
    Step,
    Verb,
)
from reconciler.model.values import Config
from reconciler.planning.containers import weightiest
from reconciler.planning.decide import Difference, Row, Situation, decide
from reconciler.planning.diff import diff_config
from reconciler.planning.expected import expected_settings, observed_settings
from reconciler.planning.gates import missing
from reconciler.planning.guards import why_held
from reconciler.planning.untold import as_far_as_told, dropped
from reconciler.planning.world import World, fingerprint_objects


class _Verdict(NamedTuple):
    row: Row
    fields: tuple[FieldChange, ...]


def plan_network(world: World, resource: NetworkResource) -> Change | None:
    network, twins = world.network(resource.name), twins_of(world, resource)
    strangers = strangers_on(world, network) if network is not None else []
    verdict = _judge(world, resource, Kind.NETWORK, network, strangers=bool(strangers), twins=bool(twins))
    if verdict.row.verb is None:
        return None
    relies_on = fingerprint_objects([network, *twins])
    reason = verdict.row.reason or weightiest(verdict.fields)
    forbidden = missing(Kind.NETWORK, resource.config, world.facts) or dropped(
        world.facts, Kind.NETWORK, resource.config
    )
    create = CreateNetwork(
        resource.name, resource.config, owner_labels(world.desired.project, resource.address, resource.config)
    )
    if verdict.row.verb is Verb.BLOCKED or forbidden:
        note = forbidden or _note(resource, "network", verdict.row, strangers)
        return Change(resource.address, Verb.BLOCKED, reason, verdict.fields, note=note, relies_on=relies_on)
    if network is None:
        return Change(resource.address, Verb.CREATE, reason, (), (Step(create),), relies_on=relies_on)
    steps = [step for twin in twins for step in _leave_network(world, twin, Ref(network.name, network.id))[0]]
    if verdict.row.verb is Verb.UPDATE:
        return Change(resource.address, Verb.UPDATE, reason, (), tuple(steps), relies_on=relies_on)
    if held := _held_members(world, network):
        note = f"what has left the spec and is not removed would lose it ({', '.join(held)}): {why_held(world)}"
        return Change(resource.address, Verb.BLOCKED, reason, verdict.fields, note=note, relies_on=relies_on)
    more, note = _leave_network(world, network, Ref(network.name), create)
    steps += more
    return Change(resource.address, Verb.REPLACE, reason, verdict.fields, tuple(steps), note=note, relies_on=relies_on)


def twins_of(world: World, resource: NetworkResource) -> list[ObservedNetwork]:
    """Networks of ours with the same name as the one that serves: old engines allow it when two make it at once.

    Nothing can be started on either, since containers name their networks. One that strangers use is not among them.
    """
    serving = world.network(resource.name)
    return [
        item
        for item in sorted(world.networks.get(resource.name, []), key=lambda item: item.id)
        if item is not serving
        and not resource.external
        and world.is_ours(Kind.NETWORK, item)
        and not strangers_on(world, item)
    ]


def plan_volume(world: World, resource: VolumeResource) -> Change | None:
    volume = world.volumes.get(resource.name)
    verdict = _judge(world, resource, Kind.VOLUME, volume, strangers=False)
    if verdict.row.verb is None:
        return None
    relies_on = fingerprint_objects([volume])
    reason = verdict.row.reason or weightiest(verdict.fields)
    if verdict.row.verb is Verb.BLOCKED:
        note = _note(resource, "volume", verdict.row, [])
        return Change(resource.address, Verb.BLOCKED, reason, verdict.fields, note=note, relies_on=relies_on)
    labels = owner_labels(world.desired.project, resource.address, resource.config)
    if resource.prune:
        labels[PRUNE] = "true"
    step = Step(CreateVolume(resource.name, resource.config, labels))
    return Change(resource.address, Verb.CREATE, reason, (), (step,), relies_on=relies_on)


def _judge(
    world: World,
    resource: NetworkResource | VolumeResource,
    kind: Kind,
    found: ObservedNetwork | ObservedVolume | None,
    *,
    strangers: bool,
    twins: bool = False,
) -> _Verdict:
    fields: list[FieldChange] = []
    owner, difference, newer = None, Difference.NONE, False
    if found is not None:
        owner, _ = owner_of(kind, found.labels, world.desired.project)
        made_from = parse_fingerprint(found.labels)
        newer = owner is Owner.OURS and made_from.is_newer
        expected = expected_settings(kind, resource.name, resource.config)
        observed: Config = observed_settings(found.config)
        if owner is Owner.NOBODY:
            # What is used as it is may carry any labels: those of Compose, for one.
            expected, observed = {**expected, "labels": {}}, {**observed, "labels": {}}
        observed = as_far_as_told(world.facts, kind, expected, observed, resource.config, made_from)
        fields = diff_config(kind, expected, observed, resource.config, made_from)
        difference = Difference.REPLACEMENT if fields else Difference.NONE
        if resource.address in world.request.replace and kind is Kind.NETWORK:
            difference = Difference.REPLACEMENT
        if twins and difference is Difference.NONE:
            difference = Difference.INTERRUPTED
    situation = Situation(
        kind=kind,
        external=resource.external,
        owner=owner,
        newer=newer,
        difference=difference,
        adopt=resource.adopt,
        strangers=strangers,
    )
    return _Verdict(decide(situation), () if resource.external else tuple(fields))


def strangers_on(world: World, network: ObservedNetwork) -> list[str]:
    """The members that are not this project's containers, by name."""
    members = ((name, world.containers_by_id.get(member_id)) for member_id, name in network.members)
    return [name for name, member in members if member is None or not world.is_ours(Kind.CONTAINER, member)]


def _leave_network(
    world: World, network: ObservedNetwork, new: Ref, create: CreateNetwork | None = None
) -> tuple[list[Step], str]:
    """A network cannot be changed: its members leave it, it is made anew, and they join again as they were declared."""
    old = Ref(network.name, network.id)
    wanted = {item.name: item for item in world.desired.containers()}
    leave, join = [], []
    for member_id, name in _staying(world, network):
        member = Ref(name, member_id)
        leave.append(Step(Disconnect(old, member)))
        resource = wanted.get(name)
        endpoints = resource.config.get("networks") if resource is not None else None
        if isinstance(endpoints, dict) and network.name in endpoints:
            join.append(Step(Connect(new, member, endpoints[network.name])))
    steps = [*leave, Step(RemoveNetwork(old)), *([Step(create)] if create is not None else []), *join]
    names = ", ".join(name for _, name in _staying(world, network))
    return steps, f"{names} will be off this network for a moment" if names else ""


def _staying(world: World, network: ObservedNetwork) -> list[tuple[str, str]]:
    """The members but those that have left the spec: they are removed before the network is touched.

    What a newer version made stays: its removal is blocked.
    """
    leaving = {
        item.id
        for _, objects in world.orphans(Kind.CONTAINER)
        for item in objects
        if isinstance(item, ObservedContainer) and not any(parse_fingerprint(o.labels).is_newer for o in objects)
    }
    return [(member_id, name) for member_id, name in network.members if member_id not in leaving]


def _held_members(world: World, network: ObservedNetwork) -> list[str]:
    """Members that have left the spec, as long as a guard keeps them."""
    if not why_held(world):
        return []
    staying = {member_id for member_id, _ in _staying(world, network)}
    return sorted(name for member_id, name in network.members if member_id not in staying)


def _note(resource: NetworkResource | VolumeResource, kind: str, row: Row, strangers: list[str]) -> str:
    command = f"docker {kind} create {resource.name}"
    if resource.external:
        return f"the external {kind} {resource.name} does not exist; make it with `{command}`"
    if row.reason is Reason.WOULD_LOSE_DATA:
        return (
            f"the volume {resource.name} cannot be changed, only replaced, which would lose what is in it; "
            f"save its contents, remove it with `docker volume rm {resource.name}` and apply again"
        )
    if strangers:
        return f"{row.because}: {', '.join(strangers)}; disconnect them first"
    if row.conditions.get("newer"):
        return f"the {kind} {resource.name}: {row.because}; update reconciler here"
    is_theirs = row.reason is Reason.OWNED_BY_OTHER
    if resource.adopt and not is_theirs:
        return (
            f"a {kind} named {resource.name} exists: {row.because}; declare it as it is, or give this one another name"
        )
    advice = "" if is_theirs else "; give this one another name, declare it external, or set adopt = true"
    return f"a {kind} named {resource.name} exists: {row.because}{advice}"
