"""Runs the command line in processes of its own, without starting an interpreter for each: forked, everything loaded.

Reads lines of JSON `{"arguments": [...], "output": FILE}`; answers with a line `pid N` at once and `code N` at the end
(negative: the signal that ended it).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_LOADED = (
    "reconciler.cli.main", "reconciler.cli.parser", "reconciler.cli.changing", "reconciler.cli.interrupts",
    "reconciler.cli.progress", "reconciler.cli.saved", "reconciler.spec.load", "reconciler.spec.documents",
    "reconciler.apply.executor", "reconciler.engine.connect", "reconciler.engine.sdk", "reconciler.engine.build",
    "reconciler.engine.context", "docker",
)  # fmt: skip


class Zygote:
    """One such process."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def begin(self, arguments: list[str], output: Path) -> int:
        """Start it; its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"arguments": arguments, "output": str(output)}) + "\n")
        self._process.stdin.flush()
        return self._answer("pid")

    def end(self) -> int:
        """Wait for its end; its exit status."""
        return self._answer("code")

    def _answer(self, word: str) -> int:
        assert self._process.stdout is not None
        said, _, number = self._process.stdout.readline().partition(" ")
        assert said == word, said
        return int(number)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    for name in _LOADED:
        __import__(name)
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if not pid:
            _become(wanted["arguments"], wanted["output"])
        print(f"pid {pid}", flush=True)
        print(f"code {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}", flush=True)


def _become(arguments: list[str], output: str) -> None:
    from reconciler.cli.main import run

    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(nothing, 0)
    os.dup2(written, 1)
    os.dup2(written, 2)
    code = run(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
