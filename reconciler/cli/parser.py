"""The command line's grammar. Usage errors exit 1: 2 always means that there is a difference."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

DEFAULT_PATH = "specs"

_DESCRIPTION = """\
Make a Docker host match a directory of TOML files.

  reconciler plan          show what would change, field by field
  reconciler apply         change it
  reconciler status        what runs, and whether it is as declared
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n    hint: `{self.prog} --help` lists what there is\n")


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = _Parser(prog="reconciler", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    _add_common(parser, default=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def add(name: str, summary: str, *, path: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary)
        if path:
            command.add_argument(
                "path",
                nargs="?",
                default=DEFAULT_PATH,
                metavar="PATH",
                help="directory of *.toml files, or one file (default: specs)",
            )
        _add_common(command, default=argparse.SUPPRESS)
        return command

    command = add("validate", "load and check the spec; needs no engine")
    _add_json(command)
    command = add("plan", "show what apply would do; changes nothing")
    _add_json(command)
    command.add_argument(
        "--out", metavar="FILE", help="save the plan, to be applied later if nothing has moved by then"
    )
    command.add_argument("--detailed-exitcode", action="store_true", help="exit 2 when there are changes")
    _add_selection(command)
    command = add("apply", "plan, ask when on a terminal, execute, look again")
    _add_json(command)
    _add_yes(command)
    _add_selection(command)
    command.add_argument("--wait", action="store_true", help="wait until everything is healthy")
    command = add("drift", "show only what differs although the spec did not change")
    _add_json(command)
    command = add("status", "each resource: sync, health, since when, image, ports")
    _add_json(command)
    command = add("destroy", "remove what the project owns")
    _add_json(command)
    _add_yes(command)
    command.add_argument("--volumes", action="store_true", help="the volumes too, with what is in them")
    _add_on_container(commands, "logs", "print the output of a container")
    _add_on_container(commands, "restart", "restart a container")
    add("schema", "print the JSON Schema of a spec file, for editors", path=False)
    _add_json(add("version", "print the version", path=False))
    command = add("completion", "print a completion script for a shell", path=False)
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
