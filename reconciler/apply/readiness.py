"""Waiting for a container: until a condition holds, or until it has proved itself, and what it said when it did not."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from threading import Event
from typing import Any

from reconciler.engine.interface import Engine, Json
from reconciler.errors import EngineError, EngineRefusedError
from reconciler.model.desired import Condition
from reconciler.model.plan import AwaitReady, WaitContainer
from reconciler.model.redaction import hide, secret_variables
from reconciler.model.structures import decides_within, duration, read_healthcheck
from reconciler.model.values import Value

_POLL_SECONDS = 0.2
#: of a container without a health check: looks at which it runs, and seconds for its ports to be bound
_SAMPLES, _MARGIN = 3, 10.0
_LAST_LINES, _LONGEST_LINE = 20, 500


class StaleError(EngineError):
    """The object is no longer the one that was observed."""


class StoppedError(EngineError):
    """The run was stopped while a container was waited for: that says nothing of the container."""


class _EndedError(EngineRefusedError):
    """A container will not come to what was waited for; what it wrote says why."""


class Clock:
    """Time as it goes by."""

    def now(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float, cancelled: Event) -> bool:
        """Let time go by; whether the run was stopped meanwhile."""
        return cancelled.wait(seconds)


class Waiting:
    """Looks at a container again and again. Once `cancelled` is set no wait goes on."""

    def __init__(self, engine: Engine, cancelled: Event, clock: Clock) -> None:
        self._engine = engine
        self._cancelled = cancelled
        self._clock = clock
        self._secrets: set[str] = set()
        self._checks: dict[str, tuple[float, str]] = {}

    def keep_secret(self, values: Iterable[str]) -> None:
        """What containers of this plan were given and might write: it stands in no report."""
        self._secrets |= set(values)

    def until(self, action: WaitContainer, container_id: str) -> None:
        """Until a condition holds.

        Raises:
            EngineRefusedError: it never will, or it takes longer than its `timeout` (0 waits on).
            StoppedError: the run was stopped.
        """
        name, condition, timeout = action.container.name, action.condition, action.timeout
        deadline = self._clock.now() + timeout
        while True:
            answer = self._inspect(name, container_id)
            state = answer.get("State") or {}
            missing: list[str] = []
            try:
                if _reached(name, condition, state):
                    missing = _unbound(answer) if action.published and state.get("Status") == "running" else []
                    if not missing:
                        return
            except _EndedError as error:
                raise self._with_output(answer, error) from None
            if timeout and self._clock.now() >= deadline:
                if missing:
                    raise _without_ports(name, missing, timeout)
                raise EngineRefusedError(
                    f"{name} is not {condition.value} after {timeout:.0f} s{self._shown(health_log(state), answer)}"
                )
            self._pause(name, _POLL_SECONDS)

    def until_ready(self, action: AwaitReady, container_id: str) -> None:
        """Until a container has proved itself.

        Raises:
            EngineRefusedError: it ended, was started again, is unhealthy, or takes too long.
            StoppedError: the run was stopped.
        """
        name, began = action.container.name, self._clock.now()
        samples, since = 0, began
        pause = min(_POLL_SECONDS, action.ready_after / (_SAMPLES - 1))
        while True:
            answer = self._inspect(name, container_id)
            checked = _has_check(answer)
            try:
                lacks = _lacks(action, answer)
            except _EndedError as error:
                raise self._with_output(answer, error) from None
            now = self._clock.now()
            samples, since = (0, now) if lacks else (samples + 1, since)
            if not lacks and (checked or (samples >= _SAMPLES and now - since >= action.ready_after)):
                return
            allowed = action.timeout or _time_allowed(answer, action.ready_after)
            if now - began >= allowed and (lacks or action.timeout):
                why = lacks or f"it has not run for {action.ready_after:g} s"
                late = _EndedError(f"{name} is not ready after {allowed:g} s: {why}")
                raise self._with_output(answer, late)
            self._pause(name, _POLL_SECONDS if checked or lacks else pause)

    def until_gone(self, name: str, container_id: str) -> None:
        """Until the engine has removed a container by itself.

        Raises:
            EngineRefusedError: it does not.
        """
        deadline = self._clock.now() + _MARGIN
        while self._engine.inspect_containers([container_id]):
            if self._clock.now() >= deadline:
                raise EngineRefusedError(
                    f"{name} was made with --rm and has ended, and the engine has not removed it after {_MARGIN:.0f} s",
                    hint=f"`docker rm {name}`, and apply again",
                    may_pass=True,
                )
            self._clock.pause(_POLL_SECONDS, self._cancelled)

    def drain(self, seconds: float) -> None:
        """What is begun is finished: a run that is stopped meanwhile only waits no longer."""
        self._clock.pause(seconds, self._cancelled)

    def _inspect(self, name: str, container_id: str) -> Json:
        answers = self._engine.inspect_containers([container_id])
        if not answers:
            raise StaleError(f"{name} is gone")
        self._check_when_due(container_id, answers[0])
        return answers[0]

    def _check_when_due(self, container_id: str, answer: Json) -> None:
        """Have a health check run that nobody has run for its interval: an engine may leave that to others."""
        state = answer.get("State") or {}
        if state.get("Status") != "running" or _health(state) != "starting":
            return
        check, now, ended = _health_check(answer), self._clock.now(), _last_check(state)
        since, seen = self._checks.setdefault(container_id, (now, ended))
        if seen != ended:
            self._checks[container_id] = (now, ended)
        elif now - since >= duration(check, "interval"):
            self._engine.check_health(container_id, duration(check, "timeout") + _MARGIN)
            self._checks[container_id] = (self._clock.now(), ended)

    def _pause(self, name: str, seconds: float) -> None:
        if seconds and self._clock.pause(seconds, self._cancelled):
            raise StoppedError(f"stopped while waiting for {name}")

    def _with_output(self, answer: Json, error: _EndedError) -> EngineRefusedError:
        """The error with what the container said, but for what must not be shown."""
        state = answer.get("State") or {}
        said = self._shown(health_log(state) + _last_lines(self._engine, answer["Id"], state), answer)
        # What did not prove itself is taken away, mostly: there will be no log to look into.
        hint = (
            ""
            if said
            else "it wrote nothing that can be read; have it, or its health check, write why it does not work"
        )
        return EngineRefusedError(f"{error}{said}", hint=hint)

    def _shown(self, text: str, answer: Json) -> str:
        pairs = (str(pair).partition("=") for pair in (answer.get("Config") or {}).get("Env") or ())
        return hide(text, self._secrets | secret_variables({name: value for name, _, value in pairs}))


# --- ready ---------------------------------------------------------------------------------------------------------


def _lacks(action: AwaitReady, answer: Json) -> str:
    """What a container lacks to be ready, "" when it is. What can no longer become right is refused at once."""
    name, state = action.container.name, answer.get("State") or {}
    status, code = state.get("Status"), state.get("ExitCode")
    if status == "exited" and code == 0 and action.may_end:
        return ""
    if status in ("exited", "dead"):
        raise _EndedError(f"{name} ended with exit code {code}{_because(state)}")
    if status == "restarting" or int(answer.get("RestartCount") or 0) > action.restarts:
        raise _EndedError(f"{name} ended (exit code {code}) and was started again")
    health = _health(state)
    if health == "unhealthy":
        raise _EndedError(f"{name} is unhealthy")
    if status != "running":
        return f"it is {status}"
    missing = _unbound(answer) if action.published else ()
    if missing:
        return f"it runs without its published ports: {', '.join(missing)}"
    return "" if health in ("", "healthy") else "its health check has not succeeded yet"


def _because(state: Mapping[str, Any]) -> str:
    error = str(state.get("Error") or "")
    return f" ({error})" if error else ""


def _health(state: Mapping[str, Any]) -> str:
    health = state.get("Health")
    status = health.get("Status") if isinstance(health, Mapping) else None
    return "" if status in (None, "none") else str(status)


def _has_check(answer: Json) -> bool:
    return bool(_health(answer.get("State") or {}))


def _unbound(answer: Json) -> list[str]:
    """Ports that are to be published and are not: an engine may start a container without them."""
    bound = (answer.get("NetworkSettings") or {}).get("Ports") or {}
    wanted = (answer.get("HostConfig") or {}).get("PortBindings") or {}
    return sorted(port for port, places in wanted.items() if places and not bound.get(port))


def _without_ports(name: str, missing: list[str], seconds: float) -> EngineRefusedError:
    return EngineRefusedError(
        f"{name} still runs without its published ports after {seconds:.0f} s: {', '.join(missing)}",
        hint=f"something else may have them; `docker restart {name}` binds them when they are free",
    )


def _time_allowed(answer: Json, ready_after: float) -> float:
    if not _has_check(answer):
        return ready_after + _MARGIN
    return decides_within(_health_check(answer))


def _health_check(answer: Json) -> dict[str, Value]:
    return read_healthcheck((answer.get("Config") or {}).get("Healthcheck"))


def _last_check(state: Mapping[str, Any]) -> str:
    """When the last health check ended, as the engine writes it; "" before the first."""
    entries = (state.get("Health") or {}).get("Log")
    return str(entries[-1].get("End") or "") if entries else ""


# --- conditions ----------------------------------------------------------------------------------------------------


def _reached(name: str, condition: Condition, state: Mapping[str, object]) -> bool:
    """Whether the condition holds; an end that makes it impossible is refused at once."""
    status, code = state.get("Status"), state.get("ExitCode")
    if condition is Condition.COMPLETED:
        if status == "exited" and code != 0:
            raise _EndedError(f"{name} ended with exit code {code}")
        return status == "exited"
    if condition is Condition.STARTED and status == "exited" and code == 0:
        return True
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
        raise _EndedError(f"{name} is unhealthy")
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


def health_log(state: Mapping[str, object]) -> str:
    """The last answer of the health check, on lines of its own."""
    health = state.get("Health")
    entries = health.get("Log") if isinstance(health, Mapping) else None
    output = str((entries or [{}])[-1].get("Output") or "").strip()
    return f"; its health check said:\n    {output[:500]}" if output else ""
