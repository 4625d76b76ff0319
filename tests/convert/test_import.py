"""Compose files → specs, checked in beside them: the text, and what is told to the person.

Each directory of cases/ is a project; spec.toml and notes.txt are what became of it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.convert.command import Imported, import_files
from reconciler.spec.load import load
from tests.support.golden import golden

CASES = Path(__file__).parent / "cases"
EXPECTED = ("spec.toml", "notes.txt")


def staged(case: Path, directory: Path) -> Path:
    """A copy of a case without what is expected of it."""
    return Path(shutil.copytree(case, directory / case.name, ignore=shutil.ignore_patterns(*EXPECTED)))


def imported(directory: Path, *profiles: str, name: str = "") -> Imported:
    return import_files([str(directory / "compose.yaml")], name, profiles, {}, directory)


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_what_a_project_becomes(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = staged(case, tmp_path)
    monkeypatch.chdir(directory)
    made = import_files(["compose.yaml"], "", (), {}, directory)
    assert made.problems == []
    golden(case / "spec.toml", made.text)
    golden(case / "notes.txt", "".join(f"{note}\n" for note in made.notes))
    (directory / "spec.toml").write_text(made.text)
    assert load(Path("spec.toml"), {}).project == made.project


def test_profiles_bring_services_in(tmp_path: Path) -> None:
    directory = staged(CASES / "shop", tmp_path)
    assert "[container.debug]" in imported(directory, "debug").text
    assert "[container.debug]" in imported(directory, "*").text
    assert "[container.debug]" not in imported(directory).text
    with (directory / ".env").open("a") as file:
        file.write("COMPOSE_PROFILES=debug\n")
    assert "[container.debug]" in imported(directory).text


def test_the_project_is_named_as_compose_names_it(tmp_path: Path) -> None:
    directory = tmp_path / "My Shop"
    directory.mkdir()
    (directory / "compose.yaml").write_text("services: {web: {image: busybox}}\n")
    assert imported(directory).project == "myshop"
    (directory / "compose.yaml").write_text("name: ${WORD:-said}\nservices: {web: {image: busybox}}\n")
    assert imported(directory).project == "said"
    (directory / ".env").write_text("COMPOSE_PROJECT_NAME=dotenv\nWORD=other\n")
    assert imported(directory).project == "dotenv"
    files = [str(directory / "compose.yaml")]
    assert import_files(files, "", (), {"COMPOSE_PROJECT_NAME": "shell"}, directory).project == "shell"
    assert imported(directory, name="given").project == "given"


def test_another_directory_gets_its_own_paths_and_values(tmp_path: Path) -> None:
    """Relative paths are rewritten, and what only the `.env` of the Compose file says is written out."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / ".env").write_text("TAG=1.27\n")
    text = "services: {web: {image: 'nginx:${TAG}', user: '${WHO:-0}', volumes: ['./a:/a', '/b:/b', 'c:/c']}}\nvolumes: {c: }\n"
    (there / "compose.yaml").write_text(text)
    made = import_files([str(there / "compose.yaml")], "", (), {}, here)
    assert 'image = "nginx:1.27"' in made.text
    assert 'user = "${WHO:-0}"' in made.text
    assert 'volumes = ["../there/a:/a", "/b:/b", "c:/c"]' in made.text


def test_a_variable_that_the_spec_sees_otherwise_is_written_out(tmp_path: Path) -> None:
    text = "services: {web: {image: busybox, hostname: '${COMPOSE_PROJECT_NAME}', user: '${SHELL_USER}'}}\n"
    (tmp_path / "compose.yaml").write_text(text)
    made = import_files([str(tmp_path / "compose.yaml")], "shop", (), {"SHELL_USER": "7"}, tmp_path)
    assert 'hostname = "shop"' in made.text
    assert 'user = "${SHELL_USER}"' in made.text


def test_what_the_loader_refuses_has_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the spec, and that of the Compose file in which it was written."""
    monkeypatch.chdir(tmp_path)
    Path("compose.yaml").write_text("services:\n  a.b:\n    image: x\n    stop_grace_period: 5 parsecs\n")
    made = import_files(["compose.yaml"], "p", (), {}, tmp_path, "shop.toml")
    assert made.broken
    (problem,) = made.problems
    assert problem.startswith('shop.toml:8:1: container."a.b".stop_grace_period: ')
    assert "'5 parsecs' is not a duration (from compose.yaml:4)\n    hint: " in problem


def test_a_variable_that_is_not_set_yet_is_no_mistake_of_the_spec(tmp_path: Path) -> None:
    text = "services: {web: {image: x, secrets: [s]}}\nsecrets: {s: {environment: NOT_SET}}\n"
    (tmp_path / "compose.yaml").write_text(text)
    made = imported(tmp_path)
    assert not made.broken
    assert "the variable NOT_SET is not set (from " in made.problems[0]


def test_a_job_is_not_rolled_out(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  web: {image: x, depends_on: {job: {condition: service_completed_successfully}}}\n"
        "  job: {image: x, deploy: {update_config: {order: start-first}}}\n"
    )
    made = imported(tmp_path)
    assert made.problems == []
    assert "rollout" not in made.text.partition("[container.web]")[2]
    assert "3: services.job.deploy: update_config is not carried over" in str(made.notes[0])


def test_a_job_runs_once_and_a_mode_has_no_mac_address(tmp_path: Path) -> None:
    """What a spec would refuse is named and left out."""
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  web: {image: x, depends_on: {job: {condition: service_completed_successfully}}}\n"
        "  job: {image: x, deploy: {replicas: 2}}\n"
        "  host: {image: x, network_mode: bridge, mac_address: '02:42:ac:11:00:02'}\n"
    )
    made = imported(tmp_path)
    assert made.problems == []
    notes = [str(note).partition("compose.yaml:")[2] for note in made.notes]
    assert [note.partition(" is not")[0] for note in notes] == [
        "3: services.job.deploy:",
        "4: services.host.mac_address:",
    ]
    assert "scale" not in made.text
    assert "mac_address =" not in made.text


def test_a_file_that_cannot_be_put_at_a_read_only_root_is_mounted(tmp_path: Path) -> None:
    """As Compose does it. What has no file is left to a person, who is told what to write."""
    (tmp_path / "motd").write_text("hello")
    text = (
        "services:\n"
        "  web:\n"
        "    image: x\n"
        "    read_only: true\n"
        "    volumes: [data:/data]\n"
        "    configs: [motd, {source: both, target: /etc/both}, {source: both, target: /both}]\n"
        "    secrets: [{source: key, target: /key}, key]\n"
        "configs: {motd: {file: ./motd}, both: {file: '${DIR:-.}/motd'}}\n"
        "secrets: {key: {file: ./motd}}\n"
        "volumes: {data: {}}\n"
    )
    (tmp_path / "compose.yaml").write_text(text)
    made = imported(tmp_path)
    assert made.problems == []
    assert 'volumes = ["data:/data", "./motd:/motd:ro", "${DIR:-.}/motd:/both:ro", "./motd:/key:ro"]' in made.text
    assert 'watch = ["./motd"]' in made.text  # the same file
    assert 'configs = [{ source = "both", target = "/etc/both" }]' in made.text
    assert 'secrets = ["key"]' in made.text
    assert "[config.motd]" not in made.text
    assert "[config.both]" in made.text
    assert "[secret.key]" in made.text
    assert sorted(str(note).rpartition("services.")[2].partition(", as")[0] for note in made.notes) == [
        "web.configs: both is mounted at /both",
        "web.configs: motd is mounted at /motd",
        "web.secrets: key is mounted at /key",
    ]
    (tmp_path / "compose.yaml").write_text(text.replace("motd: {file: ./motd}", "motd: {content: hello}"))
    (problem,) = imported(tmp_path).problems
    assert "no file can be put at /motd" in problem
    assert 'target = "/etc/reconciled/motd"' in problem


@pytest.mark.parametrize(("replicas", "scale"), [("0", "scale = 0"), ("${RUN:-0}", 'scale = "${RUN:-0}"')])
def test_a_job_that_is_off(tmp_path: Path, replicas: str, scale: str) -> None:
    """Switched on by a variable, maybe: what waits for it goes on without."""
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  web: {image: x, depends_on: {job: {condition: service_completed_successfully}}}\n"
        f"  job: {{image: x, deploy: {{replicas: '{replicas}'}}}}\n"
    )
    made = imported(tmp_path)
    assert (made.problems, made.notes) == ([], [])
    assert scale in made.text


def test_a_context_behind_an_address_is_named(tmp_path: Path) -> None:
    """Nothing else says so before the first plan."""
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    build: https://example.test/web.git#main\n")
    made = imported(tmp_path)
    assert not made.broken
    assert "compose.yaml:3: services.web.build.context: https://example.test/web.git#main has to be cloned" in str(
        made.notes[0]
    )


def test_the_profile_of_a_security_option_is_a_path(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "profile.json").write_text("{}")
    options = "['seccomp:./profile.json', 'seccomp:unconfined', 'no-new-privileges:true']"
    (there / "compose.yaml").write_text(f"services: {{web: {{image: x, security_opt: {options}}}}}\n")
    made = import_files([str(there / "compose.yaml")], "", (), {}, here)
    assert made.problems == []
    assert '"seccomp:../there/profile.json", "seccomp:unconfined", "no-new-privileges:true"' in made.text
