"""The engine: can it be reached and spoken to, and has it what specs ask of it?"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from reconciler.apply.writer import has_run_out, holder_of
from reconciler.cli.doctor.findings import Finding, fail, failed, ok, warn
from reconciler.cli.looking import for_how_long
from reconciler.engine.client import DockerEngine
from reconciler.engine.endpoint import Endpoint, find_endpoint
from reconciler.engine.interface import Json
from reconciler.engine.refusals import message_of, refused
from reconciler.engine.streams import json_object
from reconciler.engine.wire import Wire
from reconciler.errors import EngineUnavailableError, ReconcilerError
from reconciler.model.lease import Lease, read_lease

#: seconds by which clocks may differ: events are asked for by the engine's clock, ages are told by ours
_SKEW = 5.0
#: bytes and share of a disk below which builds and pulls soon fail
_LITTLE, _SHARE = 2 * 1024**3, 0.05
#: what of the kernel an engine says that it can limit, and what has no effect without it
_CONTROLLERS = {
    "MemoryLimit": "mem_limit",
    "SwapLimit": "memswap_limit",
    "CpuCfsQuota": "cpus",
    "CPUShares": "cpu_shares",
    "CPUSet": "cpuset",
    "PidsLimit": "pids_limit",
}


def examine(host: str | None, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Everything about the engine that `host`, the environment or Docker's context names."""
    try:
        endpoint = find_endpoint(host, environment)
    except ReconcilerError as error:
        yield failed("engine", error)
        return
    if endpoint.scheme == "unix":
        refusal = socket_refusal(Path(endpoint.target))
        if refusal is not None:
            yield refusal
            return
    engine = DockerEngine(endpoint, environment)
    try:
        facts = engine.facts()
        before = time.time()
        told = _describe(endpoint)
        after = time.time()
        at_work = list(_writers(engine, str(told.get("SystemTime") or "")))
    except EngineUnavailableError as error:
        yield failed("engine", error, f"is it running, and is {endpoint} ({endpoint.origin}) its address?")
        return
    except ReconcilerError as error:
        yield failed("engine", error)
        return
    finally:
        engine.close()
    kind = "Podman" if facts.is_podman else "Docker"
    version = ".".join(map(str, facts.api_version))
    yield ok("engine", f"{kind} {facts.version} at {endpoint} ({endpoint.origin}), API {version}, {facts.architecture}")
    if endpoint.is_open_to_everyone:
        yield warn(
            "engine access", f"{endpoint} is not encrypted: whoever can reach it is root there", "use TLS or ssh://"
        )
    yield from about(told, before, after)
    yield from at_work
    if endpoint.scheme == "unix":
        yield disk(str(told.get("DockerRootDir") or ""))


def socket_refusal(path: Path) -> Finding | None:
    """Why a socket cannot be used; None when it can."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return fail(
            "engine", f"there is no socket {path}", "start the engine: systemctl start docker; or name another by -H"
        )
    except OSError as error:
        return fail("engine", f"{path} cannot be looked at: {error.strerror}", "run it as root, or as a user who may")
    if not stat.S_ISSOCK(status.st_mode):
        return fail("engine", f"{path} is no socket", "name the engine's socket by -H or DOCKER_HOST")
    if not os.access(path, os.R_OK | os.W_OK):
        import grp

        try:
            group = grp.getgrgid(status.st_gid).gr_name
        except KeyError:
            group = str(status.st_gid)
        advice = f"run it as root, or add the user to the group {group}: whoever is in it is root on this host"
        return fail("engine", f"{path} may not be used by this user", advice)
    return None


def _describe(endpoint: Endpoint) -> Json:
    """What the engine tells of itself, whole."""
    doing = "ask what the engine is"
    wire = Wire(endpoint, timeout=15.0)
    try:
        answer = wire.get("/info")
    finally:
        wire.close()
    if answer.status >= 400:
        raise refused(doing, answer.status, message_of(answer.body))
    return dict(json_object(answer.body, doing))


def about(told: Json, before: float, after: float) -> Iterator[Finding]:
    """Of an answer of `GET /info`, which was asked for and came at these times of day."""
    yield _clock(str(told.get("SystemTime") or ""), before, after)
    version = str(told.get("CgroupVersion") or "1")
    lacking = [option for name, option in _CONTROLLERS.items() if told.get(name) is False]
    if lacking:
        advice = (
            "turn the controllers of the kernel on, such as `swapaccount=1 cgroup_enable=memory` on its command line"
        )
        yield warn("cgroups", f"version {version}; without effect: {', '.join(lacking)}", advice)
    else:
        yield ok("cgroups", f"version {version}, every limit has its controller")
    for text in told.get("Warnings") or ():
        message = str(text).removeprefix("WARNING: ")
        if not message.lower().startswith("no ") or not lacking:
            yield warn("engine", f"it warns: {message}", "see what it says in its own documentation")


def _clock(told: str, before: float, after: float) -> Finding:
    try:
        theirs = datetime.fromisoformat(f"{told[:19]}+00:00" if told.endswith("Z") else told).timestamp()
    except ValueError:
        return ok("clock", "the engine does not tell its time")
    skew = max(before - 1 - theirs, theirs - after, 0.0)  # its fraction of a second was cut off
    if skew > _SKEW:
        advice = "set both clocks by NTP: timedatectl set-ntp true"
        return warn("clock", f"the engine's differs from this one by {skew:.0f} s", advice)
    return ok("clock", "the engine's agrees with this one")


def _writers(engine: DockerEngine, now: str) -> Iterator[Finding]:
    """Who changes which project on it at this moment; `now` is the engine's time."""
    try:
        listed = engine.list_volumes()
    except ReconcilerError as error:
        yield failed("volumes", error)
        return
    by_project: dict[str, list[Lease]] = {}
    for volume in listed:
        if (lease := read_lease(volume)) is not None:
            by_project.setdefault(lease.project, []).append(lease)
    for project, found in sorted(by_project.items()):
        holder = holder_of([lease for lease in found if not has_run_out(lease, now)], project)
        if holder is not None:
            yield ok("writer", f"project {project} is being changed by {holder.holder}{for_how_long(holder)}")
        else:
            text = f"{found[0].holder} ended in the middle of a change of project {project}"
            yield warn("writer", text, "the next `reconciler apply` finishes or undoes it")
    if not by_project:
        yield ok("writer", "nobody changes a project at this moment")


def disk(root: str) -> Finding:
    """Of where an engine on this machine keeps its data."""
    try:
        usage = shutil.disk_usage(root)
    except (OSError, ValueError):
        return ok("disk", f"{root or 'the data of the engine'} cannot be seen from here")
    text = f"{usage.free / 1024**3:.1f} GiB of {usage.total / 1024**3:.1f} GiB free at {root}"
    if usage.free < _LITTLE or usage.free < usage.total * _SHARE:
        return warn("disk", text, "see `docker system df`; `docker image prune` and `docker builder prune` free some")
    return ok("disk", text)
