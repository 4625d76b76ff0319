"""`import`: Compose files → the text of a spec that our own loader takes, and what to tell the person."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reconciler.convert.compose.project import Project, files_of, load_project
from reconciler.convert.output import Note, Output
from reconciler.convert.toml import write
from reconciler.convert.translate import translate
from reconciler.engine.interface import Engine
from reconciler.errors import SpecError, UsageError
from reconciler.spec.load import load
from reconciler.spec.naming import wrong_project

#: what a build or `env_file` may lack until somebody puts it there
_MISSING = re.compile(r": there is no (file|directory) |: the file .* cannot be read")


class Imported(NamedTuple):
    """What came of an import.

    Attributes:
        text: the spec.
        project: its name.
        files: what it was made from.
        notes: what could not be carried over, or had to be decided.
        problems: what our own loader says of it.
        broken: one of the problems is not only that a file is missing on this host.
    """

    text: str
    project: str
    files: tuple[str, ...]
    notes: list[Note]
    problems: list[str]
    broken: bool


def import_files(
    given: Sequence[str], name: str, profiles: Iterable[str], environment: Mapping[str, str], directory: Path
) -> Imported:
    """The spec of Compose files, to be written into a directory.

    Raises:
        SpecError, UsageError: the files cannot be imported.
    """
    names = files_of(given)
    project = load_project(names, name, environment, directory)
    wanted = [*profiles] or [word.strip() for word in project.variables.values.get("COMPOSE_PROFILES", "").split(",")]
    output = translate(project, [word for word in wanted if word])
    output.head.extend(_head(project))
    text = write(output)
    problems = _problems(text, directory, environment)
    broken = any(not _MISSING.search(problem) for problem in problems)
    return Imported(text, project.name, project.files, sorted(output.notes), problems, broken)


def import_running(
    engine: Engine, names: Sequence[str], project: str, environment: Mapping[str, str], directory: Path
) -> Imported:
    """The spec that adopts some containers of an engine, to be written into a directory.

    Raises:
        UsageError: there is no such container, or it is managed already; EngineError: it cannot be asked.
    """
    from reconciler.convert.running import Running, choose, translate_running
    from reconciler.engine.observe import observe

    state = observe(engine, "", frozenset(names))
    project, chosen = choose(state, names, project, directory.name)
    if wrong_project(project):
        raise UsageError(f"the project has no name\n    hint: {wrong_project(project)}; give one with -p")
    running = Running(chosen, project, state, Output([], [], []))
    translate_running(running)
    listed = ", ".join(container.name for container in chosen.values())
    running.output.head.extend(
        (
            f"Made by `reconciler import --running` from {listed}.",
            "The first apply makes these containers anew, as they are, with labels that say whose they are.",
        )
    )
    text = write(running.output)
    problems = _problems(text, directory, environment)
    return Imported(text, project, (), sorted(running.output.notes), problems, bool(problems))


def _head(project: Project) -> list[str]:
    names = [os.path.relpath(name, project.spec) for name in project.files]
    return [f"Made by `reconciler import` from {', '.join(names)}."]


def _problems(text: str, directory: Path, environment: Mapping[str, str]) -> list[str]:
    """What our own loader says about the text as a file in that directory."""
    handle, name = tempfile.mkstemp(".toml", ".import-", directory)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        load(Path(name), environment, builds=False)
    except SpecError as error:
        return [str(problem).replace(name, "the spec") for problem in error.problems]
    finally:
        Path(name).unlink()
    return []
