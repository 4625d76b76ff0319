"""Where the journal of a `run` is, and what a command adds to one that is there."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.parser import DEFAULT_CONFIG
from reconciler.errors import ReconcilerError, SpecError, UsageError
from reconciler.loop.keeping import default_directory
from reconciler.service.journal import FILE, Bounds, Writer, is_there

if TYPE_CHECKING:
    from reconciler.model.report import Report
    from reconciler.reconcile import Pass

#: where systemd keeps the state of the service
_OF_THE_SERVICE = Path("/var/lib/reconciler")


def find_journal(directory: str | None) -> Path:
    """The journal in a state directory, or else that of a `run` of this user or this machine.

    Raises:
        UsageError: there is none; the message says where one was looked for. JournalError: it is not ours to read.
    """
    places = [Path(directory)] if directory else _state_directories()
    for place in places:
        if is_there(place / FILE):
            return place / FILE
    looked = ", ".join(str(place) for place in places) or "no place: there is no home directory"
    raise UsageError(
        f"there is no journal yet; looked in {looked}\n    hint: `reconciler run` writes one; --state-dir says where"
    )


def _state_directories() -> list[Path]:
    """Where a `run` of this machine, or of this user, may keep its state; the likeliest first."""
    configured = os.environ.get("RECONCILER_STATE_DIRECTORY", "")
    if not configured and Path(DEFAULT_CONFIG).exists():
        from reconciler.service.configuration import configure

        with suppress(SpecError):  # whoever starts it, or validates it, is told
            configured = configure(DEFAULT_CONFIG, None, os.environ).text("state_directory")
    if configured:
        return [Path(configured).absolute()]
    own = [item for item in [default_directory(os.environ)] if item is not None]
    if os.environ.get("STATE_DIRECTORY"):
        return own
    return [_OF_THE_SERVICE, *own] if os.geteuid() == 0 else [*own, _OF_THE_SERVICE]


def write_down(command: str, made: Pass, report: Report, error: str, began: float) -> None:
    """Add what a command did to a journal that is there. None is made for it, and nothing fails for its sake.

    Args:
        made: what was carried out.
        began: the time of day.
    """
    if not report.outcomes:
        return
    try:
        file = find_journal(None)
    except ReconcilerError:
        return
    if not os.access(file, os.W_OK):
        return
    from reconciler.loop.memory import revision_of
    from reconciler.loop.telling import PassEnded
    from reconciler.service.recording import entry_of
    from reconciler.service.redaction import Secrets

    hidden = Secrets()
    hidden.learn(made.desired)
    revision = revision_of(made.desired) if command == "apply" else ""
    seconds = time.time() - began
    project = made.desired.project
    ended = PassEnded(project, secrets.token_hex(4), (), revision, made.plan, report, (), error, seconds, began)
    # How much of it is kept is the business of the service.
    writer = Writer(file, lambda: Bounds(2**31, 36_500), lambda text: None)  # noqa: ARG005
    writer.write(entry_of(ended, error, command, hidden))
    writer.close()
