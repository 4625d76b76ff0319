"""What may be written in a source, and what is said of the rest. Nothing is asked of anybody here."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.source.document import SOURCE, read_source
from reconciler.source.git import plain
from reconciler.source.settings import GitSettings, Limits, mistakes_of
from reconciler.source.webhook import WebhookSettings

SSH = {"ssh_key": "/k", "known_hosts": "/h"}


def options(**given: Any) -> list[str]:
    settings = GitSettings("https://example.com/a.git")._replace(**given)
    found = mistakes_of(settings)
    assert all(mistake.message and mistake.hint for mistake in found)
    return [mistake.option for mistake in found]


@pytest.mark.parametrize(
    "url", ["https://example.com/a.git", "https://example.com:8443/team/a", "https://[::1]/a", "http://127.0.0.1:80/a"]
)
def test_good_urls(url: str) -> None:
    assert options(url=url) == []


@pytest.mark.parametrize(
    "url", ["ssh://git@example.com:22/a.git", "ssh://example.com/~/a", "git@example.com:team/a.git"]
)
def test_good_ssh_urls(url: str) -> None:
    assert options(url=url, **SSH) == []
    assert GitSettings(url).protocol == "ssh"


@pytest.mark.parametrize(
    "url",
    [
        "", "a", "/srv/a.git", "ext::sh -c id", "ext::sh", "fd::17", "-uhttps://x/a", "--upload-pack=x", "https://x/a b",
        "https://x/a\n", "https://user:secret@example.com/a", "https://token@example.com/a", "ssh://-oProxyCommand=x/a",
        "ssh://-x@example.com/a", "ssh://a:b@example.com/a", "-x@example.com:a", "git@-x:a", "git@example.com:-a",
        "http://example.com/a", "git://example.com/a", "ftp://example.com/a", "file://relative/a", "https:///a",
        "HTTPS://example.com/a", "https://example.com", "https://x/a?b", "https://x/a#b", "x::https://a/b", "a\0b",
        "https://x/\u202ea",
    ],
)  # fmt: skip
def test_bad_urls(url: str) -> None:
    assert options(url=url) == ["git"]


@pytest.mark.parametrize("ref", ["main", "feature/x", "v1.2.3", "refs/heads/a", "refs/tags/v1", "a" * 40, "b" * 64])
def test_good_refs(ref: str) -> None:
    assert options(ref=ref) == []


@pytest.mark.parametrize(
    "ref",
    [
        "", "-x", "--upload-pack=x", "+main", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "@{-1}", "@",
        "a@{1}", "/a", "a/", "a//b", ".a", "a.", "a/.b", "a.lock", "a\n", "main; id", "refs/notes/x", "refs/pull/1/head",
        "x" * 300,
    ],
)  # fmt: skip
def test_bad_refs(ref: str) -> None:
    assert options(ref=ref) == ["ref"]


@pytest.mark.parametrize("path", ["/etc", "..", "a/../b", "a/..", ".git", "a/.git/b", "a\0b"])
def test_bad_paths(path: str) -> None:
    assert options(path=path) == ["path"]


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"url": "ssh://x/a"}, ["ssh_key", "known_hosts"]),
        (SSH, ["ssh_key", "known_hosts"]),
        ({"url": "ssh://x/a", **SSH, "token_file": "/t"}, ["token_file"]),
        ({"token_file": "/t", "token_variable": "T"}, ["token_variable"]),
        ({"token_file": "credential:../x"}, ["token_file"]),
        ({"token_file": "relative"}, ["token_file"]),
        ({"url": "ssh://x/a", "ssh_key": "/a%h", "known_hosts": '/"'}, ["ssh_key", "known_hosts"]),
        ({"user": "a b"}, ["user"]),
        ({"user": "-a"}, ["user"]),
        ({"interval": 0.1}, ["interval"]),
        ({"timeout": 0.0}, ["timeout"]),
        ({"verify": "commit"}, ["verify"]),
        ({"keyring": "/k"}, ["keyring"]),
        ({"allowed_signers": "/k"}, ["allowed_signers"]),
        ({"verify": "commit", "keyring": "/k", "revoked_signers": "/r"}, ["revoked_signers"]),
        ({"verify": "tag", "keyring": "/k", "ref": "refs/heads/x"}, ["ref"]),
        ({"verify": "tag", "keyring": "/k", "ref": "a" * 40}, ["ref"]),
    ],
)
def test_options_that_do_not_fit(given: dict[str, Any], wrong: list[str]) -> None:
    assert options(**given) == wrong


def test_a_table(tmp_path: Path) -> None:
    raw = {
        "git": "https://example.com/a.git",
        "path": "hosts/a",
        "interval": "1m30s",
        "token_file": "token",
        "verify": "commit",
        "keyring": "credential:keys",
        "max_size": "1M",
        "max_files": 7,
        "webhook": {"kind": "forgejo", "secret_file": "secret"},
    }
    SOURCE.model_validate(raw)
    configured, mistakes = read_source(raw, tmp_path)
    assert mistakes == []
    assert configured.git == GitSettings(
        "https://example.com/a.git",
        path="hosts/a",
        interval=90.0,
        token_file=str(tmp_path / "token"),
        verify="commit",
        keyring="credential:keys",
        limits=Limits(files=7, size=1024**2),
    )
    assert configured.webhook == WebhookSettings("gitea")
    assert configured.secret_file == str(tmp_path / "secret")


def test_a_directory(tmp_path: Path) -> None:
    assert read_source({"directory": "specs"}, tmp_path) == ((None, tmp_path / "specs", None, ""), [])
    _, mistakes = read_source({"directory": "specs", "ref": "x"}, tmp_path)
    assert [mistake.option for mistake in mistakes] == ["ref"]


@pytest.mark.parametrize(
    ("raw", "wrong"),
    [
        ({}, ["git"]),
        ({"git": "https://x/a", "directory": "b"}, ["git"]),
        ({"git": "https://x/a", "interval": "often"}, ["interval"]),
        ({"git": "https://x/a", "max_size": "big", "max_files": 0}, ["max_size", "max_files"]),
        ({"git": "https://x/a", "webhook": {"kind": "github", "secret_file": "s", "header": "x"}}, ["webhook.header"]),
    ],
)
def test_tables_with_mistakes(tmp_path: Path, raw: dict[str, Any], wrong: list[str]) -> None:
    _, mistakes = read_source(raw, tmp_path)
    assert [mistake.option for mistake in mistakes] == wrong


@pytest.mark.parametrize(
    "text",
    [
        "fatal: https://u:s3cret@example.com/a", "Authorization: Basic s3cret", "bad token=s3cret", "ghp_s3cret",
        "https://s3cret@x/", "glpat-s3cret", "password=s3cret",
    ],
)  # fmt: skip
def test_what_looks_like_a_login_is_not_shown(text: str) -> None:
    assert "s3cret" not in plain(text)
