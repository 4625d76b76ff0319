"""Images: which have to be pulled, built, tagged or taken away."""

from __future__ import annotations

from reconciler.model.address import Address, Kind
from reconciler.model.builders import hindrance
from reconciler.model.desired import ImageResource, PullPolicy
from reconciler.model.observed import ObservedContainer, ObservedImage, normal_reference
from reconciler.model.ownership import IMAGE_ADDRESS, IMAGE_CONTENT, IMAGE_PROJECT, Owner, owner_of
from reconciler.model.plan import (
    WEIGHT,
    AwaitRemoval,
    BuildImage,
    Change,
    FieldChange,
    PullImage,
    Reason,
    RemoveContainer,
    RemoveImage,
    Step,
    TagImage,
    Verb,
)
from reconciler.planning.decide import Difference, Row, Situation, decide
from reconciler.planning.world import World, fingerprint_objects

_BUILD_TAG = "reconciler-"


def build_tag(reference: str, content: str) -> str:
    """The second tag of a build, which names its content.

    Labels alone cannot tell a build of ours: a `docker commit` of a container inherits them. This tag is on nothing
    but what we built, so what does not carry it is never removed.
    """
    repository = normal_reference(reference).rpartition(":")[0]
    return f"{repository}:{_BUILD_TAG}{content[:12]}"


def plan_image(world: World, resource: ImageResource) -> Change | None:
    change = _plan_build(world, resource) if resource.build is not None else _plan_pull(world, resource)
    if change is None:
        return None
    names = (resource.reference, *resource.tags)
    return change._replace(relies_on=fingerprint_objects([world.image(name) for name in names]))


# --- pulled --------------------------------------------------------------------------------------------------------


def _plan_pull(world: World, resource: ImageResource) -> Change | None:
    image, reference = world.image(resource.reference), resource.reference
    step = Step(PullImage(reference, resource.platform))
    if image is None:
        if resource.pull_policy is PullPolicy.NEVER:
            note = f"the image {reference} is not on the engine and its pull_policy is never; load or build it, or allow a pull"
            return Change(resource.address, Verb.BLOCKED, Reason.ABSENT, note=note)
        return Change(resource.address, Verb.CREATE, Reason.ABSENT, steps=(step,))
    if resource.address in world.request.replace:
        return Change(resource.address, Verb.REPLACE, Reason.REQUESTED, steps=(step,))
    newest = world.observed.registry.get(reference, "")
    if newest and not any(item.endswith(f"@{newest}") for item in image.digests):
        have = image.digests[0].partition("@")[2] if image.digests else image.id
        field = FieldChange("digest", have, newest, Reason.IMAGE_CHANGED, "pull", shown=(have[:19], newest[:19]))
        return Change(resource.address, Verb.REPLACE, Reason.IMAGE_CHANGED, (field,), (step,))
    return None


# --- built ---------------------------------------------------------------------------------------------------------


def _plan_build(world: World, resource: ImageResource) -> Change | None:
    assert resource.build is not None
    image = world.image(resource.reference)
    if not world.request.build:
        if image is not None:
            return None
        note = f"the image {resource.reference} is not on the engine, and --no-build forbids building it"
        return Change(resource.address, Verb.BLOCKED, Reason.ABSENT, note=note)
    content = image.labels.get(IMAGE_CONTENT, "") if image is not None else ""
    owner = _owner(world, resource, image)
    difference = Difference.NONE if content == resource.content else Difference.REPLACEMENT
    if resource.address in world.request.replace and owner is Owner.OURS:
        difference = Difference.REPLACEMENT
    row = decide(Situation(Kind.IMAGE, owner=owner, difference=difference, adopt=resource.adopt))
    taken = _taken(world, resource)
    if row.verb is Verb.BLOCKED or taken:
        reference, refusal = taken or (resource.reference, row)
        note = f"{reference}: {refusal.because}; choose another tag, remove that one with `docker rmi {reference}`, or take it over with adopt = true"
        return Change(resource.address, Verb.BLOCKED, refusal.reason or Reason.NAME_TAKEN, note=note)
    if row.verb is None:
        return _plan_tags(world, resource, image) if image is not None else None
    fields: tuple[FieldChange, ...] = ()
    if row.verb is Verb.REPLACE and content != resource.content:
        shown = (content[:12], resource.content[:12])
        fields = (
            FieldChange("build.content", content, resource.content, Reason.CONTENT_CHANGED, "build", shown=shown),
        )
    reason = row.reason or (Reason.CONTENT_CHANGED if fields else Reason.REQUESTED)
    steps = _build_steps(world, resource)
    wrong = hindrance(resource.build, world.facts) if any(isinstance(step.action, BuildImage) for step in steps) else ""
    if wrong:
        return Change(resource.address, Verb.BLOCKED, reason, fields, note=wrong)
    note = "the tag is taken over from an image that we did not build, which stays" if row.verb is Verb.ADOPT else ""
    return Change(resource.address, row.verb, reason, fields, steps, note=note)


def _owner(world: World, resource: ImageResource, image: ObservedImage | None) -> Owner | None:
    """Whose the tag is. A build of ours for another resource of this project may be overwritten."""
    del resource
    return None if image is None else owner_of(Kind.IMAGE, image.labels, world.desired.project)[0]


def _taken(world: World, resource: ImageResource) -> tuple[str, Row] | None:
    """The further tag that is on an image which is not ours to take it from, and the row that says so."""
    for tag in resource.tags:
        row = decide(Situation(Kind.IMAGE, owner=_owner(world, resource, world.image(tag)), adopt=resource.adopt))
        if row.verb is Verb.BLOCKED:
            return tag, row
    return None


def _plan_tags(world: World, resource: ImageResource, image: ObservedImage) -> Change | None:
    """The image is right; further tags may be missing, or on an earlier build."""
    moved = [tag for tag in resource.tags if world.image(tag) is not image]
    steps = _tag_steps(world, resource, image)
    if not moved and not steps:
        return None
    fields = []
    for tag in moved:
        before = world.image(tag)
        have = before.id if before is not None else None
        shown = (have[7:19] if have else "(none)", image.id[7:19])
        # Where the repository has no tag of this content, the spec did not name it when this was built.
        is_new = world.image(build_tag(tag, resource.content)) is not image
        reason = Reason.SPEC_CHANGED if is_new else Reason.DRIFTED
        fields.append(FieldChange(f"build.tags.{tag}", have, image.id, reason, "tag", shown=shown))
    reason = min((field.reason for field in fields), key=WEIGHT.__getitem__, default=Reason.DRIFTED)
    return Change(resource.address, Verb.UPDATE, reason, tuple(fields), steps)


def _tag_steps(world: World, resource: ImageResource, image: ObservedImage) -> tuple[Step, ...]:
    return tuple(Step(TagImage(image.id, tag)) for tag in _all_tags(resource) if world.image(tag) is not image)


def _all_tags(resource: ImageResource) -> tuple[str, ...]:
    """Those of the spec, and in each of their repositories the one that names the content."""
    given = (resource.reference, *resource.tags)
    return tuple(dict.fromkeys([*given, *(build_tag(tag, resource.content) for tag in given)]))


def _build_steps(world: World, resource: ImageResource) -> tuple[Step, ...]:
    assert resource.build is not None
    earlier = world.images.get(build_tag(resource.reference, resource.content))
    if earlier is not None and resource.address not in world.request.replace:
        return _tag_steps(world, resource, earlier)
    labels = {
        IMAGE_PROJECT: world.desired.project,
        IMAGE_ADDRESS: str(resource.address),
        IMAGE_CONTENT: resource.content,
    }
    return (Step(BuildImage(_all_tags(resource), resource.build, resource.content, labels)),)


# --- no longer wanted ----------------------------------------------------------------------------------------------


def plan_image_removals(world: World) -> list[Change]:
    """Builds whose resource has left the spec, and superseded builds that nothing uses but the last one."""
    declared = {image.address: image for image in world.desired.images() if image.build is not None}
    builds: dict[Address, list[ObservedImage]] = {}
    for image in sorted(world.observed.images, key=lambda image: image.id):
        owner, address = owner_of(Kind.IMAGE, image.labels, world.desired.project)
        if owner is Owner.OURS and address is not None and _own_tags(image):
            builds.setdefault(address, []).append(image)
    changes = []
    for address, images in sorted(builds.items(), key=lambda pair: pair[0].sort_key):
        unwanted = _superseded(world, declared[address], images) if address in declared else _unused(world, images)
        steps = [Step(RemoveImage(tag, image.id)) for image in unwanted for tag in _removable_tags(world, image)]
        if steps:
            note = "superseded builds; the one before the current is kept" if address in declared else ""
            changes.append(
                Change(
                    address,
                    Verb.REMOVE,
                    Reason.ORPHAN,
                    steps=tuple(steps),
                    note=note,
                    relies_on=fingerprint_objects(unwanted),
                )
            )
    return changes


def _unused(world: World, images: list[ObservedImage]) -> list[ObservedImage]:
    """Those that no container will use once this plan is done; for the others, a warning says who keeps them."""
    unused = []
    for image in images:
        users = [item for item in world.observed.containers if item.image_id == image.id and not _goes(world, item)]
        if users:
            names = ", ".join(item.name for item in users)
            world.warnings.append(
                f"image {(image.tags or (image.id,))[0]} has left the spec and is kept: {names} uses it"
            )
        else:
            unused.append(image)
    return unused


def _goes(world: World, container: ObservedContainer) -> bool:
    """Whether this plan removes a container: because it left the spec, was replaced, or is left over."""
    owner, address = owner_of(Kind.CONTAINER, container.labels, world.desired.project)
    if owner is not Owner.OURS or address is None:
        return False
    change = (
        world.changes.get(address)
        or world.changes.get(address.whole)
        or world.changes.get(address._replace(instance=1))
    )
    steps = change.steps if change is not None else ()
    return any(
        isinstance(step.action, RemoveContainer | AwaitRemoval) and step.action.container.id == container.id
        for step in steps
    )


def _own_tags(image: ObservedImage) -> list[str]:
    """The tags that name this very content; see `build_tag`."""
    suffix = f":{_BUILD_TAG}{image.labels.get(IMAGE_CONTENT, '')[:12]}"
    return [tag for tag in image.tags if tag.endswith(suffix)]


def _removable_tags(world: World, image: ObservedImage) -> list[str]:
    """Ours, and the one that the spec gave it in the same repository; a tag that somebody added keeps the image."""
    own = _own_tags(image)
    repositories = {tag.rpartition(":")[0] for tag in own}
    wanted = {normal_reference(tag) for item in world.desired.images() for tag in (item.reference, *item.tags)}
    given = [
        tag for tag in image.tags if tag not in own and tag.rpartition(":")[0] in repositories and tag not in wanted
    ]
    return [*given, *own]


def _superseded(world: World, resource: ImageResource, images: list[ObservedImage]) -> list[ObservedImage]:
    change = world.changes.get(resource.address)
    current = world.image(resource.reference)
    used = {container.image_id for container in world.observed.containers if not _goes(world, container)}
    old = [image for image in images if image is not current and image.labels.get(IMAGE_CONTENT) != resource.content]
    old.sort(key=lambda image: (-image.created, image.id))
    # Where this plan builds a new one, today's becomes the one to go back to.
    kept = 0 if change is not None and change.verb is Verb.REPLACE else 1
    return [image for image in old[kept:] if image.id not in used]
