"""What a replacement costs those who ask the container meanwhile, beside Docker Compose, in one run.

    scripts/engine up && scripts/engine exec scripts/base-image
    scripts/engine exec .venv/bin/python -m benchmarks.rollout [--drains] [--keep DIRECTORY]

Needs a C compiler with a static C library (Debian: gcc, libc6-dev) for the server and the clients.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.engine import Engine, EngineError
from benchmarks.installation import Programs, install, version_of
from benchmarks.measure import environment
from benchmarks.traffic import IMAGE, PORT, Clients, Count, make_image, serve

ROUNDS = 10
_CHECK = ["/server", str(PORT), "check"]


def main() -> int:
    options = _options()
    host = os.environ.get("DOCKER_HOST", "")
    engine = Engine(host)
    print(f"engine {engine.ask('GET', '/version')['Version']}, {os.cpu_count()} processors, {ROUNDS} replacements each")
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        make_image(engine, scratch)
        if options.drains:
            compare_drains(engine)
            return 0
        programs = install(options.keep or scratch)
        print(version_of(programs.compose))
        bench = _Bench(engine, programs, host, scratch)
        bench.start_first()
        bench.stop_first()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollout", description=__doc__)
    parser.add_argument("--drains", action="store_true", help="only: in which order the old one is taken away")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="install there and leave it")
    return parser.parse_args()


# --- which order of taking the old one away loses fewer -------------------------------------------------------------


def compare_drains(engine: Engine) -> None:
    """Past the program: two servers have a name, and one of them goes."""
    with _network(engine) as network:

        def stop(container: str) -> None:
            engine.ask("POST", f"/containers/{container}/stop?t=10")

        def leave(container: str) -> None:
            engine.ask("POST", f"/networks/{network}/disconnect", {"Container": container})
            engine.ask("POST", f"/networks/{network}/connect", {"Container": container, "EndpointConfig": {}})
            time.sleep(2)
            stop(container)

        for manner in ("graceful", "abrupt"):
            for work in (0, 100):
                for how, name in ((stop, "stopped at once"), (leave, "leaves the names, then stopped")):
                    for retry in (300, 0):
                        count = _drain(engine, network, how, manner, work, retry)
                        _print(f"{manner}, {work} ms of work, {name}, {_client(retry)}", count)


def _drain(engine: Engine, network: str, how: Callable[[str], None], manner: str, work: int, retry: int) -> Count:
    old = serve(engine, f"rollout-{secrets.token_hex(3)}", network, "web", manner, work)
    clients = Clients(engine, network, "web", retry_ms=retry)
    clients.begin()
    try:
        for _ in range(ROUNDS):
            new = serve(engine, f"rollout-{secrets.token_hex(3)}", network, "web", manner, work)
            how(old)
            engine.remove_container(old)
            old = new
        return clients.count()
    finally:
        engine.remove_container(old)


@contextmanager
def _network(engine: Engine) -> Iterator[str]:
    name = f"rollout-{secrets.token_hex(3)}"
    engine.ask("POST", "/networks/create", {"Name": name})
    try:
        yield name
    finally:
        engine.ask("DELETE", f"/networks/{name}")


# --- beside Compose -------------------------------------------------------------------------------------------------


class _Bench:
    """One project for each contestant and manner of serving, changed again and again while clients ask it."""

    def __init__(self, engine: Engine, programs: Programs, host: str, scratch: Path) -> None:
        self._engine, self._programs, self._scratch = engine, programs, scratch
        self._environment = environment(scratch, host)

    def start_first(self) -> None:
        print("\nStart-first beside a recreate of Compose")
        for manner in ("graceful", "abrupt"):
            for who in ("reconciler", "compose"):
                for retry in (300, 0):
                    count, took = self._replace(who, "start-first", manner, retry, ROUNDS)
                    _print(f"{manner} server, {who}, {_client(retry)}", count, f"{took / ROUNDS:.1f} s each")

    def stop_first(self) -> None:
        """One replacement at a time, so that the longest gap is that of one."""
        print("\nSeconds without service, stop-first beside a recreate of Compose")
        for manner in ("graceful", "deaf"):
            for who in ("reconciler", "compose"):
                gaps = [self._replace(who, "stop-first", manner, 0, 1)[0].longest_gap / 1000 for _ in range(3)]
                print(f"  {manner} server, {who}: {', '.join(f'{gap:.2f} s' for gap in sorted(gaps))}", flush=True)

    def _replace(self, who: str, order: str, manner: str, retry: int, rounds: int) -> tuple[Count, float]:
        name = f"rollout-{secrets.token_hex(3)}"
        directory = self._scratch / name
        directory.mkdir()
        label = "reconciler.project" if who == "reconciler" else "com.docker.compose.project"
        try:
            self._apply(who, name, order, manner, 0)
            clients = Clients(self._engine, f"{name}_default", "web", retry_ms=retry)
            clients.begin()
            time.sleep(1)
            began = time.monotonic()
            for number in range(1, rounds + 1):
                self._apply(who, name, order, manner, number)
            took = time.monotonic() - began
            return clients.count(), took
        finally:
            with suppress(EngineError):
                self._engine.remove_owned(f"{label}={name}")

    def _apply(self, who: str, name: str, order: str, manner: str, number: int) -> None:
        directory = self._scratch / name
        if who == "reconciler":
            (directory / "spec.toml").write_text(_spec(name, order, manner, number))
            command = [str(self._programs.reconciler), "apply", "--yes", str(directory)]
        else:
            (directory / "compose.yaml").write_text(_compose(name, manner, number))
            command = [str(self._programs.compose), "-f", str(directory / "compose.yaml"), "up", "-d"]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _spec(name: str, order: str, manner: str, number: int) -> str:
    words = ["/server", str(PORT), manner]
    return (
        f'[project]\nname = "{name}"\n[container.web]\nimage = "{IMAGE}"\ncommand = {words}\n'
        f'environment = {{ NUMBER = "{number}" }}\nstop_grace_period = "2s"\n'
        f'rollout = {{ order = "{order}" }}\n'
        f'healthcheck = {{ test = {["CMD", *_CHECK]}, interval = "300ms", timeout = "5s" }}\n'
    )


def _compose(name: str, manner: str, number: int) -> str:
    words = ["/server", str(PORT), manner]
    return (
        f"name: {name}\nservices:\n  web:\n    image: {IMAGE}\n    command: {words}\n    pull_policy: never\n"
        f'    environment: {{ NUMBER: "{number}" }}\n    stop_grace_period: 2s\n'
        f"    healthcheck: {{ test: {['CMD', *_CHECK]}, interval: 300ms, timeout: 5s }}\n"
    )


def _client(retry: int) -> str:
    return f"clients that retry for {retry} ms" if retry else "clients that never retry"


def _print(what: str, count: Count, more: str = "") -> None:
    failed = f"{count.failures} of {count.requests} failed ({count.kinds}), {count.retried} retries"
    print(f"  {what}: {failed}, longest gap {count.longest_gap:.0f} ms{f', {more}' if more else ''}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
