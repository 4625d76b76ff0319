"""A shell in which `reconciler` is used as a person uses it, and what it prints made the same on every machine."""

import os
import re
import subprocess
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from tests.support.builders import CLASSIC
from tests.support.engine import Project, cli_program

_OUTCOME = re.compile(r"(container|image|network|volume)\.\S+: (created|updated|replaced|removed)$")
_ROW = re.compile(r"RESOURCE |\S+ +(in sync|out of sync|missing|orphan|blocked) ")


class Console:
    """Runs commands in the directory of a project.

    Attributes:
        port: a host port of this test alone.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.port = 20000 + int(project.name.rpartition("-")[2], 16) % 20000
        self.environment = {
            "PATH": f"{Path(cli_program()).parent}:{os.environ['PATH']}",
            "HOME": str(project.root / "home"),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "80",
            "DOCKER_HOST": project.host,
            "PROJECT": project.name,
            "PORT": str(self.port),
            # What a builder prints is the engine's own business where it is the engine's, the same on every machine.
            **CLASSIC,
        }

    def run(self, command: str, **environment: str) -> str:
        """What a shell command prints on both streams, made comparable, and `[N]` when it ends with N, not 0."""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.project.root,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        text = self.normal(done.stdout.decode())
        return text + (f"[{done.returncode}]\n" if done.returncode else "")

    def replay(self, transcript: str) -> str:
        """The transcript again: its commands (`$ `, continued with `> `), each with what it prints now."""
        printed = []
        for command in _commands(transcript):
            first, *rest = command.split("\n")
            printed += [f"$ {first}\n", *(f"> {line}\n" for line in rest)]
            printed.append(self.run(command))
        return "".join(printed)

    def normal(self, text: str) -> str:
        """Without what differs from run to run: names, ids, times, and the order of what happens at once."""
        names = {
            self.project.name: "shop",
            self.project.host: "unix:///run/docker.sock",
            str(self.project.root): "/home/me",
            str(self.port): "8080",
        }
        for mine, everyones in names.items():
            text = text.replace(mine, everyones)
        text = re.sub(r"\b([0-9a-f]{64}|[0-9a-f]{12})\b", "<id>", text)
        text = re.sub(r"( in| took| after) \d+\.\d ?s\b", "", text)
        return "".join(f"{line}\n" for line in _in_order(text.splitlines()))


def _commands(transcript: str) -> list[str]:
    commands: list[str] = []
    for line in transcript.splitlines():
        if line.startswith("$ "):
            commands.append(line[2:])
        elif line.startswith("> ") or line == ">":
            commands[-1] += "\n" + line[2:]
    return commands


def _in_order(lines: Iterable[str]) -> Iterable[str]:
    for is_outcome, group in groupby(lines, lambda line: bool(_OUTCOME.match(line))):
        if is_outcome:
            yield from sorted(group)
        else:
            yield from (_row(line) if _ROW.match(line) else line for line in group)


def _row(line: str) -> str:
    """A row of `status` without the ages, which make its columns wide or narrow."""
    return re.sub(r" {2,}", "  ", re.sub(r"  \d+[smhd]\b", "  5s", line))
