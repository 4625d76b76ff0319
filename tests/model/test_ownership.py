"""Labels: whose an object is, what it was made from, and what untrusted ones can do: nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.address import Address, Kind, parse_address
from reconciler.model.observed import normal_reference
from reconciler.model.ownership import (
    Fingerprint,
    Owner,
    fingerprint_text,
    foreign_labels,
    hash_option,
    owner_labels,
    owner_of,
    parse_fingerprint,
)
from reconciler.model.values import Config

WEB = Address(Kind.CONTAINER, "web")
CONFIG: Config = {
    "image": "busybox",
    "restart": "always",
    "networks": {"a": {}, "b": {"aliases": ("x",)}},
    "ports": {"80/tcp": (":1",)},
}


def test_what_we_write_is_what_we_read() -> None:
    labels = owner_labels("shop", WEB, CONFIG)
    assert owner_of(Kind.CONTAINER, labels, "shop") == (Owner.OURS, WEB)
    assert owner_of(Kind.CONTAINER, labels, "other") == (Owner.THEIRS, WEB)
    made_from = parse_fingerprint(labels)
    assert made_from.is_readable
    assert made_from.options == {
        "image": hash_option("busybox"),
        "ports": hash_option(CONFIG["ports"]),
        "restart": hash_option("always"),
        "networks.a": hash_option({}),
        "networks.b": hash_option({"aliases": ("x",)}),
    }


def test_each_option_stands_in_one_of_the_two_labels() -> None:
    """By what changing it takes; what costs nothing in neither."""
    kept = fingerprint_text(Kind.CONTAINER, {**CONFIG, "scale": 2}, in_place=False)
    moved = fingerprint_text(Kind.CONTAINER, {**CONFIG, "scale": 2}, in_place=True)
    assert [item.partition("=")[0] for item in kept.removeprefix("1:").split(",")] == ["image", "ports"]
    assert [item.partition("=")[0] for item in moved.removeprefix("1:").split(",")] == [
        "networks.a",
        "networks.b",
        "restart",
    ]


def test_a_network_with_any_name_is_found_again() -> None:
    labels = owner_labels("shop", WEB, {"networks": {"a=b.c": {}}})
    assert parse_fingerprint(labels).options == {"networks.a=b.c": hash_option({})}


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (Kind.NETWORK, "container.web"), (Kind.VOLUME, "container.web"), (Kind.CONTAINER, "image.web"),
        (Kind.CONTAINER, "network.front"), (Kind.CONTAINER, "web"), (Kind.CONTAINER, ""), (Kind.CONTAINER, "container."),
        (Kind.CONTAINER, "service.web"), (Kind.CONTAINER, "Container.web"),
    ],
)  # fmt: skip
def test_labels_of_another_kind_are_not_ownership(kind: Kind, address: str) -> None:
    """Whatever was inherited from somewhere else says nothing."""
    assert owner_of(kind, {"reconciler.project": "shop", "reconciler.address": address}, "shop")[0] is Owner.NOBODY


def test_images_have_labels_of_their_own() -> None:
    """So that a container, which inherits them, is not taken for one of ours, nor a commit for a build."""
    built = {"reconciler.image.project": "shop", "reconciler.image.address": "image.api"}
    assert owner_of(Kind.IMAGE, built, "shop")[0] is Owner.OURS
    assert owner_of(Kind.CONTAINER, built, "shop")[0] is Owner.NOBODY
    assert owner_of(Kind.IMAGE, owner_labels("shop", WEB, CONFIG), "shop")[0] is Owner.NOBODY


@pytest.mark.parametrize("project", ["", None])
def test_without_a_project_it_is_nobodys(project: str | None) -> None:
    labels = {"reconciler.address": "container.web"} | ({"reconciler.project": project} if project is not None else {})
    assert owner_of(Kind.CONTAINER, labels, "shop")[0] is Owner.NOBODY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Fingerprint(0, {})),
        ("nonsense", Fingerprint(0, {})),
        ("1:", Fingerprint(1, {})),
        ("1:image=ab", Fingerprint(1, {"image": "ab"})),
        ("1:image", Fingerprint(1, {})),
        ("²:image=ab", Fingerprint(0, {})),
        ("-1:image=ab", Fingerprint(0, {})),
        ("1.5:image=ab", Fingerprint(0, {})),
        ("999999999999:image=ab", Fingerprint(0, {})),
        ("2:image=ab", Fingerprint(2, {"image": "ab"})),
    ],
)
def test_fingerprints_are_read_with_care(text: str, expected: Fingerprint) -> None:
    assert parse_fingerprint({"reconciler.fingerprint": text}) == expected


def test_the_newer_of_two_versions_counts() -> None:
    found = parse_fingerprint({"reconciler.fingerprint": "1:image=ab", "reconciler.settings": "2:restart=cd"})
    assert found.is_newer
    assert not found.is_readable


@given(
    st.dictionaries(
        st.sampled_from(
            ["reconciler.project", "reconciler.address", "reconciler.fingerprint", "reconciler.settings", "x"]
        ),
        st.text(),
    )
)
def test_no_label_breaks_anything(labels: dict[str, str]) -> None:
    parse_fingerprint(labels)
    for kind in Kind:
        owner, address = owner_of(kind, labels, "shop")
        assert address is None or address.kind is kind
        assert owner is Owner.NOBODY or address is not None


def test_labels_of_others_are_told_from_ours() -> None:
    assert foreign_labels({"team": "shop", **owner_labels("shop", WEB, {}), "reconciler.prune": "true"}) == {
        "team": "shop"
    }


@pytest.mark.parametrize("text", ["container.web", "container.web[2]", "network.front", "image.redis:7", "volume.a.b"])
def test_an_address_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_address(text)) == text


@pytest.mark.parametrize("text", ["web", "container.", "container", "pod.web", ""])
def test_what_is_no_address_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"container\.web\[2\]"):
        parse_address(text)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("redis", "redis:latest"), ("redis:7", "redis:7"), ("docker.io/library/redis", "redis:latest"),
        ("docker.io/acme/x:1", "acme/x:1"), ("localhost:5000/x", "localhost:5000/x:latest"), ("localhost:5000/x:1", "localhost:5000/x:1"),
        ("redis:7@sha256:ab", "redis@sha256:ab"), ("localhost:5000/x@sha256:ab", "localhost:5000/x@sha256:ab"),
    ],
)  # fmt: skip
def test_references_as_the_engine_lists_them(written: str, normal: str) -> None:
    assert normal_reference(written) == normal
