"""Metrics: what is told is counted, how things stand is read, and labels are words, never ids."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.loop.judge import Why
from reconciler.loop.telling import EngineStatus, Snapshot
from reconciler.loop.triggers import Cause
from reconciler.service.metrics import METRICS, Metrics
from tests.loop.conftest import DB, WEB
from tests.loop.simulation import Simulation


class Scene:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.metrics = Metrics(self.snapshot)
        self._count = 0

    def snapshot(self) -> Snapshot:
        engine = EngineStatus(True, "", "engine", "28.5", 1.0, 2)
        projects = tuple(project.status() for project in self.simulation.projects.values())
        return Snapshot(2.0, 1.0, self.simulation.state.is_suspended, engine, projects)

    def values(self) -> dict[str, float]:
        """Each sample as `name{label,label}`."""
        for told in self.simulation.told[self._count :]:
            self.metrics(told)
        self._count = len(self.simulation.told)
        body, content_type = self.metrics.render()
        assert content_type.startswith("text/plain; version=0.0.4")
        return {
            f"{sample.name}{{{','.join(_values(sample.name, sample.labels))}}}": sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }


def _values(name: str, labels: dict[str, str]) -> list[str]:
    described = METRICS.get(re.sub("_(count|sum|bucket)$", "", name))
    return [labels[label] for label in described.labels] if described is not None else []


@pytest.fixture
def scene(simulation: Simulation) -> Scene:
    return Scene(simulation)


def test_what_happens_is_counted(scene: Scene) -> None:
    simulation = scene.simulation
    simulation.add(WEB)
    simulation.advance(10)
    found = scene.values()
    assert found["reconciler_passes_total{shop,done}"] == 1
    assert found["reconciler_triggers_total{shop,start}"] == 1
    assert found["reconciler_changes_total{shop,container,create,done}"] == 1
    assert not any("drift_detected_total{" in name for name in found), "what is new has not drifted"
    assert found["reconciler_pass_duration_seconds_count{shop}"] >= 1
    assert found["reconciler_change_duration_seconds_count{create}"] == 2
    simulation.edit(WEB.replace("serve", "other"))
    simulation.advance(10)
    simulation.remove("shop-web-1")
    simulation.advance(10)
    simulation.projects["shop"].post(Cause.PERSON)
    simulation.advance(10)
    found = scene.values()
    assert found["reconciler_changes_total{shop,container,replace,done}"] == 1
    assert found["reconciler_changes_total{shop,container,create,done}"] == 2
    assert found["reconciler_drift_detected_total{shop,container,absent}"] == 1
    assert found["reconciler_passes_total{shop,done}"] == 3
    assert found["reconciler_passes_total{shop,quiet}"] >= 1
    assert not any("spec-changed" in name for name in found)


def test_drift_that_lasts_is_counted_once(scene: Scene) -> None:
    simulation = scene.simulation
    simulation.add(WEB)
    simulation.advance(10)
    simulation.policy = simulation.policy._replace(heal=False)
    simulation.remove("shop-web-1")
    simulation.advance(3600)
    found = scene.values()
    assert found["reconciler_drift_detected_total{shop,container,absent}"] == 1
    assert found["reconciler_held_changes{shop,heal is off}"] == 1
    assert found["reconciler_planned_changes{shop,create}"] == 1
    assert found["reconciler_resource_in_sync{shop,container,web}"] == 0
    assert found["reconciler_resource_in_sync{shop,network,default}"] == 1


def test_how_it_stands_is_read_when_it_is_asked_for(scene: Scene) -> None:
    simulation = scene.simulation
    simulation.add(WEB + DB.replace("[container.db]", "[container.db]\nscale = 2"))
    simulation.add("[container.a]\nimages = 1", "lab")
    simulation.advance(10)
    found = scene.values()
    assert found["reconciler_project_condition{shop,settled}"] == 1
    assert found["reconciler_project_condition{lab,invalid}"] == 1
    assert sum(value for name, value in found.items() if name.startswith("reconciler_project_condition{shop")) == 1
    assert found["reconciler_resource_in_sync{shop,container,db}"] == 1
    assert found["reconciler_resource_healthy{shop,container,db}"] == 1
    assert found["reconciler_resources{shop}"] == len(simulation.projects["shop"].status().resources)
    assert found["reconciler_last_success_timestamp_seconds{shop}"] > 1_700_000_000
    assert found["reconciler_last_success_timestamp_seconds{lab}"] == 0
    assert found["reconciler_revision_pending{shop}"] == 0
    assert found["reconciler_engine_connected{}"] == 1
    assert found["reconciler_event_stream_reconnects_total{}"] == 2
    assert found["reconciler_suspended{shop}"] == 0
    assert found["process_open_fds{}"] > 0
    simulation.state.suspend("shop")
    simulation.projects.pop("lab")
    found = scene.values()
    assert found["reconciler_suspended{shop}"] == 1
    assert not any(name.startswith("reconciler_project_condition{lab") for name in found)


def test_what_keeps_changing_and_what_fails(scene: Scene) -> None:
    simulation = scene.simulation
    simulation.add(WEB)
    for _ in range(7):
        simulation.advance(5)
        if "shop-web-1" in simulation.names():
            simulation.remove("shop-web-1")
    simulation.advance(5)
    assert scene.values()["reconciler_held_changes{shop,flapping}"] == 1
    simulation.add('[container.a]\nimage = "nowhere"\n', "lab")
    simulation.advance(2)
    found = scene.values()
    assert found["reconciler_failures{lab,true}"] + found["reconciler_failures{lab,false}"] == 1
    assert found["reconciler_passes_total{lab,failed}"] >= 1


def test_each_metric_is_described_and_labels_are_bounded(scene: Scene) -> None:
    """Every family of ours has its description, with the labels that it says; words of fixed sets are all told."""
    scene.simulation.add(WEB)
    scene.simulation.advance(10)
    scene.simulation.remove("shop-web-1")
    scene.simulation.advance(10)
    scene.values()
    body = scene.metrics.render()[0].decode()
    families = {family.name: family for family in text_string_to_metric_families(body) if family.samples}
    for name, family in families.items():
        if not name.startswith("reconciler_"):
            assert name.startswith("process_"), name
            continue
        described = METRICS[f"{name}_total" if family.type == "counter" else name]
        assert (family.type, family.documentation) == (described.kind, described.summary)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(described.labels), sample
    assert {sample.labels["why"] for sample in families["reconciler_held_changes"].samples} == set(Why)
    missing = {name.removesuffix("_total") for name in METRICS} - set(families)
    assert missing == {"reconciler_source_refused", "reconciler_source_checked_timestamp_seconds"}
