"""An engine whose k-th write goes wrong, before or after it took effect."""

from collections.abc import Callable
from typing import Any, Literal

from reconciler.engine.interface import Engine
from reconciler.errors import OutcomeUnknownError

#: the methods that change something, in the order of `Engine`
MUTATING = (
    "pull_image", "build_image", "tag_image", "remove_image", "create_network", "remove_network", "connect",
    "disconnect", "create_volume", "remove_volume", "create_container", "start_container", "stop_container",
    "restart_container", "unpause_container", "rename_container", "remove_container", "put_archive", "signal_container",
    "update_container",
)  # fmt: skip


class FailingEngine:
    """Hands every call to `engine`; the write number `fail_at` (from 1) raises `error`. With 0 none does.

    Attributes:
        writes: (method, arguments) of all writes that were tried, the failed one too.
    """

    def __init__(
        self,
        engine: Engine,
        fail_at: int = 0,
        when: Literal["before", "after"] = "before",
        error: BaseException | None = None,
    ) -> None:
        self.writes: list[tuple[str, tuple[Any, ...]]] = []
        self._engine = engine
        self._fail_at = fail_at
        self._when = when
        self._error = error or OutcomeUnknownError("the connection broke")

    @property
    def has_failed(self) -> bool:
        return 0 < self._fail_at <= len(self.writes)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        return self._counted(name, found) if name in MUTATING else found

    def _counted(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **options: Any) -> Any:
            self.writes.append((name, args))
            fails = len(self.writes) == self._fail_at
            if fails and self._when == "before":
                raise self._error
            result = method(*args, **options)
            if fails:
                raise self._error
            return result

        return write
