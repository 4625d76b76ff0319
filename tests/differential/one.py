"""One project of the corpus: import it, apply it, compare it with what Docker Compose made, destroy it.

    python -m tests.differential.one CORPUS NAME > RESULT.json

Run in the mount and network namespace of an engine of its own, at which DOCKER_HOST points: projects keep their fixed
ports and names, and all are staged at the same place. The record is the corpus's own `golden.json`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.differential.meant import CONTENT, DISCARDED

#: what apply says of a container with a setting that the engine would only discard
_LEFT_OUT = re.compile(
    r"^container\.(\S+): failed(?: in .*)?\n +cannot create .*: the engine left something out: ", re.MULTILINE
)
_FAILED = re.compile(r"^\S+: failed(?: in .*)?$", re.MULTILINE)
TIMEOUT = 300  # seconds for one command; the longest project waits a minute and a half for its health checks


class Trial:
    """A staged project and what became of it; `result` is the answer of this program."""

    def __init__(self, corpus: Path, name: str, host: str) -> None:
        sys.path.insert(0, str(corpus / "tools"))
        self.tools: Any = import_module("compose_golden")
        self.comparing: Any = import_module("inspect_diff")
        docker = import_module("dockerhttp").Docker(host)
        self.project: Any = self.tools.Project(corpus / "dev" / name, docker, "docker-compose")
        self.mode = self.project.meta["mode"]
        self.refused: frozenset[str] = frozenset()
        self.result: dict[str, Any] = {"name": name, "mode": self.mode, "failed": "", "differences": []}

    def reconciler(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Our command line in the staged folder, in the environment in which Docker Compose ran."""
        environment = {**self.project.environment(), "COMPOSE_PROJECT_NAME": self.project.name}
        return subprocess.run(
            [sys.executable, "-m", "reconciler", *arguments],
            cwd=self.project.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def step(self, name: str, *arguments: str, accepted: Sequence[int] = (0,)) -> str:
        """Run one command; its output. What it came to when that was not accepted goes to `failed`."""
        began = time.monotonic()
        done = self.reconciler(*arguments)
        self.result.setdefault("seconds", {})[name] = round(time.monotonic() - began, 2)
        self.result.setdefault("said", {})[name] = (done.stdout + done.stderr)[-6000:]
        if done.returncode not in accepted:
            self.result["failed"] = self.result["failed"] or name
        return done.stdout

    def run(self) -> None:
        profiles = [word for profile in self.project.meta.get("profiles", []) for word in ("--profile", profile)]
        self.step("import", "import", "compose.yaml", "-o", "reconciler.toml", *profiles)
        spec = self.project.folder / "reconciler.toml"
        if not spec.exists():
            return
        self.result["spec"] = spec.read_text()
        if self.mode == "config":  # this engine is too old for it: it must be refused, and is by Compose too
            self.step("plan", "plan", spec.name, accepted=(0, 1))
            return
        # A project that this machine cannot start fails here as it failed with Docker Compose, after `create`.
        self.step("apply", "apply", spec.name, "--yes", "--no-build", accepted=(0,) if self.mode == "up" else (0, 1))
        said = self.result["said"]["apply"]
        self.refused = frozenset(_LEFT_OUT.findall(said))
        if self.refused and len(_FAILED.findall(said)) == len(self.refused):
            self.result["failed"] = ""
        time.sleep(0.7)  # as when the record was made: what runs once ends, what fails shows
        self.compare()
        if self.mode == "up":
            changes = json.loads(self.step("plan", "plan", spec.name, "--json", "--no-build") or "{}").get("changes")
            left = {change["address"].removeprefix("container.") for change in changes or ()}
            self.result["settled"] = changes is not None and left == self.refused
            if not self.result["settled"]:
                self.result["failed"] = self.result["failed"] or "plan"
        self.step("destroy", "destroy", spec.name, "--yes", "--volumes")
        left = self.snapshot()
        self.result["left"] = sorted(key for kind in ("containers", "networks", "volumes") for key in left[kind])
        if self.result["left"]:
            self.result["failed"] = self.result["failed"] or "destroy"

    def snapshot(self) -> dict[str, Any]:
        """What the engine holds of ours, in the form of the record."""
        model = json.loads((self.project.source / "config.json").read_text())
        dump: dict[str, Any] = self.tools.snapshot(
            self.project.docker,
            self.project.name,
            self.project.folder,
            f"reconciler.project={self.project.name}",
            service_label="reconciler.address",
            network_label="reconciler.address",
            volume_label="reconciler.address",
            fixed_networks={f"network.{name}" for name in self.tools.fixed_networks(model)},
            files=self.tools.injected_files(model),
        )
        for kind in ("networks", "volumes"):
            dump[kind] = {key.partition(".")[2]: value for key, value in dump[kind].items()}
        return dump

    def compare(self) -> None:
        record = json.loads((self.project.source / "golden.json").read_text())
        comparer = self.comparing.Comparer(["reconciler."], [], strict=False, names=True)
        found = comparer.compare(record, {**self.snapshot(), "mode": self.mode})
        self.result["differences"] = [(path, self.mark_content(path, text)) for path, text in found]

    def mark_content(self, path: str, text: str) -> str:
        """Say what the comparison cannot know of what is missing: that it is the mount of a config or secret from a
        file, which is no mount of ours, or a container that was refused.
        """
        if path.removeprefix("containers.") in self.refused:
            return text + DISCARDED
        for service, target in self.contents():
            if path.startswith(f"containers.{service}.") and re.search(rf'"(target|Destination)": "{target}"', text):
                return text + CONTENT
        return text

    def contents(self) -> list[tuple[str, str]]:
        """(service, path) of each config and secret that comes from a file."""
        model, found = json.loads((self.project.source / "config.json").read_text()), []
        for kind, directory in (("configs", "/"), ("secrets", "/run/secrets/")):
            for service, options in model["services"].items():
                for use in options.get(kind) or ():
                    target = use.get("target") or use["source"]
                    if "file" in (model.get(kind) or {}).get(use["source"], {}):
                        found.append((service, target if target.startswith("/") else directory + target))
        return found


def main(corpus: str, name: str, host: str) -> int:
    trial = Trial(Path(corpus), name, host)
    trial.project.stage()
    try:
        trial.run()
    except (subprocess.TimeoutExpired, OSError, ValueError) as error:
        trial.result["failed"] = trial.result["failed"] or f"{type(error).__name__}: {error}"
    finally:
        trial.project.unstage()
    print(json.dumps(trial.result))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
