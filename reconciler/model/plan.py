"""The plan: the ordered changes of one pass. It has no holes: the executor decides nothing.

A change is what happens to one resource and why; a step is one action, with the action that undoes it; an action is
one engine call, fully specified, on the id that was observed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from reconciler.model.address import Address
from reconciler.model.contents import Content
from reconciler.model.desired import Build, Condition
from reconciler.model.values import Config, Value


class Verb(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    REMOVE = "remove"
    ADOPT = "adopt"
    BLOCKED = "blocked"


class Reason(StrEnum):
    """Why, the weightiest first."""

    OWNED_BY_OTHER = "owned-by-other"
    NAME_TAKEN = "name-taken"
    WOULD_LOSE_DATA = "would-lose-data"
    ABSENT = "absent"
    INTERRUPTED = "interrupted"
    DRIFTED = "drifted"
    IMAGE_CHANGED = "image-changed"
    CONTENT_CHANGED = "content-changed"
    SPEC_CHANGED = "spec-changed"
    DEPENDENCY = "dependency"
    REQUESTED = "requested"
    ORPHAN = "orphan"


WEIGHT = {reason: position for position, reason in enumerate(Reason)}
#: reasons that only the spec's author causes; `drift` leaves them out
AUTHORED = frozenset({Reason.SPEC_CHANGED, Reason.CONTENT_CHANGED, Reason.ORPHAN})


class FieldChange(NamedTuple):
    """One differing field. `forces` is what it takes: replace, update, network, start, restart, ...

    `observed` and `desired` are canonical values; `shown` the two as a person writes them.
    """

    path: str
    observed: Value
    desired: Value
    reason: Reason
    forces: str
    sensitive: bool = False
    source: str = ""
    shown: tuple[str, str] = ("", "")


class Ref(NamedTuple):
    """An object of the engine: by the id that was observed, or, made by this very plan, by its name."""

    name: str
    id: str = ""


class PullImage(NamedTuple):
    reference: str
    platform: str = ""


class BuildImage(NamedTuple):
    """`tags`: the tag of the spec, and one with the content's hash that marks the image as a build of ours."""

    tags: tuple[str, ...]
    build: Build
    content: str
    labels: Mapping[str, str]


class TagImage(NamedTuple):
    """Give an image that is here already the tag of the spec: going back to an earlier build builds nothing."""

    id: str
    reference: str


class RemoveImage(NamedTuple):
    """Take a tag off an image, and the image away with its last one."""

    reference: str
    id: str


class CreateNetwork(NamedTuple):
    name: str
    config: Config
    labels: Mapping[str, str]


class RemoveNetwork(NamedTuple):
    network: Ref


class Connect(NamedTuple):
    network: Ref
    container: Ref
    endpoint: Config


class Disconnect(NamedTuple):
    network: Ref
    container: Ref


class CreateVolume(NamedTuple):
    name: str
    config: Config
    labels: Mapping[str, str]


class RemoveVolume(NamedTuple):
    name: str


#: the key of a donor of mounts begins with it: there may be several
VOLUMES_FROM = "volumes_from."


class CreateContainer(NamedTuple):
    """`networks` in the order of attachment, the primary one first; their endpoint settings are in `config`.

    `donors` names, by option, the containers whose namespaces or mounts it shares. `anonymous` carries volumes that
    nobody named over from a predecessor, by path. `holders` are directories at which new volumes are mounted for its
    files.
    """

    name: str
    image: str
    config: Config
    labels: Mapping[str, str]
    networks: tuple[str, ...] = ()
    donors: Mapping[str, Ref] = {}
    anonymous: Mapping[str, str] = {}
    platform: str = ""
    holders: tuple[str, ...] = ()


class File(NamedTuple):
    """A file for a container. Who owns it is the container's user where `uid` or `gid` is None.

    `hash` stands for the content wherever a plan is written down; `base` is the volume that the file lies in, or "/".
    """

    path: str
    content: Content
    hash: str
    uid: int | None
    gid: int | None
    mode: int
    base: str = "/"


class AwaitReady(NamedTuple):
    """Wait until a container has proved itself: its health check says healthy or, without one, it has run long enough.

    Attributes:
        ready_after: seconds that it has to run without a health check.
        timeout: seconds; 0 for as long as its health check needs to decide.
        published: its ports have to be bound.
        may_end: having ended with exit code 0 counts as well.
        restarts: how often it had been started again before.
    """

    container: Ref
    ready_after: float
    timeout: float = 0.0
    published: bool = False
    may_end: bool = False
    restarts: int = 0


class Drain(NamedTuple):
    """Let both serve, so that clients which know only the old one find the new one in peace."""

    container: Ref
    seconds: float


class DeliverFiles(NamedTuple):
    container: Ref
    files: tuple[File, ...]


class StartContainer(NamedTuple):
    container: Ref


class StopContainer(NamedTuple):
    container: Ref
    timeout: int = 10  # seconds before it is killed


class RestartContainer(NamedTuple):
    container: Ref
    timeout: int = 10  # seconds before it is killed


class SignalContainer(NamedTuple):
    container: Ref
    signal: str


class UnpauseContainer(NamedTuple):
    container: Ref


class RenameContainer(NamedTuple):
    container: Ref
    name: str


class RemoveContainer(NamedTuple):
    """Its anonymous volumes stay, unless it never ran (`unused`)."""

    container: Ref
    unused: bool = False


class AwaitRemoval(NamedTuple):
    """Wait until the engine has removed what it removes by itself at its end (`--rm`)."""

    container: Ref


class RemoveHolder(NamedTuple):
    volume: str  # it was made to hold a container's files


class UpdateContainer(NamedTuple):
    """Change options of a container in place; memory and swap always go together."""

    container: Ref
    config: Config


class WaitContainer(NamedTuple):
    """Wait for a condition, and for the ports if `published`; `timeout` in seconds, 0 for as long as it takes."""

    container: Ref
    condition: Condition
    timeout: float
    published: bool = False


OnContainer: TypeAlias = (
    CreateContainer
    | DeliverFiles
    | StartContainer
    | RestartContainer
    | SignalContainer
    | StopContainer
    | UnpauseContainer
    | RenameContainer
    | RemoveContainer
    | AwaitRemoval
    | UpdateContainer
    | WaitContainer
    | AwaitReady
    | Drain
)
Action: TypeAlias = (
    PullImage
    | BuildImage
    | TagImage
    | RemoveImage
    | CreateNetwork
    | RemoveNetwork
    | Connect
    | Disconnect
    | CreateVolume
    | RemoveVolume
    | RemoveHolder
    | OnContainer
)


class Step(NamedTuple):
    """One action, and what takes it back, in this order, when a later one fails.

    Once a step that `commits` is done, nothing before it is taken back any more, only what stands with it.
    """

    action: Action
    undo: tuple[Action, ...] = ()
    commits: bool = False


class Change(NamedTuple):
    """What happens to one resource.

    Attributes:
        fields: what differs.
        steps: what is done, in order; empty when blocked.
        after: changes of this plan that must be done first.
        order: of a container that is replaced: start-first or stop-first; else "".
        note: one sentence for the reader: why it is blocked, what it costs.
        relies_on: a digest of everything observed that this change was planned from; a saved plan checks it.
    """

    address: Address
    verb: Verb
    reason: Reason
    fields: tuple[FieldChange, ...] = ()
    steps: tuple[Step, ...] = ()
    after: tuple[Address, ...] = ()
    note: str = ""
    relies_on: str = ""
    order: str = ""


class Plan(NamedTuple):
    """The changes in an order that satisfies every `after`. No changes: the project is settled."""

    project: str
    engine_id: str
    engine_name: str
    api_version: str
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        return not self.changes

    def summary(self) -> dict[str, int]:
        """How many changes of each verb."""
        counts = {verb.value: 0 for verb in Verb}
        for change in self.changes:
            counts[change.verb.value] += 1
        return counts
