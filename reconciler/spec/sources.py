"""Spec files → texts → tables, with limits that hold before anything expensive is done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reconciler.errors import Problem
from reconciler.spec.env_files import MAX_BYTES as MAX_ENV_BYTES
from reconciler.spec.env_files import parse_env_file
from reconciler.spec.paths import kind_of
from reconciler.spec.prescan import refuse
from reconciler.spec.problems import Problems, Source
from reconciler.spec.reading import MAX_FILE_BYTES, UnreadableError, read_text

MAX_FILES = 200
MAX_TOTAL_BYTES = 4 * 1024 * 1024


def spec_files(path: Path, problems: Problems) -> list[str]:
    """The names of the files of a project, sorted, as the user would write them."""
    shown = str(path)
    kind = kind_of(shown)
    if kind == "file":
        return [shown]
    if kind != "directory":
        message = "is neither a directory nor a file" if kind else "does not exist, or may not be read"
        problems.add(Problem(shown, 0, 0, "", message, "give a directory of *.toml files, or one file"))
        return []
    try:
        # Editors leave hidden files such as `.#web.toml` beside the real ones.
        files = [file for file in path.iterdir() if file.suffix == ".toml" and not file.name.startswith(".")]
    except OSError as error:
        problems.add(Problem(shown, 0, 0, "", f"cannot be listed: {error.strerror}", "check its permissions"))
        return []
    if not files:
        problems.add(Problem(shown, 0, 0, "", "holds no *.toml file", "write one; subdirectories are not read"))
    if len(files) > MAX_FILES:
        message = f"holds {len(files)} *.toml files; at most {MAX_FILES} are read"
        problems.add(Problem(shown, 0, 0, "", message, "put what belongs together into one file"))
        return []
    return sorted(map(str, files))


def read_sources(names: list[str], problems: Problems) -> list[Source]:
    """Each file that can be read and parsed; what is wrong with the others goes to `problems`."""
    sources, total = [], 0
    for name in names:
        try:
            text = read_text(name, MAX_FILE_BYTES)
        except UnreadableError as error:
            problems.add(Problem(name, 0, 0, "", str(error), error.hint))
            continue
        total += len(text)
        if total > MAX_TOTAL_BYTES:
            problems.add(Problem(name, 0, 0, "", f"the files are larger than {MAX_TOTAL_BYTES >> 20} MiB together"))
            break
        source = _parse(name, text, problems)
        if source is not None:
            sources.append(source)
    return sources


def _parse(name: str, text: str, problems: Problems) -> Source | None:
    import tomli

    refused = refuse(text)
    if refused is not None:
        problems.add(Problem(name, refused[0], 0, "", refused[1], "no spec needs that; write it out flat"))
        return None
    try:
        return Source(name, text, tomli.loads(text))
    except tomli.TOMLDecodeError as error:
        problems.add(
            Problem(name, error.lineno, error.colno, "", f"not valid TOML: {_sentence(error.msg)}", _hint(error.msg))
        )
    except (RecursionError, ValueError) as error:
        problems.add(Problem(name, 0, 0, "", f"not valid TOML: {error}"))
    return None


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:]


def _hint(message: str) -> str:
    if message == "Invalid value":
        return "texts stand in quotes; booleans are true and false"
    if "overwrite" in message or "twice" in message:
        return "a key and a table may be written once; merge the two"
    return ""


def read_dotenv(directory: Path, shown: str, environment: Mapping[str, str], problems: Problems) -> dict[str, str]:
    """The environment over the variables of the `.env` file in `directory`, if there is one."""
    file = directory / ".env"
    if not kind_of(str(file)):
        return dict(environment)
    try:
        variables, mistakes = parse_env_file(read_text(str(file), MAX_ENV_BYTES), environment.get)
    except UnreadableError as error:
        problems.add(Problem(shown, 0, 0, "", str(error), error.hint))
        return dict(environment)
    for mistake in mistakes:
        problems.add(Problem(shown, mistake.line, 0, "", mistake.message, mistake.hint))
    return {**variables, **environment}
