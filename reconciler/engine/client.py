"""The real engine: what the rest of the program asks for, in calls of the Engine API.

Plain calls go over `wire`; what streams (pulls, builds, logs) over the SDK (`sdk`), which is imported for the first one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from reconciler.engine import podman
from reconciler.engine.buildx import find_buildx, lacks_buildkit
from reconciler.engine.endpoint import Endpoint, docker_directory
from reconciler.engine.event_stream import follow_events
from reconciler.engine.facts import negotiate, read_facts
from reconciler.engine.interface import Events, Json, Progress
from reconciler.engine.references import split_reference
from reconciler.engine.refusals import message_of, no_engine, not_understood, refused
from reconciler.engine.streams import follow_pull, json_object, read_lines, split_output
from reconciler.engine.wire import Wire
from reconciler.engine.writes import Writes, created, warnings_in
from reconciler.errors import EngineError, EngineRefusedError, OutcomeUnknownError, SpecError
from reconciler.model.builders import hindrance
from reconciler.model.desired import Build
from reconciler.model.observed import EngineFacts
from reconciler.model.ownership import IMAGE_CONTENT

if TYPE_CHECKING:
    from reconciler.engine.credentials import Logins
    from reconciler.engine.sdk import Sdk

#: seconds without a sign of life: a registry may be slow, and a step of a build may compute in silence
_PULL_SILENCE, _BUILD_SILENCE = 600.0, 3600.0
#: seconds beyond the container's own time to stop, for the engine's work
_STOP_MARGIN, _RESTART_MARGIN = 30.0, 90.0


class DockerEngine:
    """One Docker Engine; see `interface.Engine` for what its methods promise.

    Its facts, the version of the API with them, are asked for once: after a restart of the engine, make a new one.
    """

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str]) -> None:
        self._wire = Wire(endpoint)
        self._endpoint = endpoint
        self._environment = environment
        self._lock = threading.RLock()
        self._spoken: tuple[int, int] | None = None
        self._is_podman = False
        self._facts: EngineFacts | None = None
        self._writes = Writes(self._wire, lambda: self._version)
        self._made: Sdk | None = None

    def ping(self) -> None:
        self._negotiated()

    # --- reads -------------------------------------------------------------------------------------------------

    def facts(self) -> EngineFacts:
        spoken = self._negotiated()
        if self._facts is None:
            facts = read_facts(self._get("ask what the engine is", "/info"), spoken)
            self._facts = facts._replace(
                is_podman=self._is_podman,
                no_buildkit=facts.no_buildkit or lacks_buildkit(self._environment),
            )
        return self._facts

    def list_containers(self) -> list[Json]:
        return self._list("list the containers", "/containers/json?all=1")

    def inspect_containers(self, ids: Sequence[str]) -> list[Json]:
        paths = [f"/v{self._version}/containers/{quote(name, safe='')}/json" for name in ids]
        found = []
        for name, (status, body, *_) in zip(ids, self._wire.get_many(paths), strict=True):
            doing = f"inspect container {name[:12]}"
            if status >= 400 and status != 404:
                raise refused(doing, status, message_of(body))
            if status != 404:
                found.append(json_object(body, doing))
        return found

    def list_networks(self) -> list[Json]:
        return self._list("list the networks", "/networks")

    def list_volumes(self) -> list[Json]:
        answer = self._get("list the volumes", "/volumes")
        if left_out := warnings_in(answer):
            # A driver that does not answer: its volumes are not in the list, and must not count as gone.
            raise EngineRefusedError(
                f"cannot list the volumes: the engine left some out: {'; '.join(left_out)}",
                hint="`docker plugin ls` shows the volume drivers; repair, disable or remove the one that does not answer",
            )
        return list(answer.get("Volumes") or [])

    def list_images(self) -> list[Json]:
        return self._list("list the images", "/images/json")

    def inspect_image(self, reference: str) -> Json:
        split_reference(reference)
        return dict(self._get(f"inspect image {reference}", f"/images/{quote(reference, safe='/:@')}/json"))

    def registry_digest(self, reference: str) -> str:
        split_reference(reference)
        doing = f"ask the registry for {reference}"
        if self.facts().is_podman:
            raise EngineRefusedError(f"cannot {doing}: Podman's API has no such question", 404)
        login = self._logins.header_for(reference)
        answer = self._get(
            doing,
            f"/distribution/{quote(reference, safe='/:@')}/json",
            headers=[("X-Registry-Auth", login)] if login else [],
        )
        digest = (answer.get("Descriptor") or {}).get("digest")
        if not isinstance(digest, str):
            raise EngineRefusedError(f"cannot {doing}: the answer has no digest")
        return digest

    def container_logs(
        self, container_id: str, *, follow: bool, tail: str, timestamps: bool, since: str
    ) -> Iterator[tuple[str, bytes]]:
        doing = f"read the log of container {container_id[:12]}"
        path = f"/containers/{quote(container_id, safe='')}/json"
        has_terminal = bool((self._get(doing, path).get("Config") or {}).get("Tty"))
        params: dict[str, str | int] = {"stdout": 1, "stderr": 1, "follow": int(follow), "timestamps": int(timestamps)}
        params |= {"tail": tail or "all"} | ({"since": since} if since else {})
        chunks = self._sdk.stream(
            doing,
            "/containers/{0}/logs",
            container_id,
            params=params,
            silence=None if follow else 60.0,
            is_read=True,
        )
        with closing(chunks):
            yield from (("stdout", chunk) for chunk in chunks) if has_terminal else split_output(chunks)

    def events(self, since: str, filters: Mapping[str, Sequence[str]]) -> Events:
        return follow_events(self._wire, self._version, since, filters)

    def get_archive(self, container_id: str, path: str) -> bytes:
        doing = f"read {path} in container {container_id[:12]}"
        query = urlencode({"path": path})
        url = f"/v{self._version}/containers/{quote(container_id, safe='')}/archive?{query}"
        status, body, *_ = self._wire.get(url)
        if status >= 400:
            raise refused(doing, status, message_of(body))
        return body

    # --- writes: images ----------------------------------------------------------------------------------------

    def pull_image(self, reference: str, platform: str, progress: Progress) -> None:
        name, tag = split_reference(reference)
        doing = f"pull {reference}"
        login = self._logins.header_for(reference)
        chunks = self._sdk.stream(
            doing,
            "/images/create",
            # Without a tag the engine pulls every tag there is.
            params={"fromImage": name, "tag": tag} | ({"platform": platform} if platform else {}),
            headers={"X-Registry-Auth": login} if login else {},
            silence=_PULL_SILENCE,
        )
        with closing(chunks):
            follow_pull(read_lines(chunks, doing), reference, progress, is_podman=self._is_podman)

    def build_image(self, build: Build, tags: Sequence[str], labels: Mapping[str, str], progress: Progress) -> None:
        from reconciler.engine.build import ClassicBuilder
        from reconciler.engine.buildkit import BuildKit
        from reconciler.engine.context import read_dockerfile

        for tag in tags:
            split_reference(tag)
        doing = f"build {tags[0] if tags else build.context}"
        if wrong := hindrance(build, self.facts()):
            raise EngineRefusedError(f"cannot {doing}: {wrong}")
        content = labels.get(IMAGE_CONTENT, "")
        try:
            dockerfile = read_dockerfile(build)
            builder: ClassicBuilder | BuildKit
            if no_buildkit := self.facts().no_buildkit:
                heeded = podman.IGNORE_FILE if self.facts().is_podman else ""
                builder = ClassicBuilder(self._sdk, self._logins, no_buildkit, _BUILD_SILENCE, heeded)
            else:
                program = find_buildx(self._environment)
                builder = BuildKit(program, self._endpoint, self._environment, self._logins, _BUILD_SILENCE)
            builder.build(build, dockerfile, tags, labels, content, progress)
        except SpecError as error:
            raise EngineRefusedError(f"cannot {doing}: {error}") from error

    def tag_image(self, image_id: str, reference: str) -> None:
        name, tag = split_reference(reference)
        params = {"repo": name, "tag": tag}
        self._writes.post(f"tag image {image_id[7:19]} as {reference}", "/images/{0}/tag", image_id, params=params)

    def remove_image(self, reference: str) -> None:
        self._writes.delete(f"remove image {reference}", "/images/{0}", reference)

    # --- writes: networks and volumes --------------------------------------------------------------------------

    def create_network(self, body: Json) -> tuple[str, tuple[str, ...]]:
        # Engines before 25 make a second network of the same name unless told otherwise.
        whole = {"CheckDuplicate": True, **body} if self._negotiated() < (1, 44) else body
        answer = self._writes.post(f"create network {body.get('Name')}", "/networks/create", body=whole)
        return created(answer, f"network {body.get('Name')}")

    def remove_network(self, network_id: str) -> None:
        doing = f"remove network {network_id[:12]}"
        if self.facts().is_podman and self._get(doing, f"/networks/{quote(network_id, safe='')}").get("Containers"):
            # It refuses by name, and by id takes the network away from under what runs.
            raise EngineRefusedError(f"cannot {doing}: it has active endpoints", 403)
        self._writes.delete(doing, "/networks/{0}", network_id)

    def connect(self, network_id: str, container_id: str, endpoint: Json) -> None:
        doing = f"connect container {container_id[:12]} to network {network_id[:12]}"
        body = {"Container": container_id, "EndpointConfig": endpoint}
        self._writes.post(doing, "/networks/{0}/connect", network_id, body=body)

    def disconnect(self, network_id: str, container_id: str) -> None:
        doing = f"disconnect container {container_id[:12]} from network {network_id[:12]}"
        body = {"Container": container_id, "Force": False}
        self._writes.post(doing, "/networks/{0}/disconnect", network_id, body=body)

    def create_volume(self, body: Json) -> None:
        self._writes.post(f"create volume {body.get('Name')}", "/volumes/create", body=body)

    def remove_volume(self, name: str) -> None:
        self._writes.delete(f"remove volume {name}", "/volumes/{0}", name)

    # --- writes: containers ------------------------------------------------------------------------------------

    def create_container(self, name: str, body: Json, platform: str) -> tuple[str, tuple[str, ...]]:
        params = {"name": name} | ({"platform": platform} if platform else {})
        doing, whole = f"create container {name}", body
        if self.facts().is_podman:
            whole = podman.created_as_podman(body)
            if body.get("Entrypoint") == [] and podman.has_entrypoint(self.inspect_image(body["Image"])):
                raise EngineRefusedError(f"cannot {doing}: {podman.KEEPS_ENTRYPOINT}")
        answer = self._writes.post(doing, "/containers/create", body=whole, params=params)
        made, warnings = created(answer, f"container {name}")
        if self.facts().is_podman and podman.may_discard(body):
            try:
                warnings += podman.discarded(body, self._get(doing, f"/containers/{quote(made, safe='')}/json"))
            except EngineError as error:
                raise OutcomeUnknownError(f"{name} was made, and what it lacks is not known; look again") from error
        return made, warnings

    def start_container(self, container_id: str) -> None:
        self._writes.post(f"start container {container_id[:12]}", "/containers/{0}/start", container_id)

    def stop_container(self, container_id: str, timeout: int) -> None:
        self._stop("stop", container_id, timeout, _STOP_MARGIN)

    def restart_container(self, container_id: str, timeout: int) -> None:
        self._stop("restart", container_id, timeout, _RESTART_MARGIN)

    def unpause_container(self, container_id: str) -> None:
        self._writes.post(f"unpause container {container_id[:12]}", "/containers/{0}/unpause", container_id)

    def rename_container(self, container_id: str, name: str) -> None:
        doing = f"rename container {container_id[:12]} to {name}"
        self._writes.post(doing, "/containers/{0}/rename", container_id, params={"name": name})

    def remove_container(self, container_id: str, *, volumes: bool = False) -> None:
        params = {"v": int(volumes), "force": 0}
        self._writes.delete(f"remove container {container_id[:12]}", "/containers/{0}", container_id, params=params)

    def put_archive(self, container_id: str, path: str, archive: bytes) -> None:
        doing = f"put files into container {container_id[:12]}"
        if self.facts().is_podman:
            answer = self._get(doing, f"/containers/{quote(container_id, safe='')}/json")
            if hidden := podman.hidden_files(answer, path, archive):
                raise EngineRefusedError(f"cannot {doing}: {hidden}", hint="mount them elsewhere")
        self._writes.put(doing, "/containers/{0}/archive", container_id, content=archive, params={"path": path})

    def signal_container(self, container_id: str, signal: str) -> None:
        doing = f"send {signal} to container {container_id[:12]}"
        self._writes.post(doing, "/containers/{0}/kill", container_id, params={"signal": signal})

    def check_health(self, container_id: str, seconds: float) -> None:
        if self.facts().is_podman:
            with suppress(EngineError):  # whatever came of it, the container tells
                self._wire.send("GET", podman.health_path(container_id), None, seconds)

    def update_container(self, container_id: str, body: Json) -> tuple[str, ...]:
        doing = f"update container {container_id[:12]}"
        if self.facts().is_podman:
            answer = self._get(doing, f"/containers/{quote(container_id, safe='')}/json")
            body = podman.update_as_podman(body, answer)
        return warnings_in(self._writes.post(doing, "/containers/{0}/update", container_id, body=body))

    def close(self) -> None:
        with self._lock:
            self._wire.close()
            if self._made is not None:
                self._made.close()

    # --- inside ------------------------------------------------------------------------------------------------

    def _stop(self, verb: str, container_id: str, timeout: int, margin: float) -> None:
        doing = f"{verb} container {container_id[:12]}"
        # A negative time waits as long as it takes.
        wait = timeout + margin if timeout >= 0 else None
        self._writes.post(doing, f"/containers/{{0}}/{verb}", container_id, params={"t": timeout}, timeout=wait)

    def _list(self, doing: str, path: str) -> list[Json]:
        return list(self._get(doing, path, expected=list))

    def _get(self, doing: str, path: str, *, headers: Sequence[tuple[str, str]] = (), expected: type = dict) -> Any:
        status, body, *_ = self._wire.get(f"/v{self._version}{path}", headers)
        if status >= 400:
            raise refused(doing, status, message_of(body))
        answer = json_object(body, doing)
        if not isinstance(answer, expected):
            raise not_understood(doing, "answer", body)
        return answer

    def _negotiated(self) -> tuple[int, int]:
        with self._lock:
            if self._spoken is None:
                # Not /version, for which the engine runs three programs to ask them for theirs.
                answer = self._wire.get("/_ping")
                self._spoken, self._is_podman = negotiate(answer.api_version), answer.is_podman
                if self._spoken is None:
                    said = f"status {answer.status}: {message_of(answer.body)[:80]}"
                    raise no_engine(str(self._endpoint), f"its answer to /_ping tells no version of the API ({said})")
            return self._spoken

    @property
    def _version(self) -> str:
        return "{}.{}".format(*self._negotiated())

    @property
    def _logins(self) -> Logins:
        from reconciler.engine.credentials import Logins

        return Logins(docker_directory(self._environment), self._environment)

    @property
    def _sdk(self) -> Sdk:
        with self._lock:
            if self._made is None:
                from reconciler.engine.sdk import Sdk

                self._made = Sdk(self._endpoint, self._version)
            return self._made
