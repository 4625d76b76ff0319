"""A build by the engine's own BuildKit, which Docker's buildx speaks to.

BuildKit's protocol is gRPC in both directions over an upgraded connection; see docs/decisions/0017. What the engine is
given is a copy that was hashed, a configuration with the logins that this build needs, and secrets in memory.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from reconciler.engine import children
from reconciler.engine.build_log import BuildLog
from reconciler.engine.buildx import arguments, configure, variables
from reconciler.engine.credentials import DOCKER_HUB, Logins, registry_of
from reconciler.engine.dockerfile import base_images, buildkit_features, frontend
from reconciler.engine.endpoint import Endpoint
from reconciler.engine.interface import Progress
from reconciler.engine.refusals import hint_for, refused
from reconciler.engine.staging import remove, stage
from reconciler.errors import EngineError, EngineRefusedError, EngineUnavailableError, OutcomeUnknownError
from reconciler.model.desired import Build
from reconciler.model.redaction import secrets_of_build

#: seconds for a program that was asked to end
_GRACE = 5.0
_REGISTRY_TROUBLE = (
    "failed to do request",
    "unauthorized",
    "authorization failed",
    "access denied",
    "no basic auth",
    "failed to resolve source metadata",
)


class BuildKit:
    """Builds on one engine by the program `buildx`; `silence` is how many seconds may pass between two lines of it."""

    def __init__(
        self, buildx: str, endpoint: Endpoint, environment: Mapping[str, str], logins: Logins, silence: float
    ) -> None:
        self._buildx, self._endpoint, self._environment = buildx, endpoint, environment
        self._logins, self._silence = logins, silence

    def build(
        self,
        build: Build,
        dockerfile: str,
        tags: Sequence[str],
        labels: Mapping[str, str],
        content: str,
        progress: Progress,
    ) -> None:
        """Build what is in `content`, a `context.digest`, or whatever is there when it is "".

        Raises:
            SpecError: something cannot be read, or changed since.
            EngineUnavailableError: buildx cannot reach the engine.
            EngineRefusedError: the build failed; the message ends with the last lines of the step's output.
            OutcomeUnknownError: it ended without an image and without an error.
        """
        doing = f"build {tags[0] if tags else build.context}"
        with ExitStack() as stack:
            place = stack.enter_context(_private_directory())
            staged = stage(build, place, content)
            configuration = place / "docker"
            configuration.mkdir(mode=0o700)
            configure(configuration, self._endpoint, self._needed_logins(build, dockerfile))
            descriptors = {item.id: stack.enter_context(_in_memory(item.content.bytes)) for item in build.secrets}
            secrets = {name: f"/proc/self/fd/{descriptor}" for name, descriptor in descriptors.items()}
            image_id = place / "image-id"
            words = arguments(build, staged, tags, labels, secrets, str(image_id))
            log = BuildLog(progress, secrets_of_build(build))
            environment = variables(self._endpoint, self._environment, configuration)
            code = self._run([self._buildx, *words], environment, list(descriptors.values()), log, doing)
            if code != 0:
                raise self._failure(log, code, doing, dockerfile)
            if not image_id.exists() or not image_id.read_text(encoding="utf-8"):
                raise OutcomeUnknownError(f"docker buildx ended without telling the image when asked to {doing}")

    def _needed_logins(self, build: Build, dockerfile: str) -> dict[str, dict[str, str]]:
        """The logins of the registries that this build names, and no others, by the key that buildx looks for."""
        named = [*base_images(dockerfile, build.args), *frontend(dockerfile), *filter(_is_image, build.cache_from)]
        named += [source.removeprefix("docker-image://") for source in build.contexts.values() if "://" in source]
        for text in (*build.cache_from, *build.cache_to):
            named += [part.removeprefix("ref=") for part in text.split(",") if part.startswith("ref=")]
        named += [text for text in build.cache_to if _is_image(text)]
        registries = sorted({registry_of(image) for image in named})
        return {DOCKER_HUB if name == "docker.io" else name: self._logins.login_of(name) for name in registries}

    def _run(
        self, words: list[str], environment: Mapping[str, str], descriptors: list[int], log: BuildLog, doing: str
    ) -> int:
        try:
            process = subprocess.Popen(  # noqa: S603 - a list of words, none of which can be taken for an option
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=descriptors,
                # An interrupt at the terminal is for us: what is under way is finished first.
                start_new_session=True,
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise EngineError(f"{self._buildx} cannot be run ({reason}); install it anew, or remove it") from error
        children.GROUPS.add(process.pid)
        try:
            assert process.stdout is not None
            with process.stdout:
                for line in _lines(process.stdout, self._silence):
                    log.add(line)
            return process.wait(_GRACE)
        except TimeoutError:
            raise OutcomeUnknownError(
                f"docker buildx said nothing for {self._silence:.0f} s when asked to {doing}, and was ended"
            ) from None
        finally:
            _end(process)
            children.GROUPS.discard(process.pid)

    def _failure(self, log: BuildLog, code: int, doing: str, dockerfile: str) -> EngineError:
        error = log.error
        if "Cannot connect to the Docker daemon" in error or "error during connect" in error:
            return EngineUnavailableError(f"docker buildx cannot reach the engine: {error}")
        if not error:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            return EngineRefusedError(
                f"cannot {doing}: docker buildx {how} and told no reason\n{log.failure()}".rstrip(),
                hint=f"`{self._buildx} version` shows whether it works; DOCKER_BUILDKIT=0 does without it",
            )
        failure = log.failure()
        if any(words in error.lower() for words in _REGISTRY_TROUBLE):
            return refused(doing, 0, failure)
        # What a step printed last may tell why it failed, as of a disk that is full.
        hint = _advice(error, self._buildx, dockerfile) or hint_for(failure)
        return EngineRefusedError(f"cannot {doing}: {failure}", hint=hint)


def _advice(error: str, buildx: str, dockerfile: str) -> str:
    """What to do about an error of buildx; "" when the message says it all."""
    if "unknown flag" in error:
        return f"{buildx} is too old for that option; update it, or leave the option out"
    if "unknown instruction" in error and "here-documents" in buildkit_features(dockerfile):
        return (
            "the engine's BuildKit is too old for here-documents; write RUN ... && ..., or begin the Dockerfile with"
            " `# syntax=docker/dockerfile:1`, which the engine fetches"
        )
    if "granting entitlement" in error or ("entitlement" in error and "not allowed" in error):
        return "allow it in the engine's daemon.json (builder.entitlements), or do without"
    if "SSH_AUTH_SOCK" in error:
        return 'start an agent (ssh-agent, ssh-add), or name a key: ssh = ["default=path"]'
    if "listing workers" in error or "unknown service moby" in error or "404" in error:
        return "this engine seems to have no BuildKit; DOCKER_BUILDKIT=0 takes its classic builder"
    return ""


def _is_image(text: str) -> bool:
    return "=" not in text


def _lines(stream: IO[bytes], silence: float) -> Iterator[str]:
    """Whole lines as they come.

    Raises:
        TimeoutError: nothing came for `silence` seconds.
    """
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(silence):
            chunk = os.read(stream.fileno(), 65536)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
            if not chunk:
                if rest:
                    yield rest.decode("utf-8", "replace")
                return
            rest = rest[-65536:]
    raise TimeoutError


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with all that it started, unless it has ended."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(OSError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            return


@contextmanager
def _private_directory() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="reconciler-build-"))
    children.PLACES.add(place)
    try:
        yield place
    finally:
        remove(place)
        children.PLACES.discard(place)


@contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    """The descriptor of a file that is on no disk."""
    descriptor = os.memfd_create("secret")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as stream:
            stream.write(content)
        yield descriptor
    finally:
        os.close(descriptor)
