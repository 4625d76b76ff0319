"""A path → DesiredState. The one way in, and the only module that decides which files are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reconciler.errors import Problem, SpecError
from reconciler.model.address import Kind
from reconciler.model.desired import DesiredState
from reconciler.spec.keys import Keys
from reconciler.spec.merge import Document, merge
from reconciler.spec.naming import default_project, wrong_project
from reconciler.spec.problems import Problems
from reconciler.spec.resolve import resolve
from reconciler.spec.scope import Scope
from reconciler.spec.sources import read_dotenv, read_sources, spec_files
from reconciler.spec.validated import is_marked, mark, marker_of

#: where a spec is looked for when nothing is said
DEFAULT_DIRECTORY = "specs"


def load(path: Path, environment: Mapping[str, str], *, builds: bool = True, name: str = "") -> DesiredState:
    """The desired state of the project in a directory of *.toml files, or in one file.

    Args:
        path: as the user gave it; problems name files relative to it.
        environment: variables for `${NAME}`; they win over the `.env` file beside the spec.
        builds: whether what images are built from has to be there.
        name: what a project is called whose spec does not say; "": as its directory is.

    Raises:
        SpecError: with every problem of every file.
    """
    problems = Problems()
    names = spec_files(path, problems)
    sources = read_sources(names, problems)
    if not sources:
        raise SpecError(problems.found)
    shown = path if path.is_dir() else path.parent
    variables = read_dotenv(shown, str(shown / ".env"), environment, problems)
    document = merge(sources, variables.get, problems)
    document = _validate(document, environment, problems)
    directory = shown.absolute()
    complete = len(sources) == len(names)
    project = _project(document, name or directory.name, problems)
    if not problems and not any(document.get(kind.value) for kind in Kind):
        hint = "declare an [image.*], [container.*], [network.*] or [volume.*]; to remove everything, use `reconciler destroy`"
        problems.add(Problem(str(path), 0, 0, "", "declares nothing", hint))
    scope = Scope(project, str(directory), str(shown), variables, document, problems, complete, builds=builds)
    state = resolve(scope, tuple(source.name for source in sources))
    if problems:
        raise SpecError(problems.found)
    return state if "name" in document.get("project", {}) else _caution_about_name(state)


def _caution_about_name(state: DesiredState) -> DesiredState:
    """A directory of the usual name makes a project that others have too, and two of one name undo each other."""
    if state.project != DEFAULT_DIRECTORY:
        return state
    text = (
        f"the project has no name of its own and is called {state.project!r} after its directory: another one called so "
        "on the same engine would take its containers for its own, and remove them; give it one in [project]"
    )
    return state._replace(warnings=(text, *state.warnings))


def _validate(document: Document, environment: Mapping[str, str], problems: Problems) -> Document:
    """The document without what is broken; its structure is checked unless it was found valid before."""
    marker = marker_of(document, environment)
    if problems.broken or not is_marked(marker):
        from reconciler.spec.documents import check_structure  # loads pydantic: as long as all the rest takes

        if check_structure(document, problems) and not problems:
            mark(marker)
    return _without_broken(document, problems) if problems.broken else document


def _without_broken(document: Document, problems: Problems) -> Document:
    """What is left can be resolved, so that mistakes of later stages are found in the same run."""
    return {
        section: _usable(table, (section,), problems, names=1 if section == "project" else 2)
        for section, table in document.items()
        if isinstance(table, dict) and not problems.is_broken((section,))
    }


def _usable(table: Document, keys: Keys, problems: Problems, names: int) -> Document:
    """A copy without broken entries. A resource (`names` is 2) stays in name, so that what refers to it is right."""
    kept: Document = {}
    for key, value in table.items():
        place = (*keys, key)
        if names > 1:
            is_whole = isinstance(value, dict) and not problems.is_broken(place)
            kept[key] = _usable(value, place, problems, names - 1) if is_whole else {}
        elif not problems.is_broken(place):
            kept[key] = _usable(value, place, problems, 0) if names and isinstance(value, dict) else value
    return kept


def _project(document: Document, directory: str, problems: Problems) -> str:
    declared = document.get("project", {}).get("name")
    if declared is not None:
        wrong = wrong_project(declared)
        if wrong:
            problems.at(
                ("project", "name"), wrong, f"write {default_project(declared)!r}" if default_project(declared) else ""
            )
        return str(declared)
    project = default_project(directory)
    if not project:
        message = f"the name of the directory, {directory!r}, makes no project name"
        problems.add(Problem("", 0, 0, "project.name", message, 'write [project] name = "..."'))
    return project
