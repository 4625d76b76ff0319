"""Docker's buildx: where it is, and the words it is called with.

It is the plugin's program itself that is called, which needs no `docker` beside it. Nothing here starts it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from reconciler.engine.endpoint import Endpoint, docker_directory
from reconciler.engine.staging import Staged
from reconciler.model.desired import Build

PROGRAM = "docker-buildx"
#: where packages put plugins of Docker's client, in its own order
_DIRECTORIES = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
#: what the engine is called in the program's configuration, and so the builder that is the engine's own BuildKit
_CONTEXT = "engine"
#: what a person set for Docker's own programs must not lead this one elsewhere
_OTHERS = ("DOCKER_", "BUILDX_", "BUILDKIT_", "OTEL_")


def find_buildx(environment: Mapping[str, str]) -> str:
    """The path of the program as Docker's client would find the plugin, or on the PATH; "" when it is nowhere."""
    own = docker_directory(environment)
    places = [str(own / "cli-plugins"), *_configured(own / "config.json"), *_DIRECTORIES]
    places += filter(None, environment.get("PATH", "").split(os.pathsep))
    for place in places:
        file = f"{place}/{PROGRAM}"
        if os.access(file, os.X_OK) and Path(file).is_file():
            return file
    return ""


def _configured(file: Path) -> list[str]:
    try:
        config = json.loads(file.read_bytes())
        return [str(place) for place in config.get("cliPluginsExtraDirs") or ()]
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return []  # whoever needs the logins in it will say what is wrong


def lacks_buildkit(environment: Mapping[str, str]) -> str:
    """Why builds from here go to the classic builder; "" when they need not."""
    if environment.get("DOCKER_BUILDKIT") == "0":
        return "DOCKER_BUILDKIT=0 chooses the classic builder"
    if not find_buildx(environment):
        return "it is not installed here; install the package docker-buildx or docker-buildx-plugin"
    return ""


def arguments(
    build: Build,
    staged: Staged,
    tags: Sequence[str],
    labels: Mapping[str, str],
    secrets: Mapping[str, str],
    image_id_file: str,
) -> list[str]:
    """What follows the program's name. `secrets` are files by the id of a secret; `labels` win over those of the build."""
    words = ["build", "--builder", _CONTEXT, "--progress", "plain", "--load", "--iidfile", image_id_file]
    words += ["--file", staged.dockerfile]
    for option, values in _repeated(build, staged, tags, {**build.labels, **labels}, secrets):
        for value in values:
            words += [option, value]
    single = {
        "--target": build.target,
        "--platform": ",".join(build.platforms),
        "--network": build.network,
        "--shm-size": str(build.shm_size or ""),
    }
    for option, value in single.items():
        words += [option, value] if value else []
    words += ["--no-cache"] * build.no_cache + ["--pull"] * build.pull
    words += [f"--provenance={build.provenance}"] if build.provenance else []
    words += [f"--sbom={build.sbom}"] if build.sbom else []
    return [*words, staged.context]


def _repeated(
    build: Build, staged: Staged, tags: Sequence[str], labels: Mapping[str, str], secrets: Mapping[str, str]
) -> Iterator[tuple[str, list[str]]]:
    allowed = [*build.entitlements, *["security.insecure"] * build.privileged]
    yield "--tag", list(tags)
    yield "--label", _pairs(labels)
    yield "--build-arg", _pairs(build.args)
    yield "--build-context", _pairs(staged.contexts)
    yield "--cache-from", list(build.cache_from)
    yield "--cache-to", list(build.cache_to)
    yield "--add-host", list(build.extra_hosts)
    yield "--ulimit", _pairs(build.ulimits)
    yield "--allow", sorted({*allowed, *["network.host"] * (build.network == "host")})
    yield "--secret", [f"id={name},src={file}" for name, file in sorted(secrets.items())]
    yield "--ssh", list(build.ssh)


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(values.items())]


def variables(endpoint: Endpoint, environment: Mapping[str, str], place: Path) -> dict[str, str]:
    """The environment of the program: that of the person, without what is Docker's.

    `place` is where its configuration is, and nothing of the person's.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith(_OTHERS)}
    kept |= {
        "DOCKER_CONFIG": str(place),
        "DOCKER_CONTEXT": _CONTEXT,
        "BUILDX_CONFIG": str(place / "buildx"),
        # Attestations only where the spec says so: they hold the time, so that no two builds would be the same.
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        "NO_COLOR": "1",
    }
    if endpoint.scheme == "tcp":
        # No proxy is between us and the engine; between the engine and a registry is not for us to say.
        direct = ",".join(filter(None, [environment.get("NO_PROXY", environment.get("no_proxy", "")), endpoint.target]))
        kept |= {"NO_PROXY": direct, "no_proxy": direct}
    return kept


def configure(place: Path, endpoint: Endpoint, logins: Mapping[str, Mapping[str, str]]) -> None:
    """Write the configuration of the program into a directory that is ours alone; `logins` by registry."""
    auths = {registry: _auth(login) for registry, login in logins.items() if login}
    (place / "config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")
    # A context of Docker's client: by itself the program heeds DOCKER_HOST, but not always DOCKER_TLS_VERIFY.
    key = hashlib.sha256(_CONTEXT.encode()).hexdigest()
    meta, tls = place / "contexts" / "meta" / key, place / "contexts" / "tls" / key / "docker"
    meta.mkdir(parents=True)
    is_careless = endpoint.tls is not None and not endpoint.tls.verify
    docker = {"Host": str(endpoint), "SkipTLSVerify": is_careless}
    context = {"Name": _CONTEXT, "Metadata": {}, "Endpoints": {"docker": docker}}
    (meta / "meta.json").write_text(json.dumps(context), encoding="utf-8")
    if endpoint.tls is not None:
        tls.mkdir(parents=True)
        files = {"ca.pem": endpoint.tls.ca, "cert.pem": endpoint.tls.certificate, "key.pem": endpoint.tls.key}
        if endpoint.tls.verify and not endpoint.tls.ca:
            files["ca.pem"] = _everyones_authorities()
        for name, file in files.items():
            if file:
                (tls / name).symlink_to(Path(file).resolve())


def _everyones_authorities() -> str:
    """The file of the authorities that this machine trusts, which a context does not do by itself."""
    import ssl

    return ssl.get_default_verify_paths().cafile or ""


def _auth(login: Mapping[str, str]) -> dict[str, str]:
    import base64

    kept = {name: login[name] for name in ("identitytoken", "registrytoken") if login.get(name)}
    pair = f"{login.get('username', '')}:{login.get('password', '')}"
    return kept or {"auth": base64.b64encode(pair.encode()).decode()}
