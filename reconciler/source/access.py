"""How git gets at a server: keys, tokens and certificates, without any of them in a URL, an argument or a log."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.source.git import Access
from reconciler.source.interface import Reason, RefusedError
from reconciler.source.settings import GitSettings, file_of

_LARGEST_TOKEN = 16 * 1024
# git asks a program for the login. It reads the token from a file that exists in memory only and is inherited, and
# answers for the one server only: a proxy on the way has git ask as well.
_ASKPASS = """#!/bin/sh
case $1 in
    "Username for '$RECONCILER_GIT_SERVER': ") printf '%s\\n' "$RECONCILER_GIT_USER" ;;
    "Password for '$RECONCILER_GIT_LOGIN': ") exec cat "/proc/self/fd/$RECONCILER_GIT_TOKEN_FD" ;;
    *) exit 1 ;;
esac
"""


@contextlib.contextmanager
def access_to(settings: GitSettings, directory: Path, environment: Mapping[str, str]) -> Iterator[Access]:
    """What git needs to reach the server of these settings, for as long as the block runs.

    Args:
        directory: where a small program may be put; it holds no secret.

    Raises:
        RefusedError: a key, a token or a credential cannot be read.
    """
    protocol = settings.protocol
    config = {f"protocol.{protocol}.allow": "always"}
    more = {"GIT_ALLOW_PROTOCOL": protocol}
    if protocol == "ssh":
        more |= {"GIT_SSH_VARIANT": "ssh", "GIT_SSH_COMMAND": _ssh_command(settings, environment)}
    if settings.ca_file:
        config["http.sslCAInfo"] = str(_readable(settings.ca_file, "the certificates", environment))
    if not (settings.token_file or settings.token_variable):
        yield Access(config, more)
        return
    token = _token(settings, environment)
    askpass = directory / "askpass"
    if not askpass.is_file() or askpass.read_text() != _ASKPASS:
        partly = directory / ".askpass.new"
        partly.write_text(_ASKPASS)
        partly.chmod(0o700)
        partly.replace(askpass)
    scheme, _, rest = settings.url.partition("://")
    host = rest.partition("/")[0]
    memory = os.memfd_create("token")
    try:
        os.write(memory, token.encode() + b"\n")
        more |= {
            "GIT_ASKPASS": str(askpass),
            "RECONCILER_GIT_USER": settings.user,
            "RECONCILER_GIT_SERVER": f"{scheme}://{host}",
            "RECONCILER_GIT_LOGIN": f"{scheme}://{settings.user}@{host}",
            "RECONCILER_GIT_TOKEN_FD": str(memory),
        }
        yield Access(config, more, (memory,), (token,))
    finally:
        os.close(memory)


def _ssh_command(settings: GitSettings, environment: Mapping[str, str]) -> str:
    key = _readable(settings.ssh_key, "the SSH key", environment)
    hosts = _readable(settings.known_hosts, "the known hosts", environment)
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{hosts}"',
        "GlobalKnownHostsFile": os.devnull,
        "UpdateHostKeys": "no",
        "IdentityFile": f'"{key}"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ConnectTimeout": "15",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
    }
    words = ["ssh", "-F", "none"]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    # git has a shell split this. Nothing in it comes from a repository, and each word is quoted.
    return shlex.join(words)


def _readable(name: str, what: str, environment: Mapping[str, str]) -> Path:
    path = file_of(name, environment)
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise RefusedError(
            Reason.LOCAL, f"{what} in {path} cannot be read: {error.strerror}", "correct the path or its permissions"
        ) from error


def _token(settings: GitSettings, environment: Mapping[str, str]) -> str:
    if settings.token_variable:
        origin, text = settings.token_variable, environment.get(settings.token_variable, "")
    else:
        path = _readable(settings.token_file, "the token", environment)
        with path.open("rb") as file:
            origin, text = str(path), file.read(_LARGEST_TOKEN).decode("utf-8", "replace")
    token = text.strip()
    if not token or not token.isprintable():
        raise RefusedError(Reason.LOCAL, f"{origin} holds no token", "put the token there, on one line")
    return token
