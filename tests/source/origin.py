"""A repository to fetch from, as a person would make it, and as a person should not."""

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Alice",
    "GIT_AUTHOR_EMAIL": "alice@example.test",
    "GIT_COMMITTER_NAME": "Alice",
    "GIT_COMMITTER_EMAIL": "alice@example.test",
}


class Origin:
    """A repository with a work tree in `place`; it is served as it is, from `place/.git`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.environment = ENVIRONMENT | {"HOME": str(place.parent)}
        place.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    @property
    def url(self) -> str:
        return f"file://{self.place}"

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.place, env=self.environment, input=stdin, capture_output=True, check=False
        )
        assert done.returncode == 0, f"git {arguments}: {done.stderr.decode()}"
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, str], subject: str = "change", *options: str) -> str:
        """Write files, commit everything, and return the commit's id."""
        for name, text in files.items():
            path = self.place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject, *options)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, entries: list[tuple[str, str, str]]) -> str:
        """A commit of (mode, path, content), one level deep, whatever git thinks of it."""
        raw = b""
        for mode, name, content in sorted(entries, key=lambda entry: entry[1]):
            identity = content if mode == "160000" else self.git("hash-object", "-w", "--stdin", stdin=content.encode())
            raw += f"{mode} ".encode() + name.encode("utf-8", "surrogateescape") + b"\0" + bytes.fromhex(identity)
        tree = self.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
        parent = ["-p", self.head] if self.git("for-each-ref", "refs/heads/main") else []
        commit = self.git("commit-tree", tree, *parent, "-m", "odd")
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def sign_by_ssh(self, key: Path) -> None:
        for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(key)), ("commit.gpgsign", "true")):
            self.git("config", name, value)

    def sign_by_gpg(self, home: Path, user: str) -> None:
        self.environment["GNUPGHOME"] = str(home)
        for name, value in (("gpg.format", "openpgp"), ("user.signingkey", user), ("commit.gpgsign", "true")):
            self.git("config", name, value)


def ssh_key(place: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", str(place)], check=True)
    return place


def signer(key: Path, options: str = "") -> str:
    """The line of an allowed_signers file for a key."""
    return f'alice@example.test namespaces="git"{options} {" ".join(key.with_suffix(".pub").read_text().split()[:2])}\n'
