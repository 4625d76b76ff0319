"""A build as it is resolved: both forms of each option, absolute paths, and what counts as its content."""

from pathlib import Path

import pytest

from reconciler.engine.context import digest
from reconciler.model.address import Address, Kind
from reconciler.model.contents import Content
from reconciler.model.desired import Build, BuildSecret, ImageResource
from reconciler.spec.load import load


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("api", "shared"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text("FROM busybox\n")
    (tmp_path / "key").write_text("k3y")
    return tmp_path


def resolve(place: Path, text: str) -> ImageResource:
    (place / "a.toml").write_text(f'[project]\nname = "shop"\n{text}\n[secret.npm]\nfile = "./key"\n')
    image = load(place, {"HOME": "/home/me"}).resources[Address(Kind.IMAGE, "api")]
    assert isinstance(image, ImageResource)
    return image


def built(place: Path, build: str) -> Build:
    image = resolve(place, f'[image.api.build]\ncontext = "api"\n{build}\n')
    assert image.build is not None
    return image.build


NPM = Content("secrets", "npm", b"k3y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('dockerfile_inline = "FROM x\\n"', {"dockerfile": "", "inline": "FROM x\n"}),
        ('additional_contexts = { s = "./shared", b = "docker-image://b:1" }', {"contexts": {"s": "{}/shared", "b": "docker-image://b:1"}}),
        ('additional_contexts = ["s=shared"]', {"contexts": {"s": "{}/shared"}}),
        ('platform = "linux/arm64"', {"platforms": ("linux/arm64",)}),
        ('platforms = ["linux/amd64", "linux/arm64", "linux/amd64"]', {"platforms": ("linux/amd64", "linux/arm64")}),
        ('cache_from = ["a:b", "type=local,src=./c"]', {"cache_from": ("a:b", "type=local,src={}/c")}),
        ('cache_to = ["type=local,mode=max,dest=c", "type=inline"]', {"cache_to": ("type=local,mode=max,dest={}/c", "type=inline")}),
        ('network = "host"', {"network": "host"}),
        ('shm_size = "64m"', {"shm_size": 64 * 1024 * 1024}),
        ('extra_hosts = ["b=1.2.3.4", "a:::1"]', {"extra_hosts": ("a:::1", "b:1.2.3.4")}),
        ('extra_hosts = { b = "1.2.3.4" }', {"extra_hosts": ("b:1.2.3.4",)}),
        ('ulimits = { nproc = 5, nofile = { soft = 1, hard = 2 } }', {"ulimits": {"nproc": "5:5", "nofile": "1:2"}}),
        ("privileged = true", {"privileged": True}),
        ('entitlements = ["network.host"]', {"entitlements": ("network.host",)}),
        ('secrets = ["npm", { source = "npm", id = "x" }, { source = "npm", target = "y" }]', {"secrets": (BuildSecret("npm", NPM), BuildSecret("x", NPM), BuildSecret("y", NPM))}),
        ('ssh = "default"', {"ssh": ("default",)}),
        ('ssh = ["default", "deploy=./key"]', {"ssh": ("default", "deploy={}/key")}),
        ('ssh = { deploy = "./key" }', {"ssh": ("deploy={}/key",)}),
        ("provenance = true", {"provenance": "true"}),
        ('provenance = "mode=max"\nsbom = false', {"provenance": "mode=max"}),
        ("no_cache = true\npull = true", {"no_cache": True, "pull": True}),
    ],
)  # fmt: skip
def test_options(text: str, expected: dict[str, object], place: Path) -> None:
    def here(value: object) -> object:
        if isinstance(value, str):
            return value.replace("{}", str(place))
        if isinstance(value, dict):
            return {key: here(item) for key, item in value.items()}
        return tuple(map(here, value)) if type(value) is tuple else value

    wanted = {key: here(value) for key, value in expected.items()}
    assert built(place, text) == Build(f"{place}/api")._replace(**wanted)


def test_tags_are_names_of_the_image(place: Path) -> None:
    text = '[image.api]\ntag = "a:1"\nbuild = { context = "api", tags = ["a:1", "b:1", "b:1", "c"] }\n'
    image = resolve(place, f'{text}[container.web]\nimage = "b:1"\n')
    assert (image.reference, image.tags) == ("a:1", ("b:1", "c"))
    assert [item.address.name for item in load(place, {}).images()] == ["api"], "a container may use any of them"


COUNTS = (
    'dockerfile_inline = "FROM x"', 'additional_contexts = { s = "./shared" }', 'target = "x"', 'args = { A = "1" }',
    'additional_contexts = { s = "docker-image://s" }', 'labels = { a = "b" }', 'platforms = ["linux/amd64"]',
    'network = "none"', 'extra_hosts = ["a:1.2.3.4"]', "provenance = true", "sbom = true",
)  # fmt: skip
COUNTS_NOT = (
    'cache_from = ["a"]', 'cache_to = ["type=inline"]', "no_cache = true", "pull = true", "shm_size = 1",
    "ulimits = { nofile = 1 }", "privileged = true", 'entitlements = ["network.host"]', 'secrets = ["npm"]',
    'ssh = ["default"]', "provenance = false", 'tags = ["x"]',
)  # fmt: skip


def test_what_counts_as_content(place: Path) -> None:
    plain = digest(built(place, ""), None)
    digests = [digest(built(place, text), None) for text in COUNTS]
    assert len({plain, *digests}) == len(COUNTS) + 1, "each of them is another build"
    assert {digest(built(place, text), None) for text in COUNTS_NOT} == {plain}


def test_files_of_further_contexts_count(place: Path) -> None:
    build = built(place, 'additional_contexts = { s = "./shared" }')
    before = digest(build, None)
    (place / "shared" / "page").write_text("one")
    after = digest(build, None)
    assert after != before
    (place / "shared" / ".dockerignore").write_text(".dockerignore\npage\n")
    assert digest(build, None) == before


def test_a_secret_is_not_shown(place: Path) -> None:
    assert "k3y" not in repr(built(place, 'secrets = ["npm"]'))
