"""What commands have in common: the spec, the engine, the cache directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import SpecError, UsageError
from reconciler.model.address import Address, Kind, parse_address
from reconciler.planning.world import Request

if TYPE_CHECKING:
    import argparse

    from reconciler.engine.interface import Engine
    from reconciler.model.desired import DesiredState
    from reconciler.model.plan import Plan
    from reconciler.planning.planner import Locate


def load_spec(options: argparse.Namespace, *, builds: bool = True) -> DesiredState:
    from reconciler.spec.load import load

    path = Path(options.path)
    try:
        return load(path, os.environ, builds=builds)
    except SpecError:
        from reconciler.cli.saved import is_saved_plan

        if not is_saved_plan(path):
            raise
        raise UsageError(
            f"{path} is no spec but a saved plan\n    hint: `reconciler apply {path}` carries it out"
        ) from None


def open_engine(options: argparse.Namespace) -> Engine:
    from reconciler.engine.connect import connect

    engine = connect(options.host, os.environ)
    if options.verbose:
        from reconciler.cli.logs import LoggedEngine

        return LoggedEngine(engine)
    return engine


def kept_hashes() -> Path | None:
    """Where hashes of build contexts are kept between runs, if anywhere."""
    from reconciler.spec.validated import cache_directory

    return cache_directory(os.environ)


def make_request(options: argparse.Namespace, desired: DesiredState) -> Request:
    """What was asked for on the command line.

    Raises:
        UsageError: an address that is none, or names nothing in this project.
    """
    return Request(
        targets=tuple(address for text in options.target for address in _addresses(text, desired, removed=True)),
        replace=tuple(address for text in options.replace for address in _addresses(text, desired, removed=False)),
        build=not options.no_build,
        allow_removals=options.allow_removals,
    )


def _addresses(text: str, desired: DesiredState, *, removed: bool) -> list[Address]:
    """The resources that an address names: itself, or every instance. One that has left the spec may be a target."""
    try:
        address = parse_address(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if address in desired.resources:
        return [address]
    instances = [item.address for item in desired.instances(address)] if address.kind is Kind.CONTAINER else []
    is_only_instance = address.instance == 1 and instances == [address.whole]
    if instances and (not address.instance or is_only_instance):
        return [*instances, address] if removed else instances
    if not removed:
        raise UsageError(f"{text} is not in the spec\n    hint: {_known(desired)}")
    return [address]


def refuse_unknown_targets(request: Request, desired: DesiredState, planned: Plan) -> None:
    """A target may have left the spec, but then the engine must hold it.

    Raises:
        UsageError: one is neither here nor there, as after a slip of the pen.
    """
    planned_for = {address for change in planned.changes for address in (change.address, change.address.whole)}
    declared = {address for known in desired.resources for address in (known, known.whole)}
    for address in request.targets:
        is_only_instance = address.instance == 1 and address.whole in desired.resources
        if address not in planned_for and address not in declared and not is_only_instance:
            raise UsageError(f"{address} is neither in the spec nor on the engine\n    hint: {_known(desired)}")


def _known(desired: DesiredState) -> str:
    names = sorted(str(address.whole) for address in desired.resources)
    return f"there are {', '.join(dict.fromkeys(names))}"


def locator(desired: DesiredState) -> Locate:
    """Where the spec declares a field. The spec is read again for that, and only when something differs."""

    def locate(address: Address, path: str) -> str:
        resource = desired.resources.get(address)
        if resource is None or not resource.origin.file:
            return ""
        from reconciler.spec.locations import locate_field

        return locate_field(resource.origin, path)

    return locate
