"""The commands that plan, and the two that change something: plan, drift, apply, destroy."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.documents import print_json
from reconciler.cli.render import DESTROYING, PLANNING, Painter, Wording, plan_text, report_text
from reconciler.cli.session import (
    kept_hashes,
    load_spec,
    locator,
    make_request,
    open_engine,
    refuse_unknown_targets,
)
from reconciler.errors import EngineError, UsageError
from reconciler.model.address import Address, Kind
from reconciler.model.documents import plan_document, report_document
from reconciler.model.ownership import Owner, owner_of
from reconciler.model.plan import Plan, RemoveVolume
from reconciler.model.report import Report
from reconciler.planning.world import Request
from reconciler.reconcile import Pass, act, look, look_destroy

if TYPE_CHECKING:
    import argparse

    from reconciler.cli.saved import SavedPlan
    from reconciler.engine.interface import Engine


def plan(options: argparse.Namespace) -> int:
    """Show what apply would do."""
    desired = load_spec(options, builds=not options.no_build)
    request = make_request(options, desired)
    made = look(desired, open_engine(options), request, locator(desired), kept_hashes())
    refuse_unknown_targets(request, desired, made.plan)
    if options.out:
        from reconciler.cli import saved

        saved.save(Path(options.out), options.path, request, made.plan)
    if options.json:
        print_json(plan_document(made.plan))
    else:
        print(plan_text(made.plan, Painter()))
    if options.out and not options.json:
        print(
            f"\nSaved to {options.out}; `reconciler apply {options.out}` carries it out if nothing has moved by then."
        )
    return 2 if options.detailed_exitcode and not made.plan.is_settled else 0


def drift(options: argparse.Namespace) -> int:
    """Show what differs although the spec did not change."""
    from reconciler.planning.planner import drift_of

    desired = load_spec(options)
    made = look(desired, open_engine(options), Request(), locator(desired), kept_hashes())
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


# --- apply and destroy ---------------------------------------------------------------------------------------------


def apply(options: argparse.Namespace) -> int:
    """Plan, ask, execute, look again."""
    keep = _saved_plan(Path(options.path))
    if keep is not None:
        _refuse_selection(options)
        options.path = keep.path
    desired = load_spec(options, builds=keep.request.build if keep is not None else not options.no_build)
    engine = open_engine(options)
    request = keep.request if keep is not None else make_request(options, desired)
    made = look(desired, engine, request, locator(desired), kept_hashes())
    if keep is None:
        refuse_unknown_targets(request, desired, made.plan)
    planned = made.plan if keep is None else _still_holds(keep, made.plan)
    again = request._replace(replace=(), targets=request.targets or _addresses_of(keep, planned))

    def look_again() -> Pass:
        return look(desired, engine, again, locator(desired), kept_hashes())

    return _carry_out(options, made._replace(plan=planned), engine, look_again, PLANNING)


def _refuse_selection(options: argparse.Namespace) -> None:
    given = [f"--{name.replace('_', '-')}" for name in ("target", "replace", "no_build") if getattr(options, name)]
    if given:
        raise UsageError(
            f"a saved plan is carried out as it is: {', '.join(given)} cannot change it\n"
            "    hint: give that to `reconciler plan --out FILE`"
        )


def _saved_plan(path: Path) -> SavedPlan | None:
    """The plan in a file; a directory holds none, and nothing is imported to find that out."""
    if path.is_dir():
        return None
    from reconciler.cli import saved

    return saved.read(path)


def _still_holds(keep: SavedPlan, planned: Plan) -> Plan:
    from reconciler.cli import saved

    return saved.still_holds(keep, planned)


def _addresses_of(keep: SavedPlan | None, planned: Plan) -> tuple[Address, ...]:
    return tuple(change.address for change in planned.changes) if keep is not None else ()


def destroy(options: argparse.Namespace) -> int:
    """Remove what the project owns, in the reverse order."""
    desired = load_spec(options, builds=False)
    engine = open_engine(options)
    request = Request(volumes=options.volumes)
    made = look_destroy(desired, engine, request)
    if not options.yes and not sys.stdin.isatty() and not made.plan.is_settled:
        raise UsageError(
            "destroy removes everything that this project owns\n    hint: add --yes to say that you mean it"
        )
    wording = DESTROYING._replace(kept=() if options.volumes else _volumes_of(made))
    return _carry_out(options, made, engine, lambda: look_destroy(desired, engine, request), wording)


def _volumes_of(made: Pass) -> tuple[str, ...]:
    project = made.desired.project
    return tuple(v.name for v in made.observed.volumes if owner_of(Kind.VOLUME, v.labels, project)[0] is Owner.OURS)


def _carry_out(
    options: argparse.Namespace, made: Pass, engine: Engine, look_again: Callable[[], Pass], wording: Wording
) -> int:
    planned = made.plan
    if not options.json:
        print(plan_text(planned, Painter(), wording), flush=True)
    if planned.changes and not _confirmed(options, planned):
        print("Nothing was changed.", file=sys.stderr)
        return 1
    began = time.time()
    report, error = _execute(options, made, engine, look_again)
    if report.outcomes:
        from reconciler.cli.journals import write_down

        write_down(options.command, made, report, error, began)
    if getattr(options, "wait", False) and report.is_settled and not error:
        error = _await_health(options, planned.project, engine)
    if options.json:
        print_json(report_document(planned, report, error))
    elif planned.changes:
        print("\n" + report_text(report, Painter(), wording, sure=not error))
    if error and not options.json:
        sys.stdout.flush()
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
                f"this would remove volumes with what is in them: {', '.join(loses)}\n"
                "    hint: add --yes to say that you mean it"
            )
        return True
    if options.json:
        raise UsageError("with --json there is nothing to read before saying yes\n    hint: add --yes")
    print("\nDo it? Only 'yes' is taken as a yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


def _execute(
    options: argparse.Namespace, made: Pass, engine: Engine, look_again: Callable[[], Pass]
) -> tuple[Report, str]:
    """What became of each change; and why what is left to do is not known, or ""."""
    from reconciler.cli.interrupts import finish_on_signal
    from reconciler.cli.progress import make_progress

    if made.plan.changes and not options.json:
        print(flush=True)
    with finish_on_signal() as cancelled, make_progress(quiet=options.json) as progress:
        report = act(made.plan, engine, look_again, progress, cancelled)
    failures = [report.unseen] if report.unseen else []
    if cancelled.is_set() and not report.is_settled:
        failures.append("stopped before everything was done; `reconciler apply` goes on from here")
    return report, "\n".join(failures)


def _await_health(options: argparse.Namespace, project: str, engine: Engine) -> str:
    """Wait until every container is healthy; what is not by then, or ""."""
    from reconciler.apply.health import await_health

    if not options.json:
        print("waiting until everything is healthy", file=sys.stderr, flush=True)
    try:
        return await_health(engine, project)
    except EngineError as error:
        return f"whether everything is healthy is not known: {error}"
