"""Which engine is meant, and the way to it.

In:     the address of the command line, the environment, the files of Docker's command line client.
Out:    an `Endpoint`. Nothing is opened here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reconciler.errors import EngineUnavailableError, UsageError

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_FORMS = "unix:///path/to/docker.sock, tcp://host:2376, or ssh://user@host"


class TlsFiles(NamedTuple):
    """Paths of PEM files; "" where there is none. Without `verify` the engine may be anyone."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


class Endpoint(NamedTuple):
    """The way to an engine.

    Attributes:
        scheme: unix, tcp or ssh.
        target: the socket's path, the host name, or what `ssh` is told to connect to (`user@host`).
        port: 0 for unix, and for ssh when `ssh` shall choose.
        tls: None for a plain connection.
        origin: who named it, for messages: `-H`, `DOCKER_HOST`, `context "x"`, or `the default`.
    """

    scheme: str
    target: str
    port: int = 0
    tls: TlsFiles | None = None
    origin: str = "the default"

    def __str__(self) -> str:
        host = f"[{self.target}]" if ":" in self.target and self.scheme != "unix" else self.target
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")

    @property
    def is_open_to_everyone(self) -> bool:
        """Whether commands and secrets cross a network that others can read and write."""
        return self.scheme == "tcp" and self.tls is None and not _is_loopback(self.target)


def find_endpoint(host: str | None, environment: Mapping[str, str]) -> Endpoint:
    """The way to the engine that `host` (of `-H`), the environment or Docker's current context names, in this order.

    Raises:
        UsageError: the address cannot be understood, or DOCKER_TLS_VERIFY lacks its ca.pem.
        EngineUnavailableError: the context, or a file that it needs, cannot be read.
    """
    tls = _environment_tls(environment)
    if host:
        return _with_files(parse_address(host, tls, "-H"), environment)
    if address := environment.get("DOCKER_HOST"):
        return _with_files(parse_address(address, tls, "DOCKER_HOST"), environment)
    name = environment.get("DOCKER_CONTEXT") or _current_context(docker_directory(environment))
    if name and name != "default":
        return _context_endpoint(name, docker_directory(environment))
    return parse_address(DEFAULT_ADDRESS, None, "the default")


def _with_files(endpoint: Endpoint, environment: Mapping[str, str]) -> Endpoint:
    """As Docker's client: who says DOCKER_TLS_VERIFY says in ca.pem whom to trust, and does not mean everyone's CAs."""
    if environment.get("DOCKER_TLS_VERIFY") and endpoint.tls is not None and not endpoint.tls.ca:
        file = _certificate_directory(environment) / "ca.pem"
        raise UsageError(
            f"DOCKER_TLS_VERIFY is set, and there is no file {file}\n"
            "    hint: name the directory of ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH, or unset DOCKER_TLS_VERIFY"
        )
    return endpoint


def docker_directory(environment: Mapping[str, str]) -> Path:
    """Where Docker's client keeps its configuration: `$DOCKER_CONFIG`, else `~/.docker`, which need not exist."""
    if directory := environment.get("DOCKER_CONFIG"):
        return Path(directory)
    home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where this says "~"
    # A user without a home, such as a service, has no configuration; what lies in the working directory is not theirs.
    return Path(home if home.startswith("/") else "/nonexistent") / ".docker"


def parse_address(text: str, tls: TlsFiles | None, origin: str) -> Endpoint:
    """An address as Docker's client takes it; a bare `host:port` is tcp. `tls` counts for tcp only."""
    from urllib.parse import urlsplit

    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "tcp", text.strip()
    if scheme == "unix":
        return (
            Endpoint("unix", rest if rest.startswith("/") else f"/{rest}", origin=origin)
            if rest
            else _refuse(text, origin)
        )
    if scheme not in ("tcp", "http", "https", "ssh"):
        return _refuse(text, origin)
    try:
        parts = urlsplit(f"//{rest}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return _refuse(text, origin)
    if scheme == "ssh":
        user = f"{parts.username}@" if parts.username else ""
        # A name that begins with a dash would be an option of ssh.
        return (
            _refuse(text, origin)
            if not name or (user + name).startswith("-")
            else Endpoint("ssh", user + name, port or 0, None, origin)
        )
    if parts.path.strip("/") or parts.query or parts.username:
        return _refuse(text, origin)
    used = tls or (TlsFiles() if scheme == "https" else None)
    return Endpoint("tcp", name or "127.0.0.1", port or (2376 if used else 2375), used, origin)


def _refuse(text: str, origin: str) -> Endpoint:
    raise UsageError(f"{text!r} ({origin}) is not the address of an engine; write {_FORMS}")


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _environment_tls(environment: Mapping[str, str]) -> TlsFiles | None:
    # As Docker's client reads it: any text turns it on, "0" as well.
    if not environment.get("DOCKER_TLS_VERIFY"):
        return None
    return _tls_files(_certificate_directory(environment), verify=True)


def _certificate_directory(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("DOCKER_CERT_PATH") or docker_directory(environment))


def _tls_files(directory: Path, *, verify: bool) -> TlsFiles:
    ca, certificate, key = (
        str(file) if (file := directory / name).is_file() else "" for name in ("ca.pem", "cert.pem", "key.pem")
    )
    return TlsFiles(ca, certificate, key, verify)


def _current_context(directory: Path) -> str:
    try:
        config = json.loads((directory / "config.json").read_bytes())
    except (OSError, ValueError):
        # Without it, or with one that Docker could not read either, there is no current context.
        return ""
    name = config.get("currentContext") if isinstance(config, dict) else None
    return name if isinstance(name, str) else ""


def _context_endpoint(name: str, directory: Path) -> Endpoint:
    from hashlib import sha256

    folder, origin = sha256(name.encode()).hexdigest(), f'context "{name}"'
    try:
        meta: Any = json.loads((directory / "contexts" / "meta" / folder / "meta.json").read_bytes())
        docker = meta["Endpoints"]["docker"]
        address, verify = str(docker["Host"]), not docker.get("SkipTLSVerify")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineUnavailableError(
            f"Docker's {origin} cannot be read below {directory}; see `docker context ls`, or name the engine with -H"
        ) from error
    tls_directory = directory / "contexts" / "tls" / folder / "docker"
    tls = _tls_files(tls_directory, verify=verify) if tls_directory.is_dir() else None
    return parse_address(address, tls, origin)
