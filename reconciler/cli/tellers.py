"""Who a `run` tells what it does: the log, the journal, the metrics, people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reconciler.loop.instance import Instance
from reconciler.service.configuration import Configuration
from reconciler.service.journal import FILE, Bounds, Journal, Writer
from reconciler.service.metrics import Metrics
from reconciler.service.notifications.outbox import Outbox
from reconciler.service.recording import Recorder
from reconciler.service.recounting import Recounter
from reconciler.service.redaction import Secrets


class Tellers:
    """The observers of an instance, as the configuration wants them; they follow when it is loaded anew.

    Attributes:
        journal: what can be asked for history; None when none is written.
        metrics: what can be scraped.
    """

    def __init__(
        self, configuration: Configuration, instance: Instance, log: Any, secrets: Secrets, state: Path | None
    ) -> None:
        self._configuration, self.log, self.secrets = configuration, log, secrets
        self.metrics = Metrics(instance.snapshot)
        self.journal: Journal | None = None
        self._recorder: Recorder | None = None
        repositories = _repositories(configuration)
        self._outbox = Outbox(configuration.targets, repositories, os.environ, secrets, self._complain)
        instance.observers += [Recounter(log), self.metrics, self._outbox]
        if state is not None and configuration.values["journal.enabled"]:
            self.journal = Journal(state / FILE)
            self._recorder = Recorder(Writer(state / FILE, self._bounds, self._complain), secrets, self._complain)
            self._recorder.start()
            instance.observers.append(self._recorder)

    def reload(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._outbox.reload(configuration.targets, _repositories(configuration))

    def close(self) -> None:
        """What waits is told, for some seconds at most; the journal first, which waits for nobody."""
        if self._recorder is not None:
            self._recorder.close()
        self._outbox.close()

    def _bounds(self) -> Bounds:
        values = self._configuration
        return Bounds(int(values.number("journal.keep")), values.number("journal.keep_days"))

    def _complain(self, text: str) -> None:
        self.log.warning("service", text=text)


def _repositories(configuration: Configuration) -> dict[str, str]:
    return {item.name: item.source.git.url for item in configuration.projects if item.source.git is not None}
