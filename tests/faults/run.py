"""Every scenario, every call that changes something, every fault, on a real engine; then docs/reliability.md.

    python -m tests.faults.run [--scenario NAME]... [--fault NAME]... [--share N] [--seed N] [--workers N] [--again]
    python -m tests.faults.run --environment

Afterwards, unless something was selected, what is in `environment`; with `--environment` nothing else.

Results are kept in build/faults/points.json as they come, so that a run that was stopped goes on; `--again` begins anew.
`--share N` tries one in N points, chosen by `--seed`. The exit status is 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import docker

from tests.faults.kinds import Fault
from tests.faults.points import Player, Point, make_images
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.table import ENVIRONMENT, write_environment, write_points
from tests.support.engine import find_engine

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "faults" / "points.json"


def main() -> int:
    options = _options()
    host = find_engine()
    if host is None:
        print("run it inside: scripts/engine exec make faults", file=sys.stderr)
        return 1
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    if options.environment:
        return _try_environment()
    kept = {} if options.again or not RESULTS.exists() else json.loads(RESULTS.read_text())
    with docker.APIClient(host, version="auto") as api:
        make_images(api)
    run = _Run(host, kept, options.share, options.seed)
    for scenario in SCENARIOS:
        if not options.scenario or scenario.name in options.scenario:
            for fault in Fault:
                if not options.fault or fault in options.fault:
                    run.tasks.put((scenario, fault))
    began = time.monotonic()
    workers = [threading.Thread(target=run.work, daemon=True) for _ in range(options.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"{len(run.played)} points in {time.monotonic() - began:.0f} s; {len(run.broken)} broke a promise")
    write_points(list(run.kept.values()), [scenario.name for scenario in SCENARIOS])
    failed = bool(run.broken or run.died)
    if not (options.scenario or options.fault or options.share > 1):
        failed |= bool(_try_environment())
    return 1 if failed else 0


def _try_environment() -> int:
    """The exit status."""
    ENVIRONMENT.unlink(missing_ok=True)
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/faults/environment.py"]
    status = subprocess.run(program, cwd=ROOT, check=False).returncode
    write_environment()
    return status


class _Run:
    """What several players do together: each takes a scenario with one fault, and plays all its calls."""

    def __init__(self, host: str, kept: dict[str, Any], share: int, seed: int) -> None:
        self.tasks: queue.SimpleQueue[tuple[Scenario, Fault]] = queue.SimpleQueue()
        self.kept = kept
        self.played: list[Point] = []
        self.broken: list[Point] = []
        self.died: list[BaseException] = []
        self._host, self._share, self._random = host, share, random.Random(seed)
        self._lock = threading.Lock()

    def work(self) -> None:
        player = Player(self._host)
        try:
            while not self.tasks.empty():
                self._play(player, *self.tasks.get(block=False))
        except queue.Empty:
            pass
        except BaseException as error:
            self.died.append(error)
            raise
        finally:
            player.close()

    def _play(self, player: Player, scenario: Scenario, fault: Fault) -> None:
        calls, _ = player.clean(scenario)
        for number in range(1, calls + 1):
            key = f"{scenario.name}/{fault}/{number}"
            with self._lock:
                chosen = self._random.random() * self._share < 1
            if not chosen or (key in self.kept and not self.kept[key]["problems"]):
                continue
            self._note(key, player.play(scenario, fault, number))

    def _note(self, key: str, point: Point) -> None:
        with self._lock:
            self.played.append(point)
            self.kept[key] = {name: value for name, value in point._asdict().items() if name != "told"}
            RESULTS.with_suffix(".new").write_text(json.dumps(self.kept, indent=1))
            RESULTS.with_suffix(".new").replace(RESULTS)
            print(f"{key}: {point.call or 'not reached'}; {point.passes} more", flush=True)
            if point.problems:
                self.broken.append(point)
                print("  BROKEN: " + "\n  ".join((*point.problems, *point.told.splitlines())), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--fault", action="append", type=Fault, choices=list(Fault))
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=min(4, (os.cpu_count() or 1) + 1))
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--environment", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
