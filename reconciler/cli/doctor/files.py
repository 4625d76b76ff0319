"""Files that a configuration names, keys and tokens above all: whether a `run` of this user could read them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.cli.doctor.findings import Finding, fail, failed, ok
from reconciler.errors import UsageError
from reconciler.service.configuration import Configuration
from reconciler.service.http.listening import beside, read_token
from reconciler.source.settings import CREDENTIAL

_OF_GIT = ("token_file", "ssh_key", "known_hosts", "ca_file", "allowed_signers", "revoked_signers", "keyring")


def examine(configuration: Configuration, environment: Mapping[str, str]) -> Iterator[Finding]:
    """One line for each that cannot be read, or else one for all of them; none where there are none.

    Credentials of systemd are there for the service only, and are not looked for by anybody else.
    """
    given = environment.get("CREDENTIALS_DIRECTORY", "")
    named = list(_named(configuration))
    looked_at, is_well = 0, True
    for option, name in named:
        if name.startswith(CREDENTIAL) and not given:
            continue
        looked_at += 1
        place = Path(given, name.removeprefix(CREDENTIAL)) if name.startswith(CREDENTIAL) else Path(name)
        try:
            with place.open("rb"):
                pass
        except OSError as error:
            is_well = False
            advice = f"put it there, or correct {option}, and see to it that the user of the service may read it"
            yield fail("files", f"{option}: {place} cannot be read: {error.strerror}", advice)
            continue
        if option == "http.token_file":
            try:
                read_token(name, environment)
            except UsageError as error:
                is_well = False
                yield failed("files", error)
    if named and is_well:
        left = len(named) - looked_at
        rest = f"; {left} from systemd's credentials, which the service alone is given" if left else ""
        yield ok("files", f"{looked_at} that the configuration names can be read{rest}")


def _named(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """Each option that names a file, with the file."""
    if file := configuration.text("http.token_file"):
        yield "http.token_file", beside(configuration.file, file)
    for project in configuration.projects:
        options = [(name, getattr(project.source.git, name, "")) for name in _OF_GIT]
        options.append(("webhook.secret_file", project.source.secret_file))
        yield from ((f"{name} of project {project.name}", file) for name, file in options if file)
    for target in configuration.targets:
        if target.secret_file:
            yield f"the key or token of {target.name}", target.secret_file
        if target.way != "commit_status" and "://" not in target.address:
            yield f"the address of {target.name}", os.path.normpath(target.address)
