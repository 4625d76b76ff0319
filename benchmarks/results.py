"""Samples → medians and ratios → the table, the verdicts, the JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any, NamedTuple

from benchmarks.contestants import Scenario
from benchmarks.cycle import Sample

BASE, OURS = "compose", "reconciler"
#: requests by shape, for (contestant, scenario, N)
Calls = Mapping[tuple[str, Scenario, int], Counter[str]]


class Row(NamedTuple):
    """One scenario at one N.

    Attributes:
        of_medians: our median by Compose's.
        by_round: the median of the ratios within each round; noise that lasts longer than a round cancels out.
    """

    size: int
    scenario: Scenario
    base: list[Sample]
    ours: list[Sample]
    of_medians: float
    by_round: float


class Target(NamedTuple):
    """What is wanted, and how it came out."""

    what: str
    limit: float
    found: float

    @property
    def is_met(self) -> bool:
        return self.found <= self.limit


def rows(samples: Iterable[Sample]) -> list[Row]:
    """Every scenario that both were measured in."""
    grouped: dict[tuple[int, Scenario], dict[str, list[Sample]]] = {}
    for sample in samples:
        by_name = grouped.setdefault((sample.size, sample.scenario), {BASE: [], OURS: []})
        by_name[sample.contestant].append(sample)
    return [
        _row(count, scenario, by_name[BASE], by_name[OURS])
        for (count, scenario), by_name in sorted(grouped.items(), key=lambda item: (item[0][0], _place(item[0][1])))
        if by_name[BASE] and by_name[OURS]
    ]


def _place(scenario: Scenario) -> int:
    return list(Scenario).index(scenario)


def _row(count: int, scenario: Scenario, base: list[Sample], ours: list[Sample]) -> Row:
    rounds = {sample.round for sample in base} & {sample.round for sample in ours}
    ratios = [_wall(ours, number) / _wall(base, number) for number in rounds]
    return Row(count, scenario, base, ours, _wall(ours) / _wall(base), median(ratios))


def _wall(samples: list[Sample], number: int | None = None) -> float:
    return median(sample.cost.wall for sample in samples if number in (None, sample.round))


def targets(found: Iterable[Row], calls: Calls) -> list[Target]:
    """Those that the measured sizes allow to judge."""
    judged = []
    limits = {(Scenario.NOOP_PLAN, 50): 2.0, (Scenario.NOOP_PLAN, 200): 1.0}
    for row in found:
        limit = 1.1 if row.scenario in (Scenario.CREATE, Scenario.DESTROY) else limits.get((row.scenario, row.size))
        if limit is not None:
            judged.append(Target(f"{row.scenario}, N = {row.size}: time by Compose's", limit, row.by_round))
    for (name, scenario, count), counted in sorted(calls.items(), key=lambda item: item[0][2]):
        if name == OURS and scenario is Scenario.NOOP_PLAN:
            # One list a kind, one inspect for each container, network and volume, version and info.
            most = 4 + (2 * count + 1) + 2
            judged.append(Target(f"{scenario}, N = {count}: engine calls", most, counted.total()))
    return judged


def table(found: Iterable[Row], calls: Calls) -> str:
    """Markdown; times are `median [minimum]` in seconds."""
    heads = ["N", "scenario", f"{BASE}, s", f"{OURS}, s", "ratio", "by round", "CPU, s", "RSS, MiB", "engine calls"]
    cells = [heads]
    for row in found:
        both = row.base, row.ours
        counted = [calls.get((name, row.scenario, row.size)) for name in (BASE, OURS)]
        cells.append(
            [
                str(row.size),
                row.scenario,
                *(_times(samples) for samples in both),
                f"{row.of_medians:.2f}",
                f"{row.by_round:.2f}",
                " / ".join(f"{median(sample.cost.cpu for sample in samples):.2f}" for samples in both),
                " / ".join(f"{max(sample.cost.rss for sample in samples):.0f}" for samples in both),
                " / ".join("" if one is None else str(one.total()) for one in counted).strip(" /"),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _times(samples: list[Sample]) -> str:
    return f"{_wall(samples):.3f} [{min(sample.cost.wall for sample in samples):.3f}]"


def verdicts(judged: Iterable[Target]) -> str:
    """One line a target."""
    return "\n".join(
        f"{'pass' if target.is_met else 'FAIL'}  {target.what}: {target.found:.4g}, at most {target.limit:g}"
        for target in judged
    )


def document(samples: Iterable[Sample], calls: Calls, setup: Mapping[str, Any]) -> dict[str, Any]:
    """All of it, for other programs."""
    samples = list(samples)
    found = rows(samples)
    return {
        "setup": dict(setup),
        "rows": [
            {
                "n": row.size,
                "scenario": row.scenario,
                "ratio_of_medians": row.of_medians,
                "ratio_by_round": row.by_round,
            }
            for row in found
        ],
        "targets": [{**target._asdict(), "is_met": target.is_met} for target in targets(found, calls)],
        "samples": [{**sample._asdict(), "cost": sample.cost._asdict()} for sample in samples],
        "calls": [
            {
                "contestant": name,
                "scenario": scenario,
                "n": count,
                "total": counted.total(),
                "by_request": dict(counted),
            }
            for (name, scenario, count), counted in calls.items()
        ],
    }
