"""`import`: a spec from Compose files, or from containers that run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from reconciler.convert.command import Imported

DEFAULT_NAME = "reconciler.toml"


def import_(options: argparse.Namespace) -> int:
    """Write the spec, and say on stderr what it could not express."""
    from reconciler.convert.command import import_files

    if not options.files:
        what = "a container" if options.running else "a Compose file"
        raise UsageError(f"name {what}\n    hint: `reconciler import --help` has examples")
    if options.running:
        return _import_running(options)
    target = _target(options, Path(options.files[0]))
    directory = (target.parent if target else Path(options.files[0]).parent).absolute()
    imported = import_files(options.files, options.project, options.profile, os.environ, directory, _shown(target))
    return _finish(imported, target)


def _import_running(options: argparse.Namespace) -> int:
    from reconciler.cli.session import open_engine
    from reconciler.convert.command import import_running

    if options.profile:
        raise UsageError("--profile is for Compose files\n    hint: leave it out")
    target = _target(options, Path.cwd())
    directory = (target.parent if target else Path.cwd()).absolute()
    engine = open_engine(options)
    try:
        imported = import_running(engine, options.files, options.project, os.environ, directory, _shown(target))
    finally:
        engine.close()
    return _finish(imported, target)


def _target(options: argparse.Namespace, first: Path) -> Path | None:
    """The file to write, which must not be there yet; None for stdout."""
    if options.output == "-":
        return None
    beside = first if first.is_dir() else first.parent
    target = Path(options.output) if options.output else beside / DEFAULT_NAME
    if target.is_dir():
        target /= DEFAULT_NAME
    target = Path(os.path.realpath(target)) if target.is_symlink() else target
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} is not a regular file\n    hint: `-o -` prints the spec")
    if target.exists() and not options.force:
        raise UsageError(f"{target} is there already\n    hint: --force overwrites it; -o names another file")
    if not target.parent.is_dir():
        raise UsageError(f"there is no directory {target.parent}\n    hint: make it first")
    return target


def _shown(target: Path | None) -> str:
    return str(target) if target else "the spec"


def _finish(imported: Imported, target: Path | None) -> int:
    for note in imported.notes:
        print(f"note: {note}", file=sys.stderr)
    if target is None:
        print(imported.text, end="")
    else:
        _write(target, imported.text)
        print(f"{target} written: project {imported.project}. Next: reconciler plan {target}")
        others = sorted(str(file) for file in target.parent.glob("*.toml") if file.name != target.name)
        if others:
            print(
                f"warning: {', '.join(others)}: the directory as a whole would be read as one project; "
                f"give the file itself: reconciler plan {target}",
                file=sys.stderr,
            )
    for problem in imported.problems:
        print(f"warning: {problem}", file=sys.stderr)
    if imported.broken:
        print("error: the spec needs these corrections before it can be planned", file=sys.stderr)
    return 1 if imported.broken else 0


def _write(target: Path, text: str) -> None:
    """The whole file or nothing."""
    draft = target.with_name(f".{target.name}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from None
