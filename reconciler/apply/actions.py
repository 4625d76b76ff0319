"""One action → one call on the engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import assert_never

from reconciler.apply.delivery import deliver
from reconciler.apply.readiness import Clock, StaleError, Waiting
from reconciler.engine.encode import encode_container, encode_network, encode_update, encode_volume
from reconciler.engine.interface import Engine, Progress
from reconciler.engine.warnings import refuse_dropped
from reconciler.errors import EngineError, EngineRefusedError, NotFoundError
from reconciler.model.plan import (
    Action,
    AwaitReady,
    AwaitRemoval,
    BuildImage,
    Connect,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    DeliverFiles,
    Disconnect,
    Drain,
    OnContainer,
    PullImage,
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
    WaitContainer,
)
from reconciler.model.redaction import secret_lines
from reconciler.model.structures import endpoint_body


class Performer:
    """Performs actions of one plan; remembers the ids of what it makes, by name. Safe to use from several threads."""

    def __init__(
        self, engine: Engine, progress: Callable[[str, str], None], cancelled: Event, clock: Clock | None = None
    ) -> None:
        self._engine = engine
        self._progress = progress
        self._waiting = Waiting(engine, cancelled, clock or Clock())
        self._made: dict[str, str] = {}

    def perform(self, address: str, action: Action) -> tuple[str, ...]:
        """Do it; the engine's warnings.

        Raises:
            EngineError: the engine refused, or could not be asked.
        """
        engine = self._engine
        match action:
            case PullImage(reference, platform):
                engine.pull_image(reference, platform, self._lines(address))
            case BuildImage(tags, build, _, labels):
                engine.build_image(build, tags, {**build.labels, **labels}, self._lines(address))
            case TagImage(image_id, reference):
                engine.tag_image(image_id, reference)
            case RemoveImage(reference, image_id):
                self._remove_image(reference, image_id)
            case CreateNetwork(name):
                self._made[name], warnings = engine.create_network(encode_network(action))
                return warnings
            case CreateVolume():
                engine.create_volume(encode_volume(action))
            case RemoveVolume(name):
                engine.remove_volume(name)
            case RemoveHolder(volume):
                with suppress(NotFoundError):
                    engine.remove_volume(volume)
            case RemoveNetwork(network):
                engine.remove_network(self._id(network))
            case Connect(network, container, endpoint):
                engine.connect(self._id(network), self._id(container), endpoint_body(endpoint))
            case Disconnect(network, container):
                engine.disconnect(self._id(network), self._id(container))
            case _:
                return self._perform_on_container(action)
        return ()

    def _perform_on_container(self, action: OnContainer) -> tuple[str, ...]:
        engine = self._engine
        match action:
            case CreateContainer(name):
                return self._create(action, name)
            case DeliverFiles(container, files):
                self._waiting.keep_secret(secret_lines(file.content for file in files))
                deliver(engine, self._id(container), files)
            case RestartContainer(container, timeout):
                engine.restart_container(self._id(container), timeout)
            case SignalContainer(container, signal):
                engine.signal_container(self._id(container), signal)
            case StartContainer(container):
                engine.start_container(self._id(container))
            case StopContainer(container, timeout):
                engine.stop_container(self._id(container), timeout)
            case UnpauseContainer(container):
                engine.unpause_container(self._id(container))
            case RenameContainer(container, name):
                engine.rename_container(self._id(container), name)
            case RemoveContainer(container, unused):
                engine.remove_container(self._id(container), volumes=unused)
            case UpdateContainer(container, config):
                return refuse_dropped(engine.update_container(self._id(container), encode_update(config)), config)
            case WaitContainer(container):
                self._waiting.until(action, self._id(container))
            case AwaitReady(container):
                self._waiting.until_ready(action, self._id(container))
            case AwaitRemoval(container):
                self._waiting.until_gone(container.name, self._id(container))
            case Drain(_, seconds):
                self._waiting.drain(seconds)
            case _:
                assert_never(action)
        return ()

    def _create(self, action: CreateContainer, name: str) -> tuple[str, ...]:
        """Make it; one that the engine made other than it was asked to is taken away again."""
        donors = {
            option: Ref(ref.name, ref.id or self._made.get(ref.name, "")) for option, ref in action.donors.items()
        }
        body = encode_container(action._replace(donors=donors))
        self._made[name], warnings = self._engine.create_container(name, body, action.platform)
        try:
            return refuse_dropped(warnings, action.config)
        except EngineRefusedError:
            self._engine.remove_container(self._made.pop(name))
            raise

    def _id(self, target: Ref) -> str:
        """The id that was observed, or that of what this plan made under the name."""
        if target.id:
            return target.id
        if target.name in self._made:
            return self._made[target.name]
        raise StaleError(f"{target.name} was to be made by this plan and was not")

    def alias(self, name: str, target: Ref) -> None:
        """What was made as `target` now goes by `name`."""
        self._made[name] = self._id(target)

    def status_of(self, target: Ref) -> str:
        """How a container is, in the engine's word; "" when it cannot be asked, or has none."""
        try:
            answers = self._engine.inspect_containers([self._id(target)])
        except EngineError:
            return ""
        return str((answers[0].get("State") or {}).get("Status") or "") if answers else ""

    def _lines(self, address: str) -> Progress:
        return lambda line: self._progress(address, line)

    def _remove_image(self, reference: str, image_id: str) -> None:
        try:
            found = self._engine.inspect_image(reference)["Id"]
        except NotFoundError:
            return  # a tag of it went before, and it was the last one
        if found != image_id:
            raise StaleError(f"{reference} names another image than when this was planned")
        self._engine.remove_image(reference)
