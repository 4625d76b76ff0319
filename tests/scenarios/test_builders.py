"""Builds by docker buildx and by the engine's classic builder: one image identity, and what only one of them can."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from reconciler.engine.connect import connect
from reconciler.errors import EngineRefusedError
from reconciler.model.desired import Build
from reconciler.model.ownership import IMAGE_CONTENT
from tests.support.builders import BUILDX, CLASSIC, need_buildx
from tests.support.engine import Project

SETTLED = 0


@pytest.fixture(autouse=True)
def buildx() -> None:
    need_buildx()


@pytest.fixture
def app(project: Project) -> Project:
    run = "find /app -type f | sort; stat -c %a /app/tool; echo A=$A"
    project.write("app/Dockerfile", f"FROM busybox:latest\nARG A=no\nCOPY . /app/\nRUN {run}\n")
    project.write("app/.dockerignore", "Dockerfile\n*.log\n")
    for name in ("page", "noise.log", ".git/HEAD", "d/deep", "tool"):
        project.write(f"app/{name}", name)
    (project.directory / "app" / "tool").chmod(0o755)
    # What a builder has in its cache prints nothing.
    image(project, 'context = "./app", args = { A = "yes" }, no_cache = true')
    return project


def image(project: Project, build: str, more: str = "") -> None:
    project.write("image.toml", f"[image.app]\nbuild = {{ {build} }}\n{more}")


def output(progress: str) -> list[str]:
    """What the commands of a Dockerfile printed, without what only one builder says."""
    lines = [line.removeprefix("image.app: ") for line in progress.splitlines() if line.startswith("image.app: ")]
    return [line for line in lines if re.match(r"/app/|\d+$|A=", line)]


@pytest.mark.parametrize(("first", "second"), [(BUILDX, CLASSIC), (CLASSIC, BUILDX)], ids=["buildx", "classic"])
@pytest.mark.parametrize("own_ignore", [False, True])
def test_one_identity(first: dict[str, str], second: dict[str, str], own_ignore: bool, app: Project) -> None:
    """What one builder built is right to the other, which would have been given the same files."""
    if own_ignore:
        app.write("app/.dockerignore", "*.log\n")
        app.write("app/Dockerfile.dockerignore", "d\n")
    built = app.run("apply", env=first)
    expected = ["/app/.dockerignore", "/app/d/deep", "/app/page", "/app/tool", "755", "A=yes"]
    if own_ignore:
        expected = ["/app/.dockerignore", "/app/Dockerfile", "/app/Dockerfile.dockerignore", "/app/noise.log",
                    "/app/page", "/app/tool", "755", "A=yes"]  # fmt: skip
    assert output(built.stderr) == expected
    assert app.run("plan", "--detailed-exitcode", env=second).code == SETTLED
    again = app.run("apply", "--replace", "image.app", env=second)
    assert output(again.stderr) == expected
    assert app.run("plan", "--detailed-exitcode", env=first).code == SETTLED


@pytest.mark.parametrize("how", [BUILDX, CLASSIC], ids=["buildx", "classic"])
def test_images_that_are_built_from_each_other(
    how: dict[str, str], project: Project, docker_api: docker.APIClient
) -> None:
    """One is built after those it begins with or copies from, and anew when they are."""
    for name, lines in {
        "base": "FROM busybox:latest\nCOPY page /page\n",
        "first": f"FROM {project.name}-base\nCOPY page /first\n",
        "second": f"FROM busybox:latest\nCOPY --from={project.name}-first /page /first /\n",
    }.items():
        project.write(f"{name}/Dockerfile", lines)
        project.write(f"{name}/page", "one")
        project.write(f"{name}.toml", f'[image.{name}]\nbuild = "./{name}"\n')
    project.write("web.toml", '[container.web]\nimage = "second"\ncommand = ["cat", "/page", "/first"]\nkind = "job"\n')
    project.run("apply", env=how)
    assert docker_api.logs(f"{project.name}-web-1") == b"oneone"
    project.write("base/page", "two")
    planned = project.run("plan", env=how).stdout
    assert planned.count("build.content") == 3
    project.run("apply", env=how)
    assert docker_api.logs(f"{project.name}-web-1") == b"twoone"
    assert project.run("plan", "--detailed-exitcode", env=how).code == SETTLED


def test_images_built_from_each_other_in_a_circle(project: Project) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        project.write(f"{name}/Dockerfile", f"FROM {project.name}-{other}\n")
        project.write(f"{name}.toml", f'[image.{name}]\nbuild = "./{name}"\n')
    refused = project.run("plan", check=False)
    assert refused.code == 1
    assert "images are built from each other: image.one -> image.two -> image.one" in refused.stderr


def test_a_dockerfile_in_the_spec(app: Project) -> None:
    text = "FROM busybox:latest\\nCOPY . /app/\\nRUN find /app -type f | sort\\n"
    image(app, f'context = "./app", dockerfile_inline = "{text}", no_cache = true')
    kept = ["/app/d/deep", "/app/page", "/app/tool"]
    for ignored, expected in (
        ("*.log\nDockerfile\n.dockerignore\n", kept),
        ("*.log\n", ["/app/.dockerignore", "/app/Dockerfile", *kept]),
        (None, ["/app/Dockerfile", kept[0], "/app/noise.log", *kept[1:]]),
    ):
        if ignored is None:
            (app.directory / "app" / ".dockerignore").unlink()
        else:
            app.write("app/.dockerignore", ignored)
        for env in (BUILDX, CLASSIC):
            assert output(app.run("apply", "--replace", "image.app", env=env).stderr) == expected
        assert app.run("plan", "--detailed-exitcode").code == SETTLED


def test_secrets_and_caches(app: Project, docker_api: docker.APIClient) -> None:
    """A secret can be read while it is built, and is nowhere afterwards; a new one builds nothing."""
    app.write(
        "app/Dockerfile",
        f"FROM busybox:latest\nCOPY page /page\nENV OF={app.name}\n"
        "RUN --mount=type=secret,id=token --mount=type=cache,target=/cache "
        "wc -c < /run/secrets/token; echo x >> /cache/runs; echo A=$(wc -l < /cache/runs)\n",
    )
    app.write("token", "hunter2-in-full")
    image(app, 'context = "./app", secrets = [{ source = "npm", id = "token" }]', '[secret.npm]\nfile = "./token"\n')
    first = app.run("apply", env=BUILDX)
    app.write("app/page", "two")
    second = app.run("apply", "--verbose", env=BUILDX)
    counts = [int(output(done.stderr)[1].removeprefix("A=")) for done in (first, second)]
    assert output(first.stderr)[0] == "15"
    assert counts[1] == counts[0] + 1, "the cache mount is kept from build to build"
    app.write("token", "another one")
    assert app.run("plan", "--detailed-exitcode").code == SETTLED
    tag = f"{app.name}-app"
    said = f"{first}{second}{docker_api.inspect_image(tag)}{docker_api.history(tag)}"
    assert "hunter2" not in said
    found = docker_api.create_container(tag, ["cat", "/run/secrets/token"], labels={"reconciler.project": app.name})
    docker_api.start(found)
    assert docker_api.wait(found)["StatusCode"] != 0


def test_here_documents(app: Project, docker_api: docker.APIClient) -> None:
    """They work, or the message says that the engine's BuildKit is too old for them."""
    app.write("app/Dockerfile", f"FROM busybox:latest\nRUN <<END\necho A=$((40 + 2)); : {app.name}\nEND\n")
    image(app, 'context = "./app"')
    done = app.run("apply", env=BUILDX, check=False)
    version = docker_api.version()
    is_podman, major = "Podman" in version["Components"][0]["Name"], int(version["Version"].split(".")[0])
    if is_podman or major >= 23:
        assert output(done.stderr) == ["A=42"]
    else:
        assert "unknown instruction" in done.stderr + done.stdout
        assert "the engine's BuildKit is too old for here-documents" in done.stderr + done.stdout


def test_what_needs_buildx_is_said_in_the_plan(app: Project) -> None:
    image(app, 'context = "./app", ssh = ["default"], cache_to = ["type=inline"]')
    planned = app.run("plan", "--detailed-exitcode", env=CLASSIC, check=False)
    assert (
        "build: cache_to, ssh need docker buildx, and DOCKER_BUILDKIT=0 chooses the classic builder" in planned.stdout
    )
    (app.root / "none").mkdir()
    nowhere = {"PATH": str(app.root / "none"), "DOCKER_CONFIG": str(app.root / "none"), "DOCKER_BUILDKIT": None}
    if not any(Path(place, "docker-buildx").exists() for place in SYSTEM_PLUGINS):
        planned = app.run("plan", "--detailed-exitcode", env=nowhere, check=False)
        assert "need docker buildx, and it is not installed here; install the package" in planned.stdout


SYSTEM_PLUGINS = [f"/usr{local}/{lib}/docker/cli-plugins" for local in ("", "/local") for lib in ("lib", "libexec")]


@pytest.mark.parametrize("environment", [BUILDX, CLASSIC], ids=["buildx", "classic"])
def test_what_was_edited_after_the_plan(app: Project, engine_host: str, environment: Mapping[str, str]) -> None:
    """The builder is given what was planned, or nothing; else an image would be labelled with another's content."""
    tag = f"{app.name}-race:1"
    with closing(connect(engine_host, {**os.environ, **environment})) as engine:
        with pytest.raises(EngineRefusedError, match="has changed since it was planned, so nothing was built"):
            engine.build_image(Build(str(app.directory / "app")), [tag], {IMAGE_CONTENT: "0" * 64}, lambda line: None)
        assert tag not in {name for image in engine.list_images() for name in image["RepoTags"] or ()}


# --- further tags ----------------------------------------------------------------------------------------------------


@pytest.fixture
def strangers(app: Project, docker_api: docker.APIClient) -> Iterator[str]:
    """A repository of the test's own with a tag that somebody made."""
    docker_api.tag("busybox:latest", f"{app.name}-theirs", "1")
    yield f"{app.name}-theirs"
    with suppress(APIError):
        docker_api.remove_image(f"{app.name}-theirs:1")


def tags(api: docker.APIClient, app: Project) -> list[str]:
    found = [tag.removeprefix("docker.io/library/") for image in api.images() for tag in image["RepoTags"] or ()]
    found = [tag for tag in found if tag.startswith(app.name)]
    return sorted(re.sub(r"reconciler-\w+", "reconciler-X", tag.removeprefix(f"{app.name}-")) for tag in found)


def test_further_tags_live_as_the_first(app: Project, docker_api: docker.APIClient, strangers: str) -> None:
    image(app, f'context = "./app", tags = ["{app.name}-app:1.0", "{app.name}-also:1"]')
    app.run("apply")
    built = ["also:1", "also:reconciler-X", "app:1.0", "app:latest", "app:reconciler-X"]
    assert tags(docker_api, app) == [*built, "theirs:1"]
    docker_api.remove_image(f"{app.name}-also:1")
    drift = app.run("drift", check=False)
    assert (drift.code, f"build.tags.{app.name}-also:1  (none) →" in drift.stdout) == (2, True)
    app.run("apply")
    assert tags(docker_api, app) == [*built, "theirs:1"]
    image(app, f'context = "./app", tags = ["{app.name}-app:1.0", "{app.name}-also:1", "{strangers}:1"]')
    blocked = app.run("plan").stdout
    assert f"{strangers}:1: the tag is on an image that we did not build" in blocked
    image(app, f'context = "./app", tags = ["{app.name}-app:1.0", "{app.name}-also:1", "{app.name}-more:1"]')
    assert app.run("drift", check=False).code == SETTLED, "the spec's author wants it, nobody took it away"
    app.run("apply")
    assert tags(docker_api, app) == sorted([*built, "more:1", "more:reconciler-X", "theirs:1"])
    app.run("destroy", "--yes")
    assert tags(docker_api, app) == ["theirs:1"]


@contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[None]:
    """Nothing is left running when an expectation fails."""
    try:
        yield
    finally:
        process.kill()
        process.wait()


# --- stopped ---------------------------------------------------------------------------------------------------------


def test_stopped_at_once_nothing_is_left(app: Project, tmp_path: Path) -> None:
    """The second signal ends buildx too, and what it was given is removed."""
    app.write("app/Dockerfile", f"FROM busybox:latest\nRUN echo {app.name}; sleep 30\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        app.command("apply", "--yes"),
        cwd=app.root,
        env={**os.environ, **BUILDX, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr, ending(process):
        while f"image.app: {app.name}" not in (line := process.stderr.readline()):
            assert line, "it ended before the build began"
        (place,) = temporary.iterdir()
        assert place.stat().st_mode & 0o777 == 0o700
        assert _programs(str(place))
        process.send_signal(signal.SIGINT)
        assert "once more to stop at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 128 + signal.SIGINT
    deadline = time.monotonic() + 10
    while _programs(str(place)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _programs(str(place))
    assert not list(temporary.iterdir())


def _programs(word: str) -> list[str]:
    """Running programs with this in one of their words."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if word in (words := file.read_text(errors="replace")):
                found.append(words)
    return found
