"""config.toml and RECONCILER_* variables → `Configuration`. Every mistake is reported, each with its place, as in specs.

The settings themselves stand in `settings`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import tomli
from pydantic import ValidationError

from reconciler.errors import Problem, SpecError
from reconciler.loop.judge import Policy
from reconciler.loop.schedule import Timing
from reconciler.loop.sources import default_name
from reconciler.model.scalars import declare_duration
from reconciler.service.notifications.targets import Target, read_target
from reconciler.service.settings import SETTINGS, Setting, model_of_settings
from reconciler.source.document import Configured, read_source
from reconciler.spec.keys import Keys
from reconciler.spec.naming import default_project, wrong_project
from reconciler.spec.paths import absolute
from reconciler.spec.prescan import refuse
from reconciler.spec.problems import Problems, Source
from reconciler.spec.reading import MAX_FILE_BYTES, UnreadableError, read_text
from reconciler.spec.wording import Finding, word

DEFAULT_FILE = "/etc/reconciler/config.toml"
MAX_PROJECTS = 200


class ProjectEntry(NamedTuple):
    """One project to keep: a directory of specs, or one file, or a git repository in place of a `path`."""

    name: str
    path: Path | None
    policy: Policy
    source: Configured = Configured()

    @property
    def place(self) -> str:
        return str(self.path) if self.source.git is None else self.source.git.url


class Configuration(NamedTuple):
    """What a service goes by. `file` is "" where there is none; `values` has every setting by its dotted name."""

    file: str
    projects: tuple[ProjectEntry, ...]
    values: Mapping[str, Any]
    targets: tuple[Target, ...] = ()

    @property
    def timing(self) -> Timing:
        return Timing(**{name: self.values[f"timing.{name}"] for name in Timing._fields})

    def text(self, name: str) -> str:
        return str(self.values[name])

    def number(self, name: str) -> float:
        return float(self.values[name])


def configure(file: str | None, path: str | None, environment: Mapping[str, str]) -> Configuration:
    """The configuration in a file, under variables of the environment.

    Args:
        file: as the user named it; None: there is none.
        path: the one project to keep, whatever the file says; None: those of the file.

    Raises:
        SpecError: with every problem of the file and the variables.
    """
    problems = Problems()
    document = _read(file, problems) if file is not None else {}
    _check_structure(document, problems)
    values = {".".join(map(str, item.keys)): _value(item, document, environment, problems) for item in SETTINGS}
    if path is not None:
        values["root"] = ""
        projects = [ProjectEntry(_name_of(Path(path)), Path(path), _policy(values))]
    else:
        directory = _directory_of(file)
        projects = _projects(document, directory, values, environment, problems)
    targets = _targets(document, file, {item.name for item in projects}, problems)
    if problems:
        raise SpecError(problems.found)
    return Configuration(file or "", tuple(projects), values, tuple(targets))


def _read(file: str, problems: Problems) -> dict[str, Any]:
    try:
        text = read_text(file, MAX_FILE_BYTES)
    except UnreadableError as error:
        problems.add(Problem(file, 0, 0, "", str(error), error.hint))
        return {}
    refused = refuse(text)
    if refused is not None:
        problems.add(Problem(file, refused[0], 0, "", refused[1], "no configuration needs that; write it out flat"))
        return {}
    try:
        document = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        message = error.msg[:1].lower() + error.msg[1:]
        problems.add(Problem(file, error.lineno, error.colno, "", f"not valid TOML: {message}"))
        return {}
    except (RecursionError, ValueError) as error:
        problems.add(Problem(file, 0, 0, "", f"not valid TOML: {error}"))
        return {}
    source = Source(file, text, document)
    for key in document:
        problems.declare((key,), source)
    return document


def _check_structure(document: Mapping[str, Any], problems: Problems) -> None:
    model = model_of_settings()
    try:
        model.model_validate(document)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            finding = Finding(
                details["type"], details["loc"], details["input"], details.get("ctx") or {}, details["msg"]
            )
            words = word(finding, model)
            message = words.message.replace("unknown table", "unknown option")
            hint = _ELSEWHERE.get(str(words.keys[0]), words.hint) if len(words.keys) == 1 else words.hint
            problems.at(words.keys, message, hint or _EXAMPLES.get(words.keys, ""))


_EXAMPLES = {item.keys: f"for example `{item.keys[-1]} = {json.dumps(item.example)}`" for item in SETTINGS}
#: what people write here that belongs elsewhere
_ELSEWHERE = dict.fromkeys(
    ("container", "image", "network", "volume"),
    "resources are declared in spec files; give their directory as the `path` of a [[project]]",
) | {"projects": "write [[project]], once for each"}


def _value(setting: Setting, document: Mapping[str, Any], environment: Mapping[str, str], problems: Problems) -> Any:
    """From the environment, else from the file, else the default."""
    said = environment.get(setting.variable)
    if said is not None:
        return _from_variable(setting, said, problems)
    holder: Any = document.get(setting.table, {}) if setting.table else document
    raw = holder.get(setting.name) if isinstance(holder, dict) else None
    if type(raw) is not setting.type or problems.is_broken(setting.keys):
        return setting.default

    def complain(message: str, hint: str) -> None:
        problems.at(setting.keys, message, hint)

    return _converted(setting, raw, complain)


def _from_variable(setting: Setting, text: str, problems: Problems) -> Any:
    def complain(message: str, hint: str) -> None:
        problems.add(Problem("", 0, 0, setting.variable, message, hint))

    raw: Any = text
    if setting.type is bool:
        if text.lower() not in ("true", "false", "1", "0"):
            complain(f"{text!r} is neither true nor false", "write true or false")
            return setting.default
        raw = text.lower() in ("true", "1")
    elif setting.type is int:
        if not text.isdecimal():
            complain(f"{text!r} is not a whole number", "")
            return setting.default
        raw = int(text)
    return _converted(setting, raw, complain)


def _converted(setting: Setting, raw: Any, complain: Callable[[str, str], None]) -> Any:
    value = raw
    if setting.is_duration:
        try:
            value = (declare_duration(raw) or 0) / 1e9
        except ValueError as error:
            message, _, hint = str(error).partition("; ")
            complain(message, hint or "write a duration, such as 30s or 5m")
            return setting.default
    if setting.check is not None:
        try:
            setting.check(value)
        except ValueError as error:
            message, _, hint = str(error).partition("; ")
            complain(message, hint)
            return setting.default
    if setting.choices and value not in setting.choices:
        complain(f"must be {' or '.join(map(repr, setting.choices))}", "")
    elif isinstance(value, int | float) and not isinstance(value, bool) and value < setting.least:
        unit = " s" if setting.is_duration else ""
        complain(f"must be at least {setting.least:g}{unit}", "")
    return value


# --- projects ------------------------------------------------------------------------------------------------------


def _policy(values: Mapping[str, Any]) -> Policy:
    return Policy(
        values["apply"],
        values["heal"],
        values["flapping.limit"],
        values["flapping.window"],
        values["allow_removals"],
    )


def _projects(
    document: Mapping[str, Any],
    directory: str,
    values: Mapping[str, Any],
    environment: Mapping[str, str],
    problems: Problems,
) -> list[ProjectEntry]:
    policy = _policy(values)
    found: dict[str, ProjectEntry] = {}

    def add(entry: ProjectEntry, place: Keys) -> None:
        if entry.name in found:
            message = f"two projects are called {entry.name!r}: {found[entry.name].place} and {entry.place}"
            problems.at(place, message, "give one of them another `name`")
        found[entry.name] = entry

    for place, entry in _declared(document, directory, policy, environment, problems):
        add(entry, place)
    for entry in (
        _under(Path(absolute(directory, values["root"], environment)), policy, problems) if values["root"] else ()
    ):
        add(entry, ("root",))
    if not found and not problems:
        problems.add(Problem("", 0, 0, "", "there is no project", "add a [[project]] with a `path`, or give a PATH"))
    if len(found) > MAX_PROJECTS:
        problems.add(Problem("", 0, 0, "", f"{len(found)} projects; at most {MAX_PROJECTS} are kept", ""))
    return [*found.values()]


def _declared(
    document: Mapping[str, Any], directory: str, policy: Policy, environment: Mapping[str, str], problems: Problems
) -> Iterator[tuple[Keys, ProjectEntry]]:
    entries = document.get("project", [])
    for position, entry in enumerate(entries if isinstance(entries, list) else ()):
        place: Keys = ("project", position)
        if not isinstance(entry, dict) or problems.is_broken(place):
            continue
        whole, source = _origin(entry, place, directory, environment, problems)
        if whole is None and source.git is None:
            continue
        name = entry.get("name") or (_name_of(whole) if whole else default_name(source.git) if source.git else "")
        if wrong := wrong_project(str(name)):
            problems.at((*place, "name"), wrong, "give it a `name`")
            continue
        said = {key: bool(entry.get(key, getattr(policy, key))) for key in ("apply", "heal", "allow_removals")}
        yield place, ProjectEntry(str(name), whole, policy._replace(**said), source)


def _origin(
    entry: Mapping[str, Any], place: Keys, directory: str, environment: Mapping[str, str], problems: Problems
) -> tuple[Path | None, Configured]:
    """Where the spec of a project comes from: a path or a repository; neither after a mistake, which is reported."""
    where, raw = entry.get("path"), entry.get("source")
    if (where is None) == (raw is None) or where == "":
        message = "must be given" if raw is None else "is given beside source"
        problems.at((*place, "path"), message, 'write path = "/srv/specs", or source = { git = "https://..." }')
        return None, Configured()
    if raw is None:
        return Path(absolute(directory, str(where), environment)), Configured()
    configured, mistakes = read_source(raw, Path(directory))
    for mistake in mistakes:
        problems.at((*place, "source", *mistake.option.split(".")), mistake.message, mistake.hint)
    return (None, Configured()) if mistakes else (configured.directory, configured)


def _targets(document: Mapping[str, Any], file: str | None, projects: set[str], problems: Problems) -> list[Target]:
    """Who is told, of [[notify]]."""
    entries = document.get("notify", [])
    found: list[Target] = []
    for position, entry in enumerate(entries if isinstance(entries, list) else ()):
        place: Keys = ("notify", position)
        if not isinstance(entry, dict) or problems.is_broken(place):
            continue
        name = f"notify[{position}]"
        target, mistakes = read_target(entry, Path(file or ".").absolute().parent, name)
        for mistake in mistakes:
            problems.at((*place, mistake.option), mistake.message, mistake.hint)
        if target is None:
            continue
        found.append(target)
        if unknown := sorted(target.projects - projects):
            message = f"{unknown[0]!r} is no project of this configuration"
            problems.at((*place, "projects"), message, f"there are {', '.join(sorted(projects))}" if projects else "")
    return found


def _under(root: Path, policy: Policy, problems: Problems) -> list[ProjectEntry]:
    try:
        directories = sorted(item for item in root.iterdir() if item.is_dir() and not item.name.startswith("."))
    except OSError as error:
        problems.at(("root",), f"{root} cannot be listed: {error.strerror}", "give a directory that holds projects")
        return []
    holding = [item for item in directories if any(item.glob("*.toml"))]
    return [ProjectEntry(_name_of(item), item, policy) for item in holding]


def newcomers(configuration: Configuration, environment: Mapping[str, str]) -> frozenset[str]:
    """Directories under `root` that hold specs, and were no projects when the configuration was read."""
    root, known = configuration.text("root"), {str(project.path) for project in configuration.projects}
    if not root:
        return frozenset()
    with suppress(OSError), os.scandir(absolute(_directory_of(configuration.file), root, environment)) as entries:
        found = [item for item in entries if item.path not in known and not item.name.startswith(".") and item.is_dir()]
        return frozenset(item.path for item in found if any(Path(item.path).glob("*.toml")))
    return frozenset()


def _directory_of(file: str | None) -> str:
    """What paths in a configuration are relative to."""
    return str(Path(file).absolute().parent) if file else str(Path.cwd())


def _name_of(path: Path) -> str:
    whole = path.absolute()
    return default_project(whole.stem if whole.suffix == ".toml" else whole.name) or "project"


def default_file() -> str | None:
    """The usual file, if there is one."""
    return DEFAULT_FILE if os.access(DEFAULT_FILE, os.F_OK) else None
