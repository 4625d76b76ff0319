"""The units as text, and as systemd reads them where its tool is there. `make systemd` runs them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.model.scalars import declare_duration
from reconciler.service.configuration import configure
from reconciler.service.settings import SETTINGS

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
SERVICES = ("reconciler.service", "reconciler-apply.service")


def settings(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", (UNITS / name).read_text(), re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def test_both_services_are_confined_alike() -> None:
    def confinement(name: str) -> str:
        text = (UNITS / name).read_text()
        return text[text.index("NoNewPrivileges") :].partition("\n\n[Install]")[0].strip()

    assert confinement(SERVICES[0]) == confinement(SERVICES[1])


def test_it_waits_for_the_engine_but_does_not_fall_with_it() -> None:
    unit = settings("reconciler.service")
    assert "docker.service" in unit["After"][0]
    assert "docker.service" in unit["Wants"][0]
    assert not {"Requires", "BindsTo", "PartOf", "Requisite"} & unit.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_it_may_end_what_is_under_way(name: str) -> None:
    most = next(item.default for item in SETTINGS if item.name == "stop_timeout")
    assert (declare_duration(settings(name)["TimeoutStopSec"][0]) or 0) / 1e9 > most + 5


def test_the_configuration_that_is_installed_says_what_to_do(tmp_path: Path) -> None:
    """It is all comments; each of its examples is valid."""
    text = (UNITS / "config.toml").read_text()
    assert all(line.startswith("#") for line in text.splitlines() if line)
    (tmp_path / "config.toml").write_text("\n".join(line.removeprefix("# ") for line in text.splitlines()[2:]))
    assert [item.name for item in configure(str(tmp_path / "config.toml"), None, {}).projects] == ["specs", "a"]


def test_the_installer_places_everything_below_a_destination(tmp_path: Path) -> None:
    """With an interpreter that makes no environment: what pip does is tried by `make systemd`."""
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *venv*--clear*) mkdir -p "$4/bin"; printf "#!/bin/sh\\n" > "$4/bin/python"; chmod +x "$4/bin/python" ;; esac\n'
    )
    python.chmod(0o755)
    variables = {"PATH": "/usr/bin:/bin", "DESTDIR": f"{tmp_path}/root", "PYTHON": str(python), "PREFIX": "/opt/else"}
    subprocess.run([UNITS / "install"], env=variables, check=True, capture_output=True)
    root = tmp_path / "root"
    unit = (root / "etc/systemd/system/reconciler.service").read_text()
    assert "ExecStart=/opt/else/bin/reconciler run" in unit
    assert "@" not in unit.replace("@system-service", "").replace("@privileged", "").replace("@resources", "")
    assert (root / "usr/local/bin/reconciler").readlink() == Path("/opt/else/bin/reconciler")
    (root / "etc/reconciler/config.toml").write_text("mine")
    subprocess.run([UNITS / "install"], env=variables, check=True, capture_output=True)
    assert (root / "etc/reconciler/config.toml").read_text() == "mine"
    subprocess.run([UNITS / "install", "--uninstall"], env=variables, check=True, capture_output=True)
    assert [path for path in root.rglob("*") if path.is_file()] == [root / "etc/reconciler/config.toml"]


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """Where there is a systemd; elsewhere the words are at least ones that units have."""
    for name in (*SERVICES, "reconciler-apply.timer"):
        text = (UNITS / name).read_text().replace("@PREFIX@/bin/reconciler", "/bin/true")
        (tmp_path / name).write_text(text)
        assert re.findall(r"^(?!#|\[|[A-Z]\w+=|$).*$", text, re.MULTILINE) == []
    tool = shutil.which("systemd-analyze")
    if tool is None:
        return
    checked = subprocess.run([tool, "verify", *sorted(tmp_path.iterdir())], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    for name in SERVICES:
        command = [tool, "security", "--offline=yes", "--threshold=20", "--no-pager", str(tmp_path / name)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0, "more than 2.0"
