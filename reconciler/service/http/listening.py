"""Where it listens: a unix socket, or an address of loopback, and nothing that others can reach. Standard library only."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from reconciler.errors import UsageError
from reconciler.source.interface import RefusedError
from reconciler.source.settings import CREDENTIAL, file_of

OFF = "off"
_SOCKET = "reconciler.sock"
_FORMS = "write unix:/run/reconciler/http.sock, 127.0.0.1:8500 or off"
_BACKLOG = 64
#: a token that can be guessed is none
_SHORTEST_TOKEN = 16
_LARGEST_TOKEN = 4096


class Place(NamedTuple):
    """The `path` of a unix socket; or, where that is "", an address of loopback and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.path}" if self.path else f"http://{host}:{self.port}/"


def read_place(text: str) -> Place | None:
    """What `http.listen` says; None for nothing and `off`.

    Raises:
        ValueError: with what is wrong and, behind a semicolon, what to write.
    """
    if text in ("", OFF):
        return None
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError(f"the path {path!r} of a unix socket must be absolute; {_FORMS}")
        return Place(path)
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):(\d{1,5})", text)
    if match is None or int(match[3]) > 65535:
        raise ValueError(f"{text!r} is no place to listen at; {_FORMS}")
    host = "127.0.0.1" if match[2] == "localhost" else match[1] or match[2]
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            f"{host} can be reached by others, and whoever reaches it would see everything; "
            "listen at 127.0.0.1 or at a unix socket, and put a proxy in front that knows who may see it"
        )
    return Place(host=host, port=int(match[3]))


def place_for(text: str, environment: Mapping[str, str]) -> Place | None:
    """What the setting says; without it a socket in the runtime directory, where systemd gave one."""
    if text:
        return read_place(text)
    directory = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Place(f"{directory}/{_SOCKET}") if directory.startswith("/") else None


def open_socket(place: Place) -> socket.socket:
    """A socket that listens there; a unix socket for its owner and group alone.

    Raises:
        UsageError: it cannot be had.
    """
    try:
        return _open_unix(place.path) if place.path else _open_tcp(place)
    except OSError as error:
        hint = "is another `reconciler run` using it? give another by http.listen, or off"
        raise UsageError(f"cannot listen at {place}: {error.strerror or error}\n    hint: {hint}") from error


def _open_tcp(place: Place) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in place.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((place.host, place.port))
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def _open_unix(path: str) -> socket.socket:
    _take_away_what_is_left(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)  # at no moment anybody else's
    try:
        made.bind(path)
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    return made


def _take_away_what_is_left(path: str) -> None:
    """A socket that nobody listens at any more, after a process was killed."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise FileExistsError(0, "there is something that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
    raise FileExistsError(0, "somebody listens there")


def beside(configuration: str, file: str) -> str:
    """A file as named in a configuration: relative to it."""
    if not file or file.startswith(CREDENTIAL):
        return file
    return str(Path(configuration).absolute().parent / file)


def read_token(name: str, environment: Mapping[str, str]) -> str:
    """The token in a file, or in a credential from systemd; "" when there is to be none.

    Raises:
        UsageError: it cannot be read, or it could be guessed.
    """
    if not name:
        return ""
    try:
        file = file_of(name, environment)
        with file.open(encoding="utf-8") as stream:
            token = stream.read(_LARGEST_TOKEN).strip()
    except RefusedError as error:
        raise UsageError(f"http.token_file: {error}") from error
    except FileNotFoundError as error:
        hint = f"make it: (umask 077; openssl rand -hex 32 > {name}), or leave http.token_file out: then nothing is changed by HTTP"
        raise UsageError(f"http.token_file: {name} does not exist\n    hint: {hint}") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        hint = "it must be a file that the user of this process may read, with a token on one line"
        raise UsageError(f"http.token_file: {name} cannot be read: {reason}\n    hint: {hint}") from error
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        hint = "make one: openssl rand -hex 32"
        raise UsageError(
            f"http.token_file: {name} holds no token of {_SHORTEST_TOKEN} characters or more\n    hint: {hint}"
        )
    return token
