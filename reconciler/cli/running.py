"""The command that does not end: run. Here everything of the loop and the service is put together."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.parser import DEFAULT_PATH
from reconciler.cli.render import use_colour
from reconciler.cli.session import kept_hashes, locator, open_engine
from reconciler.cli.tellers import Tellers
from reconciler.errors import UsageError
from reconciler.loop.instance import Instance, Outside, ProjectSettings, Settings
from reconciler.loop.keeping import StateDirectory, default_directory
from reconciler.loop.sources import Git, Plain, Source
from reconciler.service.configuration import Configuration, ProjectEntry, configure, default_file, newcomers
from reconciler.service.hooks import Hooks
from reconciler.service.http.listening import beside, place_for, read_token
from reconciler.service.logs import choose_format, make_logger
from reconciler.service.notify import Notifier
from reconciler.service.redaction import Secrets
from reconciler.service.running import Around, Service

if TYPE_CHECKING:
    import argparse

    from reconciler.engine.interface import Engine

#: settings, and tables of them, that are read once
AT_START = ("host", "state_directory", "parallel", "log.", "journal.enabled", "watch.", "http.")


def run(options: argparse.Namespace) -> int:
    """Keep projects as declared until a signal ends it."""
    gc.enable()  # what serves one command does not serve for months
    configuration = configuration_of(options)
    secrets = Secrets()
    form = choose_format(options.log_format or configuration.text("log.format"), os.environ, sys.stderr)
    log = make_logger(form, secrets, colours=use_colour(sys.stderr))
    options.host = options.host or configuration.text("host") or None

    def connect() -> Engine:
        return open_engine(options)

    def complain(text: str) -> None:
        log.warning("service", text=text)

    state = StateDirectory(_state_directory(options, configuration), complain)
    state.open()
    outside = Outside(
        connect=connect,
        state=state,
        complain=complain,
        environment=os.environ,
        cache=kept_hashes(),
        locate=locator,
        loaded=secrets.learn,
        parallel=int(configuration.number("parallel")),
        polls=bool(configuration.values["watch.force_polling"]),
    )
    instance = Instance(outside, settings_of(configuration, state.path))
    tellers = Tellers(configuration, instance, log, secrets, state.path)
    hooks = Hooks(configuration, instance.hasten, log, os.environ, secrets.add)
    kept = [configuration]

    def reload() -> Settings:
        read = configuration_of(options)
        settings = settings_of(read, state.path)
        if later := [
            name
            for name in read.values
            if name.startswith(AT_START) and read.values[name] != configuration.values[name]
        ]:
            log.warning("not yet in force", settings=later, text=f"{', '.join(later)}: with the next start")
        kept[0] = read
        hooks.reload(read)
        tellers.reload(read)
        return settings

    names = [project.name for project in configuration.projects]
    log.info("starting", projects=names, state=str(state.path or "nowhere: nothing outlives this process"))
    with ExitStack() as closing:
        closing.callback(tellers.close)
        around = Around(
            reload,
            lambda: kept[0].number("stop_timeout"),
            closing.close,
            lambda: newcomers(kept[0], os.environ),
        )
        service = Service(instance, Notifier(os.environ, os.getpid()), log, around, once=options.once)
        if not options.once:
            closing.enter_context(serving(configuration, instance, service, hooks, tellers))
        return service.run()


@contextmanager
def serving(
    configuration: Configuration,
    instance: Instance,
    service: Service,
    hooks: Hooks,
    tellers: Tellers,
) -> Iterator[None]:
    """Serve HTTP for as long as the block runs, if that is wanted."""
    try:
        place = place_for(configuration.text("http.listen"), os.environ)
    except ValueError as error:
        raise UsageError(f"http.listen: {error}") from None
    if place is None:
        yield
        return
    from reconciler.service.http.interface import Served
    from reconciler.service.http.server import Server

    file = beside(configuration.file, configuration.text("http.token_file"))
    token = partial(read_token, file, os.environ)
    if file:
        token()  # what is wrong with it is said at once
    served = Served(
        instance,
        tellers.secrets,
        tellers.log,
        service.is_alive,
        lambda: service.is_ready,
        token,
        metrics=tellers.metrics.render,
        journal=tellers.journal,
        hooks=hooks,
    )
    server = Server(
        served, place, configuration.text("http.names"), lambda text: tellers.log.warning("service", text=text)
    )
    instance.observers.append(server.observe)
    server.start()
    tellers.log.info("serving", at=str(server.place), token=bool(file))
    try:
        yield
    finally:
        server.stop()


def configuration_of(options: argparse.Namespace) -> Configuration:
    """What the command line, the file and the environment say together."""
    file: str | None = options.config
    path: str | None = options.path
    if file is None and path is None:
        file = default_file()
        path = DEFAULT_PATH if file is None and "RECONCILER_ROOT" not in os.environ else None
    return configure(file, path, os.environ)


def settings_of(configuration: Configuration, state: Path | None) -> Settings:
    """What an instance goes by.

    Raises:
        UsageError: there is a repository to fetch, and nowhere to put it.
    """
    projects = tuple(
        ProjectSettings(item.name, _source_of(item, state), item.policy) for item in configuration.projects
    )
    return Settings(projects, configuration.timing)


def _source_of(entry: ProjectEntry, state: Path | None) -> Source:
    if entry.source.git is None:
        assert entry.path is not None
        return Plain(entry.path)
    if state is None:
        raise UsageError(
            f"project {entry.name} comes from a repository, and there is no state directory to fetch it into\n"
            "    hint: give one by --state-dir or state_directory"
        )
    return Git(entry.source.git, state / "sources" / entry.name, os.environ)


def _state_directory(options: argparse.Namespace, configuration: Configuration) -> Path | None:
    said = options.state_dir or configuration.text("state_directory")
    return Path(said).absolute() if said else default_directory(os.environ)
