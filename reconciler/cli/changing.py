"""The commands that plan, and the two that change something: plan, drift, apply, destroy."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.cli.documents import print_json
from reconciler.cli.render import DESTROYING, PLANNING, Painter, Wording, clean, plan_text, report_text
from reconciler.cli.session import (
    kept_hashes,
    load_spec,
    locator,
    make_request,
    open_engine,
    refuse_unknown_targets,
)
from reconciler.errors import EngineError, StalePlanError, UsageError
from reconciler.model.address import Address, Kind
from reconciler.model.documents import plan_document, report_document
from reconciler.model.ownership import Owner, owner_of
from reconciler.model.plan import Plan, RemoveVolume, Verb
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
    _say_who_is_at_it(made)
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
    _say_who_is_at_it(made)
    return 0 if found.is_settled else 2


def _say_who_is_at_it(made: Pass) -> None:
    """What somebody is in the middle of looks like what was cut off."""
    if made.plan.is_settled or not made.observed.leases:
        return
    from reconciler.apply.writer import holder_of
    from reconciler.cli.looking import for_how_long

    writer = holder_of(made.observed.leases, made.desired.project)
    if writer is not None:
        who = f"{clean(str(writer.holder))}{for_how_long(writer)}"
        print(f"note: being changed by {who}; some of this is work half done", file=sys.stderr, flush=True)


# --- apply and destroy ---------------------------------------------------------------------------------------------


class _Task(NamedTuple):
    """What a command carries out: `look` at what there is to do, `look_again` at what is left."""

    engine: Engine
    look: Callable[[], Pass]
    look_again: Callable[[], Pass]


def apply(options: argparse.Namespace) -> int:
    """Plan, ask, execute, look again."""
    keep = _saved_plan(Path(options.path))
    if keep is not None:
        _refuse_selection(options)
        options.path = keep.path
    desired = load_spec(options, builds=keep.request.build if keep is not None else not options.no_build)
    engine = open_engine(options)
    request = keep.request if keep is not None else make_request(options, desired)

    def look_at(asked: Request) -> Pass:
        return look(desired, engine, asked, locator(desired), kept_hashes())

    def look_first() -> Pass:
        made = look_at(request)
        return made if keep is None else made._replace(plan=_still_holds(keep, made.plan))

    made = look_first()
    if keep is None:
        refuse_unknown_targets(request, desired, made.plan)
    again = request._replace(replace=(), targets=request.targets or _addresses_of(keep, made.plan))
    return _carry_out(options, made, _Task(engine, look_first, lambda: look_at(again)), PLANNING)


def _refuse_selection(options: argparse.Namespace) -> None:
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("target", "replace", "no_build", "allow_removals")
        if getattr(options, name)
    ]
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

    def look_now() -> Pass:
        return look_destroy(desired, engine, request)

    made = look_now()
    if not options.yes and not sys.stdin.isatty() and not made.plan.is_settled:
        raise UsageError(
            "destroy removes everything that this project owns\n    hint: add --yes to say that you mean it"
        )
    wording = DESTROYING._replace(kept=() if options.volumes else _volumes_of(made))
    return _carry_out(options, made, _Task(engine, look_now, look_now), wording)


def _volumes_of(made: Pass) -> tuple[str, ...]:
    project = made.desired.project
    return tuple(v.name for v in made.observed.volumes if owner_of(Kind.VOLUME, v.labels, project)[0] is Owner.OURS)


def _carry_out(options: argparse.Namespace, made: Pass, task: _Task, wording: Wording) -> int:
    if not options.json:
        print(plan_text(made.plan, Painter(), wording), flush=True)
    if made.plan.changes and not _confirmed(options, made.plan):
        print("Nothing was changed.", file=sys.stderr)
        return 1
    began = time.time()
    planned, report, error = _execute(options, made, task, wording)
    if report.outcomes:
        from reconciler.cli.journals import write_down

        write_down(options.command, made._replace(plan=planned), report, error, began)
    if getattr(options, "wait", False) and report.is_settled and not error:
        error = _await_health(options, planned.project, task.engine)
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


def _execute(options: argparse.Namespace, made: Pass, task: _Task, wording: Wording) -> tuple[Plan, Report, str]:
    """What was carried out, what became of it, and why what is left to do is not known, or ""."""
    from reconciler.apply.writer import left_behind, lock_directory, sole_writer, sweep
    from reconciler.cli.interrupts import finish_on_signal
    from reconciler.cli.progress import make_progress

    project = made.plan.project
    if made.plan.changes and not options.json:
        print(flush=True)
    if all(change.verb is Verb.BLOCKED for change in made.plan.changes):
        sweep(task.engine, left_behind(made.observed.leases, project))
        with make_progress(quiet=options.json) as progress:
            return made.plan, act(made.plan, task.engine, task.look_again, progress), ""

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with (
        finish_on_signal() as cancelled,
        sole_writer(task.engine, project, lock_directory(os.environ), cancelled, say) as writer,
    ):
        if writer.doubt:
            say(f"warning: {writer.doubt}")
        planned = _as_agreed(options, made.plan, task.look().plan, wording)
        with make_progress(quiet=options.json) as progress:
            report = act(planned, task.engine, task.look_again, progress, cancelled)
    failures = [report.unseen] if report.unseen else []
    if writer.lost:
        failures.append(f"stopped before everything was done: {writer.lost}")
    elif cancelled.is_set() and not report.is_settled:
        failures.append("stopped before everything was done; `reconciler apply` goes on from here")
    return planned, report, "\n".join(failures)


def _as_agreed(options: argparse.Namespace, shown: Plan, planned: Plan, wording: Wording) -> Plan:
    """The plan as it is now that nobody else changes anything; a person's yes was to what they had read.

    Raises:
        StalePlanError: it is another one, and was agreed to.
    """
    before, now = (plan_text(item, Painter(), wording) for item in (shown, planned))
    if before != now:
        if not options.yes and sys.stdin.isatty():
            raise StalePlanError(
                "the engine has moved since this plan was made; nothing was changed\n    hint: run the command again"
            )
        _confirmed(options, planned)  # refuses what nobody has said yes to
        if not options.json:
            print(f"The engine has moved meanwhile, and the plan with it.\n\n{now}\n", flush=True)
    return planned


def _await_health(options: argparse.Namespace, project: str, engine: Engine) -> str:
    """Wait until every container is healthy; what is not by then, or ""."""
    from reconciler.apply.health import await_health

    if not options.json:
        print("waiting until everything is healthy", file=sys.stderr, flush=True)
    try:
        return await_health(engine, project)
    except EngineError as error:
        return f"whether everything is healthy is not known: {error}"
