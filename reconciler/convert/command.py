"""`import`: Compose files → the text of a spec that our own loader takes, and what to tell the person."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reconciler.convert.compose.project import Project, files_of, load_project
from reconciler.convert.compose.values import NOWHERE, Map, place_of
from reconciler.convert.output import Note, Output
from reconciler.convert.toml import write
from reconciler.convert.translate import translate
from reconciler.engine.interface import Engine
from reconciler.errors import Problem, SpecError, UsageError
from reconciler.spec.load import load
from reconciler.spec.naming import wrong_project

#: what a build, an `env_file` or a secret may lack until somebody puts it there
_MISSING = re.compile(r"there is no (file|directory) |the file .* cannot be read|the variable \S+ is not set")
_SECTIONS = {"container": "services", "image": "services"} | {
    kind: f"{kind}s" for kind in ("network", "volume", "config", "secret")
}
#: a key of a problem's path
_KEY = re.compile(r'"([^"]*)"|([^."]+)')


class Imported(NamedTuple):
    """What came of an import.

    Attributes:
        text: the spec.
        project: its name.
        files: what it was made from.
        notes: what could not be carried over, or had to be decided.
        problems: what our own loader says of it.
        broken: one of the problems is not only that a file or a variable is missing on this host.
    """

    text: str
    project: str
    files: tuple[str, ...]
    notes: list[Note]
    problems: list[str]
    broken: bool


def import_files(
    given: Sequence[str],
    name: str,
    profiles: Iterable[str],
    environment: Mapping[str, str],
    directory: Path,
    shown: str = "the spec",
) -> Imported:
    """The spec of Compose files, to be written into a directory; `shown` is what problems call it.

    Raises:
        SpecError, UsageError: the files cannot be imported.
    """
    names = files_of(given)
    project = load_project(names, name, environment, directory)
    wanted = [*profiles] or [word.strip() for word in project.variables.values.get("COMPOSE_PROFILES", "").split(",")]
    output = translate(project, [word for word in wanted if word])
    output.head.extend(_head(project))
    text = write(output)
    problems = _problems(text, directory, environment, shown)
    broken = any(not _MISSING.search(problem.message) for problem in problems)
    told = [str(_with_origin(problem, project.document)) for problem in problems]
    return Imported(text, project.name, project.files, sorted(output.notes), told, broken)


def import_running(
    engine: Engine,
    names: Sequence[str],
    project: str,
    environment: Mapping[str, str],
    directory: Path,
    shown: str = "the spec",
) -> Imported:
    """The spec that adopts some containers of an engine, to be written into a directory; `shown` as above.

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
    problems = [str(problem) for problem in _problems(text, directory, environment, shown)]
    return Imported(text, project, (), sorted(running.output.notes), problems, bool(problems))


def _head(project: Project) -> list[str]:
    names = [os.path.relpath(name, project.spec) for name in project.files]
    return [f"Made by `reconciler import` from {', '.join(names)}."]


def _with_origin(problem: Problem, document: Map) -> Problem:
    """The problem with the line of the Compose file, for what stands there."""
    kind, *keys = [quoted or bare for quoted, bare in _KEY.findall(problem.path.partition("[")[0])] or [""]
    place = place_of(document, (_SECTIONS.get(kind, ""), *keys), NOWHERE)
    return problem._replace(message=f"{problem.message} (from {place})") if place.file else problem


def _problems(text: str, directory: Path, environment: Mapping[str, str], shown: str) -> list[Problem]:
    """What our own loader says about the text as a file in that directory."""
    handle, name = tempfile.mkstemp(".toml", ".import-", directory)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        load(Path(name), environment, builds=False)
    except SpecError as error:
        return [problem._replace(file=shown if problem.file == name else problem.file) for problem in error.problems]
    finally:
        Path(name).unlink()
    return []
