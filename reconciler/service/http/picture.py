"""A snapshot as JSON: how everything stands, and the last plan of each project."""

from __future__ import annotations

from typing import Any

from reconciler import __version__
from reconciler.loop.judge import Held
from reconciler.loop.telling import ProjectStatus, ResourceStatus, Snapshot
from reconciler.model.documents import FORMAT_VERSION, plan_document
from reconciler.service.http.answers import moment
from reconciler.service.http.rollouts import Rollouts
from reconciler.service.http.sources import source_document
from reconciler.standing import WELL, health_of


def status_document(snapshot: Snapshot, rollouts: Rollouts, *, is_ready: bool, takes_orders: bool) -> dict[str, Any]:
    """Everything but the plans. `takes_orders`: there is a token, so that calls which change something are answered."""
    engine = snapshot.engine
    return {
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "at": moment(snapshot.at),
        "started": moment(snapshot.started),
        "ready": is_ready,
        "suspended": snapshot.is_suspended,
        "takes_orders": takes_orders,
        "engine": {
            "connected": engine.is_connected,
            "text": engine.text,
            "name": engine.name,
            "version": engine.version,
            "since": moment(engine.since),
            "reconnects": engine.reconnects,
        },
        "projects": [_project(project, rollouts) for project in snapshot.projects],
    }


def _project(project: ProjectStatus, rollouts: Rollouts) -> dict[str, Any]:
    resources = [_resource(resource) for resource in project.resources]
    return {
        "name": project.name,
        "path": project.path,
        "condition": project.condition.value,
        "text": project.text,
        "attempted": project.attempted,
        "applied": project.applied,
        "source": source_document(project.source),
        "settled": project.plan is not None and project.plan.is_settled,
        "healthy": project.plan is not None and all(resource["well"] for resource in resources),
        "summary": project.plan.summary() if project.plan is not None else None,
        "suspended": project.is_suspended,
        "running": project.is_running,
        "passes": project.passes,
        "last_pass": moment(project.last_pass),
        "last_good": moment(project.last_good),
        "next_pass": moment(project.next_pass),
        "problems": [problem._asdict() for problem in project.problems],
        "failures": [
            {
                "address": str(address),
                "tries": failure.tries,
                "final": failure.is_final,
                "message": failure.message,
                "next_at": None if failure.is_final else moment(failure.next_at),
                "since": moment(failure.since),
            }
            for address, failure in project.failures.items()
        ],
        "held": [held_document(held) for held in project.held],
        "resources": resources,
        "under_way": rollouts.under_way(project.name),
        "last_change": rollouts.last(project.name),
    }


def _resource(resource: ResourceStatus) -> dict[str, Any]:
    standing = resource.standing
    beside = standing.beside
    return {
        "address": str(standing.address),
        "kind": standing.address.kind.value,
        "name": standing.name,
        "sync": standing.sync,
        "health": standing.health,
        "well": standing.health in WELL,
        "since": standing.since or None,
        "image": standing.image,
        "ports": list(standing.ports),
        "job": standing.is_job,
        "rollout": None if beside is None else {"name": beside.name, "health": health_of(beside)},
        "held": resource.held,
        "suspended": resource.is_suspended,
    }


def held_document(held: Held) -> dict[str, Any]:
    return {"address": str(held.address), "why": held.why.value, "text": held.text, "until": moment(held.until)}


# --- plans ---------------------------------------------------------------------------------------------------------


def plans_document(snapshot: Snapshot, name: str) -> dict[str, Any]:
    """The last plan of each project, or of one."""
    projects = [project for project in snapshot.projects if name in ("", project.name)]
    return {
        "format_version": FORMAT_VERSION,
        "projects": [
            {
                "name": project.name,
                "revision": project.attempted,
                "at": moment(project.last_pass),
                "plan": plan_document(project.plan) if project.plan is not None else None,
                "held": [held_document(held) for held in project.held],
            }
            for project in projects
        ],
    }
