"""A checkout that something else keeps up: which revision it is, and when it is not to be read."""

from pathlib import Path

import pytest

from reconciler.source.directory import DirectorySource
from reconciler.source.interface import Reason, Revision
from tests.source.origin import Origin


def test_a_directory_without_git(tmp_path: Path) -> None:
    source = DirectorySource(tmp_path / "specs")
    assert source.fetch().refusal.reason is Reason.MISSING
    (tmp_path / "specs").mkdir()
    assert source.fetch().accepted == source.current() == source.take() == Revision("")


def test_the_revision(origin: Origin, tmp_path: Path) -> None:
    source = DirectorySource(origin.place / "hosts/a")
    assert source.fetch().accepted == Revision(origin.head, "main")
    origin.git("pack-refs", "--all")
    assert source.current() == Revision(origin.head, "main")
    origin.git("worktree", "add", "-q", "-b", "feature/x", str(tmp_path / "tree"))
    beside = DirectorySource(tmp_path / "tree")
    assert beside.fetch().accepted == Revision(origin.head, "feature/x")
    origin.git("pack-refs", "--all")
    assert beside.current() == Revision(origin.head, "feature/x")
    origin.git("checkout", "-q", "--detach")
    assert source.current() == Revision(origin.head, "HEAD")
    (origin.place / ".git" / "HEAD").write_text("ref: refs/heads/../../../etc/passwd")
    assert source.current().commit == ""


@pytest.mark.parametrize(
    "name", ["index.lock", "HEAD.lock", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply"]
)
def test_not_now(origin: Origin, name: str) -> None:
    source = DirectorySource(origin.place)
    (origin.place / ".git" / name).touch()
    fetched = source.fetch()
    assert fetched.refusal.reason is Reason.NOT_NOW
    assert fetched.accepted is None
    (origin.place / ".git" / name).unlink()
    assert source.fetch().refusal is None


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_paths_that_are_not_merged(origin: Origin, version: str) -> None:
    origin.commit({f"some/{'longer/' * number}name": str(number) for number in range(30)})
    if version == "3":
        (origin.place / "later").write_text("")
        origin.git("add", "--intent-to-add", "later")  # what version 3 is for
    origin.git("update-index", "--index-version", version)
    source = DirectorySource(origin.place)
    assert source.fetch().refusal is None
    assert (origin.place / ".git/index").read_bytes()[7] == int(version)
    (blob, *_) = origin.git("ls-files", "-s", "hosts/a/app.toml").split()[1:]
    lines = "".join(f"100644 {blob} {stage}\tzz/conflict\n" for stage in (1, 2, 3))
    origin.git("update-index", "--index-info", stdin=lines.encode())
    assert "not merged" in source.fetch().refusal.message
    origin.git("rm", "-q", "--cached", "zz/conflict")
    assert source.fetch().refusal is None


def test_an_index_that_is_none(origin: Origin) -> None:
    for content in (b"", b"DIRC", b"DIRC\0\0\0\2\0\0\0\xff", b"x" * 100):
        (origin.place / ".git/index").write_bytes(content)
        assert DirectorySource(origin.place).fetch().refusal is None
