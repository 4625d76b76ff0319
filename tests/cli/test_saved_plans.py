"""Saved plans: what was read is what is done, or nothing is."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from tests.cli.conftest import LOOP
from tests.support.engine import Project, Result

CANARY = "canary-7f3a91"


def web(project: Project, level: str = "info", more: str = "") -> None:
    project.write(
        "web.toml",
        f'[container.web]\nimage = "busybox:latest"\n{LOOP}\nenvironment = {{ LEVEL = "{level}" }}\n{more}\n',
    )


def other(project: Project, level: str = "info") -> None:
    project.write(
        "other.toml",
        f'[container.other]\nimage = "busybox:latest"\n{LOOP}\nenvironment = {{ LEVEL = "{level}" }}\n',
    )


@pytest.fixture
def file(project: Project) -> Path:
    return project.root / "the.plan"


def apply(project: Project, file: Path) -> Result:
    return project.run("apply", path=file, check=False)


def level_of(api: docker.APIClient, name: str) -> str:
    return next(item for item in api.inspect_container(name)["Config"]["Env"] if item.startswith("LEVEL="))


def test_it_does_exactly_that(project: Project, file: Path, docker_api: docker.APIClient) -> None:
    web(project)
    other(project)
    project.run("apply")
    web(project, "debug")
    result = project.run("plan", "--out", str(file))
    assert f"`reconciler apply {file}`" in result.stdout
    other(project, "debug")
    done = apply(project, file)
    assert done.code == 0, done
    assert level_of(docker_api, f"{project.name}-web-1") == "LEVEL=debug"
    assert level_of(docker_api, f"{project.name}-other-1") == "LEVEL=info", "it came later and was not in the plan"
    again = apply(project, file)
    assert again.code == 1
    assert "the saved plan is stale: container.web (replace)" in again.stderr


def test_an_empty_plan_does_nothing(project: Project, file: Path) -> None:
    web(project)
    project.run("apply")
    project.run("plan", "--out", str(file))
    done = apply(project, file)
    assert (done.code, done.stdout) == (0, "No changes. The engine matches the spec.\n")


def test_options_of_the_plan_are_kept(project: Project, file: Path, docker_api: docker.APIClient) -> None:
    web(project)
    other(project)
    project.run("apply")
    before = docker_api.inspect_container(f"{project.name}-web-1")["Id"]
    web(project, "debug")
    other(project, "debug")
    project.run("plan", "--out", str(file), "--target", "container.web", "--replace", "container.web")
    assert apply(project, file).code == 0
    assert docker_api.inspect_container(f"{project.name}-web-1")["Id"] != before
    assert level_of(docker_api, f"{project.name}-other-1") == "LEVEL=info"


def _removed(project: Project, api: docker.APIClient) -> None:
    api.remove_container(f"{project.name}-web-1", force=True)


def _stopped(project: Project, api: docker.APIClient) -> None:
    api.stop(f"{project.name}-web-1", timeout=1)


def _limited(project: Project, api: docker.APIClient) -> None:
    api.update_container(f"{project.name}-web-1", mem_limit="64m", memswap_limit="128m")


def _edited(project: Project, api: docker.APIClient) -> None:
    web(project, "trace")


def _reverted(project: Project, api: docker.APIClient) -> None:
    web(project)


def _spec_gone(project: Project, api: docker.APIClient) -> None:
    web(project, more="imge = 1")


@pytest.mark.parametrize("move", [_removed, _stopped, _limited, _edited, _reverted, _spec_gone])
def test_what_it_touches_has_moved(
    move: Callable[[Project, docker.APIClient], None], project: Project, file: Path, docker_api: docker.APIClient
) -> None:
    web(project)
    project.run("apply")
    web(project, "debug")
    project.run("plan", "--out", str(file))
    move(project, docker_api)
    before = docker_api.containers(all=True, filters={"label": f"reconciler.project={project.name}"})
    refused = apply(project, file)
    assert refused.code == 1
    assert "nothing was changed" in refused.stderr
    after = docker_api.containers(all=True, filters={"label": f"reconciler.project={project.name}"})
    assert [item["Id"] for item in after] == [item["Id"] for item in before]


@pytest.mark.parametrize("exists", [True, False])
def test_the_image_was_tagged_anew(
    exists: bool,
    project: Project,
    file: Path,
    docker_api: docker.APIClient,
) -> None:
    repository = project.name
    docker_api.tag("busybox:latest", repository, "1")
    try:
        project.write("web.toml", f'[container.web]\nimage = "{repository}:1"\npull_policy = "never"\n{LOOP}\n')
        if exists:
            project.run("apply")
        project.run("plan", "--out", str(file), "--replace", "container.web")
        made = docker_api.create_container("busybox:latest", "true")["Id"]
        docker_api.commit(made, repository=repository, tag="1", changes="LABEL moved=yes")
        docker_api.remove_container(made)
        refused = apply(project, file)
        assert (refused.code, "is stale: container.web" in refused.stderr) == (1, True), refused
    finally:
        project.run("destroy", "--yes")
        docker_api.remove_image(f"{repository}:1")


def test_the_build_context_was_edited(project: Project, file: Path) -> None:
    project.write("site/Dockerfile", "FROM busybox:latest\nCOPY page /page\n")
    project.write("site/page", "one")
    project.write("image.toml", '[image.site]\nbuild = "./site"\n')
    project.run("plan", "--out", str(file))
    project.write("site/page", "two")
    refused = apply(project, file)
    assert (refused.code, "is stale: image.site (create)" in refused.stderr) == (1, True), refused


def test_drift_elsewhere_does_not_matter(project: Project, file: Path, docker_api: docker.APIClient) -> None:
    web(project)
    other(project)
    project.run("apply")
    web(project, "debug")
    project.run("plan", "--out", str(file))
    docker_api.remove_container(f"{project.name}-other-1", force=True)
    assert apply(project, file).code == 0
    assert level_of(docker_api, f"{project.name}-web-1") == "LEVEL=debug"


def test_another_engine(project: Project, file: Path) -> None:
    web(project)
    project.run("plan", "--out", str(file))
    document = json.loads(file.read_text())
    document["plan"]["engine"]["id"] = "ANOTHER"
    file.write_text(json.dumps(document))
    refused = apply(project, file)
    assert refused.code == 1
    assert "was made for another engine; nothing was changed" in refused.stderr


def test_only_its_owner_may_read_it(project: Project, file: Path) -> None:
    """Even where a file that all may read was there, and where the umask takes nothing away."""
    web(project)
    file.write_text("old")
    file.chmod(0o666)
    project.run("plan", "--out", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [item.name for item in file.parent.glob(".the.plan*")] == [], "no temporary file is left"


def test_a_symbolic_link_is_followed(project: Project, file: Path) -> None:
    web(project)
    target = project.root / "target"
    target.touch()
    file.symlink_to(target)
    project.run("plan", "--out", str(file))
    assert file.is_symlink()
    assert apply(project, file).code == 0


def test_secrets_are_nowhere(project: Project, file: Path) -> None:
    """Not in the file, the plan, the documents, the progress or the log of calls."""
    seen = []

    def run(*command: str) -> None:
        result = project.run(*command, check=False)
        seen.append(result.stdout + result.stderr)

    project.write("site/Dockerfile", "FROM busybox:latest\nARG API_TOKEN\nRUN echo built\n")
    for number in (1, 2):
        secret = f"{CANARY}-{number}"
        web(
            project,
            more=f'labels = {{ plain = "shown-{number}" }}\nenv_file = ["secret.env"]\n'
            f"[image.site]\nbuild = {{ context = './site', args = {{ API_TOKEN = '{secret}' }} }}\n",
        )
        project.write(
            "secret.env", f"DB_PASSWORD={secret}\nDB_URL=postgres://me:{secret}@db/shop\nKEY_SECRET={secret}\n"
        )
        for command in (
            ["plan", "-v", "--out", str(file)],
            ["plan", "--json"],
            ["drift", "--json"],
            ["apply", "-v", "--yes"],
            ["status", "--json"],
        ):
            run(*command)
        seen.append(file.read_text())
    project.write("web.toml", '[container.x]\nimage = "busybox:latest"\n')
    run("plan", "--json")
    run("apply", "--json")
    assert f"shown-{number}" in "".join(seen)
    assert CANARY not in "".join(seen)
