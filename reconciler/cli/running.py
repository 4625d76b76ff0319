"""The command that does not end: run. Here everything of the loop and the service is put together."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.parser import DEFAULT_PATH
from reconciler.cli.render import use_colour
from reconciler.cli.session import kept_hashes, locator, open_engine
from reconciler.loop.instance import Instance, Outside, ProjectSettings, Settings
from reconciler.loop.keeping import StateDirectory, default_directory
from reconciler.loop.sources import Plain
from reconciler.service.configuration import Configuration, configure, default_file
from reconciler.service.journal import FILE, Bounds, Writer
from reconciler.service.logs import choose_format, make_logger
from reconciler.service.notify import Notifier
from reconciler.service.recording import Recorder
from reconciler.service.recounting import Recounter
from reconciler.service.redaction import Secrets
from reconciler.service.running import Service

if TYPE_CHECKING:
    import argparse

    from reconciler.engine.interface import Engine


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
    instance = Instance(outside, settings_of(configuration))
    kept = [configuration]
    instance.observers.append(Recounter(log))
    recorder = _recorder(state, lambda: kept[0], secrets, complain)
    if recorder is not None:
        instance.observers.append(recorder)

    def reload() -> Settings:
        kept[0] = configuration_of(options)
        return settings_of(kept[0])

    names = [project.name for project in configuration.projects]
    log.info("starting", projects=names, state=str(state.path or "nowhere: nothing outlives this process"))
    service = Service(
        instance,
        Notifier(os.environ, os.getpid()),
        log,
        reload,
        lambda: kept[0].number("stop_timeout"),
        once=options.once,
    )
    try:
        return service.run()
    finally:
        if recorder is not None:
            recorder.close()


def _recorder(
    state: StateDirectory, configuration: Callable[[], Configuration], secrets: Secrets, complain: Callable[[str], None]
) -> Recorder | None:
    """What writes the journal; None without a place for one, or when it is not wanted."""
    if state.path is None or not configuration().values["journal.enabled"]:
        return None

    def bounds() -> Bounds:
        current = configuration()
        return Bounds(int(current.number("journal.keep")), current.number("journal.keep_days"))

    recorder = Recorder(Writer(state.path / FILE, bounds, complain), secrets, complain)
    recorder.start()
    return recorder


def configuration_of(options: argparse.Namespace) -> Configuration:
    """What the command line, the file and the environment say together."""
    file: str | None = options.config
    path: str | None = options.path
    if file is None and path is None:
        file = default_file()
        path = None if file is not None else DEFAULT_PATH
    return configure(file, path, os.environ)


def settings_of(configuration: Configuration) -> Settings:
    projects = tuple(ProjectSettings(item.name, Plain(item.path), item.policy) for item in configuration.projects)
    return Settings(projects, configuration.timing)


def _state_directory(options: argparse.Namespace, configuration: Configuration) -> Path | None:
    said = options.state_dir or configuration.text("state_directory")
    return Path(said).absolute() if said else default_directory(os.environ)
