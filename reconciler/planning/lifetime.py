"""Whether a container runs as it should, has done its work, or must be started or restarted."""

from __future__ import annotations

from reconciler.model.contents import OnChange
from reconciler.model.desired import ContainerResource
from reconciler.model.observed import ObservedContainer
from reconciler.model.plan import VOLUMES_FROM, FieldChange, Reason, RestartContainer, StartContainer
from reconciler.planning.phases import serving
from reconciler.planning.sharing import donors
from reconciler.planning.world import NEXT, PREVIOUS, World


def state_field(resource: ContainerResource, container: ObservedContainer, *, stopped: bool) -> FieldChange | None:
    """What is not running is judged by its restart policy: exit 0 under `no` or `on-failure` is done.

    Args:
        stopped: a replacement that was cut off has stopped it, or may have.
    """
    status = container.status
    if status in ("running", "restarting", "removing") or is_done(resource, container):
        return None
    policy = str(resource.config.get("restart") or "no")
    ended_well = status == "exited" and container.exit_code == 0 and (policy == "no" or policy.startswith("on-failure"))
    if ended_well and not stopped:
        return None
    seen = f"exited ({container.exit_code})" if status == "exited" else status
    # What was created and could not be started is made anew: a second start may come up without its ports, and nobody
    # knows whether it was given its files.
    untouched = status == "created" and (container.error or any(use.target for use in resource.contents))
    forces = "replace" if status == "dead" or untouched else "start"
    reason = Reason.INTERRUPTED if status == "created" else Reason.DRIFTED
    wanted = "done" if resource.is_job else "running"
    return FieldChange("state", seen, wanted, reason, forces, shown=(seen, wanted))


def is_done(resource: ContainerResource, container: ObservedContainer) -> bool:
    """Whether a job has ended well.

    Of a predecessor nobody knows whether it was stopped in the middle, and a candidate is still to run.
    """
    ended_well = container.status == "exited" and container.exit_code == 0
    return resource.is_job and ended_well and not container.name.endswith((NEXT, PREVIOUS))


def inputs_of_job(fields: list[FieldChange]) -> list[FieldChange]:
    """What a job is given is part of its key: nobody is there to be told of a new content, so that it runs again."""
    return [field._replace(forces=field.forces if field.forces == OnChange.IGNORE else "replace") for field in fields]


def has_failed(job: ObservedContainer | None) -> bool:
    return job is not None and job.status == "exited" and job.exit_code != 0


def restarts(world: World, resource: ContainerResource, container: ObservedContainer) -> list[FieldChange]:
    """What was started or made anew under a running container, so that it has to be restarted.

    A namespace that is shared ends with the process that had it: whoever joined it before is cut off until it joins
    again. Of other dependencies that is asked for with `restart = true`.
    """
    if container.status != "running" or resource.is_job:
        return []
    found = [
        _restarted(option, donor.name)
        for option, donor in donors(world, resource).items()
        # With a donor that is made anew it is replaced as well; mounts do not end with the donor's process.
        if not option.startswith(VOLUMES_FROM)
        and not world.will_change(donor.address)
        and (_starts(world, donor) or _moment(_since(world, donor)) > _moment(container.since))
    ]
    for dependency in resource.depends_on:
        instances = world.instances.get(dependency.address, ()) if dependency.restart else ()
        for other in instances:
            if _renewed(world, other) or _moment(_made(world, other)) > _moment(container.since):
                found.append(_restarted(f"depends_on.{dependency.address.name}", other.name))
                break
    return found


def _restarted(path: str, name: str) -> FieldChange:
    return FieldChange(path, None, None, Reason.DEPENDENCY, "restart", shown=("(running)", f"(restarted after {name})"))


def _renewed(world: World, other: ContainerResource) -> bool:
    return world.will_change(other.address) or _starts(world, other)


def _starts(world: World, other: ContainerResource) -> bool:
    """Whether this plan starts it, or starts it again."""
    change = world.changes.get(other.address)
    return change is not None and any(isinstance(s.action, StartContainer | RestartContainer) for s in change.steps)


def _since(world: World, other: ContainerResource) -> str:
    current = serving(world, other)
    return current.since if current is not None and current.status == "running" else ""


def _made(world: World, other: ContainerResource) -> str:
    current = serving(world, other)
    return current.created if current is not None else ""


def _moment(text: str) -> tuple[str, str]:
    """A time of the engine, to be compared with another: it writes no zeros at the end of a fraction."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return whole, fraction.ljust(9, "0")
