"""Running git so that neither a repository, a server nor the machine's configuration decides what it does."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from reconciler.source.interface import Reason, RefusedError

#: The first with signatures by SSH keys, and with checks of who owns a repository backported everywhere.
OLDEST = (2, 34)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
_MOST_ERRORS = 16 * 1024
_CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.symlinks": "false",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "core.sshCommand": "false",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "transfer.fsckObjects": "true",
    # Found in old and honest history, and harmless to whoever only reads it.
    "fetch.fsck.zeroPaddedFilemode": "ignore",
    "fetch.fsck.missingSpaceBeforeDate": "ignore",
    "fetch.fsck.badTimezone": "ignore",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "fetch.unpackLimit": "1",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    # A server that sends us on could take a login along to another host.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "protocol.version": "2",
    "protocol.allow": "never",
    "transfer.bundleURI": "false",
    "transfer.credentialsInUrl": "die",
    "i18n.logOutputEncoding": "UTF-8",
    "gpg.program": "false",
    "gpg.x509.program": "false",
    "gpg.ssh.program": "false",
}
_SECRETS = (
    re.compile(r"(?<=://)[^/\s@'\"]*@"),
    re.compile(r"\b(?:gh[opsur]_|github_pat_|glpat-|gldt-)[A-Za-z0-9_-]+"),
    re.compile(r"(?i)(?<=authorization: )[^\r\n]*|(?<=token=)\S+|(?<=password=)\S+"),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


class GitFailedError(Exception):
    """git ended with an error; `text` is what it said, fit to be shown."""

    def __init__(self, text: str, code: int) -> None:
        self.text, self.code = text, code
        super().__init__(text)


class TooMuchError(Exception):
    """More output than can be meant."""


class Access(NamedTuple):
    """What a git that talks to a server gets beside the rest: settings, environment and open files.

    `secrets` are shown nowhere, not even when the server says them back.
    """

    config: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}
    files: tuple[int, ...] = ()
    secrets: tuple[str, ...] = ()


class Git:
    """git on one bare repository.

    Args:
        repository: need not be there yet.
        home: an empty directory, so that nobody's files in a home directory count.
        environment: of this process; only proxies are taken from it.
        kept: open files that a git which outlives this process shall keep open: the lock.
        started: told each git that was started, so that somebody else can end it.
    """

    def __init__(
        self,
        repository: Path,
        home: Path,
        environment: Mapping[str, str],
        kept: tuple[int, ...] = (),
        started: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,  # noqa: ARG005
    ) -> None:
        self.repository = repository
        self._kept = kept
        self._started = started
        self._environment = {name: environment[name] for name in _PROXIES if name in environment} | {
            "PATH": _PATH,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "GNUPGHOME": str(home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_ALLOW_PROTOCOL": "none",
        }

    def run(
        self,
        *arguments: str,
        access: Access | None = None,
        timeout: float = 60.0,
        most: int = 1024**2,
        file_size: int = 0,
    ) -> bytes:
        """What one git command prints.

        Args:
            most: bytes of output; more is an error.
            file_size: the largest file that it may write; 0 for any.

        Raises:
            GitFailedError: it ended with an error.
            TooMuchError: it printed too much.
            RefusedError: it took too long, or there is no git.
        """
        with self.started(*arguments, access=access) as process:
            if file_size:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_size, file_size))
            assert process.stdin is not None
            process.stdin.close()
            errors = bytearray()
            reader = threading.Thread(target=_drain, args=(process.stderr, errors), daemon=True)
            reader.start()
            ran_out = threading.Event()
            timer = threading.Timer(timeout, _give_up, (process, ran_out))
            timer.start()
            try:
                assert process.stdout is not None
                output = process.stdout.read(most + 1)
                if len(output) > most:
                    raise TooMuchError
                # Not reaped yet: its group is ended first, while the id of the group is surely still ours.
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                code = _end(process)
            finally:
                timer.cancel()
            if ran_out.is_set():
                raise RefusedError(
                    Reason.UNREACHABLE,
                    f"git {arguments[0]} was not done within {timeout:g} s",
                    "look at the server and the network, or set a longer timeout",
                )
            reader.join(5)
            said = errors.decode("utf-8", "replace")
            for secret in access.secrets if access else ():
                said = said.replace(secret, "(redacted)")
            if code:
                raise GitFailedError(plain(said), code)
            return output

    @contextlib.contextmanager
    def started(self, *arguments: str, access: Access | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """A running git, with all that it started ended when the block is left."""
        access = access or Access()
        words = ["git", f"--git-dir={self.repository}"]
        for name, value in (_CONFIG | dict(access.config)).items():
            words += ["-c", f"{name}={value}"]
        try:
            process = subprocess.Popen(  # noqa: S603 - a list of words, no shell, an environment of our own
                [*words, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment | dict(access.environment),
                cwd="/",
                pass_fds=(*self._kept, *access.files),
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise RefusedError(Reason.LOCAL, "git is not installed", "install the package git") from error
        try:
            self._started(process)
            yield process
        finally:
            _end(process)
            for stream in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(OSError):
                    if stream is not None:
                        stream.close()

    def check_version(self) -> None:
        """Raises RefusedError when git is missing or too old."""
        text = self.run("version").decode("ascii", "replace")
        found = re.search(r"(\d+)\.(\d+)", text)
        if found is None or (int(found[1]), int(found[2])) < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise RefusedError(Reason.LOCAL, f"{plain(text)} is too old", f"install git {wanted} or newer")


def find(program: str) -> str | None:
    """The absolute path of a program, as git would find it."""
    return shutil.which(program, path=_PATH)


def plain(text: str, most: int = 500) -> str:
    """Text from outside on one line, without control characters and logins, and not too long."""
    for secret in _SECRETS:
        text = secret.sub("(redacted)", text)
    text = " ".join(_CONTROL.sub(" ", text).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _drain(stream: IO[bytes] | None, errors: bytearray) -> None:
    with contextlib.suppress(OSError, ValueError):
        while stream is not None and (part := os.read(stream.fileno(), 4096)):
            errors += part[: max(0, _MOST_ERRORS - len(errors))]


def _give_up(process: subprocess.Popen[bytes], ran_out: threading.Event) -> None:
    ran_out.set()
    end_group(process)


def _end(process: subprocess.Popen[bytes]) -> int:
    """End it with all that it started (remote-https, ssh, index-pack), and return its exit code."""
    if process.returncode is None:
        end_group(process)
    return process.wait()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a git that was not waited for yet, with all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
