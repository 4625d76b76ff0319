"""Logins for registries, from the files of Docker's command line client, asked for one registry at a time.

Nothing is kept: tokens expire, and a login of a minute ago must count. The SDK would send every login there is.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import EngineError

DOCKER_HUB = "https://index.docker.io/v1/"
_TIMEOUT = 10.0
_PROGRAM = re.compile(r"[a-z0-9-]+")
_LARGEST_ANSWER = 256 * 1024


class Logins:
    """What the user of `directory` (`~/.docker`) may show to registries. `environment` is that of its programs."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._file = directory / "config.json"
        self._environment = dict(environment)

    def header_for(self, reference: str) -> str:
        """The value of `X-Registry-Auth` for an image; "" without a login for its registry.

        Raises:
            EngineError: the file is broken, or the program that keeps the login is missing, fails or hangs.
        """
        login = self.login_of(registry_of(reference))
        return base64.urlsafe_b64encode(json.dumps(login).encode()).decode() if login else ""

    def config_for(self, registries: Iterable[str]) -> str:
        """The value of `X-Registry-Config` for a build that reads from these registries; "" without any login."""
        logins = {}
        for registry in sorted(set(registries)):
            if login := self.login_of(registry):
                logins[DOCKER_HUB if registry == "docker.io" else registry] = login
        return base64.urlsafe_b64encode(json.dumps(logins).encode()).decode() if logins else ""

    def login_of(self, registry: str) -> dict[str, str]:
        """The login for a host as the engine's API wants it; {} when there is none."""
        config = self._read()
        key = DOCKER_HUB if registry == "docker.io" else registry
        programs, fallback = config.get("credHelpers"), config.get("credsStore")
        program = (programs.get(registry) or programs.get(key) if isinstance(programs, dict) else None) or fallback
        if isinstance(program, str) and program and (login := self._ask(program, key)):
            return login
        return _login_in_file(config, registry, key)

    def _read(self) -> dict[str, Any]:
        try:
            config = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise EngineError(f"the logins in {self._file} cannot be read; correct the file, or log in anew") from error
        return config if isinstance(config, dict) else {}

    def _ask(self, program: str, key: str) -> dict[str, str]:
        """What a credential helper has for a registry; {} when it knows none."""
        import subprocess

        if not _PROGRAM.fullmatch(program):
            raise EngineError(f"{program!r} in {self._file} cannot be the name of a credential helper; correct it")
        name = f"docker-credential-{program}"
        advice = f"repair it, or take it out of {self._file}"
        try:
            done = subprocess.run(  # noqa: S603 - a list of words; the name has no path in it
                [name, "get"],
                input=key.encode(),
                capture_output=True,
                timeout=_TIMEOUT,
                env=self._environment,
                check=False,
            )
        except FileNotFoundError as error:
            raise EngineError(f"{name}, which keeps the logins, is not installed; {advice}") from error
        except subprocess.TimeoutExpired as error:
            raise EngineError(
                f"{name} did not answer within {_TIMEOUT:.0f} s when asked for {key}; {advice}"
            ) from error
        except OSError as error:
            raise EngineError(f"{name}, which keeps the logins, cannot be run; {advice}") from error
        if done.returncode != 0:
            words = " ".join((done.stdout or done.stderr)[:500].decode("utf-8", "replace").split())
            # Helpers have no agreed way to say it: these are the words of Docker's own, and of a few others.
            if "not found" in words.lower() or "no credentials" in words.lower():
                return {}
            raise EngineError(f"{name} failed when asked for {key}: {words or f'exit {done.returncode}'}; {advice}")
        return _login_of_program(done.stdout, key, name, advice)


def registry_of(reference: str) -> str:
    """The host, and port, that an image is pulled from."""
    host, slash, _ = reference.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        return "docker.io"
    return "docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host


def _login_of_program(output: bytes, key: str, name: str, advice: str) -> dict[str, str]:
    try:
        answer = json.loads(output[:_LARGEST_ANSWER])
        user, secret = answer["Username"], answer["Secret"]
        if not (isinstance(user, str) and isinstance(secret, str)):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        # Its text is not repeated, nor chained: it may hold the secret.
        raise EngineError(f"{name} answered something else than a login when asked for {key}; {advice}") from None
    if user == "<token>":
        return {"identitytoken": secret, "serveraddress": key}
    return {"username": user, "password": secret, "serveraddress": key} if user or secret else {}


def _login_in_file(config: Mapping[str, Any], registry: str, key: str) -> dict[str, str]:
    entries = config.get("auths")
    if not isinstance(entries, dict):
        return {}
    names = {key, registry} | ({"index.docker.io"} if registry == "docker.io" else set())
    for name, entry in entries.items():
        host = re.sub(r"^https?://", "", str(name)).partition("/")[0]
        if (name in names or host in names) and isinstance(entry, dict) and (login := _entry_login(entry, key)):
            return login
    return {}


def _entry_login(entry: Mapping[str, Any], key: str) -> dict[str, str]:
    if token := entry.get("identitytoken"):
        return {"identitytoken": str(token), "serveraddress": key}
    if token := entry.get("registrytoken"):
        return {"registrytoken": str(token), "serveraddress": key}
    user, password = entry.get("username"), entry.get("password")
    if isinstance(entry.get("auth"), str) and entry["auth"]:
        try:
            user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise EngineError(f"the login for {key} in Docker's config.json is damaged; log in anew") from None
        password = password.rstrip("\0")
    if not (isinstance(user, str) and isinstance(password, str) and (user or password)):
        return {}
    return {"username": user, "password": password, "serveraddress": key}
