"""`reconciler run` on a real engine, with its spec in repositories that are pushed to."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from tests.cli.conftest import LOOP
from tests.service.test_run import Running, running
from tests.source.origin import Origin, signer, ssh_key
from tests.source.servers import HttpServer, SshServer
from tests.support.engine import Project

TOKEN = "tok-0815-very-secret"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "served" / "app")


@pytest.fixture
def shows(project: Project, docker_api: docker.APIClient) -> Callable[[str], Callable[[], bool]]:
    """Whether the one container of the project runs with a version."""

    def having(version: str) -> Callable[[], bool]:
        owned = {"label": f"reconciler.project={project.name}"}

        def look() -> bool:
            found = docker_api.containers(filters=owned)
            return [item["Labels"].get("version") for item in found] == [version]

        return look

    return having


def web(project: Project, version: str) -> dict[str, str]:
    text = f'[project]\nname = "{project.name}"\nrollout = {{ order = "stop-first", ready_after = "0s" }}\n[container.web]\nnetwork_mode = "none"\nimage = "busybox:latest"\n{LOOP}\n'
    return {"hosts/a/web.toml": f'{text}labels = {{ version = "{version}" }}\n'}


def configure(project: Project, source: str) -> list[str]:
    config = project.root / "config.toml"
    config.write_text(f'[[project]]\nname = "shop"\n[project.source]\npath = "hosts/a"\ninterval = "1s"\n{source}\n')
    return ["--config", str(config)]


def told(service: Running, event: str, **about: str) -> Callable[[], bool]:
    return lambda: any(
        line["event"] == event and all(line.get(key) == value for key, value in about.items())
        for line in service.lines()
    )


Shows = Callable[[str], Callable[[], bool]]


def test_ssh_and_signatures(project: Project, origin: Origin, shows: Shows, tmp_path: Path) -> None:
    """What was signed goes live; what was not, or takes something back, is refused and told."""
    key = ssh_key(tmp_path / "alice")
    (tmp_path / "signers").write_text(signer(key))
    origin.sign_by_ssh(key)
    first = origin.commit(web(project, "1"))
    with SshServer(tmp_path / "ssh", origin.place.parent) as server:
        source = f'git = "{server.url}/app/.git"\nssh_key = "{server.key}"\nknown_hosts = "{server.known_hosts}"\n'
        source += f'verify = "commit"\nallowed_signers = "{tmp_path / "signers"}"'
        with running(project, *configure(project, source)) as service:
            service.until_ready()
            assert shows("1")()
            assert told(service, "revision accepted", commit=first, author="Alice <alice@example.test>")()
            assert told(service, "revision applied", commit=first)()
            second = origin.commit(web(project, "2"))
            service.until(shows("2"))
            service.until(told(service, "revision applied", commit=second))
            unsigned = origin.commit(web(project, "3"), "by whom?", "--no-gpg-sign")
            service.until(told(service, "source refused", reason="unsigned", attempted=unsigned, kept=second))
            origin.git("reset", "-q", "--hard", first)
            service.until(told(service, "source refused", reason="rewound", kept=second))
            assert shows("2")()
            origin.git("reset", "-q", "--hard", second)
            service.until(told(service, "source good again"))
            assert service.end() == 0


def test_http_a_broken_commit_and_a_server_that_is_away(
    project: Project, origin: Origin, shows: Shows, docker_api: docker.APIClient, tmp_path: Path
) -> None:
    origin.commit(web(project, "1"))
    (tmp_path / "token").write_text(TOKEN)
    login = f"git:{TOKEN}"
    with HttpServer(origin.place.parent, login) as server:
        port, source = server.port, f'git = "{server.url}/app/.git"\ntoken_file = "token"'
        with running(project, *configure(project, source)) as service:
            service.until_ready()
            good = origin.commit(web(project, "2"))
            service.until(told(service, "revision applied", commit=good))
            assert shows("2")()
            broken = origin.commit({"hosts/a/web.toml": "[container.web]\nimag = 1\n"})
            service.until(told(service, "source refused", reason="invalid", attempted=broken, kept=good))
            service.until(told(service, "invalid"))
            docker_api.remove_container(f"{project.name}-web-1", force=True)
            service.until(shows("2"))
            assert service.end() == 0
            assert TOKEN not in service.log.read_text()
    # Nothing of the repository is to be had, and the newest commit that is known is broken: the last good one serves.
    docker_api.remove_container(f"{project.name}-web-1", force=True)
    with running(project, *configure(project, source)) as service:
        service.until_ready()
        assert shows("2")()
        service.until(told(service, "source refused", reason="unreachable", kept=good))
        fixed = origin.commit(web(project, "3"))
        with HttpServer(origin.place.parent, login, port=port):
            service.until(told(service, "revision applied", commit=fixed))
            assert shows("3")()
            assert service.end() == 0


def test_a_checkout_that_something_else_pulls(project: Project, origin: Origin, shows: Shows, tmp_path: Path) -> None:
    origin.commit(web(project, "1"))
    origin.git("clone", "-q", ".", str(tmp_path / "clone"))
    (tmp_path / "config.toml").write_text('[[project]]\npath = "clone/hosts/a"\n')
    with running(project, "--config", str(tmp_path / "config.toml")) as service:
        service.until_ready()
        second = origin.commit(web(project, "2"))
        lock = tmp_path / "clone" / ".git" / "index.lock"
        origin.git("-C", str(tmp_path / "clone"), "pull", "-q")
        service.until(told(service, "revision applied", commit=second))
        assert shows("2")()
        lock.touch()  # git is at work: what stands there meanwhile is not applied
        (tmp_path / "clone/hosts/a/web.toml").write_text("<<<<<<< HEAD\n")
        service.until(lambda: any(said.startswith("STATUS=a: settled") for said in service.systemd.heard))
        assert "invalid" not in service.events()
        origin.git("-C", str(tmp_path / "clone"), "-c", "core.fsmonitor=false", "status", "--porcelain")
        (tmp_path / "clone/hosts/a/web.toml").write_text(web(project, "3")["hosts/a/web.toml"])
        lock.unlink()
        service.until(shows("3"))
        assert "invalid" not in service.events()
        assert service.end() == 0


def test_the_example(project: Project, origin: Origin, docker_api: docker.APIClient, tmp_path: Path) -> None:
    """examples/gitops as it stands, but for the address of the repository."""
    example = Path(__file__).parents[2] / "examples" / "gitops"
    shutil.copytree(example, origin.place / "gitops")
    spec = (example / "web.toml").read_text().replace('name = "gitops"', f'name = "{project.name}"')
    origin.commit({"gitops/web.toml": spec})
    text = (example / "host" / "config.toml").read_text()
    (tmp_path / "config.toml").write_text(text.replace("https://example.com/team/hosts.git", origin.url))
    port = "18973"
    with running(project, "--config", str(tmp_path / "config.toml"), "--once", PORT=port) as service:
        assert service.process.wait(60) == 0, service.log.read_text()
    name = f"{project.name}-web-1"
    page = docker_api.exec_create(name, ["wget", "-qO-", "http://127.0.0.1/"])
    assert docker_api.exec_start(page).decode() == (example / "www" / "index.html").read_text()


def test_once_fetches_first(project: Project, origin: Origin, shows: Shows) -> None:
    """`--once` is for what the repository holds now, not for what was fetched the last time."""
    configured = configure(project, f'git = "{origin.url}"')
    for version in ("1", "2"):
        origin.commit(web(project, version))
        with running(project, *configured, "--once") as service:
            assert service.process.wait(30) == 0, service.log.read_text()
        assert shows(version)()


def test_once_does_not_wait_for_a_server_that_is_away(project: Project) -> None:
    config = configure(project, 'git = "http://127.0.0.1:1/team/hosts.git"')
    with running(project, *config, "--once") as service:
        assert service.process.wait(30) == 1
        assert service.events().count("source refused") == 1


def test_a_server_that_stays_away_is_said_once(project: Project) -> None:
    with running(project, *configure(project, 'git = "http://127.0.0.1:1/team/hosts.git"')) as service:
        service.until(lambda: "source refused" in service.events())
        service.process.send_signal(signal.SIGHUP)
        service.until(lambda: "configuration loaded" in service.events())
        time.sleep(2.5)  # some tries more
        (refused,) = [line for line in service.lines() if line["event"] == "source refused"]
        assert " ms" not in refused["text"]
        assert service.end() == 0
