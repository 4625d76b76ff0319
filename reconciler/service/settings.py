"""The table of settings: it makes the model of config.toml, the variables, the defaults and the reference in the documentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from reconciler.loop.judge import Policy
from reconciler.loop.schedule import Timing
from reconciler.service.http.listening import read_place
from reconciler.service.journal import Bounds
from reconciler.service.notifications.targets import NOTIFY
from reconciler.source.document import SOURCE
from reconciler.spec.keys import Keys
from reconciler.spec.toml_types import Table, list_of, option, table

PREFIX = "RECONCILER_"


class Setting(NamedTuple):
    """One option: where it stands, what type TOML has for it, what it is without being set.

    `check` raises ValueError for a text that will not do: what is wrong and, behind a semicolon, what to write.
    """

    table: str
    name: str
    type: type
    default: Any
    summary: str
    example: Any
    is_duration: bool = False
    choices: tuple[str, ...] = ()
    least: float = 0.0
    check: Callable[[str], object] | None = None

    @property
    def keys(self) -> Keys:
        return (self.table, self.name) if self.table else (self.name,)

    @property
    def variable(self) -> str:
        return PREFIX + "_".join(str(key) for key in self.keys).upper()


_T = Timing()
_P = Policy()
_B = Bounds()
SETTINGS = (
    Setting("", "host", str, "", "The engine, as with `--host`; else DOCKER_HOST, then the Docker context.", "unix:///run/docker.sock"),
    Setting("", "state_directory", str, "", "Where suspensions and failures are remembered.", "/var/lib/reconciler"),
    Setting("", "root", str, "", "Every directory under this one that holds *.toml files is a project.", "/srv/specs"),
    Setting("", "apply", bool, default=_P.apply, summary="Whether new revisions are applied, or only shown.", example=False),
    Setting("", "heal", bool, default=_P.heal, summary="Whether drift is put back to what was applied last, or only reported.", example=False),
    Setting("", "allow_removals", bool, default=_P.allow_removals, summary="Remove what has left the spec even when that is most of a project.", example=True),
    Setting("", "parallel", int, 8, "How many passes, of different projects, run at once.", 4, least=1),
    Setting("", "stop_timeout", str, 60.0, "How long a pass that is under way may take to end when the service stops.", "90s", is_duration=True),
    Setting("log", "format", str, "", "Log lines as text, as JSON or as fields of systemd's journal; else text on a terminal, fields where stderr is the journal, JSON elsewhere.", "json", choices=("text", "json", "journal")),
    Setting("timing", "files", str, _T.files, "How long files must be quiet before a pass begins.", "1s", is_duration=True),
    Setting("timing", "events", str, _T.events, "How long the engine's events must be quiet before a pass begins.", "100ms", is_duration=True),
    Setting("timing", "max_delay", str, _T.max_delay, "How long a pass is put off at most, however busy it is.", "5s", is_duration=True),
    Setting("timing", "resync", str, _T.resync, "How often everything is looked at though nothing said so.", "10m", is_duration=True, least=5.0),
    Setting("timing", "retry", str, _T.retry, "The wait after a first failure; it doubles with each further one.", "5s", is_duration=True, least=0.1),
    Setting("timing", "retry_most", str, _T.retry_most, "The longest wait between two tries.", "10m", is_duration=True, least=1.0),
    Setting("flapping", "limit", int, _P.flap_limit, "After so many corrections of one resource within the window it is left alone.", 10, least=1),
    Setting("flapping", "window", str, _P.flap_window, "The time in which corrections are counted.", "10m", is_duration=True, least=1.0),
    Setting("http", "listen", str, "", "Where HTTP and the page are served: `unix:PATH`, an address of loopback with a port, or `off`. Else at `reconciler.sock` in the runtime directory of systemd, where there is one.", "127.0.0.1:8500", check=read_place),
    Setting("http", "names", str, "", "Names, beside localhost, by which a proxy asks for it; separated by spaces.", "status.example.com"),
    Setting("http", "token_file", str, "", "The file with the token for calls that change something, or `credential:NAME`. Without it there are none.", "credential:http-token"),
    Setting("watch", "force_polling", bool, default=False, summary="Look at the files now and then, where their file system does not tell of changes.", example=True),
    Setting("journal", "enabled", bool, default=True, summary="Whether passes that did something, or failed, are written to the journal.", example=False),
    Setting("journal", "keep", int, _B.keep, "How many of them are kept.", 1000, least=1),
    Setting("journal", "keep_days", int, int(_B.days), "For how many days they are kept.", 30, least=1),
)  # fmt: skip
PROJECT = table(
    "Project",
    path=option(str, "A directory of *.toml files, or one file; relative to this file.", "/srv/shop"),
    source=option(SOURCE, "A git repository in place of a path.", {"git": "https://example.com/team/hosts.git"}),
    name=option(str, "What it is called here and in the logs; that of the directory when not given.", "shop"),
    apply=option(bool, "As above, for this project.", example=False),
    heal=option(bool, "As above, for this project.", example=False),
    allow_removals=option(bool, "As above, for this project.", example=True),
)
TABLES = sorted({setting.table for setting in SETTINGS if setting.table})


def model_of_settings() -> type[Table]:
    def fields(name: str) -> dict[str, Any]:
        return {item.name: option(item.type, item.summary, item.example) for item in SETTINGS if item.table == name}

    tables = {name: option(table(name.title(), **fields(name)), f"Settings of {name}.", {}) for name in TABLES}
    projects = option(list_of(PROJECT), "The projects to keep.", [{"path": "/srv/shop"}])
    notify = option(list_of(NOTIFY), "Who is told of transitions.", [{"url": "credential:chat"}])
    return table("Configuration", **fields(""), **tables, project=projects, notify=notify)
