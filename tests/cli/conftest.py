"""The command line as a person meets it: a shell, a terminal, pipes."""

import pytest

from tests.cli.console import Console
from tests.support.engine import Project

#: a program that ends at once when told to, as its own first process
LOOP = 'command = ["sh", "-c", "trap exit TERM; while :; do sleep 0.1; done"]'


@pytest.fixture
def console(project: Project) -> Console:
    return Console(project)
