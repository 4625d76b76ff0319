"""Whose signatures count, by SSH and by OpenPGP."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.source.interface import Reason
from tests.source.conftest import Follow
from tests.source.origin import Origin, signer, ssh_key


class Gpg:
    """A home of gpg with keys in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)

    def run(self, *words: str, stdin: str = "") -> bytes:
        base = [
            "gpg",
            "--homedir",
            str(self.home),
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]
        return subprocess.run([*base, *words], input=stdin.encode(), capture_output=True, check=True).stdout

    def make(self, user: str, expires: str = "never") -> None:
        self.run("--quick-generate-key", user, "ed25519", "sign", expires)

    def export(self, place: Path, *users: str) -> str:
        place.write_bytes(self.run("--export", *users))
        return str(place)


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpg]:
    made = Gpg(tmp_path_factory.mktemp("gpg") / "h")
    made.make("alice@example.test")
    made.make("mallory@example.test")
    yield made
    subprocess.run(["gpgconf", "--homedir", str(made.home), "--kill", "all"], check=False)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return ssh_key(tmp_path / "signing")


@pytest.fixture
def signers(key: Path, tmp_path: Path) -> Path:
    file = tmp_path / "signers"
    file.write_text(signer(key))
    return file


def refused(fetched, commit: str) -> None:
    assert fetched.refusal is not None
    assert fetched.refusal.reason is Reason.UNSIGNED
    assert commit in fetched.refusal.message


def test_signed_and_unsigned(origin: Origin, follow: Follow, key: Path, signers: Path) -> None:
    source = follow(verify="commit", allowed_signers=str(signers))
    refused(source.fetch(), origin.head)
    assert source.take() is None
    origin.sign_by_ssh(key)
    signed = origin.commit({"x": "1"})
    assert source.fetch().accepted.commit == signed, "at first the tip speaks for what is before it"
    unsigned = origin.commit({"x": "2"}, "unsigned", "--no-gpg-sign")
    refused(source.fetch(), unsigned)
    origin.commit({"x": "3"})
    refused(source.fetch(), unsigned)
    assert source.take().commit == signed


def test_an_unsigned_commit_below_a_signed_merge(origin: Origin, follow: Follow, key: Path, signers: Path) -> None:
    origin.sign_by_ssh(key)
    origin.commit({"x": "1"})
    source = follow(verify="commit", allowed_signers=str(signers))
    assert source.fetch().refusal is None
    origin.git("checkout", "-q", "-b", "side")
    unsigned = origin.commit({"y": "1"}, "side", "--no-gpg-sign")
    origin.git("checkout", "-q", "main")
    origin.commit({"z": "1"})
    origin.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    refused(source.fetch(), unsigned)


def test_keys_that_do_not_count(origin: Origin, follow: Follow, key: Path, tmp_path: Path) -> None:
    origin.sign_by_ssh(key)
    commit = origin.commit({"x": "1"})
    stranger = ssh_key(tmp_path / "stranger")
    file = tmp_path / "signers"
    for text in ("", signer(stranger), signer(key, ',valid-before="20200101"'), signer(key).replace('"git"', '"file"')):
        file.write_text(text)
        refused(follow(verify="commit", allowed_signers=str(file)).fetch(), commit)
    file.write_text(signer(key))
    revoked = tmp_path / "revoked"
    revoked.write_text(key.with_suffix(".pub").read_text())
    refused(follow(verify="commit", allowed_signers=str(file), revoked_signers=str(revoked)).fetch(), commit)
    assert follow(verify="commit", allowed_signers=str(file)).fetch().refusal is None
    missing = follow(verify="commit", allowed_signers=str(tmp_path / "none"))
    origin.commit({"x": "2"})
    assert missing.fetch().refusal.reason is Reason.LOCAL


def test_openpgp(origin: Origin, follow: Follow, gpg: Gpg, tmp_path: Path) -> None:
    origin.sign_by_gpg(gpg.home, "alice@example.test")
    alice = gpg.export(tmp_path / "alice.gpg", "alice@example.test")
    mallory = gpg.export(tmp_path / "mallory.gpg", "mallory@example.test")
    commit = origin.commit({"x": "1"})
    refused(follow(verify="commit", keyring=mallory).fetch(), commit)
    assert follow(verify="commit", keyring=alice).fetch().accepted.commit == commit
    (tmp_path / "empty.gpg").write_text("rubbish")
    origin.commit({"x": "2"})
    assert follow(verify="commit", keyring=str(tmp_path / "empty.gpg")).fetch().refusal.reason is Reason.LOCAL


def test_a_kind_of_signature_that_no_key_is_named_for(
    origin: Origin, follow: Follow, gpg: Gpg, signers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keyring of the user that this runs as must not count."""
    monkeypatch.setenv("GNUPGHOME", str(gpg.home))
    origin.sign_by_gpg(gpg.home, "alice@example.test")
    commit = origin.commit({"x": "1"})
    environment = {"GNUPGHOME": str(gpg.home), "HOME": str(gpg.home.parent)}
    refused(follow(environment, verify="commit", allowed_signers=str(signers)).fetch(), commit)


def test_a_revoked_openpgp_key(origin: Origin, follow: Follow, tmp_path: Path, gpg: Gpg) -> None:
    origin.sign_by_gpg(gpg.home, "alice@example.test")
    commit = origin.commit({"x": "1"})
    other = tmp_path / "o"
    shutil.copytree(gpg.home, other, ignore=shutil.ignore_patterns("S.*"))
    copy = Gpg.__new__(Gpg)
    copy.home = other
    fingerprint = copy.run("--with-colons", "--list-keys", "alice@example.test").decode().split("fpr:::::::::")[1][:40]
    certificate = (other / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    copy.run("--import", stdin=certificate)
    revoked = copy.export(tmp_path / "revoked.gpg", "alice@example.test")
    subprocess.run(["gpgconf", "--homedir", str(other), "--kill", "all"], check=False)
    refused(follow(verify="commit", keyring=revoked).fetch(), commit)


def test_signed_tags(origin: Origin, follow: Follow, key: Path, signers: Path) -> None:
    origin.sign_by_ssh(key)
    old = origin.commit({"x": "1"})
    origin.git("tag", "-s", "-m", "one", "v1")
    origin.git("tag", "-a", "--no-sign", "-m", "two", "v2")
    origin.git("tag", "light")

    def tag(name: str):
        return follow(verify="tag", allowed_signers=str(signers), ref=name).fetch()

    assert tag("v1").accepted.commit == old
    refused(tag("v2"), "v2")
    refused(tag("light"), "light")
    origin.git("update-ref", "refs/tags/v9", origin.git("rev-parse", "v1"))
    refused(tag("v9"), "another name")
