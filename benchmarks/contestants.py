"""Who is compared, by which commands."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, TypeAlias

from benchmarks.generate import COMPOSE_FILE, SPEC_FILE
from benchmarks.installation import Programs


class Scenario(StrEnum):
    """In the order of a cycle. Compose does both kinds of nothing by the same command."""

    CREATE = "create"
    NOOP_PLAN = "no-op plan"
    NOOP_APPLY = "no-op apply"
    CHANGE = "one change"
    HEAL = "heal"
    DESTROY = "destroy"


#: what stands before the file's name, and after it
Words: TypeAlias = tuple[list[str], list[str]]
REPEATED = (Scenario.NOOP_PLAN, Scenario.NOOP_APPLY)


class Contestant(NamedTuple):
    """A program.

    Attributes:
        label: the key of the label that holds the project's name on all it makes.
        commands: by scenario; `command` puts the file's name in.
    """

    name: str
    label: str
    file: str
    commands: dict[Scenario, Words]

    def command(self, scenario: Scenario, directory: Path) -> list[str]:
        before, after = self.commands[scenario]
        return [*before, str(directory / self.file), *after]


def contestants(programs: Programs) -> tuple[Contestant, Contestant]:
    """Compose, the measure of things, and `reconciler`."""
    ours, theirs = str(programs.reconciler), str(programs.compose)
    apply: Words = ([ours, "apply", "--yes"], [])
    up: Words = ([theirs, "-f"], ["up", "-d", "--remove-orphans"])
    return (
        Contestant(
            "compose",
            "com.docker.compose.project",
            COMPOSE_FILE,
            {**dict.fromkeys(Scenario, up), Scenario.DESTROY: ([theirs, "-f"], ["down", "--volumes"])},
        ),
        Contestant(
            "reconciler",
            "reconciler.project",
            SPEC_FILE,
            {
                **dict.fromkeys(Scenario, apply),
                Scenario.NOOP_PLAN: ([ours, "plan"], []),
                Scenario.DESTROY: ([ours, "destroy", "--yes", "--volumes"], []),
            },
        ),
    )
