"""What a person says of a git source, checked as text: nothing here reads a file or asks anybody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from reconciler.source.interface import Reason, RefusedError

Verify = Literal["none", "commit", "tag"]

_SCP = re.compile(r"(?:(?P<user>[A-Za-z0-9_.][A-Za-z0-9_.-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^:].*)")
_URL = re.compile(
    r"(?P<scheme>[a-z]+)://"
    r"(?:(?P<user>[^/@]*)@)?"
    r"(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]|)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/.*)"
)
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: What git-check-ref-format refuses, and anything that is not plain text.
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[-/.]|[/.]$|^@$")
_PLAIN = re.compile(r"[^\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
CREDENTIAL = "credential:"


class Limits(NamedTuple):
    """How much is taken from a repository. Sizes are bytes."""

    files: int = 20_000
    size: int = 256 * 1024**2
    file_size: int = 64 * 1024**2
    repository: int = 2 * 1024**3
    path_bytes: int = 1024
    depth: int = 40


class GitSettings(NamedTuple):
    """One git source.

    Attributes:
        url, ref, path: what to fetch, which branch, tag or commit of it, and which directory of that holds the spec.
        interval, timeout: seconds between two fetches, and the most that one may take.
        user: who a token belongs to; servers of tokens take any name.
        token_file, token_variable: where the token for HTTPS stands.
        ssh_key, known_hosts: for SSH, both needed.
        ca_file: certificates that vouch for an HTTPS server in place of the system's.
        verify: what has to be signed.
        allowed_signers, revoked_signers: SSH keys, in the formats of ssh-keygen.
        keyring: OpenPGP public keys, as `gpg --export` writes them.

    A file may be `credential:NAME`, which is that credential of a systemd service.
    """

    url: str
    ref: str = "main"
    path: str = ""
    interval: float = 60.0
    timeout: float = 120.0
    user: str = "git"
    token_file: str = ""
    token_variable: str = ""
    ssh_key: str = ""
    known_hosts: str = ""
    ca_file: str = ""
    verify: Verify = "none"
    allowed_signers: str = ""
    revoked_signers: str = ""
    keyring: str = ""
    allow_rewind: bool = False
    limits: Limits = Limits()

    @property
    def protocol(self) -> str:
        """The one protocol that git may speak for it: file, http, https or ssh."""
        scheme, separator, _ = self.url.partition("://")
        return scheme if separator else "ssh"

    @property
    def is_pinned(self) -> bool:
        """Whether the ref is a commit, which never moves."""
        return is_commit(self.ref)


class Mistake(NamedTuple):
    """Something wrong with one option, and what to write instead."""

    option: str
    message: str
    hint: str


def is_commit(ref: str) -> bool:
    return _COMMIT.fullmatch(ref) is not None


def file_of(name: str, environment: Mapping[str, str]) -> Path:
    """The file that an option names.

    Raises:
        RefusedError: it is a credential, and there are none.
    """
    if not name.startswith(CREDENTIAL):
        return Path(name)
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise RefusedError(
            Reason.LOCAL,
            f"{name} is meant to come from systemd, and no credentials were given to this process",
            f"put LoadCredential={name.removeprefix(CREDENTIAL)}:FILE into the unit, or name a file",
        )
    return Path(directory, name.removeprefix(CREDENTIAL))


def mistakes_of(settings: GitSettings) -> list[Mistake]:
    """Everything that is wrong with the settings as they are written."""
    found = [_url_mistake(settings.url), _ref_mistake(settings.ref), _path_mistake(settings.path)]
    found += [_file_mistake(settings, name) for name in _FILES]
    if not _USER.fullmatch(settings.user):
        found.append(Mistake("user", "is not the name of a user", "write a name such as 'git'"))
    if settings.timeout < 1 or settings.interval < 1:
        option = "timeout" if settings.timeout < 1 else "interval"
        found.append(Mistake(option, "must be at least one second", "write a duration such as '60s'"))
    if not found[0]:
        found += _login_mistakes(settings)
    return [mistake for mistake in [*found, *_verify_mistakes(settings)] if mistake is not None]


_FILES = ("token_file", "ssh_key", "known_hosts", "ca_file", "allowed_signers", "revoked_signers", "keyring")


def _url_mistake(url: str) -> Mistake | None:
    if not _PLAIN.fullmatch(url) or " " in url or url.startswith("-"):
        return Mistake("git", "is not a URL", "write one such as 'https://example.com/team/hosts.git'")
    if "://" not in url:
        scp = _SCP.fullmatch(url)
        if scp and "::" not in url and not scp["path"].startswith("-"):
            return None
        return Mistake("git", "is not the URL of a git repository", "begin it with https://, ssh:// or file:///")
    parts = _URL.fullmatch(url)
    if parts is None:
        return Mistake("git", "is not a URL", "write one such as 'https://example.com/team/hosts.git'")
    scheme, user, host = parts["scheme"], parts["user"], parts["host"]
    if scheme not in ("https", "ssh", "file", "http"):
        return Mistake("git", f"cannot be fetched by {scheme}://", "use https://, ssh:// or file:///")
    if user is not None and (scheme != "ssh" or not _USER.fullmatch(user)):
        return Mistake("git", "must not hold a login", "take it out, and give it by token_file or ssh_key")
    if (scheme == "file") == bool(host) or "?" in url or "#" in url:
        return Mistake("git", "is not a URL", "write file:///absolute/path, or https://host/path")
    if scheme == "http" and host not in _LOOPBACK:
        return Mistake("git", "is not encrypted: anybody on the way could change what is applied", "use https://")
    return None


def _ref_mistake(ref: str) -> Mistake | None:
    if not ref or _NO_REF.search(ref) or not _PLAIN.fullmatch(ref) or len(ref) > 200 or ref.startswith("+"):
        return Mistake("ref", "is not the name of a branch or tag, nor a commit id", "write a name such as 'main'")
    if ref.startswith("refs/") and not ref.startswith(("refs/heads/", "refs/tags/")):
        return Mistake("ref", "is neither a branch nor a tag", "begin it with refs/heads/ or refs/tags/")
    return None


def _path_mistake(path: str) -> Mistake | None:
    parts = path.split("/")
    if path and (".." in parts or path.startswith("/") or not _PLAIN.fullmatch(path) or ".git" in parts):
        return Mistake(
            "path", "must be a directory inside the repository", "write it relative to the repository's root"
        )
    return None


def _file_mistake(settings: GitSettings, option: str) -> Mistake | None:
    name = getattr(settings, option)
    if name.startswith(CREDENTIAL):
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name.removeprefix(CREDENTIAL)):
            return None
        return Mistake(option, "does not name a credential", "write 'credential:NAME', as in LoadCredential=NAME:FILE")
    # ssh and git expand or split at these, wherever they stand.
    if name and (not _PLAIN.fullmatch(name) or set(name) & set("\"'%$\\") or not name.startswith("/")):
        return Mistake(option, "is not a usable path", "write an absolute path without quotes, %, $ and backslashes")
    return None


def _login_mistakes(settings: GitSettings) -> list[Mistake]:
    found = list[Mistake]()
    protocol = settings.protocol
    if settings.token_file and settings.token_variable:
        found.append(Mistake("token_variable", "is given beside token_file", "keep one of the two"))
    for option in ("token_file", "token_variable", "ca_file"):
        if getattr(settings, option) and protocol not in ("https", "http"):
            found.append(Mistake(option, f"is for https, and the URL is {protocol}", "leave it out"))
    for option in ("ssh_key", "known_hosts"):
        given = bool(getattr(settings, option))
        if given and protocol != "ssh":
            found.append(Mistake(option, f"is for ssh, and the URL is {protocol}", "leave it out"))
        elif protocol == "ssh" and not given:
            hint = (
                "name the file of the private key"
                if option == "ssh_key"
                else "name a file with the server's host key, from ssh-keyscan and compared with what the server's owner says"
            )
            found.append(Mistake(option, "must be given for ssh", hint))
    return found


def _verify_mistakes(settings: GitSettings) -> list[Mistake]:
    keys = bool(settings.allowed_signers or settings.keyring)
    if settings.verify != "none" and not keys:
        return [Mistake("verify", "needs to know which keys count", "name them in allowed_signers or keyring")]
    if settings.verify == "none" and keys:
        option = "allowed_signers" if settings.allowed_signers else "keyring"
        return [Mistake(option, "has no use while nothing is verified", "write verify = 'commit' or 'tag'")]
    if settings.revoked_signers and not settings.allowed_signers:
        return [Mistake("revoked_signers", "has no use without allowed_signers", "leave it out")]
    if settings.verify == "tag" and (settings.is_pinned or settings.ref.startswith("refs/heads/")):
        return [Mistake("ref", "must be a tag when tags are verified", "name a tag, or write verify = 'commit'")]
    return []
