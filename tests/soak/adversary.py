"""Random operations at full speed against `reconciler run`: it ends settled, with nothing foreign touched.

On an engine of its own, which is restarted now and then under its containers (`--live-restore`); so as root.

    scripts/engine exec python -m tests.soak.adversary [--seconds 600] [--seed 1]
    scripts/engine exec python -m tests.soak.adversary --seconds 3600 --pace 5      # an hour of one and the same process

Prints what was done and what it came to; the exit status is 1 when a promise was broken. With `--pace` a deed is done
every so many seconds and the service is never killed: then its memory and its open files have to stay as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError

from reconciler.engine.refusals import OF_NOBODY
from tests.soak.deeds import Target, deeds, restore
from tests.support.engine import cli_program, find_engine
from tests.support.proxy import Proxy
from tests.support.victim import Victim, victim_engine

#: seconds for the last settling: what is still backing off waits for 2 s at most
SETTLING = 90.0
#: seconds after which the program runs for certain
STARTING = 5.0
#: how often the one process is looked at, in seconds, and how much more memory its last quarter may take than its second
SAMPLING = 10.0
GROWTH = 1.05
CONFIGURATION = """
state_directory = "{state}"
[log]
format = "json"
[timing]
retry_most = "2s"
resync = "10s"
[flapping]
limit = 1000000
[[project]]
path = "specs"
name = "shop"
"""


class Service:
    """A `reconciler run` that is started again when it was killed."""

    def __init__(self, root: Path, host: str) -> None:
        self.log = root / "log"
        self.starts = 0
        self.ends: list[int] = []
        self._command = [cli_program(), "-H", host, "run", "--config", str(root / "config.toml")]
        self._root = root
        self.start()

    def start(self) -> None:
        self.starts += 1
        self.began = time.monotonic()
        with self.log.open("a") as stream:
            self.process = subprocess.Popen(self._command, cwd=self._root, stderr=stream, stdout=stream)

    def signal(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP and time.monotonic() - self.began < STARTING:
            raise OSError("nobody asks an interpreter that is starting for a reload: it would end")
        self.process.send_signal(number)
        if number is signal.SIGKILL:
            self.process.wait(10)
            self.start()

    def look_after(self) -> None:
        """One that ended by itself is a broken promise, and is started again."""
        if self.process.poll() is not None:
            self.ends.append(self.process.returncode)
            self.start()

    def takes(self) -> tuple[int, int, int]:
        """Open files, threads, and memory in KiB."""
        place = Path("/proc", str(self.process.pid))
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        return len(list((place / "fd").iterdir())), int(status["Threads"]), int(status["VmRSS"].split()[0])

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(90)


def strangers(api: docker.APIClient, name: str) -> list[str]:
    """What looks like ours and is not: by name, by a label of another project, by a label inherited from an image."""
    made = []
    api.create_network(f"{name}-other")
    api.create_volume(f"{name}_extra")
    for place, labels in (
        (f"{name}-web-9", {}),
        (f"{name}-x", {"reconciler.project": "other", "reconciler.address": "container.web"}),
    ):
        words = ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"]
        host = api.create_host_config(network_mode=f"{name}-other", binds=[f"{name}_extra:/data"])
        made.append(api.create_container("busybox:latest", words, name=place, labels=labels, host_config=host)["Id"])
        api.start(made[-1])
    return made


def fingerprint(api: docker.APIClient, name: str, made: list[str]) -> dict[str, Any]:
    """What must not change of the strangers."""
    found: dict[str, Any] = {}
    for one in made:
        answer = api.inspect_container(one)
        found[answer["Name"]] = [
            answer["Id"],
            answer["State"]["StartedAt"],
            answer["State"]["Status"],
            answer["RestartCount"],
        ]
    network = api.inspect_network(f"{name}-other")
    found["network"] = [network["Id"], sorted(member for member in network["Containers"] if member in made)]
    found["volume"] = api.inspect_volume(f"{name}_extra")["CreatedAt"]
    return found


def attack(
    target: Target, service: Service, options: argparse.Namespace
) -> tuple[Counter[str], int, list[tuple[int, int, int]]]:
    """Deed after deed; how often each was done, how many the engine refused, and what the service took meanwhile."""
    chance = random.Random(options.seed)
    table = deeds(target, chance)
    if options.pace:
        del table["SIGKILL"]
    names, weights = list(table), [weight for weight, _ in table.values()]
    done: Counter[str] = Counter()
    samples = [service.takes()]
    refused, until = 0, time.monotonic() + options.seconds
    while time.monotonic() < until:
        (name,) = chance.choices(names, weights)
        try:
            table[name][1]()
            done[name] += 1
        except (APIError, OSError):
            refused += 1
        service.look_after()
        if until - time.monotonic() < options.seconds - SAMPLING * len(samples):
            samples.append(service.takes())
        # Now and then it is left alone for long enough to get somewhere.
        time.sleep(options.pace or chance.choice([0, 0, 0.02, 0.1, 0.5, 2.0]))
    return done, refused, samples


def grown(samples: list[tuple[int, int, int]]) -> list[str]:
    """Which of files, threads and memory grew between the second and the last quarter."""
    quarter = len(samples) // 4
    broken = []
    for place, what in enumerate(("files", "threads", "KiB")):
        early = statistics.median(sample[place] for sample in samples[quarter : 2 * quarter])
        late = statistics.median(sample[place] for sample in samples[-quarter:])
        print(f"    {what}: {early:.0f} in the second quarter, {late:.0f} in the last ({late / early:.3f})")
        if late > early * GROWTH:
            broken.append(f"{what} grow: {early:.0f} -> {late:.0f}")
    return broken


def settles(target: Target, host: str, seconds: float) -> float:
    """Seconds until nothing is to be done and everything is healthy; -1 when that does not come."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        command = [cli_program(), "-H", host, "status", str(target.directory), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return time.monotonic() - began
        time.sleep(0.5)
    print(done.stdout, done.stderr)
    return -1.0


def judge(target: Target, host: str) -> list[str]:
    """Which promises were broken."""
    broken = []
    plan = [cli_program(), "-H", host, "plan", str(target.directory), "--detailed-exitcode"]
    done = subprocess.run(plan, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        broken.append(f"the plan is not empty:\n{done.stdout}{done.stderr}")
    names = sorted(item["Names"][0].removeprefix(f"/{target.name}-") for item in target.containers())
    if names != ["db-1", "site-1", "web-1", "web-2"]:
        broken.append(f"containers are {names}")
    word = ""
    with suppress(APIError):
        held = target.api.exec_create(f"{target.name}-db-1", ["cat", "/data/word"])
        word = target.api.exec_start(held).decode().strip()
    if word != target.word:
        broken.append(f"the volume holds {word!r} and not {target.word!r}")
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=0, help="seconds between two deeds, and nobody kills the service")
    options = parser.parse_args()
    host = find_engine()
    if host is None:
        parser.error("an engine is needed: scripts/engine exec ...")
    name = f"soak-{secrets.token_hex(3)}"
    os.environ["DOCKER_BUILDKIT"] = "0"  # the quicker of the two here, and its children are the engine's
    with (
        tempfile.TemporaryDirectory() as directory,
        docker.APIClient(host, version="auto") as near,
        victim_engine(near, lives_on=True) as victim,
        docker.APIClient(victim.host, version="auto") as api,
    ):
        root = Path(directory)
        (root / "specs").mkdir()
        (root / "config.toml").write_text(CONFIGURATION.format(state=root / "state"))
        target = Target(name, root / "specs", api, Proxy(root, victim.host))
        target.restart_engine = lambda: victim.end_alone(signal.SIGTERM)
        return soak(target, victim, strangers(api, name), options)


def soak(target: Target, victim: Victim, made: list[str], options: argparse.Namespace) -> int:
    host = victim.host
    restore(target)
    service = Service(target.directory.parent, target.proxy.address)
    target.service = service.signal
    broken = []
    if settles(target, host, SETTLING) < 0:
        print("it does not even settle before anything happens")
        service.end()
        return 1
    before, was = fingerprint(target.api, target.name, made), service.takes()
    done, refused, samples = attack(target, service, options)
    victim.wait()
    restore(target)
    told = len(service.log.read_text())
    took = settles(target, host, SETTLING)
    if took < 0 and OF_NOBODY in service.log.read_text()[told:]:
        print("the engine keeps the name of a container that is gone, and is restarted as the message asks for")
        target.restart_engine()
        took = settles(target, host, SETTLING)
    if took < 0:
        broken.append(f"it does not settle within {SETTLING:.0f} s")
    broken += judge(target, host)
    if fingerprint(target.api, target.name, made) != before:
        broken.append(f"strangers were touched: {before} -> {fingerprint(target.api, target.name, made)}")
    takes = service.takes()
    if service.ends:
        broken.append(f"the service ended by itself: {service.ends}")
    if service.end() != 0:
        broken.append(f"after SIGTERM it ended with {service.process.returncode}")
    lines = service.log.read_text().splitlines()
    events = Counter(str(json.loads(line).get("event")) for line in lines if line.startswith("{"))
    crashes = [line for line in lines if not line.startswith("{")]
    if crashes:
        broken.append("the log has lines that are none of ours:\n" + "\n".join(crashes[:30]))
    print(f"seed {options.seed}: {done.total()} deeds in {options.seconds:.0f} s, {refused} more refused by the engine")
    print("    " + ", ".join(f"{name} {count}" for name, count in done.most_common()))
    print(f"    log: {', '.join(f'{name} {count}' for name, count in events.most_common(12))}")
    print(
        f"    files, threads, KiB: {was} before, {takes} after; {service.starts} starts; settled {took:.1f} s after the last deed"
    )
    if options.pace:
        broken += grown(samples)
    for text in broken:
        print(f"BROKEN: {text}")
    if broken:
        kept = Path(tempfile.gettempdir(), f"{target.name}.log")
        kept.write_text("\n".join(lines))
        print(f"the log is in {kept}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
