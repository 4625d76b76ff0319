"""Docker's buildx as a program: where it is found, what it is told, what its output means, what it leaves behind."""

import json
import os
import shlex
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.engine import buildkit as running
from reconciler.engine.build import build_parameters
from reconciler.engine.build_log import BuildLog
from reconciler.engine.buildkit import BuildKit
from reconciler.engine.buildx import arguments, configure, find_buildx, lacks_buildkit, variables
from reconciler.engine.children import GROUPS, PLACES
from reconciler.engine.context import digest
from reconciler.engine.credentials import Logins
from reconciler.engine.endpoint import Endpoint, TlsFiles, parse_address
from reconciler.engine.staging import Staged, remove, stage
from reconciler.errors import (
    EngineError,
    EngineRefusedError,
    EngineUnavailableError,
    OutcomeUnknownError,
    SpecError,
)
from reconciler.model.contents import Content
from reconciler.model.desired import Build, BuildSecret

UNIX = parse_address("unix:///run/x.sock", None, "-H")


def program(place: Path, script: str = "exit 0") -> Path:
    place.mkdir(parents=True, exist_ok=True)
    file = place / "docker-buildx"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


# --- where it is -----------------------------------------------------------------------------------------------------


def test_the_persons_own_plugin_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.engine.buildx._DIRECTORIES", (str(tmp_path / "system"),))
    environment = {"DOCKER_CONFIG": str(tmp_path / "own"), "PATH": f"/no/such:{tmp_path / 'path'}"}
    assert find_buildx(environment) == ""
    assert "install" in lacks_buildkit(environment)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [str(tmp_path / "extra")]}))
    for place in ("path", "system", "extra", "own/cli-plugins"):
        file = program(tmp_path / place)
        assert find_buildx(environment) == str(file)
    file.chmod(0o644)
    assert find_buildx(environment) == str(tmp_path / "extra" / "docker-buildx")
    (tmp_path / "own" / "config.json").write_text("{")
    assert find_buildx(environment) == str(tmp_path / "system" / "docker-buildx")
    assert lacks_buildkit(environment) == ""
    assert lacks_buildkit(environment | {"DOCKER_BUILDKIT": "0"}) == "DOCKER_BUILDKIT=0 chooses the classic builder"


# --- what it is told -------------------------------------------------------------------------------------------------


WHOLE = Build(
    "/shop/api",
    target="prod",
    args={"B": "2 3", "A": "1"},
    labels={"team": "shop", "ours": "no"},
    platforms=("linux/amd64", "linux/arm64"),
    no_cache=True,
    pull=True,
    contexts={"shared": "/shop/shared", "base": "docker-image://base:1"},
    cache_from=("shop:cache", "type=local,src=/c"),
    cache_to=("type=inline",),
    network="host",
    shm_size=64,
    extra_hosts=("db:10.0.0.1",),
    ulimits={"nofile": "10:20"},
    privileged=True,
    entitlements=("device",),
    secrets=(BuildSecret("token", Content("secrets", "t", b"very secret")),),
    ssh=("default", "deploy=/home/me/key"),
    provenance="mode=max",
    sbom="true",
)


def test_the_words() -> None:
    staged = Staged("/s/context", "/s/Dockerfile", {"shared": "/s/context-0", "base": "docker-image://base:1"})
    words = arguments(WHOLE, staged, ["shop:1", "shop:x"], {"ours": "yes"}, {"token": "/proc/self/fd/7"}, "/s/id")
    assert shlex.join(words) == (
        "build --builder engine --progress plain --load --iidfile /s/id --file /s/Dockerfile"
        " --tag shop:1 --tag shop:x --label ours=yes --label team=shop --build-arg A=1 --build-arg 'B=2 3'"
        " --build-context base=docker-image://base:1 --build-context shared=/s/context-0"
        " --cache-from shop:cache --cache-from type=local,src=/c --cache-to type=inline"
        " --add-host db:10.0.0.1 --ulimit nofile=10:20"
        " --allow device --allow network.host --allow security.insecure"
        " --secret id=token,src=/proc/self/fd/7 --ssh default --ssh deploy=/home/me/key"
        " --target prod --platform linux/amd64,linux/arm64 --network host --shm-size 64"
        " --no-cache --pull --provenance=mode=max --sbom=true /s/context"
    )
    least = arguments(Build("/x"), Staged("/s/c", "/s/D", {}), ["a"], {}, {}, "/i")
    assert shlex.join(least) == "build --builder engine --progress plain --load --iidfile /i --file /s/D --tag a /s/c"


def test_the_query_of_the_classic_builder() -> None:
    more = {
        "networkmode": "host",
        "shmsize": 64,
        "extrahosts": ["db:10.0.0.1"],
        "ulimits": '[{"Name": "nofile", "Soft": 10, "Hard": 20}]',
        "cachefrom": '["shop:cache", "type=local,src=/c"]',
    }
    params = build_parameters(WHOLE, ["shop:1"], {"ours": "yes"})
    assert {key: params[key] for key in more} == more
    assert params["labels"] == '{"ours": "yes", "team": "shop"}'
    assert not set(more) & set(build_parameters(Build("/x"), ["shop:1"], {}))


def test_its_environment_is_ours(tmp_path: Path) -> None:
    environment = {
        "PATH": "/bin", "HOME": "/home/me", "SSH_AUTH_SOCK": "/agent", "DOCKER_CONTEXT": "x", "BUILDX_BUILDER": "y",
        "BUILDKIT_HOST": "z", "DOCKER_BUILDKIT": "1", "NO_PROXY": "a",
    }  # fmt: skip
    made = variables(UNIX, environment, tmp_path)
    assert made == {
        "PATH": "/bin", "HOME": "/home/me", "SSH_AUTH_SOCK": "/agent", "NO_PROXY": "a", "NO_COLOR": "1",
        "DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "engine", "BUILDX_CONFIG": f"{tmp_path}/buildx",
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    }  # fmt: skip
    secured = parse_address("tcp://far:2376", TlsFiles("/tls/ca.pem", "/tls/c.pem", "/tls/k.pem"), "-H")
    made = variables(secured, environment, tmp_path)
    assert made["NO_PROXY"] == made["no_proxy"] == "a,far"


def test_its_configuration_has_the_logins_it_needs(tmp_path: Path) -> None:
    tls = parse_address("tcp://far", TlsFiles("/tls/my-ca.pem", "", "/tls/k.pem"), "-H")
    logins = {"a.test": {"username": "u", "password": "p"}, "b.test": {"identitytoken": "t"}, "c.test": {}}
    configure(tmp_path, tls, logins)
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "auths": {"a.test": {"auth": "dTpw"}, "b.test": {"identitytoken": "t"}}
    }
    assert _engine_of(tmp_path) == (
        {"Host": "tcp://far:2376", "SkipTLSVerify": False},
        {"ca.pem": "/tls/my-ca.pem", "key.pem": "/tls/k.pem"},
    )


def _engine_of(place: Path) -> tuple[object, dict[str, str]]:
    """The one context of a configuration, and the files of its TLS."""
    (meta,) = place.glob("contexts/meta/*/meta.json")
    files = {file.name: str(file.readlink()) for file in place.glob(f"contexts/tls/{meta.parent.name}/docker/*")}
    return json.loads(meta.read_text())["Endpoints"]["docker"], files


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (UNIX, {"Host": "unix:///run/x.sock", "SkipTLSVerify": False}),
        (parse_address("ssh://me@far:22", None, "-H"), {"Host": "ssh://me@far:22", "SkipTLSVerify": False}),
        (parse_address("tcp://far", TlsFiles(verify=False), "-H"), {"Host": "tcp://far:2376", "SkipTLSVerify": True}),
    ],
    ids=str,
)
def test_the_way_to_the_engine(endpoint: Endpoint, expected: object, tmp_path: Path) -> None:
    configure(tmp_path, endpoint, {})
    assert _engine_of(tmp_path) == (expected, {})


def test_an_engine_whom_everyone_vouches_for(tmp_path: Path) -> None:
    configure(tmp_path, parse_address("https://far", None, "-H"), {})
    files = _engine_of(tmp_path)[1]
    assert list(files) == ["ca.pem"]
    assert "BEGIN CERTIFICATE" in Path(files["ca.pem"]).read_text(encoding="utf-8", errors="replace")


# --- the copy of the context -----------------------------------------------------------------------------------------


@pytest.fixture
def api(tmp_path: Path) -> Path:
    context = tmp_path / "api"
    (context / "d" / "e").mkdir(parents=True)
    (context / ".git").mkdir()
    (context / ".git" / "HEAD").write_text("x")
    (context / "Dockerfile").write_text("FROM busybox\n")
    (context / ".dockerignore").write_text("Dockerfile\n.dockerignore\nd/e\n!d/e/kept\n")
    (context / "d" / "e" / "kept").write_text("kept")
    (context / "d" / "e" / "gone").write_text("gone")
    (context / "d" / "tool").write_text("tool")
    (context / "d" / "tool").chmod(0o555)
    (context / "link").symlink_to("d/tool")
    (context / "shut").mkdir()
    (context / "shut").chmod(0o555)
    return context


def test_the_copy_has_what_is_hashed(api: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "s").write_text("s")
    build = Build(str(api), contexts={"shared": str(tmp_path / "shared"), "base": "docker-image://base"})
    place = tmp_path / "place"
    place.mkdir()
    before = os.umask(0o077)
    try:
        staged = stage(build, place, digest(build, None))
    finally:
        os.umask(before)
    copied = sorted(str(path.relative_to(staged.context)) for path in Path(staged.context).rglob("*"))
    assert copied == ["d", "d/e", "d/e/kept", "d/tool", "link", "shut"]
    modes = {name: stat.S_IMODE((Path(staged.context) / name).stat().st_mode) for name in ("d/e", "d/tool", "shut")}
    assert modes == {"d/e": 0o755, "d/tool": 0o555, "shut": 0o555}
    assert (Path(staged.context) / "d/tool").stat().st_mtime_ns == (api / "d" / "tool").stat().st_mtime_ns
    assert Path(staged.dockerfile).read_text() == "FROM busybox\n"
    assert Path(f"{staged.dockerfile}.dockerignore").read_text(), "an empty one would not count"
    assert staged.contexts["base"] == "docker-image://base"
    assert [path.name for path in Path(staged.contexts["shared"]).iterdir()] == ["s"]
    remove(place)
    assert not place.exists()


def test_what_changed_since_the_plan_is_not_built(api: Path, tmp_path: Path) -> None:
    planned = digest(Build(str(api)), None)
    (api / "d" / "tool").chmod(0o755)
    (api / "d" / "tool").write_text("t00l")
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(
        SpecError, match="has changed since it was planned, so nothing was built\n    hint: run it again"
    ):
        stage(Build(str(api)), place, planned)


# --- what it says ----------------------------------------------------------------------------------------------------

OUTPUT = """\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 118B done
#1 DONE 0.0s

#3 [internal] load metadata for docker.io/library/busybox:latest
#3 DONE 0.0s

#4 [a 1/2] FROM docker.io/library/busybox:latest
#4 CACHED

#5 [a 2/2] RUN echo one; no-such-program
#5 0.279 one
#6 [b 1/1] RUN sleep 9
#5 0.280 /bin/sh: no-such-program: not found
#6 CANCELED
"""
TOLD = ["[a 1/2] FROM docker.io/library/busybox:latest", "[a 2/2] RUN echo one; no-such-program", "one",
        "[b 1/1] RUN sleep 9", "/bin/sh: no-such-program: not found"]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "executor failed running [/bin/sh -c echo one; no-such-program]: exit code: 127",
        'process "/bin/sh -c echo one; no-such-program" did not complete successfully: exit code: 127',
    ],
)
def test_a_step_that_fails(words: str) -> None:
    told: list[str] = []
    log = BuildLog(told.append)
    for line in f"{OUTPUT}#5 ERROR: {words}\n------\n > [a 2/2] RUN:\n0.279 one\n------\nERROR: failed to solve: {words}".splitlines():
        log.add(line)
    assert told == TOLD
    assert log.failure() == (
        "[a 2/2] RUN echo one; no-such-program ended with exit code 127\n"
        "    | one\n    | /bin/sh: no-such-program: not found"
    )


@pytest.mark.parametrize(
    ("lines", "failure"),
    [
        (
            "ERROR: failed to solve: rpc error: code = Unknown desc = failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: RUNN",
            "dockerfile parse error line 2: unknown instruction: RUNN",
        ),
        ("ERROR: Attestation is not supported.\nSwitch.\n", "Attestation is not supported.\nSwitch."),
        (
            '#6 [2/2] COPY missing /\n#6 ERROR: "/missing" not found: not found\nERROR: failed to solve: failed to compute cache key: "/missing" not found: not found',
            '[2/2] COPY missing /: "/missing" not found: not found',
        ),
        ("panic: out of luck\n\ngoroutine 1:", "    | panic: out of luck\n    | goroutine 1:"),
        ("", ""),
    ],
)
def test_other_failures(lines: str, failure: str) -> None:
    log = BuildLog(lambda line: None)
    for line in lines.split("\n"):
        log.add(line)
    assert log.failure() == failure


def test_what_is_hidden_is_told_nowhere() -> None:
    """Also where a line is longer than what is kept of it."""
    secret = "s" * 600
    told: list[str] = []
    log = BuildLog(told.append, {secret})
    for line in (
        f"#5 [1/2] RUN echo {secret}",
        f"#5 0.279 {secret}",
        "#5 ERROR: exit code: 1",
        f"ERROR: {secret}: exit code: 1",
    ):
        log.add(line)
    assert told == ["[1/2] RUN echo (secret)", "(secret)"]
    assert log.failure() == "[1/2] RUN echo (secret) ended with exit code 1\n    | (secret)"


# --- what it does ----------------------------------------------------------------------------------------------------


@pytest.fixture
def build(api: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Builds `api` by a script in place of buildx; what was told."""

    def run(script: str, build: Build = Build(str(api)), content: str = "", silence: float = 20) -> list[str]:
        told: list[str] = []
        environment = {"PATH": os.environ["PATH"]}
        kit = BuildKit(str(program(tmp_path / "x", script)), UNIX, environment, Logins(tmp_path, {}), silence)
        try:
            kit.build(build, "FROM busybox\n", ["shop:1"], {}, content, told.append)
        finally:
            assert not GROUPS
            assert not PLACES
        return told

    return run


#: after these words `$id` is the file for the image's id
FIND_ID = 'while [ "$1" != --iidfile ]; do shift; done; id=$2'


def test_a_secret_is_on_no_disk_and_in_no_word(build: Callable[..., list[str]], api: Path, tmp_path: Path) -> None:
    secret = BuildSecret("token", Content("secrets", "t", b"very\0secret"))
    script = f"""
    echo "$*" > {tmp_path}/words; env > {tmp_path}/environment
    for word; do case $word in id=token,src=*) cp "${{word#*src=}}" {tmp_path}/seen;; esac; done
    grep -rl secret "$DOCKER_CONFIG/.." > {tmp_path}/files
    {FIND_ID}; echo sha256:0 > "$id"; echo '#4 [1/1] FROM x' >&2"""
    assert build(script, Build(str(api), secrets=(secret,))) == ["[1/1] FROM x"]
    assert (tmp_path / "seen").read_bytes() == b"very\0secret"
    for name in ("words", "environment", "files"):
        assert "very" not in (tmp_path / name).read_text()
    assert (tmp_path / "files").read_text() == ""


def test_a_step_that_prints_a_secret(build: Callable[..., list[str]], api: Path) -> None:
    secret = BuildSecret("token", Content("secrets", "t", b"very secret\n"))
    script = """
    echo '#5 [1/2] RUN cat /run/secrets/token'; echo '#5 0.279 very secret'; echo '#5 0.3 and word-of-mouth'
    echo '#5 ERROR: exit code: 1'; echo 'ERROR: very secret: exit code: 1'; exit 1
    """
    with pytest.raises(EngineRefusedError) as refused:
        build(script, Build(str(api), secrets=(secret,), args={"API_TOKEN": "word-of-mouth"}))
    assert "[1/2] RUN cat /run/secrets/token ended with exit code 1\n    | (secret)\n    | and (secret)" in str(
        refused.value
    )


def test_only_the_logins_of_named_registries_are_handed_on(
    build: Callable[..., list[str]], api: Path, tmp_path: Path
) -> None:
    logins = {f"{name}.test": {"auth": "dTpw"} for name in ("base", "cache", "further", "other")}
    (tmp_path / "config.json").write_text(json.dumps({"auths": logins}))
    script = f'cp "$DOCKER_CONFIG/config.json" {tmp_path}/seen.json; {FIND_ID}; echo sha256:0 > "$id"'
    build(
        script,
        Build(
            str(api), cache_from=("type=registry,ref=cache.test/x",), contexts={"f": "docker-image://further.test/f"}
        ),
    )
    assert set(json.loads((tmp_path / "seen.json").read_text())["auths"]) == {"cache.test", "further.test"}


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("echo 'ERROR: unknown flag: --ulimit' >&2; exit 1", EngineRefusedError, "unknown flag: --ulimit\n.*docker-buildx is too old for that option"),
        ("echo 'ERROR: Cannot connect to the Docker daemon at x. Is it running?'; exit 1", EngineUnavailableError, "buildx cannot reach the engine: Cannot connect"),
        ("echo 'panic: luck' >&2; exit 2", EngineRefusedError, r"ended with exit code 2 and told no reason\n    \| panic: luck\n    hint: .*DOCKER_BUILDKIT=0"),
        ("kill -SEGV $$", EngineRefusedError, "was ended by SIGSEGV and told no reason\n    hint"),
        ("echo 'ERROR: failed to list workers: listing workers for Build: x'; exit 1", EngineRefusedError, "hint: this engine seems to have no BuildKit"),
        ("echo 'ERROR: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set'; exit 1", EngineRefusedError, "hint: start an agent"),
        ("echo 'ERROR: failed to solve: granting entitlement security.insecure is not allowed'; exit 1", EngineRefusedError, "hint: allow it in the engine's daemon.json"),
        ("echo 'ERROR: failed to solve: x/y: failed to do request: dial tcp: lookup x: no such host'; exit 1", EngineRefusedError, "hint: the engine's host cannot reach that registry"),
        ("exit 0", OutcomeUnknownError, "ended without telling the image"),
    ],
)  # fmt: skip
def test_failures(build: Callable[..., list[str]], script: str, kind: type[EngineError], words: str) -> None:
    with pytest.raises(kind, match=words):
        build(script)


def test_a_program_that_is_none(build: Callable[..., list[str]], api: Path, tmp_path: Path) -> None:
    kit = BuildKit(str(api / "d" / "tool"), UNIX, {}, Logins(tmp_path, {}), 1)
    with pytest.raises(EngineError, match=r"tool cannot be run \(exec format error\); install it anew"):
        kit.build(Build(str(api)), "", ["shop:1"], {}, "", lambda line: None)


def test_one_that_hangs_is_ended_with_all_it_started(
    build: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_GRACE", 0.3)
    script = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/child; wait; sleep 60"
    with pytest.raises(OutcomeUnknownError, match="said nothing for 0 s .*and was ended"):
        build(script, silence=0.3)
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().rpartition(")")[2]:
            break
        time.sleep(0.1)
    else:
        pytest.fail("what it started still runs")


def test_nothing_is_started_when_the_context_changed(build: Callable[..., list[str]], tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="has changed since it was planned"):
        build(f"touch {tmp_path}/started", content="0" * 64)
    assert not (tmp_path / "started").exists()
