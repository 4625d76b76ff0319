"""What is refused though it could be done: to remove most of a project at once, and to end ourselves."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.address import Kind
from reconciler.model.ownership import Owner, owner_of
from reconciler.model.plan import (
    Change,
    Disconnect,
    Reason,
    RemoveContainer,
    RestartContainer,
    SignalContainer,
    StopContainer,
    Verb,
)
from reconciler.planning.world import World

#: so many containers may always go, and more only when they are at most one in `_SHARE`
_FEW, _SHARE = 2, 3
_ENDS = (StopContainer, RestartContainer, RemoveContainer, SignalContainer, Disconnect)


def spare_ourselves(world: World, change: Change | None) -> Change | None:
    """The change, blocked where it would end the container in which we run, or cut it off from the engine."""
    own = world.observed.own
    if change is None or not own:
        return change
    for step in change.steps:
        if isinstance(step.action, _ENDS) and step.action.container.id == own:
            note = (
                f"reconciler itself runs in the container {step.action.container.name}, and would end in the middle "
                "of this; apply it from outside: on the host, or from another container"
            )
            return change._replace(verb=Verb.BLOCKED, steps=(), note=note)
    return change


def why_held(world: World) -> str:
    """Why nothing that has left the spec is removed, or "": a file that is gone by mistake looks the same."""
    if world.request.allow_removals or world.request.targets:  # whoever names it means it
        return ""
    declared = {address.name for address in world.desired.resources if address.kind is Kind.CONTAINER}
    owned = set()
    for item in world.observed.containers:
        owner, address = owner_of(Kind.CONTAINER, item.labels, world.desired.project)
        if owner is Owner.OURS and address is not None:
            owned.add((address.name, address.instance or 1))
    # Fewer instances of what is still declared were asked for in so many words.
    gone = sum(name not in declared for name, _ in owned)
    if gone <= _FEW or gone * _SHARE <= len(owned):
        return ""
    return (
        f"{gone} of {len(owned)} containers have left the spec at once, as when a file is gone by mistake; if it is meant: "
        "`apply --allow-removals`, or allow_removals = true in the configuration of `run`"
    )


def hold(changes: Iterable[Change], why: str) -> list[Change]:
    """The same, with the removal of what has left the spec blocked when there is a reason to."""
    return [
        change._replace(verb=Verb.BLOCKED, steps=(), note=why)
        if why and change.verb is Verb.REMOVE and change.reason is Reason.ORPHAN
        else change
        for change in changes
    ]
