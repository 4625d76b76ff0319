"""Whose signature is on a commit or a tag. The exit status of git decides, never a letter of `%G?`:

that shows U for a good signature of an unknown SSH key. The kind of a signature is chosen by whoever signed, so
the programs for every kind that no key was named for are switched off.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.source.git import Access, Git, GitFailedError, find, plain
from reconciler.source.interface import Reason, RefusedError
from reconciler.source.repository import Tip
from reconciler.source.settings import GitSettings, file_of

_BATCH = 100
_HINT = "have it signed by a key that counts, or add the key to allowed_signers or keyring if it should"
# The keyring is the trust: no web of trust, no agent, no key from a server, no broken digest.
_GPG_CONF = "no-autostart\nno-auto-key-retrieve\ntrust-model always\nweak-digest SHA1\n"


def verify(
    git: Git, settings: GitSettings, tip: Tip, commits: list[str], directory: Path, environment: Mapping[str, str]
) -> None:
    """Raises RefusedError unless every signature that the settings ask for is there and counts.

    Args:
        commits: those to check when commits are verified.
    """
    if settings.verify == "none":
        return
    with _keys(settings, directory, environment) as access:
        if settings.verify == "tag":
            _verify_tag(git, tip, access)
            return
        for start in range(0, len(commits), _BATCH):
            batch = commits[start : start + _BATCH]
            if _fails(git, "verify-commit", batch, access) is None:
                continue
            for commit in batch:
                if (said := _fails(git, "verify-commit", [commit], access)) is not None:
                    raise RefusedError(
                        Reason.UNSIGNED,
                        f"commit {commit} has no signature that counts: {said or 'it is unsigned'}",
                        _HINT,
                    )


def _verify_tag(git: Git, tip: Tip, access: Access) -> None:
    name = tip.name.removeprefix("refs/tags/")
    if not tip.is_tag or tip.object == tip.commit:
        raise RefusedError(Reason.UNSIGNED, f"{name or tip.commit} is no signed tag", "make one by git tag -s")
    # A signed tag under another name would be an old release passed off as this one.
    head = git.run("cat-file", "tag", tip.object).partition(b"\n\n")[0].decode("utf-8", "replace")
    if f"tag {name}" not in head.split("\n"):
        raise RefusedError(
            Reason.UNSIGNED, f"the signature of tag {name} is on a tag of another name", "sign a tag of this name"
        )
    if (said := _fails(git, "verify-tag", [tip.object], access)) is not None:
        raise RefusedError(
            Reason.UNSIGNED, f"tag {name} has no signature that counts: {said or 'it is unsigned'}", _HINT
        )


def _fails(git: Git, verb: str, objects: list[str], access: Access) -> str | None:
    """What git says against signatures; None when all of them count."""
    try:
        git.run(verb, *objects, access=access)
    except GitFailedError as error:
        return error.text
    return None


@contextlib.contextmanager
def _keys(settings: GitSettings, directory: Path, environment: Mapping[str, str]) -> Iterator[Access]:
    with tempfile.TemporaryDirectory(prefix=".keys-", dir=directory) as home:
        config = dict[str, str]()
        if settings.allowed_signers:
            config["gpg.ssh.program"] = _program("ssh-keygen", "openssh-client")
            config["gpg.ssh.allowedSignersFile"] = str(_present(settings.allowed_signers, environment))
            if settings.revoked_signers:
                config["gpg.ssh.revocationFile"] = str(_present(settings.revoked_signers, environment))
        if settings.keyring:
            config["gpg.program"] = _program("gpg", "gnupg")
            Path(home, "gpg.conf").write_text(_GPG_CONF)
            _import(config["gpg.program"], home, _present(settings.keyring, environment))
        yield Access(config, {"GNUPGHOME": home})


def _import(gpg: str, home: str, keyring: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, and a path that was checked
            [gpg, "--homedir", home, "--batch", "--quiet", "--import", "--", str(keyring)],
            capture_output=True,
            timeout=30,
            env={"PATH": os.defpath, "LC_ALL": "C", "HOME": home},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RefusedError(Reason.LOCAL, f"gpg cannot read the keyring {keyring}", "look whether gpg works") from error
    if done.returncode:
        raise RefusedError(
            Reason.LOCAL,
            f"the keyring {keyring} cannot be used: {plain(done.stderr.decode('utf-8', 'replace'))}",
            "write it by gpg --export",
        )


def _program(name: str, package: str) -> str:
    if (path := find(name)) is None:
        raise RefusedError(Reason.LOCAL, f"{name} is not installed", f"install the package {package}")
    return path


def _present(name: str, environment: Mapping[str, str]) -> Path:
    path = file_of(name, environment)
    if not os.access(path, os.R_OK) or not path.is_file():
        raise RefusedError(Reason.LOCAL, f"the keys in {path} cannot be read", "correct the path or its permissions")
    return path
