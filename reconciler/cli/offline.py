"""Commands that need no engine: validate, schema, version, completion."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.cli.documents import print_json
from reconciler.errors import SpecError
from reconciler.model.documents import FORMAT_VERSION

if TYPE_CHECKING:
    import argparse


def validate(options: argparse.Namespace) -> int:
    """Load and check the spec."""
    from reconciler.cli.session import load_spec

    if options.config is not None:
        return _validate_configuration(options)
    if not options.json:
        desired = load_spec(options)
        for warning in desired.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        files, resources = len(desired.files), len(desired.resources)
        print(
            f"{options.path} is valid: project {desired.project}, {_count(files, 'file')}, {_count(resources, 'resource')}."
        )
        return 0
    try:
        desired = load_spec(options)
    except SpecError as error:
        problems = [problem._asdict() for problem in error.problems]
        print_json({"format_version": FORMAT_VERSION, "valid": False, "problems": problems, "warnings": []})
        return 1
    addresses = sorted((address for address in desired.resources), key=lambda address: address.sort_key)
    print_json(
        {
            "format_version": FORMAT_VERSION,
            "valid": True,
            "project": desired.project,
            "resources": [str(address) for address in addresses],
            "problems": [],
            "warnings": list(desired.warnings),
        }
    )
    return 0


def _validate_configuration(options: argparse.Namespace) -> int:
    import os

    from reconciler.service.configuration import configure

    try:
        projects = configure(options.config, None, os.environ).projects
    except SpecError as error:
        if not options.json:
            raise
        problems = [problem._asdict() for problem in error.problems]
        print_json({"format_version": FORMAT_VERSION, "valid": False, "problems": problems})
        return 1
    if options.json:
        found = [{"name": item.name, "path": item.place} for item in projects]
        print_json({"format_version": FORMAT_VERSION, "valid": True, "problems": [], "projects": found})
    else:
        print(f"{options.config} is valid: {_count(len(projects), 'project')}.")
    return 0


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def schema(options: argparse.Namespace) -> int:
    """Print the JSON Schema of a spec file."""
    del options
    from reconciler.spec.schema import json_schema

    print_json(json_schema())
    return 0


def version(options: argparse.Namespace) -> int:
    if options.json:
        print_json({"format_version": FORMAT_VERSION, "version": __version__})
    else:
        print(f"reconciler {__version__}")
    return 0


def completion(options: argparse.Namespace) -> int:
    """Print a completion script; `eval` it, or put it where the shell looks."""
    import shtab

    from reconciler.cli.parser import build_parser, commands_of

    parser = build_parser()
    for command in commands_of(parser).values():
        for action in command._actions:
            if action.metavar in ("PATH", "FILE"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=options.shell))
    return 0
