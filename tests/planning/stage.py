"""A stage for planning: one project on an engine in memory, and what people do to it by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any

from reconciler.apply.actions import Performer
from reconciler.apply.readiness import Clock
from reconciler.engine.interface import Engine
from reconciler.errors import EngineError
from reconciler.model.desired import DesiredState
from reconciler.model.plan import Change, Plan, RenameContainer
from reconciler.model.report import Report
from reconciler.planning.world import Request
from reconciler.reconcile import Pass, act, look
from reconciler.spec.load import load
from tests.planning.toml_text import document
from tests.support.clock import Hurried
from tests.support.failing import MUTATING
from tests.support.memory import Behaviour, Image, MemoryEngine

PROJECT = "shop"
OURS = {"reconciler.project": PROJECT}
THEIRS = {"reconciler.project": "other", "reconciler.address": "container.web", "reconciler.fingerprint": "1:"}

#: an image that supplies every option an image can
RICH = Image(
    {
        "Cmd": ["serve"],
        "Entrypoint": ["/entry"],
        "Env": ["PATH=/bin", "LEVEL=image"],
        "Labels": {"vendor": "acme"},
        "User": "100",
        "WorkingDir": "/srv",
        "ExposedPorts": {"6379/tcp": {}},
        "Volumes": {"/var/lib/rich": {}},
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["CMD", "ping"], "Interval": 10**9},
    }
)
PLAIN = Image({"Cmd": ["sh"], "Env": ["PATH=/bin:/usr/bin"]})
JOB = Image({"Cmd": ["job"]}, Behaviour(exit_code=0))
OTHER = Image({"Cmd": ["other"]})


def fresh_engine(version: tuple[int, int] = (1, 41)) -> MemoryEngine:
    engine = MemoryEngine(version, {"busybox:latest": PLAIN, "rich:7": RICH, "job:1": JOB})
    engine.images.remote |= {"remote:1": OTHER, "busybox:latest": PLAIN, "rich:7": RICH}
    return engine


class Stage:
    """`strangers` are the ids and names of all that was made by hand and is nobody's business."""

    def __init__(self, directory: Path, engine: MemoryEngine | None = None) -> None:
        self.directory = directory
        self.engine = engine or fresh_engine()
        self.strangers: set[str] = set()

    def write(self, spec: Mapping[str, Any] | str, context: str = "") -> DesiredState:
        """Write the spec, and the Dockerfile of what it builds."""
        text = spec if isinstance(spec, str) else document({"project": {"name": PROJECT}, **spec})
        (self.directory / "spec.toml").write_text(text)
        if context:
            (self.directory / "app").mkdir(exist_ok=True)
            (self.directory / "app" / "Dockerfile").write_text(f"FROM scratch\nLABEL content={context}\n")
        return self.reload()

    def look(self, desired: DesiredState, request: Request = Request()) -> Pass:
        return look(desired, self.engine, request)

    def reload(self) -> DesiredState:
        """What stands in the directory now."""
        return load(self.directory, {})

    def apply(
        self,
        desired: DesiredState,
        request: Request = Request(),
        engine: Engine | None = None,
        clock: Clock | None = None,
        cancelled: Event | None = None,
    ) -> Report:
        planned = look(desired, engine or self.engine, request).plan
        return act(
            planned,
            engine or self.engine,
            lambda: self.look(desired, request._replace(replace=())),
            cancelled=cancelled,
            clock=clock or Hurried(),
        )

    def settle(self, spec: Mapping[str, Any] | str, context: str = "") -> DesiredState:
        desired = self.write(spec, context)
        report = self.apply(desired)
        assert report.is_settled, report
        return desired

    def plan(self, spec: Mapping[str, Any] | str, context: str = "", request: Request = Request()) -> Plan:
        return self.look(self.write(spec, context), request).plan

    # --- what there is -------------------------------------------------------------------------------------------

    def container(self, name: str) -> dict[str, Any]:
        """The inspect answer of a container by its name."""
        return next(found for found in self.engine.containers.all.values() if found["Name"] == f"/{name}")

    def names(self) -> list[str]:
        return sorted(found["Name"][1:] for found in self.engine.containers.all.values())

    def ours(self) -> list[dict[str, Any]]:
        everything = self.engine.containers.all.values()
        return sorted((c for c in everything if c["Id"] not in self.strangers), key=lambda found: found["Name"])

    # --- by hand -------------------------------------------------------------------------------------------------

    def make_stranger(self, name: str, labels: Mapping[str, str] = {}, network: str = "bridge") -> str:
        """Somebody else's container, running."""
        body = {"Image": "busybox", "Cmd": ["stranger"], "Labels": dict(labels), "HostConfig": {"NetworkMode": network}}
        container_id, _ = self.engine.create_container(name, body, "")
        self.strangers.add(container_id)
        self.engine.start_container(container_id)
        return container_id

    def commit(self, name: str, reference: str) -> None:
        """An image made of one of our containers: it inherits the container's labels."""
        labels = self.container(name)["Config"]["Labels"]
        self.engine.images.add(reference, PLAIN._replace(config={"Cmd": ["sh"], "Labels": dict(labels)}, seed=name))

    def run_committed(self, reference: str, name: str) -> str:
        container_id, _ = self.engine.create_container(name, {"Image": reference}, "")
        self.strangers.add(container_id)
        self.engine.start_container(container_id)
        return container_id


def by_address(plan: Plan) -> dict[str, Change]:
    """The changes of a plan; of two with one address the last."""
    return {str(change.address): change for change in plan.changes}


def only(plan: Plan) -> Change:
    assert len(plan.changes) == 1, [f"{change.verb.value} {change.address}" for change in plan.changes]
    return plan.changes[0]


def writes(engine: MemoryEngine) -> dict[str, int]:
    """How often each changing call was made."""
    return {name: count for name, count in engine.calls.items() if name in MUTATING}


def tried(deed: Callable[[], object]) -> bool:
    """Do it if the engine lets us."""
    try:
        deed()
    except EngineError:
        return False
    return True


def cut_off(stage: Stage, change: Change, done: int) -> None:
    """Carry out only the first steps of a change, as a run that is killed does."""
    performer = Performer(stage.engine, lambda address, line: None, Event(), Hurried())
    for step in change.steps[:done]:
        performer.perform(str(change.address), step.action)
        if isinstance(step.action, RenameContainer):
            performer.alias(step.action.name, step.action.container)
