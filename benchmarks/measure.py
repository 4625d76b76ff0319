"""One run of a program: what it cost, from before its process is made until it has been collected."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

TIMEOUT = 600.0


class Cost(NamedTuple):
    """What a run cost the machine, without the engine's share.

    Attributes:
        wall: seconds.
        cpu: seconds of processor time of the program and its children.
        rss: peak resident memory in MiB; never below that of the measuring process, which it was forked from.
    """

    wall: float
    cpu: float
    rss: float


class FailedError(Exception):
    """A program that is measured ended with an error."""


def run(command: Sequence[str], environment: Mapping[str, str], output: Path) -> Cost:
    """Run to the end. What it prints goes to the file `output`.

    Raises:
        FailedError: it did not end with 0.
    """
    with output.open("wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=dict(environment), cwd=output.parent, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
        timer = threading.Timer(TIMEOUT, process.kill)
        timer.daemon = True
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = output.read_text(encoding="utf-8", errors="replace")[-1000:]
        raise FailedError(f"{Path(command[0]).name} {' '.join(command[1:])} ended with {process.returncode}:\n{said}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def environment(home: Path, docker_host: str) -> dict[str, str]:
    """What the programs see: nothing of the caller's but the search path."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "DOCKER_HOST": docker_host,
    }
