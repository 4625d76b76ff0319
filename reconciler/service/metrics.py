"""What the loop tells, and how everything stands → metrics for Prometheus.

What happens is counted as it is told; how things stand is read from the instance when somebody asks. Labels are names of
the specs and words of this program, never ids, revisions or messages: their number is bounded by what is declared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from reconciler import __version__
from reconciler.loop.judge import Why
from reconciler.loop.telling import Condition, PassEnded, PlanMade, ProjectStatus, Snapshot, StateChanged, Told
from reconciler.model.address import Address
from reconciler.model.plan import Verb
from reconciler.model.report import Status
from reconciler.planning.planner import drift_of
from reconciler.service.recording import result_of
from reconciler.standing import WELL

#: seconds: a look takes tenths of one, a roll-out minutes
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Described(NamedTuple):
    """A metric: its type, its labels and what it says."""

    kind: str
    labels: tuple[str, ...]
    summary: str


#: every metric of ours; the reference in the documentation is made from it
METRICS: Mapping[str, Described] = {
    "reconciler_passes_total": Described("counter", ("project", "result"), "Passes that ended: `quiet` (nothing was to be done), `done`, `incomplete`, `failed`."),
    "reconciler_pass_duration_seconds": Described("histogram", ("project",), "How long passes took."),
    "reconciler_triggers_total": Described("counter", ("project", "cause"), "What made it look."),
    "reconciler_changes_total": Described("counter", ("project", "kind", "verb", "status"), "Changes that were carried out, or tried."),
    "reconciler_change_duration_seconds": Described("histogram", ("verb",), "How long changes took."),
    "reconciler_drift_detected_total": Described("counter", ("project", "kind", "reason"), "Resources that began to differ although their spec did not change."),
    "reconciler_state_changes_total": Described("counter", ("project", "condition"), "How often a project came into a condition."),
    "reconciler_project_condition": Described("gauge", ("project", "condition"), "1 for the condition a project is in, 0 for all others."),
    "reconciler_resource_in_sync": Described("gauge", ("project", "kind", "name"), "Whether a resource is as declared; of a scaled one, whether all its instances are."),
    "reconciler_resource_healthy": Described("gauge", ("project", "kind", "name"), "Whether a resource is well, in sync or not."),
    "reconciler_resources": Described("gauge", ("project",), "How many resources a project has, instances counted."),
    "reconciler_planned_changes": Described("gauge", ("project", "verb"), "What was still to do when it was last looked at."),
    "reconciler_held_changes": Described("gauge", ("project", "why"), "Changes that are held back, such as `flapping`, `backing off` or `suspended`."),
    "reconciler_failures": Described("gauge", ("project", "final"), "Resources whose change failed; with `final` it is not tried again until something is different."),
    "reconciler_suspended": Described("gauge", ("project",), "Whether a project is suspended, by itself or with everything."),
    "reconciler_last_pass_timestamp_seconds": Described("gauge", ("project",), "When it was last looked at."),
    "reconciler_last_success_timestamp_seconds": Described("gauge", ("project",), "When the engine last matched the spec whole; 0 if it has not since the start."),
    "reconciler_next_pass_timestamp_seconds": Described("gauge", ("project",), "When it is looked at next, at the latest."),
    "reconciler_revision_pending": Described("gauge", ("project",), "Whether the revision that was looked at last is another one than was applied whole."),
    "reconciler_source_refused": Described("gauge", ("project", "reason"), "1 while what a repository has now is refused, or cannot be had."),
    "reconciler_source_checked_timestamp_seconds": Described("gauge", ("project",), "When the repository was last asked."),
    "reconciler_engine_connected": Described("gauge", (), "Whether the engine's events are followed."),
    "reconciler_event_stream_reconnects_total": Described("counter", (), "How often the stream of events was lost."),
    "reconciler_build_info": Described("gauge", ("version", "python"), "Always 1."),
    "reconciler_start_time_seconds": Described("gauge", (), "When the service started."),
}  # fmt: skip


class Metrics:
    """An observer that counts, and what is scraped. Safe to use from any thread."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        # A series more for each counter, and of no use. The library has types, but not of this function.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._differing: dict[str, frozenset[Address]] = {}
        self._passes = self._counter("reconciler_passes_total")
        self._triggers = self._counter("reconciler_triggers_total")
        self._changes = self._counter("reconciler_changes_total")
        self._drift = self._counter("reconciler_drift_detected_total")
        self._states = self._counter("reconciler_state_changes_total")
        self._duration = self._histogram("reconciler_pass_duration_seconds")
        self._change_duration = self._histogram("reconciler_change_duration_seconds")
        self._registry.register(_Standing(snapshot))
        ProcessCollector(registry=self._registry)

    def render(self) -> tuple[bytes, str]:
        """The body of an answer, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def _counter(self, name: str) -> Counter:
        described = METRICS[name]
        return Counter(name, described.summary, described.labels, registry=self._registry)

    def _histogram(self, name: str) -> Histogram:
        described = METRICS[name]
        return Histogram(name, described.summary, described.labels, buckets=_BUCKETS, registry=self._registry)

    # --- told --------------------------------------------------------------------------------------------------

    def __call__(self, told: Told) -> None:
        match told:
            case PlanMade():
                self._plan(told)
            case PassEnded():
                self._end(told)
            case StateChanged(project=project) if project:
                self._states.labels(project, told.after.value).inc()

    def _plan(self, told: PlanMade) -> None:
        if told.plan.is_settled:
            self._differing[told.project] = frozenset()
            return
        drifted = [change for change in drift_of(told.plan).changes if change.address not in told.fresh]
        before = self._differing.get(told.project, frozenset())
        for change in drifted:
            if change.address not in before:
                self._drift.labels(told.project, change.address.kind.value, change.reason.value).inc()
        self._differing[told.project] = frozenset(change.address for change in drifted)

    def _end(self, told: PassEnded) -> None:
        report = told.report
        quiet = report is None and not told.error
        self._passes.labels(told.project, "quiet" if quiet else result_of(report, told.error)).inc()
        self._duration.labels(told.project).observe(told.seconds)
        for trigger in told.triggers:
            self._triggers.labels(told.project, trigger.cause.value).inc()
        outcomes = report.outcomes if report is not None else ()
        done = {outcome.address for outcome in outcomes if outcome.status is Status.DONE}
        self._differing[told.project] = self._differing.get(told.project, frozenset()) - done
        for outcome in outcomes:
            if outcome.verb is not Verb.BLOCKED:
                kind, verb = outcome.address.kind.value, outcome.verb.value
                self._changes.labels(told.project, kind, verb, outcome.status.value).inc()
                self._change_duration.labels(verb).observe(outcome.seconds)


class _Standing:
    """Read from the instance at each scrape: what is no more there is no more told."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        return []  # so that registering it asks nothing

    def collect(self) -> Iterator[Metric]:
        snapshot = self._snapshot()
        values: dict[str, list[tuple[tuple[str, ...], float]]] = {}

        def add(name: str, value: float, *labels: str) -> None:
            values.setdefault(f"reconciler_{name}", []).append((labels, value))

        add("engine_connected", snapshot.engine.is_connected)
        add("event_stream_reconnects_total", snapshot.engine.reconnects)
        add("build_info", 1, __version__, ".".join(map(str, sys.version_info[:3])))
        add("start_time_seconds", snapshot.started)
        for project in snapshot.projects:
            _of_project(project, snapshot.is_suspended, add)
        for name, found in values.items():
            described = METRICS[name]
            family: CounterMetricFamily | GaugeMetricFamily
            if described.kind == "counter":
                family = CounterMetricFamily(name, described.summary, labels=described.labels)
            else:
                family = GaugeMetricFamily(name, described.summary, labels=described.labels)
            for labels, value in found:
                family.add_metric(labels, value)
            yield family


def _of_project(project: ProjectStatus, everything_suspended: bool, add: Callable[..., None]) -> None:
    name = project.name
    for condition in Condition:
        add("project_condition", condition is project.condition, name, condition.value)
    in_sync: dict[tuple[str, str], bool] = {}
    healthy: dict[tuple[str, str], bool] = {}
    for item in project.resources:
        key = (item.standing.address.kind.value, item.standing.address.name)
        in_sync[key] = in_sync.get(key, True) and item.standing.sync == "in sync"
        healthy[key] = healthy.get(key, True) and item.standing.health in WELL
    for key, value in in_sync.items():
        add("resource_in_sync", value, name, *key)
        add("resource_healthy", healthy[key], name, *key)
    add("resources", len(project.resources), name)
    planned = project.plan.summary() if project.plan is not None else {}
    for verb in Verb:
        add("planned_changes", planned.get(verb.value, 0), name, verb.value)
    for why in Why:
        add("held_changes", sum(item.why is why for item in project.held), name, why.value)
    for final in (False, True):
        count = sum(failure.is_final is final for failure in project.failures.values())
        add("failures", count, name, str(final).lower())
    add("suspended", everything_suspended or project.is_suspended, name)
    add("last_pass_timestamp_seconds", project.last_pass or 0, name)
    add("last_success_timestamp_seconds", project.last_good or 0, name)
    add("next_pass_timestamp_seconds", project.next_pass or 0, name)
    add("revision_pending", bool(project.attempted) and project.attempted != project.applied, name)
    source = project.source
    if source.checked is not None:
        add("source_checked_timestamp_seconds", source.checked, name)
    if source.reason:
        add("source_refused", 1, name, source.reason)
