"""Following a repository: what is accepted, what is refused, and what stays when things break."""

import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from reconciler.source.interface import Reason
from reconciler.source.settings import Limits
from tests.source.conftest import Follow
from tests.source.origin import Origin


def spec(source) -> str:
    return (source.directory / "app.toml").read_text()


def reason(fetched) -> Reason:
    assert fetched.refusal is not None
    assert fetched.refusal.hint
    return fetched.refusal.reason


def test_the_first_revision(origin: Origin, follow: Follow) -> None:
    source = follow()
    assert source.current() is None
    fetched = source.fetch()
    assert fetched.refusal is None
    assert fetched.accepted is not None
    assert fetched.accepted == fetched.attempted
    assert (fetched.accepted.commit, fetched.accepted.subject) == (origin.head, "the first")
    assert fetched.accepted.author == "Alice <alice@example.test>"
    assert source.current() is None, "nothing moves before it is taken"
    assert source.take() == fetched.accepted == source.current()
    assert spec(source) == "one\n"


def test_the_next_revision_under_the_same_path(origin: Origin, follow: Follow) -> None:
    source = follow()
    source.fetch(), source.take()
    before = source.directory
    second = origin.commit({"hosts/a/app.toml": "two\n"})
    assert source.fetch().accepted.commit == second
    assert spec(source) == "one\n"
    assert source.take().commit == second
    assert source.directory == before
    assert spec(source) == "two\n"


def test_nothing_new_asks_once_and_fetches_nothing(origin: Origin, follow: Follow) -> None:
    source = follow()
    source.fetch()
    packs = sorted((source._root).rglob("*.pack"))
    shutil.rmtree(next(source._root.glob("repository-*")))
    fetched = source.fetch()
    assert fetched.refusal is None
    assert fetched.accepted.commit == origin.head
    assert packs
    assert not list(source._root.rglob("*.pack"))


def test_modes_and_links(origin: Origin, follow: Follow) -> None:
    (origin.place / "hosts/a/run").write_text("#!/bin/sh\n")
    (origin.place / "hosts/a/run").chmod(0o4755)
    (origin.place / "hosts/a/link").symlink_to("../../shared/x")
    origin.commit(
        {"shared/x": "shared", ".gitattributes": "* text eol=crlf export-subst\n", "hosts/a/id": "$Format:%H$\n"}
    )
    source = follow()
    old = os.umask(0o077)
    try:
        source.fetch(), source.take()
    finally:
        os.umask(old)
    assert stat.S_IMODE((source.directory / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((source.directory / "app.toml").stat().st_mode) == 0o644
    assert (source.directory / "link").read_text() == "shared"
    assert (source.directory / "id").read_bytes() == b"$Format:%H$\n", "byte for byte"


def test_the_server_is_away(origin: Origin, follow: Follow) -> None:
    source = follow()
    source.fetch(), source.take()
    origin.place.rename(origin.place.with_name("moved"))
    fetched = follow().fetch()
    assert reason(fetched) is Reason.UNREACHABLE
    assert fetched.attempted is None
    assert fetched.accepted == follow().current() == follow().take()
    assert spec(source) == "one\n"


def test_a_branch_set_back(origin: Origin, follow: Follow) -> None:
    first = origin.head
    second = origin.commit({"hosts/a/app.toml": "two\n"})
    source = follow()
    source.fetch(), source.take()
    origin.git("reset", "-q", "--hard", first)
    other = origin.commit({"hosts/a/app.toml": "three\n"})
    for again in (source, follow()):
        fetched = again.fetch()
        assert reason(fetched) is Reason.REWOUND
        assert other in fetched.refusal.message
        assert second in fetched.refusal.message
        assert fetched.accepted.commit == second
        assert fetched.attempted.commit == other
    assert follow(allow_rewind=True).fetch().accepted.commit == other
    assert follow().take().commit == other


def test_rewinding_is_seen_without_the_record_and_the_repository(origin: Origin, follow: Follow) -> None:
    first = origin.head
    origin.commit({"hosts/a/app.toml": "two\n"})
    source = follow()
    source.fetch(), source.take()
    (source._root / "record.json").write_text("{damaged")
    shutil.rmtree(next(source._root.glob("repository-*")))
    origin.git("reset", "-q", "--hard", first)
    assert reason(follow().fetch()) is Reason.REWOUND


def test_another_url_or_ref_begins_anew(origin: Origin, follow: Follow, tmp_path: Path) -> None:
    follow().fetch(), follow().take()
    other = Origin(tmp_path / "served" / "other")
    commit = other.commit({"hosts/a/app.toml": "other\n"})
    assert follow(url=other.url).fetch().accepted.commit == commit
    assert len(list((tmp_path / "state").glob("repository-*"))) == 1


@pytest.mark.parametrize("annotated", [True, False])
def test_tags(origin: Origin, follow: Follow, annotated: bool) -> None:
    options = ["-a", "-m", "release"] if annotated else []
    origin.git("tag", *options, "v1")
    first = origin.head
    origin.commit({"hosts/a/app.toml": "two\n"})
    source = follow(ref="v1")
    assert source.fetch().accepted.commit == first
    origin.git("checkout", "-q", "--orphan", "aside")
    aside = origin.commit({"hosts/a/app.toml": "aside\n"})
    origin.git("tag", "-f", *options, "v1")
    fetched = source.fetch()
    assert reason(fetched) is Reason.REWOUND
    assert "tag v1" in fetched.refusal.message
    assert aside in fetched.refusal.message


def test_a_commit_as_ref(origin: Origin, follow: Follow) -> None:
    first = origin.head
    origin.commit({"hosts/a/app.toml": "two\n"})
    assert follow(ref=first).fetch().accepted.commit == first
    assert reason(follow(ref="1" * 40).fetch()) is Reason.MISSING


def test_refs_and_paths_that_are_not_there(origin: Origin, follow: Follow) -> None:
    assert reason(follow(ref="nothing").fetch()) is Reason.MISSING
    assert reason(follow(path="hosts/b").fetch()) is Reason.MISSING
    origin.git("tag", "main")
    fetched = follow().fetch()
    assert reason(fetched) is Reason.MISSING
    assert "refs/tags/main" in fetched.refusal.hint


def test_a_bad_revision_leaves_the_good_one_and_a_good_one_follows(origin: Origin, follow: Follow) -> None:
    source = follow(limits=Limits(files=3))
    source.fetch(), source.take()
    origin.commit({f"hosts/a/{number}": "" for number in range(5)})
    assert reason(source.fetch()) is Reason.TOO_LARGE
    assert source.take() == source.current()
    assert spec(source) == "one\n"
    record = source.record
    assert record.attempted.refusal.reason is Reason.TOO_LARGE
    assert record.attempted.revision != record.accepted.revision
    origin.git("rm", "-q", *(f"hosts/a/{number}" for number in range(5)))
    good = origin.commit({})
    assert source.fetch().accepted.commit == good


def test_a_damaged_repository_is_fetched_anew(origin: Origin, follow: Follow) -> None:
    source = follow()
    source.fetch(), source.take()
    second = origin.commit({"hosts/a/app.toml": "two\n"})
    for pack in source._root.rglob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(b"rubbish" * 100)
    (source._root / next(source._root.glob("repository-*")) / "config.lock").touch()
    assert source.fetch().accepted.commit == second
    shutil.rmtree(next(source._root.glob("repository-*")) / "objects")
    third = origin.commit({"hosts/a/app.toml": "three\n"})
    assert follow().fetch().accepted.commit == third


def test_a_checkout_with_an_empty_file_is_made_anew(origin: Origin, follow: Follow) -> None:
    source = follow()
    source.fetch(), source.take()
    (source.directory / "app.toml").write_text("")
    assert follow().fetch().refusal is None
    assert spec(source) == "one\n"


def test_a_full_or_closed_directory_is_said(origin: Origin, follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    assert reason(follow().fetch()) is Reason.LOCAL


def _hold(path: str, held, release) -> None:
    import fcntl

    with Path(path).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held.set()
        release.wait(20)


def test_another_process_is_at_it(origin: Origin, follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.source.git_source._PATIENCE", 0.1)
    source = follow()
    source.fetch(), source.take()
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(source._root / "lock"), held, release))
    other.start()
    assert held.wait(20)
    fetched = source.fetch()
    release.set()
    other.join(20)
    assert reason(fetched) is Reason.NOT_NOW
    assert fetched.accepted == source.current()
    assert source.fetch().refusal is None


KILLED = """
    import os, signal
    from pathlib import Path
    from reconciler.source import git_source, tree
    from reconciler.source.settings import GitSettings
    count = 0
    def stop(*arguments):
        global count
        count += 1
        if count == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        return known(*arguments)
    known = {module}.{name}
    {module}.{name} = stop
    source = git_source.GitSource(GitSettings({url!r}, path="hosts/a"), Path({state!r}), {{}})
    source.fetch()
    source.take()
"""


@pytest.mark.parametrize(
    ("module", "name", "after"),
    [("tree", "_write_file", 3), ("git_source", "save", 1), ("git_source", "save", 2), ("os", "utime", 1)],
)
def test_killed_in_the_middle(origin: Origin, follow: Follow, module: str, name: str, after: int) -> None:
    source = follow()
    source.fetch(), source.take()
    second = origin.commit({f"hosts/a/{number}": str(number) for number in range(6)} | {"hosts/a/app.toml": "two\n"})
    program = textwrap.dedent(KILLED).format(
        module=module, name=name, after=after, url=origin.url, state=str(source._root)
    )
    died = subprocess.run([sys.executable, "-c", program], check=False)
    assert died.returncode == -signal.SIGKILL
    assert spec(source) == "one\n", "the last good one is untouched"
    again = follow()
    assert again.current() is not None
    assert again.fetch().accepted.commit == second
    assert again.take().commit == second
    assert spec(again) == "two\n"
    assert sorted(path.name for path in again.directory.iterdir()) == ["0", "1", "2", "3", "4", "5", "app.toml"]


def test_tidy_keeps_what_containers_may_use(origin: Origin, follow: Follow) -> None:
    source = follow()
    commits = []
    for number in range(5):
        commits.append(origin.commit({"hosts/a/app.toml": f"{number}\n"}))
        source.fetch(), source.take()
        os.utime(source._checkouts / commits[-1], (number * 100, number * 100))

    def kept() -> list[int]:
        return [index for index, commit in enumerate(commits) if (source._checkouts / commit).is_dir()]

    source.tidy(150.0)  # revision 1 was current then, from 100 to 200
    assert kept() == [1, 2, 3, 4]
    source.tidy(None)
    assert kept() == [3, 4]
    (source.directory / "app.toml").write_text("")
    follow().fetch()
    assert len(list(source._checkouts.glob(".damaged-*"))) == 1, "a container may have it mounted"
    source.tidy(1.0)
    assert len(list(source._checkouts.glob(".damaged-*"))) == 1
    source.tidy(None)
    assert not list(source._checkouts.glob(".*"))
    assert spec(source) == "4\n"


def test_applied_is_apart_from_accepted(origin: Origin, follow: Follow) -> None:
    source = follow()
    source.fetch()
    first = source.take()
    source.applied(first)
    origin.commit({"hosts/a/app.toml": "two\n"})
    follow().fetch()
    record = source.record
    assert record.applied.revision == first != record.accepted.revision
    assert abs(record.accepted.at - time.time()) < 60


def test_many_fetches_leave_few_packs(origin: Origin, follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.source.repository._MOST_PACKS", 3)
    source = follow()
    for number in range(8):
        origin.commit({"hosts/a/app.toml": f"{number}\n"})
        assert source.fetch().refusal is None
    assert len(list(source._root.rglob("*.pack"))) <= 4
