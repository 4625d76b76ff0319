"""The commands that plan, and the two that change something: plan, drift, apply, destroy."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli import saved
from reconciler.cli.documents import plan_document, print_json, report_document
from reconciler.cli.render import NO_CHANGES, Painter, plan_text, report_text
from reconciler.cli.session import cache_directory, load_spec, locator, make_request, open_engine
from reconciler.errors import UsageError
from reconciler.model.address import Address
from reconciler.model.plan import Plan, RemoveVolume
from reconciler.planning.world import Request
from reconciler.reconcile import Pass, act, look, look_destroy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from reconciler.engine.interface import Engine
    from reconciler.model.desired import DesiredState
    from reconciler.model.report import Report


def plan(options: argparse.Namespace) -> int:
    """Show what apply would do."""
    desired = load_spec(options)
    request = make_request(options, desired)
    made = look(desired, open_engine(options), request, locator(desired), cache_directory())
    if options.out:
        saved.save(Path(options.out), options.path, request, made.plan)
    _print_plan(options, made.plan)
    return 2 if options.detailed_exitcode and not made.plan.is_settled else 0


def drift(options: argparse.Namespace) -> int:
    """Show what differs although the spec did not change."""
    from reconciler.planning.planner import drift_of

    desired = load_spec(options)
    made = look(desired, open_engine(options), Request(), locator(desired), cache_directory())
    found = drift_of(made.plan)
    if options.json:
        print_json(plan_document(found))
    elif found.is_settled:
        print("No drift. What runs is what was applied.")
    else:
        print(plan_text(found, Painter()).rpartition("\n\n")[0])
        count = len(found.changes)
        print(f"\nDrift: {count} resource{'' if count == 1 else 's'}. `reconciler apply` corrects it.")
    return 0 if found.is_settled else 2


def _print_plan(options: argparse.Namespace, planned: Plan) -> None:
    if options.json:
        print_json(plan_document(planned))
        return
    print(plan_text(planned, Painter()))
    if getattr(options, "out", None):
        print(
            f"\nSaved to {options.out}; `reconciler apply {options.out}` carries it out if nothing has moved by then."
        )


# --- apply ---------------------------------------------------------------------------------------------------------


def apply(options: argparse.Namespace) -> int:
    """Plan, ask, execute, look again."""
    keep = saved.read(Path(options.path))
    if keep is not None:
        options.path = keep.path
    desired = load_spec(options)
    engine = open_engine(options)
    request = keep.request if keep is not None else make_request(options, desired)
    made = look(desired, engine, request, locator(desired), cache_directory())
    planned = saved.still_holds(keep, made.plan) if keep is not None else made.plan
    again = request._replace(replace=(), targets=request.targets or _addresses_of(keep, planned))

    def look_again() -> Pass:
        return look(desired, engine, again, locator(desired), cache_directory())

    return _carry_out(options, planned, engine, look_again, desired)


def _addresses_of(keep: saved.SavedPlan | None, planned: Plan) -> tuple[Address, ...]:
    return tuple(change.address for change in planned.changes) if keep is not None else ()


def destroy(options: argparse.Namespace) -> int:
    """Remove what the project owns, in the reverse order."""
    desired = load_spec(options)
    engine = open_engine(options)
    request = Request(volumes=options.volumes)
    made = look_destroy(desired, engine, request)
    if not options.yes and not sys.stdin.isatty() and not made.plan.is_settled:
        raise UsageError(
            "destroy removes everything that this project owns\n    hint: add --yes to say that you mean it"
        )
    return _carry_out(
        options, made.plan, engine, lambda: look_destroy(desired, engine, request), desired, destroying=True
    )


def _carry_out(
    options: argparse.Namespace,
    planned: Plan,
    engine: Engine,
    look_again: Callable[[], Pass],
    desired: DesiredState,
    *,
    destroying: bool = False,
) -> int:
    if not options.json:
        print(plan_text(planned, Painter()) if planned.changes or not destroying else "Nothing to remove.", flush=True)
    if planned.changes and not _confirmed(options, planned):
        print("Nothing was changed.", file=sys.stderr)
        return 1
    report = _execute(options, planned, engine, look_again)
    error = _await_health(options, desired, engine) if getattr(options, "wait", False) and report.is_settled else ""
    if options.json:
        print_json(report_document(planned, report, error))
    elif planned.changes:
        text = report_text(report, Painter())
        print(
            "\n"
            + (
                text.replace("Settled. The engine matches the spec.", "Nothing of the project is left.")
                if destroying
                else text
            )
        )
    if error and not options.json:
        print(f"error: {error}", file=sys.stderr)
    return 0 if report.is_settled and not error else 1


def _confirmed(options: argparse.Namespace, planned: Plan) -> bool:
    """Whether a person agrees. Where nobody can be asked, only the loss of a volume needs `--yes`."""
    loses = [
        step.action.name for change in planned.changes for step in change.steps if isinstance(step.action, RemoveVolume)
    ]
    if options.yes:
        return True
    if not sys.stdin.isatty():
        if loses:
            raise UsageError(
                f"this would remove volumes with what is in them: {', '.join(loses)}\n    hint: add --yes to say that you mean it"
            )
        return True
    print("\nDo it? Only 'yes' is taken as a yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("yes", "y")


def _execute(options: argparse.Namespace, planned: Plan, engine: Engine, look_again: Callable[[], Pass]) -> Report:
    from reconciler.cli.progress import make_progress

    cancelled = threading.Event()
    if planned.changes and not options.json:
        print(flush=True)
    with _finish_on_signal(cancelled), make_progress(quiet=options.json) as progress:
        return act(planned, engine, look_again, progress, cancelled)


@contextmanager
def _finish_on_signal(cancelled: threading.Event) -> Iterator[None]:
    """The first signal lets what is under way end and begins nothing more; the second stops at once."""

    def on_signal(number: int, frame: object) -> None:
        del frame
        if cancelled.is_set():
            raise KeyboardInterrupt
        cancelled.set()
        print(f"{signal.Signals(number).name}: finishing what is under way; once more to stop at once", file=sys.stderr)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _await_health(options: argparse.Namespace, desired: DesiredState, engine: Engine) -> str:
    """Wait until every container is healthy; what is not by then, or ""."""
    from reconciler.apply.health import await_health

    if not options.json:
        print("waiting until everything is healthy", file=sys.stderr, flush=True)
    return await_health(engine, desired.project)


__all__ = ["NO_CHANGES", "apply", "destroy", "drift", "plan"]
