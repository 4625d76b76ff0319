"""Lines and columns."""

from pathlib import Path

import pytest

from reconciler.model.desired import Origin
from reconciler.spec.keys import Keys, path_text
from reconciler.spec.locations import locate, locate_field

TEXT = """\
top = 1
[project]
name = "ü"; x = 1
[container.web]
image = "x"   # comment
ports = ["80", # first
  { target = 90, "b.c".d = 3 },
]
x.y.z = { a = [1, [2, 3]], 'q' = 2 }
[container."we b"]
"esc\\u0061ped" = 1
[container.db.healthcheck]
retries = 3
[[list]]
k = 1
[[list]]
k = 2
[list.below]
l = 3
"""


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (("top",), (1, 1)),
        (("container",), (4, 2)),
        (("container", "web"), (4, 2)),
        (("container", "web", "image"), (5, 1)),
        (("container", "web", "absent"), (4, 2)),
        (("container", "web", "ports", 0), (6, 10)),
        (("container", "web", "ports", 1), (7, 3)),
        (("container", "web", "ports", 1, "target"), (7, 5)),
        (("container", "web", "ports", 1, "b.c", "d"), (7, 24)),
        (("container", "web", "ports", 7), (6, 1)),
        (("container", "web", "x", "y", "z"), (9, 5)),
        (("container", "web", "x", "y", "z", "a", 1, 1), (9, 23)),
        (("container", "web", "x", "y", "z", "q"), (9, 28)),
        (("container", "we b", "escaped"), (11, 1)),
        (("container", "db"), (12, 2)),
        (("container", "db", "healthcheck", "retries"), (13, 1)),
        (("list", 1, "k"), (17, 1)),
        (("list", 1, "below", "l"), (19, 1)),
        (("nowhere", "at", "all"), (0, 0)),
        ((), (0, 0)),
    ],
)
def test_locate(keys: Keys, place: tuple[int, int]) -> None:
    assert locate(TEXT, keys) == place


def test_columns_count_characters() -> None:
    assert locate('a = { "äöü" = 1, b = 2 }', ("a", "b")) == (1, 18)


def test_broken_text_gives_the_nearest_place() -> None:
    assert locate("[a]\nb = [1,\n", ("a", "b", 0)) in {(2, 1), (2, 6), (1, 2)}
    assert locate("= = =\x00[[[", ("a",)) == (0, 0)


def test_tables_of_toml_1_1_are_found() -> None:
    assert locate("a = {\n  b = 1,\n  c = 2,\n}\n", ("a", "c")) == (3, 3)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("container", "web", "ports", 0), "container.web.ports[0]"),
        (("container", "we b", "labels", "com.x"), 'container."we b".labels."com.x"'),
        (("a", 'q"'), 'a."q\\""'),
    ],
)
def test_paths(keys: Keys, text: str) -> None:
    assert path_text(keys) == text


SPEC = """\
[container.api]
image = "x:1"
environment = { LEVEL = "1", \
LOG_LEVEL = "2" }
ports = [
  "8080:80",
  "127.0.0.1:${PORT}:81/udp",
  { target = 82 },
]
volumes = [
  "data:/data",
  "${DIR}/x:/x:ro",
]
networks = { backend = {
  aliases = ["a"] } }
labels = ["com.example.team=shop", "b=c"]
container_name = "x"
[container.api.healthcheck]
retries = 3
"""


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("image", 2),
        ("environment.LOG_LEVEL", 3),
        ("environment.ABSENT", 3),
        ("ports.80/tcp", 5),
        ("ports.81/udp", 6),
        ("ports.82/tcp", 7),
        ("ports.99/tcp", 4),
        ("volumes./data", 10),
        ("volumes./data.source", 10),
        ("volumes./x.read_only", 11),
        ("networks.shop_backend", 13),
        ("networks.shop_backend.aliases", 14),
        ("labels.com.example.team", 15),
        ("name", 16),
        ("healthcheck.retries", 18),
        ("healthcheck.interval", 17),
        ("mem_limit", 1),
        ("HostConfig.CpusetMems", 1),
    ],
)
def test_locate_field(tmp_path: Path, field: str, line: int) -> None:
    file = tmp_path / "api.toml"
    file.write_text(SPEC)
    assert locate_field(Origin(str(file), ("container", "api")), field) == f"{file}:{line}"


def test_a_field_without_a_file(tmp_path: Path) -> None:
    assert locate_field(Origin("", ()), "internal") == ""
    assert locate_field(Origin("gone.toml", ("network", "x")), "internal") == "gone.toml"
    file = tmp_path / "a.toml"
    file.write_text("broken [")
    assert locate_field(Origin(str(file), ("network", "x")), "internal") == str(file)
    file.write_text('[container.web]\nimage = "x:1"\n')
    assert locate_field(Origin(str(file), ("container", "web", "image")), "reference") == f"{file}:2"
