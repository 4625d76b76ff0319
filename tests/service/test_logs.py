"""Log lines: no secret, no control character, one line each; a pass id where there is a pass."""

import io
import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from reconciler.apply.executor import Happening
from reconciler.loop.judge import Held, Why
from reconciler.loop.telling import ActionHappened, Condition, PassEnded, PassStarted, PlanMade, StateChanged
from reconciler.model.address import parse_address
from reconciler.model.plan import Plan, Verb
from reconciler.model.report import Outcome, Report, Status
from reconciler.service.journald import JournalLogger, entry, is_journal
from reconciler.service.logs import Secrets, choose_format, make_logger
from reconciler.service.recounting import Recounter
from reconciler.spec.load import load

WEB = parse_address("container.web")
PLAN = Plan("shop", "id", "name", "1.41")


def lines(form: str = "json", secrets: Secrets | None = None) -> tuple[Any, io.StringIO]:
    stream = io.StringIO()
    return make_logger(form, secrets or Secrets(), stream), stream


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_comes_from_elsewhere_cannot_steer_a_terminal_or_forge_a_line(form: str) -> None:
    log, stream = lines(form)
    log.info("action", text='\x1b[31mred\x1b[0m\r\n{"event": "forged"}', names=["\x9b5m"], about={"\x1b": "\u202e"})
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert all(char.isprintable() or char == "\n" for char in written)


@pytest.mark.parametrize("form", ["json", "text"])
def test_secrets_are_not_written(form: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        '[container.web]\nimage = "x"\nenvironment = { DB_PASSWORD = "canary-one", PLAIN = "plainly" }\n'
        'secrets = ["key"]\n[secret.key]\ncontent = "canary-three"\n'
    )
    secrets = Secrets()
    secrets.learn(load(tmp_path, {}))
    log, stream = lines(form, secrets)
    log.warning(
        "failed",
        text="it said canary-one",
        deep={"a": ["canary-one"]},
        url="https://me:canary-two@host/",
        error=ValueError("canary-one"),
        plain="plainly canary-three",
    )
    assert "canary" not in stream.getvalue()
    assert "plainly" in stream.getvalue()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_format_follows_from_where_it_goes() -> None:
    assert choose_format(None, {}, _Terminal()) == "text"
    assert choose_format(None, {}, io.StringIO()) == "json"
    assert choose_format(None, {"JOURNAL_STREAM": "8:1"}, _Terminal()) == "json"
    assert choose_format("json", {"JOURNAL_STREAM": "8:1"}, _Terminal()) == "json"
    assert choose_format("text", {"INVOCATION_ID": "x"}, io.StringIO()) == "text"


def test_transitions_and_actions_are_logged_and_quiet_passes_are_not() -> None:
    log, stream = lines()
    recount = Recounter(log)
    outcome = Outcome(WEB, Verb.CREATE, Status.FAILED, 0.5, "no", ("careful",))
    held = (Held(WEB, Why.FAILED, "it failed"),)
    for _ in range(2):
        recount(PassStarted("shop", "p1", (), 0.0))
        recount(PlanMade("shop", "p1", "r1", PLAN, held))
        recount(PassEnded("shop", "p1", (), "r1", PLAN, None, held, "", 0.1, 0.0))
    recount(ActionHappened("shop", "p2", Happening(WEB, Verb.CREATE, "start")))
    recount(ActionHappened("shop", "p2", Happening(WEB, Verb.CREATE, "action", "create container web")))
    recount(ActionHappened("shop", "p2", Happening(WEB, Verb.CREATE, "line", "pulling")))
    recount(ActionHappened("shop", "p2", Happening(WEB, Verb.CREATE, "end", outcome=outcome)))
    recount(PassEnded("shop", "p2", (), "r1", PLAN, Report((outcome,), PLAN), (), "", 0.1, 0.0))
    recount(StateChanged("shop", Condition.STARTING, Condition.FAILING, "why", 0.0))
    recount(StateChanged("", Condition.SETTLED, Condition.AWAY, "gone", 0.0))
    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in written] == ["held back", "action", "failed", "pass", "failing", "engine away"]
    assert [line.get("pass_id") for line in written] == ["p1", "p2", "p2", "p2", None, None]
    assert all(line["timestamp"] and line["level"] for line in written)


def test_the_journal_gets_fields(tmp_path: Path) -> None:
    """As systemd-journald would read them; secrets and control characters go there no more than elsewhere."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal, (tmp_path / "stderr").open("w+") as stderr:
        journal.bind(path)
        found = os.fstat(stderr.fileno())
        assert is_journal(stderr, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}, path)
        assert not is_journal(stderr, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"}, path)
        assert not is_journal(stderr, {}, path)
        assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"}, path)
        logger = JournalLogger(stderr, path)
        logger.msg(
            entry(
                {
                    "event": "failed",
                    "project": "shop",
                    "level": "warning",
                    "outcomes": {"done": 1},
                    "text": "a\nPRIORITY=0",
                }
            )
        )
        said = journal.recv(65536)
        fields = dict(
            line.split(b"=", 1) for line in said.split(b"\n") if b"=" in line and not line.startswith(b"PRIORITY=0")
        )
        assert fields[b"RECONCILER_OUTCOMES"] == b'{"done": 1}'
        assert (fields[b"PRIORITY"], fields[b"RECONCILER_PROJECT"]) == (b"4", b"shop")
        assert b"RECONCILER_TEXT\n" + struct.pack("<Q", 12) + b"a\nPRIORITY=0\n" in said
    Path(path).unlink()
    with (tmp_path / "stderr").open("w+") as stderr:
        JournalLogger(stderr, path).msg(entry({"event": "stopped", "text": "x" * 100_000}))
        stderr.seek(0)
        assert stderr.read().startswith("stopped xxx")
