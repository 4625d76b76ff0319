"""Spec files → texts → tables, with limits that hold before anything expensive is done."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from reconciler.errors import Problem
from reconciler.spec.env_files import MAX_BYTES as MAX_ENV_BYTES
from reconciler.spec.env_files import parse_env_file
from reconciler.spec.prescan import refuse
from reconciler.spec.problems import Problems, Source

MAX_FILE_BYTES = 256 * 1024
MAX_FILES = 200
MAX_TOTAL_BYTES = 4 * 1024 * 1024


class UnreadableError(Exception):
    """A file that cannot be used as text; says why, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def spec_files(path: Path, problems: Problems) -> list[str]:
    """The names of the files of a project, sorted, as the user would write them."""
    if path.is_file():
        return [str(path)]
    shown = str(path)
    if not path.is_dir():
        is_there = path.exists() or path.is_symlink()
        message = "is neither a directory nor a file" if is_there else "does not exist"
        problems.add(Problem(shown, 0, 0, "", message, "give a directory of *.toml files, or one file"))
        return []
    try:
        # Editors leave hidden files such as `.#web.toml` beside the real ones.
        files = [file for file in path.iterdir() if file.suffix == ".toml" and not file.name.startswith(".")]
    except OSError as error:
        problems.add(Problem(shown, 0, 0, "", f"cannot be listed: {error.strerror}"))
        return []
    if not files:
        problems.add(Problem(shown, 0, 0, "", "holds no *.toml file", "write one; subdirectories are not read"))
    if len(files) > MAX_FILES:
        problems.add(Problem(shown, 0, 0, "", f"holds {len(files)} *.toml files; at most {MAX_FILES} are read"))
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


def read_text(name: str, limit: int) -> str:
    """The text of a regular file of at most `limit` bytes.

    Raises:
        UnreadableError: it is something else, is larger, is not UTF-8, or cannot be read.
    """
    try:
        # A pipe would keep us waiting for a writer.
        if not stat.S_ISREG(Path(name).stat().st_mode):
            raise UnreadableError("is not a regular file", "put a file there, or take it away")
        with Path(name).open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UnreadableError(
            f"cannot be read: {error.strerror}", "check that it exists and its permissions"
        ) from error
    if len(content) > limit:
        raise UnreadableError(f"is larger than {limit >> 10} KiB", "split it into several files")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"is not UTF-8 text (line {line})", "save it in UTF-8") from error


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
    if not file.exists():
        return dict(environment)
    try:
        variables, mistakes = parse_env_file(read_text(str(file), MAX_ENV_BYTES), environment.get)
    except UnreadableError as error:
        problems.add(Problem(shown, 0, 0, "", str(error), error.hint))
        return dict(environment)
    for mistake in mistakes:
        problems.add(Problem(shown, mistake.line, 0, "", mistake.message, mistake.hint))
    return {**variables, **environment}
