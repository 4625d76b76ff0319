"""What the trials came to, as a table for docs/compose.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.differential.meant import MEANT, reason_of

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


class Verdict(NamedTuple):
    """What one project came to.

    `failed` names the step that failed, "" for none; `meant` counts explained differences by their key;
    `unexplained` are the others, one line each.
    """

    name: str
    mode: str
    failed: str
    meant: Mapping[str, int]
    unexplained: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return not self.failed and not self.unexplained

    @property
    def summary(self) -> str:
        if self.failed:
            return f"failed: {self.failed}"
        if self.unexplained:
            return f"{len(self.unexplained)} unexplained"
        return "equal" if not self.meant else ", ".join(f"{key} ({count})" for key, count in sorted(self.meant.items()))


def judge(result: Mapping[str, Any]) -> Verdict:
    meant: Counter[str] = Counter()
    unexplained = []
    for path, text in result["differences"]:
        reason = reason_of(path, text)
        if reason is None:
            unexplained.append(f"{path}: {text}"[:300])
        else:
            meant[reason.key] += 1
    return Verdict(result["name"], result["mode"], result["failed"], meant, tuple(unexplained))


def write_table(path: Path, verdicts: Sequence[Verdict], *, write: bool) -> str:
    """The totals; the whole table goes between the marks of the document when it is to be written."""
    if write:
        head, _, rest = path.read_text().partition(BEGIN)
        _, _, tail = rest.partition(END)
        path.write_text(f"{head}{BEGIN}\n\n{_table(verdicts)}\n{END}{tail}")
    return _totals(verdicts)


def _totals(verdicts: Sequence[Verdict]) -> str:
    good = [verdict for verdict in verdicts if verdict.is_good]
    equal = sum(1 for verdict in good if not verdict.meant)
    failed = sum(1 for verdict in verdicts if verdict.failed)
    different = sum(1 for verdict in verdicts if verdict.unexplained and not verdict.failed)
    return (
        f"{len(verdicts)} projects: {equal} equal in every field, {len(good) - equal} with meant differences only, "
        f"{different} with unexplained differences, {failed} failed."
    )


def _table(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(key for verdict in verdicts for key in verdict.meant)
    lines = [_totals(verdicts), "", "| difference | projects | reason |", "| --- | ---: | --- |"]
    lines += [f"| {item.key} | {counts[item.key]} | {item.reason} |" for item in MEANT if counts[item.key]]
    lines += ["", "| project | on this engine | result |", "| --- | --- | --- |"]
    modes = {"up": "runs", "create": "is made, cannot start", "config": "is refused, as by Compose"}
    lines += [f"| {item.name} | {modes.get(item.mode, '')} | {item.summary} |" for item in verdicts]
    return "\n".join(lines) + "\n"
