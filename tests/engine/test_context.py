"""What a build is given: ignore files as Docker reads them, a hash that notices what matters, an archive."""

import io
import os
import socket
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine import context, stat_cache
from reconciler.engine.ignore import read_patterns
from reconciler.errors import SpecError
from reconciler.model.desired import Build

# --- ignore files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "ignored", "given_"),
    [
        ("", "", "a a/b .hidden"),
        ("# comment\n\n   \n*.log", "a.log", "a/a.log # a.txt"),
        ("a", "a a/b a/b/c", "b/a ab"),
        ("/a", "a a/b", "b/a"),
        ("a/", "a a/b", "ab"),
        ("./a/../b", "b b/c", "a"),
        ("*", "a a/b .x", ""),
        ("*/x", "a/x a/x/y", "x a/b/x"),
        ("**/x", "x a/x a/b/x a/x/y", "ax xa"),
        ("**/*.pyc", "a.pyc d/a.pyc d/e/a.pyc", "a.py"),
        ("a/**", "a/b a/b/c", "a b"),
        ("a/**/z", "a/z a/b/z a/b/c/z", "z a/zz"),
        ("**", "a a/b", ""),
        ("**/x/**", "x/a b/x/a", "y/a"),
        ("a?c", "abc", "ac a/c abbc"),
        ("[ab]c", "ac bc", "cc"),
        ("[a-c]1", "b1", "d1"),
        ("[^a]c", "bc", "ac"),
        (r"\#x", "#x", "x"),
        (r"\!x", "!x", "x"),
        (r"\*", "*", "a"),
        ("a.b+(c)|{d}$", "a.b+(c)|{d}$", "aXb"),
        ("*.md\n!README.md", "a.md", "README.md"),
        ("!README.md\n*.md", "README.md a.md", ""),
        ("d\n!d/keep", "d/x", "d/keep d/keep/y"),
        ("d/*\n!d/keep\nd/keep/not", "d/x d/keep/not", "d/keep d/keep/y"),
        ("*\n!a", "b", "a a/x"),
        ("! a\na b", "a b", "a"),
        ("\ufeffa", "a", "b"),
        ("a\r\nb\r\n", "a b", "c"),
    ],
)
def test_patterns(patterns: str, ignored: str, given_: str) -> None:
    ignore = read_patterns(patterns)
    words = {"a b"} if patterns == "! a\na b" else set(ignored.split())
    assert {path for path in words if not ignore.ignores(path)} == set()
    assert {path for path in given_.split() if ignore.ignores(path)} == set()


@pytest.mark.parametrize("patterns", ["!", "a\n[", "x[a-", "a\\"])
def test_patterns_that_mean_nothing(patterns: str) -> None:
    with pytest.raises(ValueError, match=r"^line \d"):
        read_patterns(patterns)


@given(st.text(alphabet="ab/*?[]!\\.#^-", max_size=20), st.text(alphabet="ab/.", min_size=1, max_size=10))
def test_any_pattern_is_read_or_refused(pattern: str, path: str) -> None:
    try:
        ignore = read_patterns(pattern)
    except ValueError:
        return
    assert ignore.ignores(path) in (True, False)


# --- what is given ---------------------------------------------------------------------------------------------------

Make = Callable[..., Build]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A context of files by path; a text of `->x` is a symbolic link."""

    def made(**options: object) -> Build:
        root = tmp_path / "context"
        files: dict[str, str] = {"Dockerfile": "FROM busybox\n", **options.pop("files", {})}  # type: ignore[dict-item]
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("->"):
                file.symlink_to(text[2:])
            else:
                file.write_text(text, encoding="utf-8")
        return Build(str(root), **options)  # type: ignore[arg-type]

    return made


def paths(build: Build) -> list[str]:
    return [entry.path for entry in context.scan(build)]


def test_everything_in_order(make: Make) -> None:
    build = make(files={"b/x": "1", "a": "2", "l": "->a", "broken": "->nothing", "dir": "->b"})
    assert paths(build) == ["Dockerfile", "a", "b", "b/x", "broken", "dir", "l"]


def test_what_is_ignored_is_not_given(make: Make) -> None:
    build = make(files={".dockerignore": "*.log\nsecret\n", "a.log": "", "secret/key": "", "b": ""})
    assert paths(build) == [".dockerignore", "Dockerfile", "b"]


def test_dockerfile_and_ignore_file_are_always_given(make: Make) -> None:
    build = make(files={".dockerignore": "*\n", "docker/Dockerfile": "FROM x", "a": ""}, dockerfile="docker/Dockerfile")
    entries = context.scan(build)
    assert [(entry.path, entry.is_forced) for entry in entries] == [
        (".dockerignore", True),
        ("docker/Dockerfile", True),
    ]


def test_the_ignore_file_of_a_dockerfile_wins(make: Make) -> None:
    files = {".dockerignore": "a\n", "x/Other": "FROM x", "x/Other.dockerignore": "b\n", "a": "", "b": ""}
    assert "a" not in paths(make(files=files))
    assert {"a", "b"} & set(paths(make(dockerfile="./x/Other"))) == {"a"}


def test_git_is_left_out_unless_it_is_asked_for(make: Make) -> None:
    build = make(files={".git/config": "", "sub/.git/x": "", "a": ""})
    assert paths(build) == ["Dockerfile", "a", "sub", "sub/.git", "sub/.git/x"]
    assert ".git/config" in paths(make(files={".dockerignore": "!.git\n"}))


def test_a_directory_that_is_left_out_is_not_entered(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    build = make(
        files={".dockerignore": "out\nhalf\n!half/a\n", "out/deep/x": "", "half/a": "", "half/b": "", "in/x": ""}
    )
    entered: list[str] = []
    scandir = os.scandir

    def watched(path: str) -> object:
        entered.append(os.path.relpath(path, build.context))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watched)
    assert "half/a" in paths(build)
    assert sorted(entered) == [".", "half", "in"]


def test_special_files_are_left_out(make: Make, tmp_path: Path) -> None:
    build = make(files={"a": ""})
    os.mkfifo(tmp_path / "context" / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "context" / "socket"))
        assert paths(build) == ["Dockerfile", "a"]


@pytest.mark.parametrize("dockerfile", ["../outside", "/etc/passwd", "link"])
def test_a_dockerfile_outside_is_refused(make: Make, tmp_path: Path, dockerfile: str) -> None:
    (tmp_path / "outside").write_text("FROM x", encoding="utf-8")
    build = make(files={"link": "->../outside"}, dockerfile=dockerfile)
    for call in (context.scan, context.read_dockerfile, lambda b: context.digest(b, None)):
        with pytest.raises(SpecError, match="not inside the context"):
            call(build)


def test_what_is_missing_is_named(make: Make, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="Nothing: there is no such Dockerfile"):
        context.scan(make(dockerfile="Nothing"))
    with pytest.raises(SpecError, match="none: there is no such directory"):
        context.scan(Build(str(tmp_path / "none")))
    with pytest.raises(SpecError, match=r"\.dockerignore: line 2: .*is not a pattern"):
        context.scan(make(files={".dockerignore": "\n[\n"}))


def test_what_cannot_be_read_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object, **options: object) -> None:  # for root, nothing really is
        raise PermissionError(13, "Permission denied")

    build = make(files={"a": "x"})
    monkeypatch.setattr(context, "open", forbidden, raising=False)
    with pytest.raises(SpecError, match=r"context/Dockerfile: .*cannot be read \(permission denied\)"):
        context.digest(build, None)


def test_a_file_that_vanishes_is_named(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    build = make(files={"a": "x"})
    entries = context.scan(build)
    (tmp_path / "context" / "a").unlink()
    monkeypatch.setattr(context, "scan", lambda build: entries)
    for call in (lambda: context.digest(build, None), lambda: list(context.archive(build))):
        with pytest.raises(SpecError, match=r"context/a: .*no such file"):
            call()


def test_too_much_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    build = make(files={str(number): "xxxx" for number in range(10)})
    monkeypatch.setattr(context, "MOST_ENTRIES", 5)
    with pytest.raises(SpecError, match="too large for a build context"):
        context.scan(build)
    monkeypatch.setattr(context, "MOST_ENTRIES", 100)
    monkeypatch.setattr(context, "MOST_BYTES", 20)
    with pytest.raises(SpecError, match="too large for a build context"):
        context.scan(build)


# --- the digest ------------------------------------------------------------------------------------------------------


def test_what_changes_the_digest(make: Make, tmp_path: Path) -> None:
    root = tmp_path / "context"
    build = make(files={"a": "1", "d/b": "2", "l": "->a", ".dockerignore": "*.log\n.dockerignore\n", "x.log": ""})
    seen = {context.digest(build, None)}

    def is_new(changed: Build = build) -> bool:
        before = len(seen)
        seen.add(context.digest(changed, None))
        return len(seen) > before

    (root / "x.log").write_text("ignored", encoding="utf-8")
    os.utime(root / "a", (1, 1))
    (root / ".dockerignore").write_text(".dockerignore\n*.log\n# other words, same files\n", encoding="utf-8")
    assert not is_new(build._replace(no_cache=True, pull=True))
    for change in (
        lambda: (root / "a").write_text("changed", encoding="utf-8"),
        lambda: (root / "a").chmod(0o755),
        lambda: (root / "a").rename(root / "c"),
        (root / "l").unlink,
        lambda: (root / "l").symlink_to("d"),
        (root / "empty").mkdir,
        lambda: (root / "Dockerfile").write_text("FROM other", encoding="utf-8"),
        lambda: (root / "Other").write_text("FROM other", encoding="utf-8"),
    ):
        change()
        assert is_new()
    assert is_new(build._replace(args={"a": "1"}))
    assert is_new(build._replace(labels={"a": "1"}))
    assert is_new(build._replace(target="x"))
    assert is_new(build._replace(platforms=("linux/arm64",)))
    assert is_new(build._replace(dockerfile="Other"))
    both = {"a": "1", "b": "2"}
    assert context.digest(build._replace(args=both), None) == context.digest(
        build._replace(args=dict(reversed(both.items()))), None
    )


def test_an_ignored_dockerfile_counts(make: Make, tmp_path: Path) -> None:
    build = make(files={".dockerignore": "Dockerfile\n"})
    before = context.digest(build, None)
    (tmp_path / "context" / "Dockerfile").write_text("FROM other", encoding="utf-8")
    assert context.digest(build, None) != before


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the files that were read to be hashed."""
    seen: list[str] = []
    hash_file = context._hash_file
    monkeypatch.setattr(context, "_hash_file", lambda build, entry: seen.append(entry.path) or hash_file(build, entry))
    return seen


def _age(build: Build) -> None:
    """As if all files had been made a while ago: what `utime` cannot set is when they were changed."""
    for entry in context.scan(build):
        os.utime(f"{build.context}/{entry.path}", (1, 1), follow_symlinks=False)


def test_an_unchanged_file_is_not_read_again(
    make: Make, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stat_cache, "_RACY_NS", -(10**9))
    cache = tmp_path / "cache"
    build = make(files={f"d{number % 10}/f{number}": str(number) for number in range(2000)})
    first = context.digest(build, cache)
    assert len(reads) == 2001
    reads.clear()
    assert context.digest(build, cache) == first == context.digest(build, None)
    assert len(reads) == 2001  # only those of the digest without a cache
    reads.clear()
    (tmp_path / "context/d3/f3").write_text("x", encoding="utf-8")  # of the same size
    (tmp_path / "context/d3/f13").unlink()
    changed = context.digest(build, cache)
    assert reads == ["d3/f3"]
    assert changed not in (first,)
    assert changed == context.digest(build, None)


def test_a_file_of_just_now_is_not_trusted(make: Make, tmp_path: Path, reads: list[str]) -> None:
    cache = tmp_path / "cache"
    build = make(files={"a": "1"})
    context.digest(build, cache)
    _age(build)  # its contents look old, but the change of its times is of now
    context.digest(build, cache)
    assert reads.count("a") == 2


def test_old_files_are_trusted(make: Make, tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    build = make(files={"a": "1"})
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3 * 10**9)
    assert context.digest(build, cache) == context.digest(build, cache)
    assert reads.count("a") == 1


@pytest.mark.parametrize("damage", [b"", b"garbage", b"reconciler files 1\n1234", None])
def test_a_damaged_cache_only_costs_time(
    make: Make, tmp_path: Path, damage: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stat_cache, "_RACY_NS", -(10**9))
    cache = tmp_path / "cache"
    build = make(files={"a": "1"})
    digest = context.digest(build, cache)
    (file,) = cache.iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:-3] if damage is None else damage)
    assert context.digest(build, cache) == digest
    assert file.read_bytes() == content


def test_a_cache_that_cannot_be_written_only_costs_time(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    build = make(files={"a": "1"})
    assert context.digest(build, tmp_path / "file" / "cache") == context.digest(build, None)


# --- the archive -----------------------------------------------------------------------------------------------------


def test_the_archive_holds_the_files(make: Make, tmp_path: Path) -> None:
    root = tmp_path / "context"
    long = "d" * 120 + "/" + "f" * 120
    build = make(files={"a": "x" * 1000, long: "deep", "l": "->a", "empty": "", "ü": "1", "big": "y" * 3_000_000})
    (root / "a").chmod(0o640)
    (root / os.fsdecode(b"bad\xff")).write_text("z", encoding="utf-8")
    blocks = list(context.archive(build))
    assert max(map(len, blocks)) <= 1024 * 1024
    content = b"".join(blocks)
    assert content == b"".join(context.archive(build))
    with tarfile.open(fileobj=io.BytesIO(content), errors="surrogateescape") as archive:
        members = {member.name: member for member in archive}
        assert list(members) == [entry.path for entry in context.scan(build)]
        assert (members["a"].mode, members["a"].uid, members["a"].gid, members["a"].uname) == (0o640, 0, 0, "")
        assert (members["l"].issym(), members["l"].linkname) == (True, "a")
        for name in ("a", long, "big", "empty"):
            stream = archive.extractfile(name)
            assert stream is not None
            assert stream.read() == (root / name).read_bytes()


@pytest.mark.parametrize("inline", ["", "FROM scratch\n"])
def test_a_builder_that_heeds_an_ignore_file_of_its_own(make: Make, inline: str) -> None:
    """Ours takes its place: it leaves out what is sent for the builder alone, and nothing else."""
    files = {
        "Dockerfile": "",
        ".dockerignore": "*",
        "Dockerfile.dockerignore": "Dockerfile\n",
        "own": "*\n",
        "page": "",
    }
    build = make(files=files)._replace(inline=inline)
    if inline:
        build = build._replace(dockerfile="Dockerfile")
    with tarfile.open(fileobj=io.BytesIO(b"".join(context.archive(build, heeded="own")))) as archive:
        stream = archive.extractfile("own")
        assert stream is not None
        names, left_out = archive.getnames(), stream.read().decode().split()
    assert names[-1] == "own"
    assert left_out == ["own", *([".dockerignore", context.INLINE_NAME] if inline else ["Dockerfile"])]
    assert set(left_out) <= set(names)
    assert ("page" in names) is not bool(inline)


def test_a_file_that_grows_or_shrinks_while_it_is_sent(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = make(files={"a": "1234"})
    entries = context.scan(build)
    monkeypatch.setattr(context, "scan", lambda build: entries)
    file = tmp_path / "context" / "a"
    file.write_text("123456", encoding="utf-8")
    with tarfile.open(fileobj=io.BytesIO(b"".join(context.archive(build)))) as archive:
        stream = archive.extractfile("a")
        assert stream is not None
        assert stream.read() == b"1234"
    file.write_text("1", encoding="utf-8")
    with pytest.raises(SpecError, match="became shorter"):
        list(context.archive(build))
