"""Repositories that mean harm. Each is refused with its path, and what was there before stays."""

import os
from pathlib import Path

import pytest

from reconciler.source.interface import Reason
from reconciler.source.settings import Limits
from tests.source.conftest import Follow
from tests.source.origin import Origin

FILE, LINK, SUBMODULE = "100644", "120000", "160000"


@pytest.fixture(autouse=True)
def lenient(origin: Origin) -> None:
    origin.git("config", "core.protectNTFS", "false")


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../outside", "..", "a/../../outside", "self/../x", "x/..", "a\tb", ".git/config", "../../../etc"],
)
def test_links_that_leave_the_tree(origin: Origin, follow: Follow, target: str) -> None:
    follow().fetch()
    good = origin.head
    origin.commit_tree([(LINK, "evil", target), (FILE, "x", "x")])
    fetched = follow(path="").fetch()
    assert fetched.refusal.reason is Reason.UNSAFE
    assert fetched.refusal.message.startswith("evil ")
    assert fetched.accepted.commit == good


def test_a_link_as_a_directory_and_a_file_below_it(origin: Origin, follow: Follow, tmp_path: Path) -> None:
    """Two entries of one name: the second must not be written through the first."""
    origin.commit_tree([(LINK, "a", "."), (FILE, "a", "through")])
    assert follow(path="").fetch().refusal.reason is Reason.UNSAFE


@pytest.mark.parametrize(
    "name", [".git", ".GIT", "..", ".", "git~1", "new\nline", "esc\x1b[2J", "bidi\u202e", "\udcff"]
)
def test_odd_names(origin: Origin, follow: Follow, name: str) -> None:
    origin.commit_tree([(FILE, name, "x")])
    refusal = follow(path="").fetch().refusal
    assert refusal.reason is Reason.UNSAFE
    assert refusal.message.isprintable()


@pytest.mark.parametrize("mode", ["100600", "104755", "020666"])
def test_odd_modes_are_not_taken(origin: Origin, follow: Follow, mode: str) -> None:
    origin.commit_tree([(mode, "x", "x"), (FILE, "y", "y")])
    source = follow(path="")
    fetched = source.fetch()
    if fetched.refusal is None:  # git itself reads it as a plain file, or as a submodule
        source.take()
        written = source.directory / "x"
        assert written.exists() is not bool(fetched.notes)
        assert not written.exists() or oct(written.stat().st_mode) in ("0o100644", "0o100755")
    else:
        assert fetched.refusal.reason is Reason.UNSAFE


def test_submodules_are_noted_and_not_fetched(origin: Origin, follow: Follow) -> None:
    url = f"ext::sh -c touch% {origin.place}/marker"
    origin.commit_tree(
        [
            (FILE, ".gitmodules", f'[submodule "s"]\n\tpath = s\n\turl = {url}\n'),
            (SUBMODULE, "s", origin.head),
            (FILE, "x", ""),
        ]
    )
    source = follow(path="")
    fetched = source.fetch()
    assert not (origin.place / "marker").exists()
    if fetched.refusal is None:
        assert "submodule" in fetched.notes[0]
        source.take()
        assert not (source.directory / "s").exists()
    else:  # newer versions of git refuse the URL
        assert fetched.refusal.reason is Reason.UNSAFE


def test_hooks_and_filters_do_not_run(origin: Origin, follow: Follow, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for hook in ("post-checkout", "post-update", "reference-transaction", "fsmonitor-watchman"):
        path = origin.place / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch {marker}\n")
        path.chmod(0o755)
    origin.commit({"x": "x"})
    marker.unlink(missing_ok=True)  # the origin's own git ran them
    origin.commit_tree([(FILE, ".gitattributes", "* filter=evil\n"), (FILE, "hooks", f"touch {marker}")])
    marker.unlink(missing_ok=True)
    assert follow(path="").fetch().refusal is None
    assert not marker.exists()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(files=10), "more than 10 files"),
        (Limits(size=1000), "bytes of files"),
        (Limits(file_size=50), "has 100 bytes"),
        (Limits(depth=1), "too deep"),
        (Limits(path_bytes=10), "too long"),
        (Limits(repository=1500), "the repository is larger"),
    ],
)
def test_too_much(origin: Origin, follow: Follow, limits: Limits, said: str) -> None:
    origin.commit({f"hosts/a/{number}": os.urandom(50).hex() for number in range(30)})
    source = follow(limits=limits)
    refusal = source.fetch().refusal
    assert refusal.reason is Reason.TOO_LARGE
    assert said in refusal.message
    assert source.take() is None
    assert not list(source._checkouts.iterdir())


def test_a_tree_that_multiplies(origin: Origin, follow: Follow) -> None:
    """A hundred names for a hundred names for ...: a few objects, and a hundred million files."""
    tree = origin.git("rev-parse", "HEAD^{tree}")
    for _ in range(4):
        tree = origin.git("mktree", stdin="".join(f"040000 tree {tree}\td{number}\n" for number in range(100)).encode())
    origin.git("update-ref", "refs/heads/main", origin.git("commit-tree", tree, "-p", "HEAD", "-m", "bomb"))
    assert follow(path="", limits=Limits(files=1000)).fetch().refusal.reason is Reason.TOO_LARGE


def test_names_that_differ_in_case_are_noted(origin: Origin, follow: Follow) -> None:
    origin.commit_tree([(FILE, "A", "1"), (FILE, "a", "2")])
    fetched = follow(path="").fetch()
    assert fetched.refusal is None
    assert "differ in case" in fetched.notes[0]


def test_subjects_cannot_steer_a_terminal(origin: Origin, follow: Follow) -> None:
    origin.commit({}, "hello \x1b[2J\u202eworld " + "x" * 500)
    subject = follow().fetch().accepted.subject
    assert subject.startswith("hello ")
    assert subject.isprintable()
    assert len(subject) <= 200
