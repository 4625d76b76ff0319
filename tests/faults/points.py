"""Crash points on a real engine: a scenario, a call, a fault; what is to hold afterwards."""

from __future__ import annotations

import os
import re
import secrets
import signal
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import docker

from reconciler.engine.connect import connect
from tests.faults.kinds import Fault
from tests.faults.promises import broken, make_strangers, owned, snapshot
from tests.faults.proxy import FaultProxy
from tests.faults.scenarios import KEPT, SERVER, Scenario, filled
from tests.faults.zygote import Zygote
from tests.support.engine import remove_network, remove_project
from tests.support.inprocess import Workbench
from tests.support.registry import free_port

#: passes until everything has to be settled
_PASSES = 4
#: seconds for a server that was started a moment ago to listen
_LISTENS = 5.0


class Point(NamedTuple):
    """What came of one.

    Attributes:
        call: the call that went wrong, or "" when the scenario has fewer.
        passes: how many it took to settle, after the one that was hit.
        problems: promises that were broken.
        told: what the command that was hit printed, and those after it.
    """

    scenario: str
    fault: Fault
    number: int
    call: str
    passes: int
    problems: tuple[str, ...]
    told: str


class Player:
    """One project on the engine, with strangers beside it; plays points one after the other."""

    def __init__(self, host: str, *, is_near: bool = True) -> None:
        """`is_near`: its containers can be reached from here."""
        self.is_near = is_near
        self.name = f"faults-{secrets.token_hex(3)}"
        self.directory = Path(tempfile.mkdtemp(prefix=self.name))
        self.port = free_port()
        self.host = host
        # The classic builder: what buildx asks of the engine is no plain call.
        self.environment = {**os.environ, "DOCKER_BUILDKIT": "0", "XDG_CACHE_HOME": str(self.directory / "cache")}
        self.engine = connect(host, self.environment)
        self.api = docker.APIClient(host, version="auto", timeout=120)
        self.proxy = FaultProxy(self.directory, host)
        self.specs = self.directory / "specs"
        self.specs.mkdir()
        self.bench = Workbench(self.name, self.specs, self.engine, self.environment)
        self.zygote = Zygote(self.environment)
        self._strangers = make_strangers(self.engine, self.name)
        self._as_made = snapshot(self.engine, self.name, self._strangers[:2])
        self._token = secrets.token_hex(8)
        self.turn, self._last = 0, ""
        self._is_kept, self._kept_in = False, ""
        self._clean: dict[str, tuple[int, int]] = {}
        #: by scenario, the calls of its clean run that change something
        self.calls: dict[str, list[str]] = {}

    def close(self) -> None:
        self.zygote.close()
        self.proxy.cut()
        for name in (self.name, f"{self.name}x"):
            remove_project(self.api, name)
        self.api.remove_container(self._strangers[0], force=True)
        remove_network(self.api, self._strangers[2])
        self.api.remove_volume(f"{self.name}_data2")
        self.engine.close()
        self.api.close()

    # --- one point -----------------------------------------------------------------------------------------------

    def clean(self, scenario: Scenario) -> tuple[int, int]:
        """Without a fault: how many calls change something, and how many of them create."""
        if scenario.name not in self._clean:
            point = self._play(scenario, Fault.DELAY, 0)
            assert not point.problems, f"{scenario.name} without a fault: {point.problems}\n{point.told}"
        return self._clean[scenario.name]

    def play(self, scenario: Scenario, fault: Fault, number: int) -> Point:
        """Let one call go wrong, then run until it is settled."""
        self.clean(scenario)
        point = self._play(scenario, fault, number)
        if point.problems:  # whatever is wrong is not the next one's
            self.sweep()
        return point

    def sweep(self) -> None:
        """Take everything away, what was made by hand too."""
        remove_project(self.api, self.name)
        for item in self.api.containers(all=True, filters={"name": f"^/{self.name}-web-1$"}):
            self.api.remove_container(item["Id"], force=True)
        with suppress(docker.errors.NotFound):
            self.api.remove_volume(f"{self.name}_data")

    def _play(self, scenario: Scenario, fault: Fault, number: int) -> Point:
        self.turn += 1
        before = self.prepare(scenario)
        self.write(scenario.after(self.turn))
        self.proxy.created.clear()
        self.proxy.arm(fault, number)
        code, told = self.run(*scenario.command, is_target=True)
        call = self.proxy.changing[number - 1] if self.proxy.has_failed else ""
        calls = [_plain(text) for text in self.proxy.changing]
        problems = [f"it ended with {code}"] if code not in (0, 1, -signal.SIGKILL) else []
        problems += [f"a message that is none: {word}" for word in ("Traceback", "a bug in") if word in told]
        if not number and code != int(scenario.fails):
            problems.append(f"the clean run ended with {code}")
        passes, more = self.settle(scenario, code)
        if not number:
            self.calls[scenario.name] = calls
            self._clean[scenario.name] = len(calls), len(self.proxy.created)
        problems += ["it does not settle"] if passes > _PASSES else []
        problems += self.broken(scenario, before)
        return Point(scenario.name, fault, number, _plain(call), passes, tuple(problems), told + more)

    def live_through(
        self, scenario: Scenario, number: int, deed: Callable[[], None], mend: Callable[[], None] = lambda: None
    ) -> tuple[str, list[str]]:
        """Something else than a fault of one call: `deed` is done before call `number` arrives, `mend` afterwards.

        Returns:
            what the command said, and the promises that are broken when all has settled; the containers of others may
            have been started anew.
        """
        self.turn += 1
        before = self.prepare(scenario)
        self.write(scenario.after(self.turn))
        self.proxy.arm()
        self.proxy.meanwhile = {number: deed}
        code, told = self.run(*scenario.command, is_target=True)
        mend()
        self.api.close()  # it would go on with connections to an engine that is no more
        passes, more = self.settle(scenario, code)
        problems = [] if passes <= _PASSES else [f"it does not settle: {more}"]
        problems += [f"a message that is none: {word}" for word in ("Traceback", "a bug in") if word in told + more]
        return told, problems + self.broken(scenario, before, strict=False)

    def prepare(self, scenario: Scenario) -> list[str]:
        """What is there before: the ids of what serves."""
        if scenario.afresh or scenario.name != self._last:
            self.sweep()
        self._last = scenario.name
        if files := scenario.before(self.turn):
            self.write(files)
            self.bench.settle()
        if scenario.by_hand is not None:
            scenario.by_hand(self.engine, self.name)
        self._keep_something()
        return [item["Id"] for item in owned(self.engine, self.name)]

    def write(self, files: Any) -> None:
        for name, text in filled(files, self.name, self.port).items():
            file = self.specs / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def run(self, verb: str, *options: str, is_target: bool = False) -> tuple[int, str]:
        output, known, pid = self.directory / "output", threading.Event(), 0

        def kill() -> None:
            known.wait()
            os.kill(pid, signal.SIGKILL)

        self.proxy.kill = kill
        if not is_target:
            self.proxy.arm()
        pid = self.zygote.begin(["-H", self.proxy.address, verb, str(self.specs), *options], output)
        known.set()
        code = self.zygote.end()
        self.proxy.wait_until_idle()
        return code, f"$ reconciler {verb} {' '.join(options)}\n{output.read_text(errors='replace')}-> {code}\n"

    def settle(self, scenario: Scenario, code: int) -> tuple[int, str]:
        """Run until it is settled; how many passes that took, none where the one that was hit has settled."""
        text = ""
        if scenario.fails:
            code, told = self.run(*scenario.command)
            text += told
            self.write(scenario.before(self.turn))
        passes = 0
        while code and passes < _PASSES:
            code, told = self.run(*scenario.command)
            passes, text = passes + 1, text + told
        if scenario.command[0] == "apply":
            code, told = self.run("plan", "--detailed-exitcode")
            text += told
        return (_PASSES + 1 if code else passes), text

    def begin_anew(self) -> None:
        """What is not ours counts as it is now: it was started anew, or ended, with its engine."""
        self._as_made = snapshot(self.engine, self.name, self._strangers[:2])

    def running(self) -> list[str]:
        """The ids of our containers that run."""
        return [item["Id"] for item in owned(self.engine, self.name) if item["State"]["Running"]]

    # --- promises ------------------------------------------------------------------------------------------------

    def broken(self, scenario: Scenario, before: list[str], *, strict: bool = True) -> list[str]:
        found = broken(self.engine, self.name, scenario)
        seen, made = snapshot(self.engine, self.name, self._strangers[:2]), self._as_made
        if (seen if strict else [*seen]) != (made if strict else [*made]):
            found.append("something that is not ours was touched")
        allowed = self._clean[scenario.name][1] if strict else 0
        if strict and len(self.proxy.created) > allowed + 1:
            found.append(f"{len(self.proxy.created)} creates, {allowed} in the clean run: {self.proxy.created}")
        containers = owned(self.engine, self.name)
        if strict and scenario.fails and [item["Id"] for item in containers] != before:
            found.append("what served before is not what serves")
        for item in containers:
            found += self._unanswered(item)
        return found + self._lost()

    def _unanswered(self, container: dict[str, Any]) -> list[str]:
        """Whether a server answers, on its address and on its port of the host, with what is in the volume."""
        if not container["Config"]["Cmd"] or "httpd" not in " ".join(container["Config"]["Cmd"]):
            return []
        name, mounts = container["Name"][1:], [mount["Destination"] for mount in container["Mounts"]]
        has_volume = self._is_kept and "/data" in mounts
        places = [endpoint["IPAddress"] for endpoint in container["NetworkSettings"]["Networks"].values()]
        bound = (container["NetworkSettings"]["Ports"] or {}).get("80/tcp") or ()
        places += [f"{place['HostIp']}:{place['HostPort']}" for place in bound]
        if container["HostConfig"]["PortBindings"] and not bound:
            return [f"{name} has no port"]
        found = []
        if not self.is_near:
            said = self._asked_inside(container["Id"], "kept" if has_volume else "")
            return [] if not has_volume or said == self._token else [f"{name} does not answer with its volume: {said}"]
        for place in places:
            try:
                with urllib.request.urlopen(f"http://{place}/{'kept' if has_volume else ''}", timeout=5) as answer:
                    said = answer.read().decode().strip()
            except urllib.error.HTTPError as error:
                found += [f"{name} lost its volume ({error})"] if has_volume else []
            except OSError as error:
                found.append(f"{name} does not answer at {place}: {error}")
            else:
                found += [] if not has_volume or said == self._token else [f"{name} lost its volume"]
        return found

    def _asked_inside(self, container_id: str, path: str) -> str:
        """What a server answers, which may have been started a moment ago: nobody has waited until it listens."""
        deadline = time.monotonic() + _LISTENS
        while True:
            made = self.api.exec_create(container_id, ["wget", "-qO-", f"http://127.0.0.1/{path}"])
            said = str(self.api.exec_start(made).decode().strip())
            if said or time.monotonic() > deadline:
                return said
            time.sleep(0.1)

    def _keep_something(self) -> None:
        """Put a file into the volume, if there is one."""
        made = self._volume()
        if made and made != self._kept_in:
            self._in_volume(f"echo {self._token} > {KEPT}")
        self._is_kept, self._kept_in = bool(made), made

    def _lost(self) -> list[str]:
        if not self._is_kept or any(item["Config"]["Cmd"] for item in owned(self.engine, self.name)):
            return []  # who serves it was asked
        return [] if self._in_volume(f"cat {KEPT}") == self._token else ["what was in the volume is lost"]

    def _volume(self) -> str:
        """When it was made, or "" when there is none."""
        volumes = self.engine.list_volumes()
        return next((str(item["CreatedAt"]) for item in volumes if item["Name"] == f"{self.name}_data"), "")

    def _in_volume(self, command: str) -> str:
        mount = self.api.create_host_config(binds=[f"{self.name}_data:/data"], network_mode="none")
        made = self.api.create_container(SERVER, ["sh", "-c", command], host_config=mount)
        try:
            self.api.start(made)
            self.api.wait(made)
            return str(self.api.logs(made).decode().strip())
        finally:
            self.api.remove_container(made, force=True)


def _plain(call: str) -> str:
    return re.sub(r"[0-9a-f]{64}", "ID", call)


def make_images(api: docker.APIClient) -> None:
    """The images of the scenarios, from the base image."""
    server = "echo here > /index.html; trap exit TERM; cd /data 2>/dev/null || cd /; httpd -p 80; sleep 99999 & wait"
    for tag, command in (
        ("faults-server:1", ["sh", "-c", server]),
        ("faults-broken:1", ["sh", "-c", "echo broken; exit 3"]),
        ("faults-job:1", ["sh", "-c", "echo worked"]),
    ):
        if api.images(tag):
            continue
        made = api.create_container("busybox:latest", command)
        repository, _, version = tag.partition(":")
        api.commit(made, repository, version)
        api.remove_container(made)
