"""Measure `reconciler` beside Docker Compose, in turns, on the engine in DOCKER_HOST.

    scripts/engine up && scripts/engine exec scripts/base-image
    scripts/engine exec make bench ARGS="--rounds 5 --json results.json"

Each round, each contestant goes through a whole cycle on an otherwise empty engine, in an order that changes from
round to round. A cycle that is not recorded comes first. Requests are counted in a cycle of their own, through a proxy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.contestants import Contestant, Scenario, contestants
from benchmarks.counting import CountingProxy
from benchmarks.cycle import Cycle, Sample
from benchmarks.engine import Engine, EngineError
from benchmarks.generate import IMAGE, Project
from benchmarks.installation import install, version_of
from benchmarks.measure import FailedError
from benchmarks.results import document, rows, table, targets, verdicts


class Bench:
    """A run: what is measured where, and all that came out so far."""

    def __init__(self, engine: Engine, docker_host: str, both: tuple[Contestant, ...], scratch: Path) -> None:
        self._engine, self._docker_host, self._both, self._scratch = engine, docker_host, both, scratch
        self._projects: list[str] = []
        self.samples: list[Sample] = []
        self.dropped: list[str] = []
        self.calls: dict[tuple[str, Scenario, int], Counter[str]] = {}

    def warm_up(self) -> None:
        for contestant in self._both:
            self._cycle(contestant, 1, lambda _: None).run(1)

    def measure(self, size: int, rounds: int, repeats: int) -> None:
        """All rounds at one size. One in which a program fails is dropped for both: engines have their faults."""
        for number in range(1, rounds + 1):
            order = self._both if number % 2 else self._both[::-1]
            found: list[Sample] = []
            try:
                for contestant in order:
                    self._cycle(contestant, size, found.append, number=number).run(repeats)
            except FailedError as error:
                self._drop(f"N = {size}, round {number}", error)
            else:
                self.samples += found
                _say(f"N = {size}: round {number} of {rounds}")

    def count_calls(self, size: int) -> None:
        path = self._scratch / "proxy.sock"
        for contestant in self._both:
            with CountingProxy(self._engine.socket, path) as proxy:

                def seen(sample: Sample, proxy: CountingProxy = proxy) -> None:
                    self.calls[sample.contestant, sample.scenario, sample.size] = proxy.take()

                try:
                    self._cycle(contestant, size, seen, f"unix://{path}").run(1, settle=False)
                except FailedError as error:
                    self._drop(f"N = {size}, counting the requests of {contestant.name}", error)

    def clean(self) -> None:
        """Take away what a broken cycle has left."""
        for contestant in self._both:
            for name in self._projects:
                self._engine.remove_owned(f"{contestant.label}={name}")

    def _drop(self, what: str, error: FailedError) -> None:
        self.dropped.append(f"{what}: {str(error).splitlines()[0]}")
        _say(f"dropped: {what}: {error}")
        self.clean()

    def _cycle(
        self, contestant: Contestant, size: int, seen: Callable[[Sample], None], docker_host: str = "", number: int = 0
    ) -> Cycle:
        # A name for each cycle: what an engine refuses to remove is not in the way of the next one.
        self._projects.append(f"bench-{secrets.token_hex(3)}")
        return Cycle(
            self._engine,
            contestant,
            Project(self._projects[-1], size),
            scratch=self._scratch,
            docker_host=docker_host or self._docker_host,
            number=number,
            seen=seen,
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...", description="Measure reconciler beside Docker Compose."
    )
    parser.add_argument("-n", "--n", type=_counts, default=[1, 10, 50], help="numbers of containers (default: 1,10,50)")
    parser.add_argument("--rounds", type=int, default=5, help="cycles of each contestant at each N (default: 5)")
    parser.add_argument("--repeats", type=int, default=5, help="how often a cycle does nothing, each way (default: 5)")
    parser.add_argument("--without-calls", action="store_true", help="do not count the requests to the engine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument(
        "--keep", type=Path, metavar="DIRECTORY", help="install there and leave it, for a quicker start next time"
    )
    return parser.parse_args()


def _counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _open_engine() -> tuple[Engine, str]:
    host = os.environ.get("DOCKER_HOST", "")
    if not host:
        sys.exit("DOCKER_HOST is not set. Use an engine of its own: scripts/engine exec make bench")
    engine = Engine(host)
    engine.ask("GET", f"/images/{IMAGE}/json")
    if engine.ask("GET", "/containers/json?all=1"):
        sys.exit("there are containers on this engine; measuring wants an empty one")
    return engine, host


def _setup(engine: Engine, options: argparse.Namespace, compose: Path) -> dict[str, object]:
    version = engine.ask("GET", "/version")
    return {
        "engine": version["Version"],
        "kernel": version["KernelVersion"],
        "compose": version_of(compose),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "rounds": options.rounds,
        "repeats": options.repeats,
    }


def _report(bench: Bench, setup: dict[str, object], file: Path | None) -> int:
    found = rows(bench.samples)
    judged = targets(found, bench.calls)
    setup = {**setup, "dropped": bench.dropped}
    print(", ".join(f"{name}: {value}" for name, value in setup.items()))
    print(f"\n{table(found, bench.calls)}\n\n{verdicts(judged)}")
    if file is not None:
        file.write_text(json.dumps(document(bench.samples, bench.calls, setup), indent=1) + "\n", encoding="utf-8")
    return 0 if all(target.is_met for target in judged) else 1


def main() -> int:
    """Run it. 0 when every target that was judged is met."""
    options = _options()
    engine, host = _open_engine()
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as temporary:
        scratch = Path(temporary)
        programs = install(options.keep.absolute() if options.keep else scratch)
        bench = Bench(engine, host, contestants(programs), scratch)
        setup = _setup(engine, options, programs.compose)
        _say("installed; warming up")
        try:
            bench.warm_up()
            for size in options.n:
                bench.measure(size, options.rounds, options.repeats)
                if not options.without_calls:
                    bench.count_calls(size)
        except (FailedError, KeyboardInterrupt) as error:
            _say(f"stopped: {error or 'interrupted'}; what was measured so far follows")
            _report(bench, setup, options.json)
            return 1
        finally:
            bench.clean()
        return _report(bench, setup, options.json)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (EngineError, OSError) as problem:
        sys.exit(f"bench: {problem}")
