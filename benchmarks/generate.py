"""One project of N containers in two languages: a spec for `reconciler`, and a compose.yaml that means the same.

    python -m benchmarks.generate DIRECTORY -n 50

Each container is a `sleep` under an init, with two variables, a volume of its own, limits, and one network for all.
The same arguments make the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

IMAGE = "busybox:latest"
NETWORK = "net"
#: the variable that the scenario "one change" changes, in one container
CHANGING = "GENERATION"
SPEC_FILE = "project.toml"
COMPOSE_FILE = "compose.yaml"


class Project(NamedTuple):
    """What to generate.

    Attributes:
        size: how many containers.
        changed: the value of `CHANGING` in the container that is changed; all others have "0".
    """

    name: str
    size: int
    changed: str = "0"

    @property
    def containers(self) -> list[str]:
        return [f"c{number:03}" for number in range(1, self.size + 1)]

    @property
    def victim(self) -> str:
        """The container that is changed, and the one that is removed by hand: in the middle of all."""
        return self.containers[self.size // 2]

    def generation(self, container: str) -> str:
        return self.changed if container == self.victim else "0"


def spec_text(project: Project) -> str:
    """The project for `reconciler`."""
    parts = [f'[project]\nname = "{project.name}"\n', f"[network.{NETWORK}]\n"]
    parts.extend(_spec_of(project, container) for container in project.containers)
    return "\n".join(parts)


def _spec_of(project: Project, container: str) -> str:
    return (
        f"[volume.{_volume(container)}]\n\n"
        f"[container.{container}]\n"
        f'image = "{IMAGE}"\n'
        'pull_policy = "never"\n'
        'command = ["sleep", "86400"]\n'
        "init = true\n"
        f'environment = {{ SERVICE = "{container}", {CHANGING} = "{project.generation(container)}" }}\n'
        f'volumes = ["{_volume(container)}:/var/lib/data"]\n'
        f'networks = ["{NETWORK}"]\n'
        'mem_limit = "64M"\n'
        "cpus = 0.5\n"
        "pids_limit = 64\n"
        'restart = "unless-stopped"\n'
    )


def compose_text(project: Project) -> str:
    """The project for Docker Compose."""
    lines = [f"name: {project.name}", "services:"]
    for container in project.containers:
        lines += [
            f"  {container}:",
            f"    image: {IMAGE}",
            "    pull_policy: never",
            '    command: ["sleep", "86400"]',
            "    init: true",
            f'    environment: {{SERVICE: "{container}", {CHANGING}: "{project.generation(container)}"}}',
            f'    volumes: ["{_volume(container)}:/var/lib/data"]',
            f"    networks: [{NETWORK}]",
            "    mem_limit: 64M",
            "    cpus: 0.5",
            "    pids_limit: 64",
            "    restart: unless-stopped",
        ]
    lines += ["networks:", f"  {NETWORK}: {{}}", "volumes:"]
    lines += [f"  {_volume(container)}: {{}}" for container in project.containers]
    return "\n".join(lines) + "\n"


def write_project(directory: Path, project: Project) -> None:
    """Write both files into `directory`, which need not exist."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / SPEC_FILE).write_text(spec_text(project), encoding="utf-8")
    (directory / COMPOSE_FILE).write_text(compose_text(project), encoding="utf-8")


def _volume(container: str) -> str:
    return f"{container}-store"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write one project as a spec and as a compose.yaml.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("-n", "--size", type=int, default=10, help="how many containers (default: 10)")
    parser.add_argument("--name", default="bench", help="the project's name (default: bench)")
    parser.add_argument("--changed", default="0", metavar="VALUE", help=f"the value of {CHANGING} in one container")
    options = parser.parse_args()
    write_project(options.directory, Project(options.name, options.size, options.changed))


if __name__ == "__main__":
    main()
