"""The loop on the engine in memory."""

from pathlib import Path

import pytest

from tests.loop.simulation import Simulation

WEB = '[container.web]\nimage = "busybox"\ncommand = ["serve"]\n'
DB = '[container.db]\nimage = "busybox"\ncommand = ["store"]\n'


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation(tmp_path)
