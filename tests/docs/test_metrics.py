"""docs/metrics.md has every metric; rules and dashboard ask for no other, and for no label that it has not."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.loop.judge import Why
from reconciler.loop.telling import Condition
from reconciler.service.metrics import METRICS
from tests.support.golden import golden

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "metrics.md"
_BEGIN, _END = "<!-- table: written by tests/docs/test_metrics.py -->\n", "<!-- end of table -->"
_USE = re.compile(r"\b(reconciler_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)=~?"([^"]*)"')
#: what labels may be
WORDS = {"condition": set(Condition), "why": set(Why), "final": {"true", "false"}}


def test_table() -> None:
    lines = ["| metric | type | labels | |", "|---|---|---|---|"]
    for name, item in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in item.labels)
        lines.append(f"| `{name}` | {item.kind} | {labels} | {item.summary} |")
    text = PAGE.read_text()
    before, _, rest = text.partition(_BEGIN)
    golden(PAGE, before + _BEGIN + "\n" + "\n".join(lines) + "\n\n" + _END + rest.partition(_END)[2])


def rules() -> list[dict[str, Any]]:
    [group] = YAML(typ="safe", pure=True).load((DOCS / "monitoring" / "alerts.yaml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> list[str]:
    dashboard = json.loads((DOCS / "monitoring" / "dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [*asked, *(rule["expr"] for rule in rules())]


@pytest.mark.parametrize("expression", expressions())
def test_what_is_asked_for_is_there(expression: str) -> None:
    assert expression.count("(") == expression.count(")")
    for name, matchers in _USE.findall(expression):
        item = METRICS[re.sub("_(bucket|count|sum)$", "", name)]
        for label, value in _MATCHER.findall(matchers):
            assert label in item.labels, (name, label)
            assert set(value.split("|")) <= WORDS.get(label, {value}), (label, value)


def test_the_page_explains_each_rule_and_no_other() -> None:
    assert re.findall(r"^\| `(Reconciler\w+)`", PAGE.read_text(), re.MULTILINE) == [rule["alert"] for rule in rules()]
