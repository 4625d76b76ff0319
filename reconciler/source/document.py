"""`source = { ... }` as it stands in the configuration: a table's shape, and what it comes to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from reconciler.model.scalars import declare_duration, declare_size
from reconciler.source.settings import CREDENTIAL, GitSettings, Limits, Mistake, mistakes_of
from reconciler.source.webhook import WebhookSettings
from reconciler.spec.toml_types import TEXT_OR_INTEGER, needed, option, table

_FILES = ("token_file", "ssh_key", "known_hosts", "ca_file", "allowed_signers", "revoked_signers", "keyring")
_PLAIN = ("ref", "path", "user", "token_variable", "verify", "allow_rewind")

# fmt: off
WEBHOOK = table("Webhook",
    kind=needed(Literal["github", "gitlab", "gitea", "forgejo", "generic"], "Who sends it.", "github"),
    secret_file=needed(str, "The file with the secret, or `credential:NAME`.", "credential:webhook"),
    header=option(str, "The header with the signature of a generic sender; X-Signature-256 when not given.", "X-Signature"),
    timestamp_header=option(str, "The header with the time that a generic sender signs along.", "X-Timestamp"),
)
#: A field of the configuration's own model.
SOURCE = table("Source",
    git=option(str, "The URL of a git repository: https, ssh or file.", "https://example.com/team/hosts.git"),
    directory=option(str, "A directory, in place of a repository.", "/srv/specs"),
    ref=option(str, "The branch, tag or commit to follow; main when not given.", "main"),
    path=option(str, "The directory of the repository that holds the spec; its root when not given.", "hosts/a"),
    interval=option(str, "Time between two fetches; 60s when not given. Unit: duration.", "60s"),
    timeout=option(str, "How long one fetch may take; 2m when not given. Unit: duration.", "2m"),
    user=option(str, "The user of a token; git when not given.", "git"),
    token_file=option(str, "The file with the token for https, or `credential:NAME`.", "credential:git-token"),
    token_variable=option(str, "The environment variable with the token for https.", "GIT_TOKEN"),
    ssh_key=option(str, "The file with the private key for ssh, or `credential:NAME`.", "credential:git-key"),
    known_hosts=option(str, "The file with the host key of the ssh server.", "/etc/reconciler/known_hosts"),
    ca_file=option(str, "Certificates that vouch for the https server, in place of the system's.", "/etc/reconciler/ca.pem"),
    verify=option(Literal["none", "commit", "tag"], "What must be signed; none when not given.", "commit"),
    allowed_signers=option(str, "SSH keys whose signatures count, in the format of ssh-keygen.", "/etc/reconciler/signers"),
    revoked_signers=option(str, "SSH keys that do not count any more.", "/etc/reconciler/revoked"),
    keyring=option(str, "OpenPGP keys whose signatures count, as gpg --export writes them.", "/etc/reconciler/keys.gpg"),
    allow_rewind=option(bool, "Take a branch that was set back, or a tag that was moved.", example=True),
    max_files=option(int, "The most files of a checkout; 20000 when not given.", 20000),
    max_size=option(TEXT_OR_INTEGER, "The most bytes of a checkout; 256M when not given. Unit: bytes.", "256M"),
    max_repository=option(TEXT_OR_INTEGER, "The most bytes of the repository; 2G when not given. Unit: bytes.", "2G"),
    webhook=option(WEBHOOK, "Who may hasten a fetch.", {"kind": "github", "secret_file": "credential:webhook"}),
)
# fmt: on


class Configured(NamedTuple):
    """What a table says. Exactly one of `git` and `directory`; `secret_file` goes with `webhook`."""

    git: GitSettings | None = None
    directory: Path | None = None
    webhook: WebhookSettings | None = None
    secret_file: str = ""


def read_source(raw: Mapping[str, Any], directory: Path) -> tuple[Configured, list[Mistake]]:
    """What a table comes to that fits `SOURCE`, and each mistake in it; with mistakes it is not to be used.

    Args:
        directory: that of the file it stands in; paths of files are relative to it.
    """
    mistakes = list[Mistake]()
    if ("git" in raw) == ("directory" in raw):
        return Configured(), [Mistake("git", "must be given, or directory, and not both", "name one of them")]
    if "directory" in raw:
        mistakes += [
            Mistake(name, "is for git sources", "leave it out") for name in raw if name not in ("directory", "webhook")
        ]
        if "webhook" in raw:
            mistakes.append(Mistake("webhook", "is for git sources: a directory is watched", "leave it out"))
        return Configured(directory=Path(os.path.normpath(directory / raw["directory"]))), mistakes
    given: dict[str, Any] = {name: raw[name] for name in _PLAIN if name in raw}
    given |= {name: _absolute(raw[name], directory) for name in _FILES if name in raw}
    for name in ("interval", "timeout"):
        if name in raw:
            given[name] = (_read(name, raw[name], declare_duration, mistakes) or 60 * 10**9) / 10**9
    limits = {
        field: _read(name, raw[name], declare_size, mistakes)
        for name, field in (("max_size", "size"), ("max_repository", "repository"))
        if name in raw
    }
    limits |= {"files": raw["max_files"]} if "max_files" in raw else {}
    for field, value in limits.items():
        if value is not None and value < 1:
            mistakes.append(Mistake(f"max_{field}", "must be more than nothing", "give a number above 0"))
    settings = GitSettings(raw["git"], **given)
    settings = settings._replace(limits=Limits()._replace(**{k: v for k, v in limits.items() if v}))
    webhook, secret_file = _webhook(raw.get("webhook"), directory, mistakes)
    return Configured(settings, None, webhook, secret_file), [*mistakes, *mistakes_of(settings)]


def _webhook(
    raw: Mapping[str, Any] | None, directory: Path, mistakes: list[Mistake]
) -> tuple[WebhookSettings | None, str]:
    if raw is None:
        return None, ""
    if raw["kind"] != "generic":
        mistakes += [
            Mistake(f"webhook.{name}", "is for kind = 'generic'", "leave it out")
            for name in ("header", "timestamp_header")
            if name in raw
        ]
    settings = WebhookSettings("gitea" if raw["kind"] == "forgejo" else raw["kind"])
    own = {name: raw[name] for name in ("header", "timestamp_header") if name in raw}
    return settings._replace(**own), _absolute(raw["secret_file"], directory)


def _absolute(name: str, directory: Path) -> str:
    return name if name.startswith(CREDENTIAL) or not name else os.path.normpath(directory / name)


def _read(name: str, raw: Any, declare: Callable[[Any], int | None], mistakes: list[Mistake]) -> int | None:
    try:
        return declare(raw)
    except ValueError as error:
        mistakes.append(Mistake(name, str(error), ""))
        return None
