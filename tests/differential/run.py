"""The corpus against Docker Compose: every project imported, applied, compared, planned again and destroyed.

    python -m tests.differential.run CORPUS [NAME...] [--engines N] [--write] [--keep DIRECTORY]

Each worker has an engine of its own. `--write` puts the table into docs/compose.md. The exit status is 1 when a
project failed or differs in a way that `meant.py` does not explain.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.differential.table import Verdict, judge, write_table

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "scripts" / "engine"
STAGES = ("/tmp/corp-host", "/tmp/corp-stage")  # where the corpus's tools stage a project


class Worker(threading.Thread):
    """Takes projects off the queue and runs them on its own engine."""

    def __init__(self, number: int, corpus: Path, names: queue.SimpleQueue[str], keep: Path | None) -> None:
        super().__init__()
        self.engine = f"differential-{number}"
        self.corpus = corpus
        self.names = names
        self.keep = keep
        self.results: list[dict[str, Any]] = []

    def run(self) -> None:
        environment = {**os.environ, "RECONCILER_ENGINE_NAME": self.engine}
        subprocess.run([ENGINE, "up"], env=environment, check=True, capture_output=True)
        try:
            inside = self._inside(environment)
            while not self.names.empty():
                self._one(self.names.get(), inside)
        finally:
            subprocess.run([ENGINE, "down"], env=environment, check=False, capture_output=True)

    def _inside(self, environment: dict[str, str]) -> list[str]:
        """What runs a command in the engine's own mount and network namespace, with a place to stage for it alone."""
        host = subprocess.run([ENGINE, "env"], env=environment, check=True, capture_output=True, text=True).stdout
        socket = host.split("unix://")[1].split()[0]
        pid = Path(socket).with_name("pid").read_text().split()[0]
        enter = ["nsenter", "--target", pid, "--mount", "--net", "--"]
        for place in STAGES:
            Path(place).mkdir(exist_ok=True)
            subprocess.run([*enter, "mount", "-t", "tmpfs", "differential", place], check=True)
        return [*enter, "env", f"--chdir={ROOT}", f"DOCKER_HOST=unix://{socket}"]

    def _one(self, name: str, inside: list[str]) -> None:
        host = next(word.partition("=")[2] for word in inside if word.startswith("DOCKER_HOST="))
        command = [*inside, sys.executable, "-m", "tests.differential.one", str(self.corpus), name, host]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            result = json.loads(done.stdout)
        except ValueError:
            result = {"name": name, "mode": "", "failed": "the trial itself", "differences": [], "said": {}}
            result["said"]["trial"] = (done.stdout + done.stderr)[-3000:]
        self.results.append(result)
        if self.keep:
            (self.keep / f"{name}.json").write_text(json.dumps(result, indent=1))
        report(judge(result))


def report(verdict: Verdict) -> None:
    print(f"{verdict.name}: {verdict.summary}", flush=True)
    for line in verdict.unexplained:
        print(f"    {line}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--engines", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", type=Path, help="where the result of each project is left and found")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    names: queue.SimpleQueue[str] = queue.SimpleQueue()
    for entry in json.loads((options.corpus / "index.json").read_text()):
        if not options.names or entry["name"] in options.names:
            names.put(entry["name"])
    subprocess.run([ENGINE, "need", "busybox-static"], check=True)  # the stub images are made of it
    began = time.monotonic()
    workers = [Worker(number, options.corpus, names, options.keep) for number in range(1, options.engines + 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    results = [result for worker in workers for result in worker.results]
    if options.keep:  # what earlier runs left there counts for the projects that this one was not asked for
        results = [json.loads(file.read_text()) for file in options.keep.glob("*.json")]
    results.sort(key=lambda item: str(item["name"]))
    verdicts = [judge(result) for result in results]
    print(write_table(ROOT / "docs" / "compose.md", verdicts, write=options.write))
    print(f"{time.monotonic() - began:.0f} s")
    return 0 if verdicts and all(verdict.is_good for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
