"""An engine whose k-th write goes wrong, before or after it took effect."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from reconciler.engine.interface import Engine
from reconciler.errors import EngineError, EngineRefusedError, NotFoundError, OutcomeUnknownError

#: the methods that change something, in the order of `Engine`
MUTATING = (
    "pull_image", "build_image", "tag_image", "remove_image", "create_network", "remove_network", "connect",
    "disconnect", "create_volume", "remove_volume", "create_container", "start_container", "stop_container",
    "restart_container", "unpause_container", "rename_container", "remove_container", "put_archive", "signal_container",
    "update_container",
)  # fmt: skip

When = Literal["before", "after", "late"]


class FailingEngine:
    """Hands every call to `engine`; the write number `fail_at` (from 1) raises `error`. With 0 none does.

    With `when` "late" that write takes effect all the same, just before the next one. With `is_fatal` nothing is done
    any more from then on: the program was killed.

    Attributes:
        writes: (method, arguments) of all writes that were tried, the failed one too.
        done: the methods of those that took effect.
    """

    def __init__(
        self,
        engine: Engine,
        fail_at: int = 0,
        when: When = "before",
        error: BaseException | None = None,
        *,
        is_fatal: bool = False,
    ) -> None:
        self.writes: list[tuple[str, tuple[Any, ...]]] = []
        self.done: list[str] = []
        self._engine = engine
        self._fail_at = fail_at
        self._when = when
        self._error = error or OutcomeUnknownError("killed" if is_fatal else "the connection broke")
        self._is_fatal = is_fatal
        self._late: Callable[[], object] | None = None

    @property
    def has_failed(self) -> bool:
        return 0 < self._fail_at <= len(self.writes)

    def arrive(self) -> None:
        """What is under way takes effect now, if the engine still lets it."""
        late, self._late = self._late, None
        if late is not None:
            with suppress(EngineError):
                late()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        return self._counted(name, found) if name in MUTATING else found

    def _counted(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def take_effect(*args: Any, **options: Any) -> Any:
            result = method(*args, **options)
            self.done.append(name)
            return result

        def write(*args: Any, **options: Any) -> Any:
            if self._is_fatal and self.has_failed:
                raise self._error
            self.arrive()
            self.writes.append((name, args))
            fails = len(self.writes) == self._fail_at
            if fails and self._when == "late":
                self._late = lambda: take_effect(*args, **options)
            if fails and self._when != "after":
                raise self._error
            result = take_effect(*args, **options)
            if fails:
                raise self._error
            return result

        return write


#: what can go wrong with one write: how `FailingEngine` is to fail
WRONG: dict[str, dict[str, Any]] = {
    "killed before": {"when": "before", "is_fatal": True},
    "killed after": {"when": "after", "is_fatal": True},
    "cut before": {"when": "before"},
    "cut after": {"when": "after"},
    "late": {"when": "late"},
    "500": {"error": EngineRefusedError("broken", 500)},
    "409": {"error": EngineRefusedError("conflict", 409)},
    "404": {"error": NotFoundError("not found", 404)},
}
