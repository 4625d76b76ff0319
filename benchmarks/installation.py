"""What is measured, installed as users have it: a wheel with its .pyc files, and the Go binary of Docker Compose.

An editable install, a version switcher in front of `python` or a missing .pyc file costs more than a whole plan.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_MAGIC = (b"\x7fELF", b"\xcf\xfa\xed\xfe")


class Programs(NamedTuple):
    reconciler: Path
    compose: Path


def install(directory: Path) -> Programs:
    """Make a virtual environment in `directory`, or renew `reconciler` in the one that is there."""
    venv, wheels = directory / "venv", directory / "wheels"
    if not (venv / "bin" / "python").exists():
        # Of a virtual environment, `sys.executable` is a link; the interpreter behind it is no shell script either.
        base = getattr(sys, "_base_executable", sys.executable)
        _run([base, "-m", "venv", str(venv)])
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    for old in wheels.glob("*.whl"):
        old.unlink()
    _run([*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)])
    (wheel,) = map(str, wheels.glob("reconciler-*.whl"))
    _run([*pip, "install", "--compile", wheel, "--requirement", str(_REQUIREMENTS)])
    _run([*pip, "install", "--compile", "--force-reinstall", "--no-deps", wheel])
    return Programs(venv / "bin" / "reconciler", _find_compose(venv))


def _find_compose(venv: Path) -> Path:
    """The binary itself; the package's console script would start Python first."""
    for file in venv.glob("lib/python*/site-packages/**/docker-compose"):
        with file.open("rb") as stream:
            if stream.read(4) in _MAGIC:
                file.chmod(0o755)
                return file
    raise FileNotFoundError(f"no docker-compose binary below {venv}")


def version_of(program: Path) -> str:
    return subprocess.run([str(program), "version"], capture_output=True, text=True, check=True).stdout.strip()


def _run(command: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, check=False, env=environment, cwd=ROOT.anchor, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)} failed:\n{done.stderr}")
