"""The generated sections of docs/reliability.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.faults.kinds import MEANINGS, Fault

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


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


def replace_section(name: str, lines: list[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: written by make faults -->\n", f"\n<!-- end of {name} -->"
    assert begin in text, f"{PAGE.name} has no section {name}"
    body = "\n".join(("", *lines, ""))
    PAGE.write_text(re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: begin + body + end, text, flags=re.S))
