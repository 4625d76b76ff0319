"""The command line's grammar. Usage errors exit 1: 2 always means that there is a difference."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

DEFAULT_PATH = "specs"
DEFAULT_CONFIG = "/etc/reconciler/config.toml"
_PATH = "directory of *.toml files, or one file (default: specs)"
_PATH_OR_PLAN = "directory of *.toml files, one file, or a plan saved by `plan --out` (default: specs)"

_DESCRIPTION = """\
Make a Docker host match a directory of TOML files.

  reconciler plan          show what would change, field by field
  reconciler apply         change it
  reconciler status        what runs, and whether it is as declared
"""


class _Layout(argparse.RawDescriptionHelpFormatter):
    """`-H, --host URL`, on every version of Python as from 3.13 on."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {self._format_args(action, action.dest.upper())}"


class _Parser(argparse.ArgumentParser):
    """No abbreviations: what a script abbreviates today is ambiguous after the next release."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": _Layout, "allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n    hint: `{self.prog} --help` lists what there is\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """A word that is none of those to choose from: the same text on every version of Python."""
        if action.choices is None or value in action.choices:
            return
        words = [str(word) for word in action.choices]
        what = "a command" if action.dest == "command" else f"a {action.dest}"
        near = _nearest(str(value), words)
        self.error(
            f"{value!r} is not {what}; " + (f"did you mean {near}?" if near else f"there are {', '.join(words)}")
        )


def _nearest(word: str, words: Sequence[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, words, n=1)), "")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of one command line.

    Raises:
        SystemExit: after `--help`, and with 1 after a usage error, which has been printed.
    """
    parser = build_parser()
    options, unknown = parser.parse_known_args(arguments)
    if not unknown:
        return options
    of_command = commands_of(parser)[options.command] if options.command else parser
    options_known = [name for action in of_command._actions for name in action.option_strings]
    near = _nearest(unknown[0].partition("=")[0], options_known) if unknown[0].startswith("--") else ""
    return of_command.error(
        f"{' '.join(unknown)} is not understood" + (f"; did you mean {near}?" if near else ""),
    )


def print_help(stream: TextIO) -> None:
    build_parser().print_help(stream)


def commands_of(parser: argparse.ArgumentParser) -> dict[str, _Parser]:
    choices = next(action.choices for action in parser._actions if action.dest == "command")
    assert isinstance(choices, dict)
    return choices


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = _Parser(prog="reconciler", description=_DESCRIPTION)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    _add_common(parser, default=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def add(name: str, summary: str, *, path: str = _PATH) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary)
        if path:
            command.add_argument("path", nargs="?", default=DEFAULT_PATH, metavar="PATH", help=path)
        _add_common(command, default=argparse.SUPPRESS)
        return command

    command = add("validate", "load and check the spec; needs no engine")
    _add_json(command)
    command.add_argument(
        "--config",
        nargs="?",
        const=DEFAULT_CONFIG,
        metavar="FILE",
        help=f"check the configuration of `run` instead (default: {DEFAULT_CONFIG})",
    )
    command = add("plan", "show what apply would do; changes nothing")
    _add_json(command)
    command.add_argument(
        "--out", metavar="FILE", help="save the plan, to be applied later if nothing it touches has moved"
    )
    command.add_argument("--detailed-exitcode", action="store_true", help="exit 2 when there are changes")
    _add_selection(command)
    command = add("apply", "plan, ask when on a terminal, execute, look again", path=_PATH_OR_PLAN)
    _add_json(command)
    _add_yes(command)
    _add_selection(command)
    command.add_argument("--wait", action="store_true", help="wait until everything is healthy")
    command = add("drift", "show only what differs although the spec did not change")
    _add_json(command)
    command = add("status", "each resource: sync, health, since when, image, ports")
    _add_json(command)
    _add_run(add("run", "keep it so: apply whatever changes, heal what drifts, until a signal ends it", path=""))
    command = add("destroy", "remove what the project owns")
    _add_json(command)
    _add_yes(command)
    command.add_argument("--volumes", action="store_true", help="the volumes too, with what is in them")
    _add_import(commands)
    _add_on_container(commands, "logs", "print the output of a container")
    _add_on_container(commands, "restart", "restart a container")
    add("schema", "print the JSON Schema of a spec file, for editors", path="")
    _add_json(add("version", "print the version", path=""))
    command = add("completion", "print a completion script for a shell", path="")
    command.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell")
    return parser


def _add_common(parser: argparse.ArgumentParser, default: object) -> None:
    """Accepted before and after the command."""
    parser.add_argument(
        "-H",
        "--host",
        default=default,
        metavar="URL",
        help="the engine: unix://, tcp:// or ssh:// (default: DOCKER_HOST, then the Docker context)",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", default=default or False, help="log every engine call that is made"
    )


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "path", nargs="?", metavar="PATH", help=f"{_PATH[:-1]}, or the projects of {DEFAULT_CONFIG}, if it is there)"
    )
    command.add_argument("--config", metavar="FILE", help="the configuration; PATH replaces its projects")
    command.add_argument("--state-dir", metavar="DIRECTORY", help="where suspensions and failures are remembered")
    command.add_argument(
        "--log-format",
        choices=("text", "json", "journal"),
        help="default: text on a terminal, fields where stderr is systemd's journal, else JSON",
    )
    command.add_argument("--once", action="store_true", help="end after one pass: 0 if all is settled, else 1")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def _add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="only this resource and what it needs; may be repeated",
    )
    parser.add_argument(
        "--replace",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="replace it even though nothing differs; may be repeated",
    )
    parser.add_argument("--no-build", action="store_true", help="use the images present under their tags")
    parser.add_argument(
        "--allow-removals", action="store_true", help="remove what has left the spec even when that is most of it"
    )


_IMPORT = """\
Write a spec for what a Compose file declares, or what containers are.

  reconciler import compose.yaml                     writes reconciler.toml beside it
  reconciler import compose.yaml --profile debug -o specs/shop.toml
  reconciler import compose.yaml -o -                prints it
  reconciler import --running web db -o shop.toml    from containers, to be adopted

Several files are merged as by `docker compose -f A -f B`. What a spec cannot say is listed on stderr.
"""


def _add_import(commands: argparse._SubParsersAction[_Parser]) -> None:
    command = commands.add_parser("import", help="write a spec for a Compose file", description=_IMPORT)
    command.add_argument(
        "files", nargs="*", metavar="NAME", help="Compose files, later ones over earlier; with --running, containers"
    )
    command.add_argument(
        "-o",
        "--output",
        default="",
        metavar="FILE",
        help="where to write; - is stdout (default: reconciler.toml beside it)",
    )
    command.add_argument(
        "-p", "--project", default="", metavar="NAME", help="the project's name, as for `docker compose -p`"
    )
    command.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="NAME",
        help="services of this profile too; * is all; may be repeated",
    )
    command.add_argument(
        "--running", action="store_true", help="the names are those of containers on the engine, not of Compose files"
    )
    command.add_argument("--force", action="store_true", help="overwrite the file if it is there")
    _add_common(command, default=argparse.SUPPRESS)


def _add_on_container(commands: argparse._SubParsersAction[_Parser], name: str, summary: str) -> None:
    command = commands.add_parser(name, help=summary, description=summary)
    command.add_argument("address", metavar="ADDRESS", help="such as container.web or container.web[2]")
    command.add_argument(
        "path", nargs="?", default=DEFAULT_PATH, metavar="PATH", help="the spec that declares it (default: specs)"
    )
    _add_common(command, default=argparse.SUPPRESS)
    if name == "logs":
        command.add_argument("-f", "--follow", action="store_true", help="go on as more is written")
        command.add_argument("-n", "--tail", default="all", metavar="LINES", help="only the last lines")
        command.add_argument("-t", "--timestamps", action="store_true", help="with the time of each line")
        command.add_argument(
            "--since",
            default="",
            metavar="TIME",
            help="only what came after a time, such as 10m or 2026-01-31T10:00:00",
        )
