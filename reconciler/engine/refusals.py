"""The engine's answers, and its silence, as our errors: what failed, why, and what a person can do about it.

Status codes do not follow intent: 403 is "in use", 500 is "port busy", 404 is "wrong platform". So the words count.
"""

from __future__ import annotations

import json
import re
import socket

from reconciler.errors import EngineRefusedError, EngineUnavailableError, NotFoundError

_SHORT_OF = r"device or resource busy|resource temporarily unavailable|cannot allocate memory|too many open files"
#: what goes by itself, whatever stands around it: an engine wraps the trouble of its host in its words for a bad command
_PASSING = (
    rf"{_SHORT_OF}|no space left on device|disk quota exceeded|already in progress|toomanyrequests|too many requests|dial tcp"
    r"|i/o timeout|TLS handshake timeout|Client\.Timeout|request canceled|timed out|deadline exceeded"
    r"|connection (?:reset|refused)|broken pipe|unexpected EOF|try again"
)
#: the runtime was asked to run that very container, and could not
_RUNTIME = r"OCI runtime|failed to create shim|\b(?:runc|crun|youki) "
#: what stands for the holder of a name in a refusal, when no container has its id. An engine that was asked to rename
#: a container while another client removed it gives the old name back to the container that is gone
OF_NOBODY = "no container has that id: the engine keeps the name of one that is gone"
#: (expression for words in the engine's answer, advice); the first that matches is given. They are compiled when the
#: first thing goes wrong, which is seldom: together they would take 3 ms of each start
_HINTS = (
    (
        r"port is already allocated|(?:listen|bind).*address already in use|ports are not available",
        "another container or program on this host has that port; `docker ps` and `ss -ltnp` show which",
    ),
    (
        r"does not match the (?:specified|expected|requested) platform|no matching manifest|no match for platform",
        "the image does not exist for this platform; change `platform`, or use an image that has it",
    ),
    (
        r"no basic auth credentials|unauthorized|authentication required|incorrect username or password|denied: requested access",
        "log in with `docker login`, as the user that runs this program",
    ),
    (
        r"pull access denied|repository does not exist|repository .* not found",
        "check the spelling of the image; a private one needs `docker login`, as the user that runs this program",
    ),
    (
        r"manifest unknown|manifest for .* not found|: not found$",
        "the registry has no such image; check its name and tag",
    ),
    (
        r"dial tcp|no such host|TLS handshake timeout|Client\.Timeout|request canceled while waiting",
        "the engine's host cannot reach that registry; check the name in front of the image, the network and the proxy",
    ),
    (r"invalid reference format|invalid tag", "an image is written as [registry/]name[:tag], in lower case"),
    (r"no such image", "pull or build it first; check its name and tag"),
    (
        r"no space left on device|disk quota exceeded",
        "the disk of the engine is full; `docker system df` shows by what, `docker system prune` frees some",
    ),
    (
        _SHORT_OF,
        "the engine's host is short of something just now; `free`, `ps` and the engine's log show of what",
    ),
    (
        r"pool overlaps with other one|subnet .* is already used|could not find an available.* pool|address pools have been fully subnetted",
        "its subnet is in use by another network; choose another one in `ipam`, or remove networks nobody needs",
    ),
    (
        r"address already in use|requested ip address .* is already allocated",
        "another container on that network has that address; `docker network inspect` shows which",
    ),
    (
        r"invalid address|no configured subnet|supported only when connecting to networks with user configured subnets",
        "choose an address in the subnet of that network, and give the network that subnet in `ipam`",
    ),
    (
        r"unable to find (?:user|group)|unknown (?:user|group) error|no matching entries in (?:passwd|group) file",
        "the image has no such user or group; write numbers, or names from its /etc/passwd and /etc/group",
    ),
    (
        r"gathering device information|error stat'?ing device",
        "the engine's host has no such device; check `devices`",
    ),
    (
        r"could not select device driver",
        "the engine has no driver for that; GPUs need NVIDIA's Container Toolkit on its host",
    ),
    (
        r"unknown (?:or invalid )?runtime",
        "the engine has no such runtime; `docker info` lists those it has, its daemon.json adds one",
    ),
    (
        r"range of CPUs is from|requested (?:CPUs|memory nodes) are not available",
        "the engine's host has fewer processors; write less in `cpus`, or others in `cpuset`",
    ),
    (
        r"/proc/sys/|sysctl",
        "the kernel of the engine's host has no such setting, or none for containers; check `sysctls`",
    ),
    (
        r"plugin .*not found|could not find (?:plugin|driver)",
        "the engine has no such driver; `docker info` lists its plugins, `docker plugin install` adds one",
    ),
    (
        r"failed to initialize logging driver|unknown log opt",
        "its logging driver takes no such option; check `logging`",
    ),
    (
        r"unknown capability|invalid Cap(?:Add|Drop)",
        "check the names in `cap_add` and `cap_drop`: capabilities(7) lists them",
    ),
    (
        r"apparmor failed to apply profile",
        "the engine's host has no such profile; load it with `apparmor_parser`, or take it out of `security_opt`",
    ),
    (
        r"mount a directory onto a file|mounting .* not a directory",
        "of a mount one side is a file and the other a directory; check both paths in `volumes`",
    ),
    (
        r"failed to mount local volume",
        "its `driver_opts` cannot be mounted on the engine's host; check them, and that the server and the tools are there",
    ),
    (
        r"cannot join .* of a non running container",
        "what it shares with does not run; see `docker logs` of that, and start it first",
    ),
    (
        r"(?:bind source path|source path|bind mount source).* does not exist|invalid mount config for type .bind.",
        "create that directory on the engine's host first",
    ),
    (
        r"executable file not found|exec: .* (?:no such file or directory|permission denied)|starting container process caused",
        "the image cannot run that command; check `command` and `entrypoint`, and that the file is there and executable",
    ),
    (OF_NOBODY, "restart the engine: nothing else frees the name"),
    (
        r"name .* is already in use|UNIQUE constraint failed: ContainerConfig.Name|network name .* already used|network with name .* already exists",
        "something else has that name; rename one, or remove it",
    ),
    (
        r"is in use|in use by|being used by|active endpoints|must force|is using its referenced",
        "stop and remove what uses it first",
    ),
    (r"does not support reading", "its logging driver keeps no logs on the host"),
)
_TAGS = r"(?is)<(script|style)\b.*?</\1>|<[^>]*>"
_WRONG_PLATFORM = _HINTS[1][0]
_TOO_OLD = r"client version (\S+) is too old. Minimum supported API version is (\d+\.\d+)"
_LONGEST_MESSAGE = 2000


def refused(doing: str, status: int, message: str) -> EngineRefusedError:
    """The error for an answer of `status` 400 or above; `doing` completes "cannot ..."."""
    if status == 400 and (versions := re.search(_TOO_OLD, message, re.IGNORECASE)):
        ours, theirs = versions.groups()
        return EngineRefusedError(
            f"the engine speaks API {theirs} and later; we know {ours} at most: update reconciler", status
        )
    text = f"cannot {doing}: {message or f'the engine answered with status {status}'}"
    # An image of another platform is there, and pulling it again changes nothing: that is not "not found".
    kind = (
        NotFoundError
        if status == 404 and not re.search(_WRONG_PLATFORM, message, re.IGNORECASE)
        else EngineRefusedError
    )
    return kind(text, status, hint_for(message), may_pass=_may_pass(status, message))


def not_understood(doing: str, what: str, text: bytes) -> EngineRefusedError:
    """The error for an answer that no engine gives: something in between wrote it, or cut it off."""
    return EngineRefusedError(f"cannot {doing}: the engine's {what} is not understood: {text[:80]!r}", may_pass=True)


def holder_of_name(message: str) -> str:
    """The id of the container that has a name which was asked for; "" when the message is about something else."""
    found = re.search(r"container name .* is already in use by container \"?([0-9a-f]{64})", message)
    return found[1] if found else ""


def hint_for(message: str) -> str:
    """What a person can do about an answer of the engine; "" when nothing is known."""
    return next((hint for pattern, hint in _HINTS if re.search(pattern, message, re.IGNORECASE)), "")


def _may_pass(status: int, message: str) -> bool:
    """Whether an answer is no verdict: the same call may work in a while, though nobody does anything.

    500 is both, "I will not" and "I am in trouble". What there is advice for waits for a person.
    """
    if status in (408, 425, 429) or re.search(_PASSING, message, re.IGNORECASE):
        return True
    return status >= 500 and not hint_for(message) and not re.search(_RUNTIME, message, re.IGNORECASE)


def message_of(body: bytes) -> str:
    """The words in an answer's body: the engine's `message`, or what stands in the page of some proxy."""
    text = body[: 4 * _LONGEST_MESSAGE].decode("utf-8", "replace")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        words = next((answer[key] for key in ("message", "cause", "error") if isinstance(answer.get(key), str)), None)
        text = text if words is None else words
    elif isinstance(answer, str):
        text = answer
    elif "<" in text:
        text = re.sub(_TAGS, " ", text)
    return " ".join(text.split())[:_LONGEST_MESSAGE]


def no_engine(address: str, why: str) -> EngineUnavailableError:
    """Something answers there, and not as an engine would."""
    return EngineUnavailableError(
        f"what answers at {address} is not a Docker Engine: {why}\n"
        "    hint: check the address in -H, DOCKER_HOST or the context; a proxy may be in between"
    )


def unreachable(address: str, error: BaseException) -> EngineUnavailableError:
    """Nothing was sent: there was no connection, because of `error`."""
    is_socket = address.startswith("unix://")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if address.startswith("ssh://"):
            return EngineUnavailableError(f"no engine at {address}: the program `ssh` is not installed")
        what, hint = "there is no such socket", "is the engine running? another one is named with -H or DOCKER_HOST"
    elif isinstance(error, PermissionError) and is_socket:
        what = "this user may not use that socket"
        hint = "join the group that owns it (`sudo usermod -aG docker $USER`, then log in again), or use sudo"
    elif isinstance(error, ConnectionRefusedError):
        what = "nobody listens there"
        hint = (
            "is the engine running? `systemctl start docker`"
            if is_socket
            else "is the engine running, and is the port right?"
        )
    elif isinstance(error, socket.gaierror):
        what, hint = "that host name is unknown", "check the address in -H, DOCKER_HOST or the context"
    elif type(error).__module__ == "ssl":
        what = f"no TLS with it ({getattr(error, 'verify_message', '') or getattr(error, 'reason', None) or error})"
        hint = "check the files in DOCKER_CERT_PATH, and that the address is the one in the engine's certificate"
    elif isinstance(error, TimeoutError):
        what, hint = "it does not answer in time", "is the host up, and is the engine overloaded?"
    elif isinstance(error, ConnectionError | EOFError) and address.startswith("ssh://"):
        what = "`ssh` ended without a connection"
        hint = "what it said is above; `ssh HOST docker version` must work without a question"
    elif isinstance(error, ConnectionError | EOFError):
        what, hint = "it closed the connection", "look at the engine's log; is the port one of TLS?"
    else:
        what, hint = str(error) or type(error).__name__, ""
    return EngineUnavailableError(f"no engine at {address}: {what}" + (f"\n    hint: {hint}" if hint else ""))
