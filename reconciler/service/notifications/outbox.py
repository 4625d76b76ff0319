"""An observer that sees to it that people are told: a thread that understands, and one for each target that sends.

Each has a bounded queue: no pass waits for a network, and a target that hangs holds up no other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Full, Queue
from typing import TypeAlias

from reconciler.loop.telling import ActionHappened, PassStarted, Told
from reconciler.service.notifications.notices import CommitState, Notice, Notices
from reconciler.service.notifications.sending import (
    UndeliveredError,
    place_of,
    post_status,
    send_to_service,
    send_webhook,
)
from reconciler.service.notifications.targets import Target
from reconciler.service.redaction import Secrets, one_line
from reconciler.source.interface import RefusedError
from reconciler.source.settings import file_of

Complain: TypeAlias = Callable[[str], None]
#: how many messages wait for a target, and how much of what is told waits to be understood
_WAITING, _TOLD = 100, 1000
#: seconds between tries
PAUSES = (1.0, 5.0, 25.0, 125.0)
_LARGEST_SECRET = 4096


class Outbox:
    """Safe to use from any thread.

    Args:
        repositories: by project, the URL of the repository it comes from.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        repositories: Mapping[str, str],
        environment: Mapping[str, str],
        secrets: Secrets,
        complain: Complain,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._environment, self._secrets, self._complain, self._pauses = environment, secrets, complain, pauses
        self._notices = Notices()
        self._repositories: Mapping[str, str] = {}
        self._senders: list[_Sender] = []
        self._queue: Queue[Told | None] = Queue(_TOLD)
        self._is_full = False
        self.reload(targets, repositories)
        self._thread = threading.Thread(target=self._work, daemon=True, name="notifications")
        self._thread.start()

    def reload(self, targets: Sequence[Target], repositories: Mapping[str, str]) -> None:
        """Go by other targets; what was told stays known."""
        former, kept = self._senders, {sender.target: sender for sender in self._senders}
        made = [kept.get(target) or _Sender(target, self._deliver, self._complain, self._pauses) for target in targets]
        self._repositories, self._senders = repositories, made
        for sender in former:
            if sender not in made:
                sender.close()

    def __call__(self, told: Told) -> None:
        if isinstance(told, ActionHappened | PassStarted):
            return
        try:
            self._queue.put_nowait(told)
        except Full:
            if not self._is_full:
                self._complain("more happens than notifications can tell of, so some of it is not told")
            self._is_full = True
        else:
            self._is_full = False

    def close(self, timeout: float = 5.0) -> None:
        """Send what waits, for so many seconds at most, however many targets hang."""
        until = time.monotonic() + timeout
        with suppress(Full):
            self._queue.put(None, timeout=timeout)
        self._thread.join(max(0.0, until - time.monotonic()))
        for sender in self._senders:
            sender.close()
        for sender in self._senders:
            sender.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (told := self._queue.get()) is not None:
            try:
                self._understand(told)
            except Exception as error:
                self._complain(f"nobody was notified: {type(error).__name__}: {error}")

    def _understand(self, told: Told) -> None:
        """What is sent is cleaned here, once for all targets."""
        hide = self._secrets.hide_in
        for notice in self._notices.take(told):
            clean = notice._replace(
                title=one_line(hide(notice.title)), text=hide(notice.text), items=tuple(map(tuple, hide(notice.items)))
            )
            for sender in self._senders:
                target = sender.target
                if target.way != "commit_status" and notice.event in target.on and target.wants(notice.project):
                    sender.put(clean)
        state = self._notices.commit(told)
        if state is not None:
            clean_state = state._replace(text=one_line(hide(state.text)))
            for sender in self._senders:
                if sender.target.way == "commit_status" and sender.target.wants(state.project):
                    sender.put(clean_state)

    # --- in the threads of the targets --------------------------------------------------------------------------

    def _deliver(self, target: Target, message: Notice | CommitState) -> None:
        key = self._read(target.secret_file) if target.secret_file else ""
        if isinstance(message, CommitState):
            repository = self._repositories.get(message.project, "")
            if repository:
                place = place_of(target.address, repository, target.api)
                post_status(target.address, place, message, key, {"context": target.context, "link": target.link})
            return
        address = target.address if "://" in target.address else self._read(target.address)
        self._secrets.add([address])
        if target.way == "webhook":
            send_webhook(address, message, key)
        else:
            send_to_service(address, message)

    def _read(self, name: str) -> str:
        """A secret, read anew each time, so that it can be changed while we run."""
        try:
            with file_of(name, self._environment).open("rb") as file:
                text = file.read(_LARGEST_SECRET).decode("utf-8", "replace").strip()
        except (OSError, RefusedError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            text = f"{name} cannot be read: {why}; it must be a file that the user of this process may read"
            raise UndeliveredError(text, may_pass=False) from error
        if not text:
            raise UndeliveredError(f"{name} is empty; put the secret there, on one line", may_pass=False)
        self._secrets.add([text])
        return text


class _Sender:
    """Sends to one target, one message after the other; each is tried a few times."""

    def __init__(
        self,
        target: Target,
        deliver: Callable[[Target, Notice | CommitState], None],
        complain: Complain,
        pauses: Sequence[float],
    ) -> None:
        self.target = target
        self._deliver, self._complain, self._pauses = deliver, complain, pauses
        self._queue: Queue[Notice | CommitState | None] = Queue(_WAITING)
        self._ending = threading.Event()
        self._is_failing = False
        self._thread = threading.Thread(target=self._work, daemon=True, name=f"notify {target.name}")
        self._thread.start()

    def put(self, message: Notice | CommitState) -> None:
        try:
            self._queue.put_nowait(message)
        except Full:
            self._fail("more than it takes; the rest is not told")

    def close(self) -> None:
        """What waits is sent, unless it fails; nobody waits for that here."""
        self._ending.set()
        with suppress(Full):
            self._queue.put_nowait(None)

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _work(self) -> None:
        while (message := self._queue.get()) is not None:
            for pause in (*self._pauses, None):
                try:
                    self._deliver(self.target, message)
                except UndeliveredError as error:
                    if pause is None or not error.may_pass or self._ending.wait(pause):
                        self._fail(str(error))
                        break
                except Exception as error:
                    self._fail(f"{type(error).__name__}: {error}")
                    break
                else:
                    self._is_failing = False
                    break

    def _fail(self, why: str) -> None:
        """Said once, until it goes well again."""
        if not self._is_failing:
            self._complain(f"{self.target.name} is not told: {why}")
        self._is_failing = True
