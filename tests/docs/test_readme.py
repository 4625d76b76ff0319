"""The tour of the README, executed from top to bottom; `make golden` writes what it prints anew."""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import docker
import pytest

from tests.docs.blocks import Block, blocks_of, commands_of, edit, section
from tests.support import golden
from tests.support.builders import CLASSIC
from tests.support.engine import cli_program, remove_project

README = Path(__file__).parents[2] / "README.md"
_HAPPENS = re.compile(r"^(container|image|network|volume)\.\S+: ")


class Tour:
    """A directory in which the tour is taken, under a project name and a port of its own.

    Both are as long as those of the README, so that what is printed is as wide.
    """

    def __init__(self, directory: Path, host: str) -> None:
        self.directory = directory
        number = secrets.randbelow(0xFFFF)
        self.project = f"t{number:04x}"
        self.names = {"hello": self.project, "4000": str(5000 + number % 4000)}
        self.environment = {
            "PATH": f"{Path(cli_program()).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
            "DOCKER_HOST": host,
            # What a reader sees in between is their builder's; this one says the same on every machine.
            **CLASSIC,
        }

    def mine(self, text: str) -> str:
        for everyones, mine in self.names.items():
            text = text.replace(everyones, mine)
        return text

    def everyones(self, text: str) -> str:
        for everyones, mine in self.names.items():
            text = text.replace(mine, everyones)
        return text

    def write(self, block: Block) -> None:
        file = self.directory / block.file
        if block.language == "diff":
            file.write_text(edit(file.read_text(), self.mine(block.text)))
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(self.mine(block.text))

    def run(self, command: str) -> str:
        """What a command prints on both streams, under the README's names."""
        done = subprocess.run(
            ["/bin/sh", "-c", self.mine(command)],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        return self.everyones(done.stdout.decode())


@pytest.fixture
def tour(engine_host: str, docker_api: docker.APIClient, tmp_path: Path) -> Iterator[Tour]:
    for program in ("docker", "curl"):
        if shutil.which(program) is None:
            pytest.fail(f"the tour uses {program}; scripts/test installs it", pytrace=False)
    made = Tour(tmp_path, engine_host)
    yield made
    remove_project(docker_api, made.project)


def normal(text: str) -> str:
    """Without what differs from run to run: ids, ages, durations, addresses, and the order of what happens at once."""
    text = re.sub(r"\b[0-9a-f]{12}\b", "<id>", text)
    text = re.sub(r" in \d+\.\ds$", "", text, flags=re.MULTILINE)
    text = re.sub(r"  \d+[smhd]\b", "  5s", text)
    text = re.sub(r", (:::|\[::\]:)4000->80/tcp", "", text)
    text = re.sub(r"^\S+:  ---> Using cache\n", "", text, flags=re.MULTILINE)
    text = re.sub(r" {2,}", "  ", text)
    return "\n".join(_in_order(line.rstrip() for line in text.splitlines()))


def _in_order(lines: Iterable[str]) -> Iterable[str]:
    for happens, group in groupby(lines, lambda line: bool(_HAPPENS.match(line))):
        found = list(group)
        yield from sorted(set(found)) if happens else found


def test_tour(tour: Tour) -> None:
    document = README.read_text()
    new = document
    shift = 0
    for block in blocks_of(document, *section(document, "A tour")):
        if block.file:
            tour.write(block)
            continue
        assert block.language == "console", f"what is to be done with {block.text!r}?"
        seen = ""
        for command, printed in commands_of(block):
            output = tour.run(command)
            same = normal(output) == normal(printed)
            assert same or golden.rewrite, f"$ {command}\n--- README\n{printed}\n--- now\n{output}"
            seen += f"$ {command}\n{printed if same else output}"
        new = new[: block.start + shift] + seen + new[block.end + shift :]
        shift = len(new) - len(document)
    if golden.rewrite and new != document:
        README.write_text(new)
