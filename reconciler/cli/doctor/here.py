"""This machine: the programs that are called, the directories that are written, the configuration and the specs."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from reconciler.cli.doctor.findings import Finding, fail, failed, ok, warn
from reconciler.engine.buildx import find_buildx
from reconciler.errors import ReconcilerError, SpecError
from reconciler.service.configuration import Configuration
from reconciler.source.git import OLDEST, find

_INOTIFY = Path("/proc/sys/fs/inotify")
_FEW_WATCHES, _FEW_INSTANCES = 8192, 64
_SERVICE = "reconciler.service"


def run(words: Sequence[str]) -> str:
    """What a program prints, or "" when it cannot be asked."""
    try:
        done = subprocess.run(  # noqa: S603 - words of this module, and programs that were found
            words, capture_output=True, text=True, errors="replace", timeout=10, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def buildx(environment: Mapping[str, str]) -> Finding:
    program = find_buildx(environment)
    if not program:
        text = "not installed: builds go to the classic builder, which knows no secrets, contexts or platforms"
        return warn("buildx", text, "install the package docker-buildx or docker-buildx-plugin")
    if environment.get("DOCKER_BUILDKIT") == "0":
        return warn("buildx", "DOCKER_BUILDKIT=0 chooses the classic builder", "unset it")
    found = re.search(r"v?(\d+\.\d+\.\d+\S*)", run([program, "version"]))
    if found is None:
        return warn("buildx", f"{program} does not tell its version", "install it anew")
    return ok("buildx", f"{found[1]} at {program}")


def git(*, is_needed: bool) -> Finding:
    """Whether git can be used; it must be when a project comes from a repository."""
    wanted = ".".join(map(str, OLDEST))
    complain = fail if is_needed else warn
    program = find("git")
    if program is None:
        return complain("git", "not installed: no repository can be a source", f"install git {wanted} or newer")
    found = re.search(r"(\d+)\.(\d+)\S*", run([program, "version"]))
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        text = found[0] if found is not None else f"{program} does not tell its version"
        return complain("git", f"{text} is too old for a repository as a source", f"install git {wanted} or newer")
    return ok("git", f"{found[0]} at {program}")


def specs(configuration: Configuration, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each spec that lies here can be loaded, and is of a project of its own."""
    from reconciler.spec.load import load

    claimed: dict[str, str] = {}
    for project in configuration.projects:
        if project.path is None:
            yield ok(
                "spec", f"{project.name} comes from {project.place}: `reconciler status` and the log say how it stands"
            )
            continue
        try:
            desired = load(project.path, environment)
        except SpecError as error:
            first = error.problems[0]._replace(hint="")
            more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
            yield fail("spec", f"{first}{more}", f"reconciler validate {project.path}")
        except ReconcilerError as error:
            yield failed("spec", error)
        else:
            other = claimed.setdefault(desired.project, project.name)
            if other != project.name:
                text = f"{project.path}: project {desired.project}, as is that of {other}: only one of them is kept"
                yield fail("spec", text, "give one of them another name under [project]")
                continue
            yield ok("spec", f"{project.path}: project {desired.project}, {len(desired.resources)} resources")


def state_directory(path: Path | None) -> Finding:
    """Where a `run` of this user keeps its state, and whether one does so now."""
    if path is None:
        return warn("state", "no place for it: nothing that `run` learns outlives it", "give one by --state-dir")
    if (refusal := unwritable(path)) is not None:
        return warn("state", refusal, "run it as the user of the service, or give another directory by --state-dir")
    return ok("state", f"{path}" + (", in use by a `reconciler run`" if _is_locked(path / "lock") else ""))


def cache_directory(path: Path | None) -> Finding:
    if path is None:
        return warn("cache", "no place for it: every run hashes and validates anew", "set HOME or XDG_CACHE_HOME")
    if (refusal := unwritable(path)) is not None:
        return warn(
            "cache", f"{refusal}: every run hashes and validates anew", f"chown it to this user, or remove {path}"
        )
    return ok("cache", str(path))


def unwritable(path: Path) -> str | None:
    """Why nothing can be written into a directory, which need not be there yet; None when something can."""
    place = path
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return f"{place} is no directory"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{path} cannot be written" if place == path else f"{path} cannot be made in {place}"
    return None


def _is_locked(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def inotify(directory: Path = _INOTIFY) -> Finding:
    try:
        watches, instances = (
            int((directory / name).read_text()) for name in ("max_user_watches", "max_user_instances")
        )
    except (OSError, ValueError):
        return warn(
            "inotify", "the kernel's limits cannot be read", "set watch.force_polling where changes go unnoticed"
        )
    text = f"{watches} watches and {instances} instances for each user"
    if watches < _FEW_WATCHES or instances < _FEW_INSTANCES:
        advice = "raise fs.inotify.max_user_watches and max_user_instances by sysctl; without them files are polled"
        return warn("inotify", text, advice)
    return ok("inotify", text)


def service(show: str) -> Finding:
    """Of what `systemctl show` prints of the service."""
    values = dict(line.partition("=")[::2] for line in show.splitlines())
    if values.get("LoadState") != "loaded":
        return ok("service", f"there is no {_SERVICE} on this machine")
    state = f"{values.get('ActiveState')} ({values.get('SubState')})"
    said = f": {values['StatusText']}" if values.get("StatusText") else ""
    restarts = f", started again {values['NRestarts']} times" if values.get("NRestarts", "0") != "0" else ""
    text = f"{_SERVICE} is {state}{restarts}{said}"
    if values.get("ActiveState") == "failed":
        return fail("service", text, f"journalctl -u {_SERVICE} says why")
    if values.get("ActiveState") == "inactive" and values.get("UnitFileState") == "enabled":
        return warn("service", text, f"systemctl start {_SERVICE}")
    if restarts:
        return warn("service", text, f"journalctl -u {_SERVICE} says why")
    return ok("service", text)


def shown_service() -> str | None:
    """What systemd says of the service; None where systemd is not at work."""
    if not Path("/run/systemd/system").is_dir():
        return None
    names = "LoadState,ActiveState,SubState,UnitFileState,NRestarts,StatusText"
    return run(["systemctl", "show", _SERVICE, "-p", names])
