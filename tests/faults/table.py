"""The generated sections of docs/reliability.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.faults.kinds import MEANINGS, Fault

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
#: a line for each thing that `environment` saw
ENVIRONMENT = ROOT / "build" / "faults" / "environment.jsonl"


def write_points(points: list[dict[str, Any]], scenarios: list[str]) -> None:
    """Crash points: how many were tried, how many settled, for each scenario and fault."""
    points = [point for point in points if point["call"]]
    settled = sum(1 for point in points if not point["problems"])
    lines = [
        f"{settled} of {len(points)} points settled with every promise kept. A number is how many calls of that scenario were hit;",
        "where not all of them settled, it says how many did.",
        "",
        f"| scenario | {' | '.join(Fault)} |",
        f"|---|{'---|' * len(Fault)}",
    ]
    for scenario in scenarios:
        cells = []
        for fault in Fault:
            here = [point for point in points if (point["scenario"], point["fault"]) == (scenario, fault)]
            good = sum(1 for point in here if not point["problems"])
            cells.append(str(len(here)) if good == len(here) else f"**{good} of {len(here)}**")
        lines.append(f"| {scenario} | {' | '.join(cells)} |")
    passes = [point["passes"] for point in points]
    later = sum(1 for number in passes if number > 2)
    lines.append("")
    lines.append(
        f"The command that was hit settled {passes.count(0)} of them itself, the next `apply` {passes.count(1)}, "
        f"the one after that {passes.count(2)}, a later one {later}."
    )
    lines.append("")
    lines += [f"- `{fault}`: {meaning}" for fault, meaning in MEANINGS.items()]
    replace_section("points", lines)


def note(what: str, scenario: str, said: str, problems: list[str]) -> None:
    """Something of the environment failed during a scenario: what the command said, and what was broken."""
    ENVIRONMENT.parent.mkdir(parents=True, exist_ok=True)
    with ENVIRONMENT.open("a", encoding="utf-8") as file:
        row = {"what": what, "scenario": scenario, "said": _plain(said), "problems": problems}
        file.write(json.dumps(row) + "\n")


def write_environment() -> None:
    """What was seen when the environment failed: of each failure the last run of each scenario."""
    rows = {}
    for line in ENVIRONMENT.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        rows.setdefault(row["what"], {})[row["scenario"]] = row
    lines = ["| what happens | in | what was said, most often | settled, promises kept |", "|---|---|---|---|"]
    for what, seen in rows.items():
        said = [row["said"] for row in seen.values()]
        kept = sum(1 for row in seen.values() if not row["problems"])
        where = (
            next(iter(seen)) if len(seen) == 1 else f"{len(seen)} scenarios" if len(seen) > 2 else " and ".join(seen)
        )
        lines.append(f"| {what} | {where} | {max(said, key=said.count)} | {kept} of {len(seen)} |")
    replace_section("environment", lines)


def _plain(text: str) -> str:
    """Without what is another one each time."""
    text = re.sub(r"faults-[0-9a-f]{6}", "shop", text.replace("|", "/"))
    text = re.sub(r"/var/tmp/[^ :]*", "…", text)
    text = re.sub(r"unix://[^ :]*", "unix://…", re.sub(r"\b[0-9a-f]{12,64}\b", "ID", text))
    return text if len(text) < 240 else f"{text[:240]}…"


def replace_section(name: str, lines: list[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: written by make faults -->\n", f"<!-- end of {name} -->"
    assert begin in text, f"{PAGE.name} has no section {name}"
    body = "\n".join(("", *lines, ""))
    PAGE.write_text(re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: begin + body + end, text, flags=re.S))
