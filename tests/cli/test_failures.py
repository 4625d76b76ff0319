"""Every mistake that a person can make has a message of its own, and it says what to do. One golden file each."""

import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import pytest

from tests.cli.conftest import LOOP
from tests.cli.console import Console
from tests.support.builders import BUILDX, CLASSIC, need_buildx
from tests.support.golden import golden

FAILURES = Path(__file__).parent / "failures"


def check(name: str, console: Console, *commands: str, **environment: str) -> str:
    """Run commands, and compare all they print with the golden file."""
    text = "".join(f"$ {console.normal(command)}{console.run(command, **environment)}" for command in commands)
    assert "a bug in reconciler" not in text
    assert "Traceback" not in text
    golden(FAILURES / f"{name}.txt", text)
    return text


def web(console: Console, more: str = "", image: str = "busybox:latest") -> None:
    console.project.write("web.toml", f'[container.web]\nimage = "{image}"\n{LOOP}\n{more}\n')


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """A socket at which something answers that is no engine."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.recv(4096)
                connection.sendall(answer)
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@contextmanager
def container(api: docker.APIClient, name: str, **options: object) -> Iterator[str]:
    """A container that somebody made by hand."""
    made = api.create_container("busybox:latest", ["sleep", "1000"], name=name, **options)["Id"]
    try:
        yield made
    finally:
        api.remove_container(made, force=True)


# --- the way to the engine -----------------------------------------------------------------------------------------

HOSTS = {
    "engine-missing": "unix:///no/such/docker.sock",
    "engine-host-unknown": "tcp://no-such-host.invalid:2376",
    "engine-nobody-listens": "tcp://127.0.0.1:9",
    "engine-no-ssh": "ssh://127.0.0.1:9",
    "engine-odd-scheme": "ftp://example.org",
    "engine-odd-port": "tcp://example.org:x",
}


@pytest.mark.parametrize("name", HOSTS)
def test_engine_address(name: str, console: Console) -> None:
    if name == "engine-no-ssh" and shutil.which("ssh") is None:
        pytest.fail("ssh is not installed; scripts/test installs it", pytrace=False)
    web(console)
    check(name, console, f"reconciler -H {HOSTS[name]} plan", "reconciler plan --json", DOCKER_HOST=HOSTS[name])


def test_engine_is_a_file(console: Console) -> None:
    web(console)
    check("engine-is-a-file", console, f"reconciler -H unix://{console.project.root}/specs/web.toml plan")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("engine-is-a-mail-server", b"220 mail.example.org ESMTP\r\n"),
        ("engine-is-a-web-server", b"HTTP/1.1 404 Not Found\r\nContent-Length: 15\r\n\r\n<b>not here</b>"),
        ("engine-is-silent", b""),
    ],
)
def test_engine_is_none(name: str, answer: bytes, console: Console) -> None:
    web(console)
    with answering(console.project.root / "s", answer):
        check(name, console, f"reconciler -H unix://{console.project.root}/s plan")


def test_engine_without_permission(console: Console) -> None:
    """As somebody else: the socket is there and may not be used."""
    web(console)
    path = console.project.root / "s"
    if os.geteuid() != 0:  # who is not root may be locked out of a socket of their own
        with answering(path, b""):
            path.chmod(0)
            text = console.run(f"reconciler -H unix://{path} plan")
        expected = (FAILURES / "engine-no-permission.txt").read_text(encoding="utf-8")
        assert text.partition("\n")[2] == expected.partition("\n")[2]
        return
    with answering(path, b""):
        path.chmod(0o600)
        program = (
            "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
            "from reconciler.cli.main import run; sys.exit(run(sys.argv[1:]))"
        )
        readable_to_all(console.project.root)
        # The program may lie where only root may look: what it imports later is imported before.
        imports = (
            "import reconciler.spec.load, reconciler.spec.documents, reconciler.reconcile, reconciler.cli.changing;"
        )
        imports += "import reconciler.cli.parser, reconciler.cli.saved, reconciler.engine.client, encodings.idna;"
        imports += "import reconciler.engine.connect, reconciler.cli.streams, difflib, ssl;"
        text = console.run(f"python -c '{imports}{program}' -H unix://{path} plan")
    golden(FAILURES / "engine-no-permission.txt", text)


def readable_to_all(root: Path) -> None:
    for folder in [root, *root.parents]:
        if folder.owner() == "root" and folder != Path("/") and folder.stat().st_mode & 0o7 == 0:
            folder.chmod(folder.stat().st_mode | 0o055)


def test_tls_directory(console: Console) -> None:
    web(console)
    command = "DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=/no/such/directory reconciler -H tcp://127.0.0.1:9 plan"
    check("tls-directory", console, command)


def test_tls_files(console: Console) -> None:
    web(console)
    tls = console.project.root / "tls"
    tls.mkdir()
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tls / name).write_text("no certificate\n")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", console.port))
        listener.listen()
        command = f"DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=tls reconciler -H tcp://127.0.0.1:{console.port} plan"
        check("tls-files", console, command)


def test_context(console: Console) -> None:
    web(console)
    check("context-unknown", console, "DOCKER_HOST= DOCKER_CONTEXT=nowhere reconciler plan")


# --- the spec and the command line ---------------------------------------------------------------------------------

COMMANDS = {
    "spec-missing": ["reconciler plan nowhere", "reconciler apply nowhere.json", "cd / && reconciler status"],
    "spec-empty": ["mkdir empty; reconciler plan empty"],
    "spec-no-toml": ["echo hello world > notes.txt; reconciler plan notes.txt"],
    "spec-not-readable": ["reconciler plan /dev/null"],
    "out-unwritable": ["reconciler plan --out /no/such/directory/plan", "reconciler plan --out /tmp"],
    "out-full": ["reconciler plan > /dev/full", "reconciler plan --json > /dev/full"],
    "plan-damaged": [
        'echo \'{"format": "reconc\' > plan; reconciler apply plan',
        "echo '{}' > plan; reconciler apply plan",
        'echo \'{"format": "reconciler-plan"}\' > plan; reconciler apply plan',
        'reconciler plan --out plan >/dev/null; sed -i \'s/"digests"/"digest"/\' plan; reconciler apply plan',
        'reconciler plan --out plan >/dev/null; sed -i \'s/"reconciler": ".*"/"reconciler": "9.9"/\' plan; reconciler apply plan',
    ],
    "plan-elsewhere": [
        "reconciler plan --out plan >/dev/null; reconciler plan plan",
        "reconciler status plan",
        "reconciler apply plan --target container.web --no-build",
    ],
    "address": [
        "reconciler plan --target web",
        "reconciler plan --target container.wbe",
        "reconciler plan --replace container.wbe",
        "reconciler logs web",
        "reconciler logs container.wbe",
        "reconciler logs network.default",
        "reconciler restart container.wbe",
        "reconciler restart container.web[7]",
    ],
    "logs-options": ["reconciler logs container.web --tail many", "reconciler logs container.web --since yesterday"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_command(name: str, console: Console) -> None:
    web(console)
    check(name, console, *COMMANDS[name])


def test_follow_of_several(console: Console) -> None:
    web(console, "scale = 2")
    console.run("reconciler apply")
    check("logs-follow-several", console, "reconciler logs -f container.web")


def test_json_is_whole_or_not_there(console: Console) -> None:
    """`--json` never leaves half a document: on an error stdout is empty and stderr says what is wrong."""
    web(console, "imge = 1")
    for command in ("plan", "drift", "status", "apply", "destroy"):
        assert console.run(f"reconciler {command} --json 2>/dev/null") == "[1]\n"
    web(console)
    for command in ("plan", "drift", "status", "apply", "destroy"):
        assert console.run(f"reconciler -H unix:///none {command} --json 2>/dev/null") == "[1]\n"


# --- what the engine refuses ---------------------------------------------------------------------------------------


def test_port_of_another_program(console: Console) -> None:
    web(console, f'ports = ["127.0.0.1:{console.port}:80"]')
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", console.port))
        listener.listen()
        check("port-of-a-program", console, "reconciler apply")


def test_port_of_another_container(console: Console, docker_api: docker.APIClient) -> None:
    web(console, f'ports = ["127.0.0.1:{console.port}:80"]')
    host = docker_api.create_host_config(port_bindings={80: ("127.0.0.1", console.port)})
    with container(docker_api, f"{console.project.name}-x", ports=[80], host_config=host) as other:
        docker_api.start(other)
        check("port-of-a-container", console, "reconciler apply")


def test_image_never_pulled(console: Console) -> None:
    web(console, 'pull_policy = "never"', image="nobody/nothing:1")
    check("image-never", console, "reconciler plan", "reconciler apply")


def test_image_of_no_registry(console: Console) -> None:
    web(console, image=f"127.0.0.1:{console.port}/nobody/nothing:1")
    image = f"image.127.0.0.1:{console.port}/nobody/nothing:1"
    check("image-no-registry", console, f"reconciler apply --target {image}")


def test_name_of_a_stranger(console: Console, docker_api: docker.APIClient) -> None:
    web(console)
    with container(docker_api, f"{console.project.name}-web-1"):
        check("name-of-a-stranger", console, "reconciler plan", "reconciler apply")


def test_name_of_another_project(console: Console, docker_api: docker.APIClient) -> None:
    web(console, f'container_name = "{console.project.name}-shared"')
    console.run("reconciler apply")
    other = f"test-{secrets.token_hex(4)}"
    console.run(f"mkdir other && sed 's/{console.project.name}\"$/{other}\"/' specs/project.toml > other/p.toml")
    console.run("cp specs/web.toml other/")
    check("name-of-another-project", console, "reconciler plan other")


def test_subnet_overlaps(console: Console, docker_api: docker.APIClient) -> None:
    pool = docker.types.IPAMPool(subnet="10.99.7.0/24")
    network = docker_api.create_network(f"{console.project.name}-x", ipam=docker.types.IPAMConfig(pool_configs=[pool]))[
        "Id"
    ]
    try:
        web(console, 'networks = ["back"]\n[network.back]\nipam = { config = [{ subnet = "10.99.0.0/16" }] }')
        check("subnet-overlap", console, "reconciler apply")
    finally:
        docker_api.remove_network(network)


def test_bind_source_missing(console: Console) -> None:
    mount = '{ type = "bind", source = "/no/such/place", target = "/x", bind = { create_host_path = false } }'
    web(console, f"volumes = [{mount}]")
    check("bind-source-missing", console, "reconciler apply")


def test_command_not_in_the_image(console: Console) -> None:
    console.project.write("web.toml", '[container.web]\nimage = "busybox:latest"\ncommand = ["serve", "now"]\n')
    check("command-not-found", console, "reconciler apply")


@pytest.mark.parametrize(
    ("name", "dockerfile"),
    [
        ("dockerfile-syntax", "FROM busybox:latest\nRUNN echo hello\n"),
        ("dockerfile-run", "FROM busybox:latest\nRUN echo preparing >&2; no-such-program --all\n"),
        ("dockerfile-copy", "FROM busybox:latest\nCOPY missing /\n"),
    ],
)
def test_dockerfile(name: str, dockerfile: str, console: Console) -> None:
    console.project.write("site/Dockerfile", dockerfile)
    console.project.write("image.toml", '[image.site]\nbuild = "./site"\n')
    check(name, console, "reconciler apply --target image.site")


@pytest.mark.parametrize(
    ("name", "environment"), [("dockerfile-mount-classic", CLASSIC), ("dockerfile-run-buildx", BUILDX)]
)
def test_dockerfile_with_a_mount(name: str, environment: dict[str, str], console: Console) -> None:
    need_buildx()
    steps = "RUN --mount=type=cache,target=/c echo preparing >&2; exit 3"
    console.project.write("site/Dockerfile", f"FROM busybox:latest\n{steps}\n")
    console.project.write("image.toml", '[image.site]\nbuild = "./site"\n')
    check(name, console, "reconciler apply --target image.site", **environment)


def test_options_of_buildkit_without_buildx(console: Console) -> None:
    console.project.write("site/Dockerfile", "FROM busybox:latest\n")
    console.project.write(
        "image.toml", '[image.site]\nbuild = { context = "./site", ssh = ["default"], sbom = true }\n'
    )
    check("build-needs-buildx", console, "reconciler apply --target image.site")


def test_names_cannot_steer_a_terminal(console: Console) -> None:
    """What others wrote into labels and logs is shown without its escape sequences."""
    web(console)
    text = console.run("reconciler plan --target 'container.\033[31mred'")
    assert "\033" not in text
    assert "\\x1b[31mred" in text
