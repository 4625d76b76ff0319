"""The command: every examination in turn, each told as soon as it is known."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.cli.doctor import engine, files, here
from reconciler.cli.doctor.findings import Finding, Level, fail, ok, warn
from reconciler.cli.documents import print_json
from reconciler.cli.parser import DEFAULT_PATH
from reconciler.cli.render import Painter, clean
from reconciler.cli.session import kept_hashes
from reconciler.errors import SpecError
from reconciler.loop.keeping import default_directory
from reconciler.model.documents import FORMAT_VERSION
from reconciler.service.configuration import Configuration, configure, default_file

if TYPE_CHECKING:
    import argparse

_COLOURS = {Level.OK: "32", Level.WARN: "33", Level.FAIL: "31"}


def doctor(options: argparse.Namespace) -> int:
    """Examine everything; 1 if anything is wrong that will not do."""
    findings = []
    painter = Painter(sys.stdout)
    for finding in _examine(options):
        findings.append(finding)
        if not options.json:
            level = painter.paint(f"{finding.level.value:<4}", _COLOURS[finding.level])
            print(f"{level}  {finding.name:<13}  {clean(finding.text)}", flush=True)
            if finding.advice:
                print(f"{'':<21}→ {clean(finding.advice)}", flush=True)
    count = {level: sum(item.level is level for item in findings) for level in Level}
    if options.json:
        checks = [item._asdict() | {"level": item.level.value} for item in findings]
        print_json({"format_version": FORMAT_VERSION, "healthy": not count[Level.FAIL], "checks": checks})
    else:
        print(f"\n{count[Level.OK]} ok, {count[Level.WARN]} to look at, {count[Level.FAIL]} wrong.")
    return 1 if count[Level.FAIL] else 0


def _examine(options: argparse.Namespace) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield ok("reconciler", f"{__version__} on Python {python}")
    configuration, finding = _configuration(options)
    if finding is not None:
        yield finding
    said = configuration.text("host") if configuration is not None else ""
    yield from engine.examine(options.host or said or None, os.environ)
    yield here.buildx(os.environ)
    projects = configuration.projects if configuration is not None else ()
    yield here.git(is_needed=any(item.source.git is not None for item in projects))
    if configuration is not None:
        yield from here.specs(configuration, os.environ)
        yield from files.examine(configuration, os.environ)
    yield here.state_directory(_state_directory(options, configuration))
    yield here.cache_directory(kept_hashes())
    yield here.inotify()
    shown = here.shown_service()
    if shown is not None:
        yield here.service(shown)


def _configuration(options: argparse.Namespace) -> tuple[Configuration | None, Finding | None]:
    """As `run` would go by it."""
    file = options.config or (default_file() if options.path is None else None)
    has_projects = file is not None or "RECONCILER_ROOT" in os.environ
    path = options.path or (None if has_projects else DEFAULT_PATH)
    try:
        found = configure(file, path, os.environ)
    except SpecError as error:
        first = error.problems[0]._replace(hint="")
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        advice = f"reconciler validate --config {file}" if file else error.problems[0].hint
        return None, fail("configuration", f"{first}{more}", advice)
    if file is None:
        if path == DEFAULT_PATH and options.path is None and not Path(DEFAULT_PATH).exists():
            text = f"there is no configuration, and no directory {DEFAULT_PATH} here"
            return found._replace(projects=()), warn("configuration", text, "name a spec: reconciler doctor PATH")
        return found, None
    return found, ok("configuration", f"{file}: {len(found.projects)} project{'' if len(found.projects) == 1 else 's'}")


def _state_directory(options: argparse.Namespace, configuration: Configuration | None) -> Path | None:
    said = options.state_dir or (configuration.text("state_directory") if configuration is not None else "")
    return Path(said).absolute() if said else default_directory(os.environ)
