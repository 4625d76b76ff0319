"""Measure `reconciler run`: how soon it heals, how soon it notices a saved file, what it costs when nothing happens.

    scripts/engine up && scripts/engine exec scripts/base-image
    scripts/engine exec .venv/bin/python -m benchmarks.loop

The time to heal is measured beside what the engine itself takes to make and start such a container, in turns, and in
two ways: to a project of one container, and to one among `--size`. Passes in memory need no engine: `--only memory`.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

LOOP = ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"]
_TICK = os.sysconf("SC_CLK_TCK")


class Bench:
    """One project on the engine in DOCKER_HOST, kept by a `reconciler run`."""

    def __init__(self, root: Path, size: int, settings: str = "") -> None:
        self.root, self.size = root, size
        self.name = f"bench-{secrets.token_hex(3)}"
        self.api: Any = docker.APIClient(os.environ["DOCKER_HOST"], version="auto", timeout=120)
        self.specs = root / "specs"
        self.specs.mkdir()
        self.file = self.specs / "spec.toml"
        self.write("0")
        self.config = root / "config.toml"
        self.config.write_text(f'[[project]]\npath = "specs"\n{settings}')
        self.log = root / "log"

    def write(self, value: str) -> None:
        containers = "".join(
            f'[container.c{number}]\nimage = "busybox:latest"\ncommand = {json.dumps(LOOP)}\nstop_grace_period = "1s"\n'
            f"cpu_shares = {512 + int(value) if number == 0 else 512}\n"
            for number in range(self.size)
        )
        self.file.write_text(f'[project]\nname = "{self.name}"\n{containers}')

    @contextmanager
    def running(self) -> Iterator[int]:
        """The process id of a service that has settled."""
        program = str(Path(sys.executable).with_name("reconciler"))
        with self.log.open("w") as stream:
            process = subprocess.Popen(
                [
                    program,
                    "run",
                    "--config",
                    str(self.config),
                    "--state-dir",
                    str(self.root / "state"),
                    "--log-format",
                    "json",
                ],
                stdout=stream,
                stderr=stream,
            )
        try:
            self.until(lambda: '"settled"' in self.log.read_text(), 600)
            yield process.pid
        finally:
            process.terminate()
            process.wait(90)

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> float:
        """Seconds that it took."""
        began = time.perf_counter()
        while not condition():
            if time.perf_counter() - began > seconds:
                raise TimeoutError(self.log.read_text()[-3000:])
            time.sleep(0.002)
        return time.perf_counter() - began

    def running_id(self, name: str) -> str:
        try:
            found = self.api.inspect_container(f"{self.name}-{name}-1")
        except docker.errors.NotFound:
            return ""
        return str(found["Id"]) if found["State"]["Running"] else ""

    def clean(self) -> None:
        for container in self.api.containers(all=True, filters={"label": f"reconciler.project={self.name}"}):
            self.api.remove_container(container["Id"], force=True)
        for network in self.api.networks(filters={"label": f"reconciler.project={self.name}"}):
            self.api.remove_network(network["Id"])
        self.api.close()

    # --- what is measured --------------------------------------------------------------------------------------

    def heal(self, rounds: int) -> dict[str, float]:
        """From the end of `rm -f` to the successor running, beside the engine's own create and start."""
        healed, own = [], []
        for number in range(rounds):
            name = f"c{number % self.size}"
            before = self.running_id(name)
            self.api.remove_container(before, force=True)
            healed.append(self.until(lambda name=name, before=before: self.running_id(name) not in ("", before)))  # type: ignore[misc]
            time.sleep(0.3)
            began = time.perf_counter()
            host = self.api.create_host_config(network_mode=f"{self.name}_default")
            made = self.api.create_container("busybox:latest", LOOP, host_config=host)["Id"]
            self.api.start(made)
            own.append(time.perf_counter() - began)
            self.api.remove_container(made, force=True)
            time.sleep(0.3)
        return {"heal": statistics.median(healed), "heal_worst": max(healed), "engine": statistics.median(own)}

    def save(self, rounds: int) -> float:
        """From the return of the write to the first action of the pass."""
        took = []
        for number in range(1, rounds + 1):
            count = self.log.read_text().count('"action"')
            self.write(str(number))
            took.append(self.until(lambda count=count: self.log.read_text().count('"action"') > count))  # type: ignore[misc]
            time.sleep(0.7)
        return statistics.median(took)


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory(pid: int) -> float:
    """Resident MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def idle(bench: Bench, seconds: float) -> dict[str, float]:
    """What a settled service costs while nothing happens."""
    with bench.running() as pid:
        time.sleep(5)
        before = processor(pid)
        time.sleep(seconds)
        share = (processor(pid) - before) / seconds
        return {"cpu_percent": 100 * share, "rss": memory(pid), "fds": descriptors(pid)}


def in_memory(passes: int) -> list[tuple[int, float, int]]:
    """(passes, resident MiB, descriptors) over many passes on the engine in memory, healing something in each tenth."""
    from reconciler.loop.triggers import Cause
    from tests.loop.simulation import Simulation

    found = []
    with tempfile.TemporaryDirectory() as scratch:
        simulation = Simulation(Path(scratch))
        simulation.policy = simulation.policy._replace(flap_limit=10**9)
        containers = "".join(f'[container.c{n}]\nimage = "busybox"\ncommand = ["x"]\n' for n in range(10))
        project = simulation.add(containers)
        simulation.advance(1)
        while project.passes.count < passes:
            if project.passes.count % 10 == 0:
                simulation.remove("shop-c0-1")
            else:
                project.post(Cause.PERSON)
            simulation.advance(1)
            simulation.told.clear()
            if project.passes.count % (passes // 10) == 0:
                found.append((project.passes.count, memory(os.getpid()), descriptors(os.getpid())))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("heal", "idle", "memory"), help="only this part")
    parser.add_argument("--size", type=int, default=200, help="containers of the large project")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of watching an idle service")
    parser.add_argument("--passes", type=int, default=10_000)
    options = parser.parse_args()
    flapping = "[flapping]\nlimit = 1000\n"
    if options.only in (None, "memory"):
        for passes, rss, fds in in_memory(options.passes):
            print(f"memory: {passes} passes: {rss:.1f} MiB resident, {fds} descriptors", flush=True)
    if options.only in (None, "heal"):
        with tempfile.TemporaryDirectory() as scratch:
            bench = Bench(Path(scratch), 1, flapping)
            try:
                with bench.running():
                    healed = bench.heal(options.rounds)
                    print(f"heal, 1 container: median {healed['heal']:.3f} s, worst {healed['heal_worst']:.3f} s; "
                          f"the engine's own create and start {healed['engine']:.3f} s", flush=True)  # fmt: skip
                    print(f"save → first engine call: median {bench.save(options.rounds):.3f} s", flush=True)
            finally:
                bench.clean()
    if options.only in (None, "idle"):
        with tempfile.TemporaryDirectory() as scratch:
            bench = Bench(Path(scratch), options.size, flapping)
            try:
                cost = idle(bench, options.idle)
                print(f"idle, {options.size} containers, {options.idle:.0f} s: {cost['cpu_percent']:.2f} % of a core, "
                      f"{cost['rss']:.0f} MiB, {cost['fds']:.0f} descriptors", flush=True)  # fmt: skip
                with bench.running():
                    healed = bench.heal(options.rounds)
                    print(f"heal, {options.size} containers: median {healed['heal']:.3f} s, worst {healed['heal_worst']:.3f} s; "
                          f"the engine's own create and start {healed['engine']:.3f} s", flush=True)  # fmt: skip
            finally:
                bench.clean()


if __name__ == "__main__":
    main()
