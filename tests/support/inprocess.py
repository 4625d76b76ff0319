"""A project driven in this process: write a spec, plan, apply, look. Quicker than the command line, the same passes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from reconciler.engine.interface import Engine
from reconciler.model.address import Address, Kind
from reconciler.model.ownership import ADDRESS, PROJECT
from reconciler.model.plan import Change, Plan, Verb
from reconciler.model.report import Report
from reconciler.model.values import Config
from reconciler.planning.world import EVERYTHING, Request
from reconciler.reconcile import Pass, act, look, look_destroy
from reconciler.spec.load import load
from tests.support import refusals
from tests.support.engine import cli_program, find_engine

#: for tests of other things: replaced in place, and not waited for
AT_ONCE = '{ order = "stop-first", ready_after = "0s" }'


class Workbench:
    """One project in a directory, on one engine."""

    def __init__(
        self,
        name: str,
        directory: Path,
        engine: Engine,
        environment: dict[str, str] | None = None,
        rollout: str = "",
    ) -> None:
        self.name = name
        self.directory = directory
        self.engine = engine
        self.rollout = rollout
        self.environment = environment if environment is not None else dict(os.environ)

    def write(self, text: str, filename: str = "spec.toml") -> None:
        rollout = f"rollout = {self.rollout}\n" if self.rollout else ""
        header = f'[project]\nname = "{self.name}"\n{rollout}\n' if filename == "spec.toml" else ""
        (self.directory / filename).write_text(header + text)

    def look(self, request: Request = EVERYTHING) -> Pass:
        return look(load(self.directory, self.environment), self.engine, request)

    def plan(self, request: Request = EVERYTHING) -> Plan:
        plan = self.look(request).plan
        for change in plan.changes:
            if change.verb is Verb.BLOCKED and refusals.is_expected(change.note):
                self._meet_refusal(change)
        return plan

    def apply(self, request: Request = EVERYTHING) -> Report:
        again = request._replace(replace=())
        return act(self.plan(request), self.engine, lambda: self.look(again))

    def settle(self, text: str | None = None) -> None:
        """Write a spec, apply it, and expect that nothing is left to do."""
        if text is not None:
            self.write(text)
        report = self.apply()
        assert report.is_settled, explain(report)

    def destroy(self) -> Report:
        desired = load(self.directory, self.environment)
        request = Request(volumes=True)
        made = look_destroy(desired, self.engine, request)
        return act(made.plan, self.engine, lambda: look_destroy(desired, self.engine, request))

    def _meet_refusal(self, change: Change) -> None:
        """By the command line: the plan says it, to apply fails with it, and what is there stays as it is."""
        before = self._held(change.address)
        for words, code in ((("plan", "--detailed-exitcode"), 2), (("apply", "--yes"), 1)):
            done = subprocess.run(
                [cli_program(), "-H", find_engine() or "", words[0], str(self.directory), *words[1:]],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert (done.returncode, change.note in done.stdout) == (code, True), done.stdout
            assert "Traceback" not in done.stdout
        assert self._held(change.address) == before, "what is refused is not made, and not changed"
        raise refusals.Refused(change.note)

    def _held(self, address: Address) -> list[str]:
        """The ids of what stands under an address."""
        listed = self.engine.list_networks() if address.kind is Kind.NETWORK else self.engine.list_containers()
        labels = ((entry["Id"], entry.get("Labels") or {}) for entry in listed)
        return sorted(
            made for made, held in labels if (held.get(PROJECT), held.get(ADDRESS)) == (self.name, str(address))
        )

    def change(self, address: str) -> Change:
        """The change of one resource; it must be the only one."""
        changes = self.plan().changes
        assert [str(change.address) for change in changes] == [address], [str(change) for change in changes]
        return changes[0]

    def config(self, container: str) -> Config:
        """What the engine holds of a container of this project."""
        found = [item for item in self.look().observed.containers if item.name == container]
        assert len(found) == 1, container
        assert found[0].config is not None
        return found[0].config


def explain(report: Report) -> str:
    """Why a report is not settled."""
    lines = [f"{o.address} {o.verb} {o.status}: {o.message}" for o in report.outcomes]
    for change in report.remaining.changes if report.remaining is not None else ():
        lines.append(f"still {change.verb} {change.address} ({change.reason}) {change.note}")
        lines += [f"    {f.path}: {f.observed!r} -> {f.desired!r} ({f.reason}, {f.forces})" for f in change.fields]
    return "\n".join(lines)
