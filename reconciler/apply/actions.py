"""One action → one call on the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from threading import Event
from typing import assert_never

from reconciler.apply.delivery import deliver
from reconciler.engine.encode import encode_container, encode_network, encode_update, encode_volume
from reconciler.engine.interface import Engine, Progress
from reconciler.engine.warnings import refuse_dropped
from reconciler.errors import EngineError, EngineRefusedError, NotFoundError
from reconciler.model.desired import Condition
from reconciler.model.plan import (
    Action,
    BuildImage,
    Connect,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    DeliverFiles,
    Disconnect,
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
from reconciler.model.structures import endpoint_body

_POLL_SECONDS = 0.25
_LAST_LINES, _LONGEST_LINE = 10, 500


class StaleError(EngineError):
    """The object is no longer the one that was observed."""


class _EndedError(EngineRefusedError):
    """A container ended that was waited for."""


class Performer:
    """Performs actions of one plan; remembers the ids of what it makes, by name. Safe to use from several threads."""

    def __init__(self, engine: Engine, progress: Callable[[str, str], None], cancelled: Event) -> None:
        self._engine = engine
        self._progress = progress
        self._cancelled = cancelled
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
            case WaitContainer(container, condition, timeout):
                self._wait(container, condition, timeout)
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

    def _wait(self, target: Ref, condition: Condition, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            container_id = self._id(target)
            answers = self._engine.inspect_containers([container_id])
            if not answers:
                raise StaleError(f"{target.name} is gone")
            state = answers[0].get("State") or {}
            try:
                if _reached(target.name, condition, state):
                    return
            except _EndedError as error:
                hint = (
                    ""
                    if (output := _last_lines(self._engine, container_id, state))
                    else f"see `docker logs {target.name}`"
                )
                raise EngineRefusedError(f"{error}{output}", hint=hint) from None
            if timeout and time.monotonic() >= deadline:
                raise EngineRefusedError(
                    f"{target.name} is not {condition.value} after {timeout:.0f} s{_health_log(state)}"
                )
            if self._cancelled.wait(_POLL_SECONDS):
                raise EngineRefusedError(f"stopped while waiting for {target.name}")


def _reached(name: str, condition: Condition, state: Mapping[str, object]) -> bool:
    """Whether the condition holds; an end that makes it impossible is refused at once."""
    status, code = state.get("Status"), state.get("ExitCode")
    if condition is Condition.COMPLETED:
        if status == "exited" and code != 0:
            raise _EndedError(f"{name} ended with exit code {code}")
        return status == "exited"
    if status in ("exited", "dead"):
        raise _EndedError(f"{name} ended with exit code {code}")
    if condition is Condition.STARTED:
        return status == "running"
    health = state.get("Health")
    status_text = health.get("Status") if isinstance(health, Mapping) else None
    if status_text is None and status == "running":
        raise EngineRefusedError(
            f"{name} has no health check, so it never becomes healthy",
            hint="declare a healthcheck, or wait for `started`",
        )
    if status_text == "unhealthy":
        raise EngineRefusedError(f"{name} is unhealthy{_health_log(state)}")
    return status_text == "healthy"


def _last_lines(engine: Engine, container_id: str, state: Mapping[str, object]) -> str:
    """What a container wrote at last since it was started, on lines of its own: nobody else will look."""
    written = {"stdout": b"", "stderr": b""}
    since = _just_before(str(state.get("StartedAt") or ""))
    try:
        for stream, chunk in engine.container_logs(
            container_id, follow=False, tail=str(_LAST_LINES), timestamps=False, since=since
        ):
            written[stream] += chunk
    except EngineError:
        return ""  # how it ended is known all the same
    lines = b"".join(written.values()).decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
    return "; it wrote at last:" + "".join(f"\n    {line[:_LONGEST_LINE]}" for line in lines) if lines else ""


def _just_before(moment: str) -> str:
    """A time of the engine as its log takes it, in seconds since 1970: one earlier.

    A process may have written before the engine notes that it was started.
    """
    try:
        return f"{datetime.fromisoformat(f'{moment[:19]}+00:00').timestamp() - 1:.0f}"
    except ValueError:
        return ""


def _health_log(state: Mapping[str, object]) -> str:
    """The last answer of the health check, on lines of its own."""
    health = state.get("Health")
    entries = health.get("Log") if isinstance(health, Mapping) else None
    output = str((entries or [{}])[-1].get("Output") or "").strip()
    return f"; its health check said:\n    {output[:500]}" if output else ""
