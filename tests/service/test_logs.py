"""Log lines: no secret, no control character, one line each; a pass id where there is a pass."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.apply.executor import Happening
from reconciler.loop.judge import Held, Why
from reconciler.loop.telling import ActionHappened, Condition, PassEnded, PassStarted, PlanMade, StateChanged
from reconciler.model.address import parse_address
from reconciler.model.plan import Plan, Verb
from reconciler.model.report import Outcome, Report, Status
from reconciler.service.logs import choose_format, make_logger
from reconciler.service.recounting import Recounter
from reconciler.service.redaction import Secrets
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
