"""Plan and report as text. The same text on a terminal and in a file; only the colours differ."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import NamedTuple, TextIO

from reconciler.model.plan import Change, Plan, Reason, Verb
from reconciler.model.report import Outcome, Report, Status

_SIGNS = {
    Verb.CREATE: ("+", "32"),
    Verb.UPDATE: ("~", "33"),
    Verb.REPLACE: ("-/+", "35"),
    Verb.ADOPT: ("-/+", "35"),
    Verb.REMOVE: ("-", "31"),
    Verb.BLOCKED: ("!", "31"),
}
_WORDS = {
    Reason.ABSENT: "it is not there",
    Reason.SPEC_CHANGED: "the spec changed",
    Reason.DRIFTED: "it drifted from the spec",
    Reason.ORPHAN: "it has left the spec",
    Reason.IMAGE_CHANGED: "its image changed",
    Reason.CONTENT_CHANGED: "what it is made from changed",
    Reason.DEPENDENCY: "what it depends on is made anew",
    Reason.REQUESTED: "it was asked for",
    Reason.INTERRUPTED: "an earlier run was cut off",
    Reason.NAME_TAKEN: "the name is taken",
    Reason.OWNED_BY_OTHER: "it is not this project's",
    Reason.WOULD_LOSE_DATA: "it would lose data",
}


class Wording(NamedTuple):
    """How a plan and its report are spoken of.

    Attributes:
        kept: volumes that a destroy leaves.
    """

    nothing: str
    settled: str
    destroys: bool = False
    kept: tuple[str, ...] = ()


NO_CHANGES = "No changes. The engine matches the spec."
PLANNING = Wording(NO_CHANGES, "Settled. The engine matches the spec.")
DESTROYING = Wording("Nothing to remove.", "Nothing of the project is left.", destroys=True)


def use_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Painter:
    """Colours, or none."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._on = use_colour(stream)

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._on else text


def clean(text: str) -> str:
    """Without control characters: names and labels come from anywhere and must not steer a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


def readable(text: str) -> str:
    """The output of a program as it stands on a terminal at last: without colours, each line as last overwritten."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return clean("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in plain.split("\n")))


def plan_text(plan: Plan, painter: Painter, wording: Wording = PLANNING) -> str:
    """A block for each change, then the count. Changes of one line stand together."""
    blocks: list[str] = []
    for change in plan.changes:
        text = _change_text(change, painter, wording)
        if blocks and "\n" not in text and _is_list(blocks[-1]):
            blocks[-1] += f"\n{text}"
        else:
            blocks.append(text)
    blocks += [painter.paint(f"warning: {warning}", "33") for warning in plan.warnings]
    if wording.kept:
        blocks.append(f"Kept, with what is in it: {_volumes(wording.kept)}. With --volumes it goes too.")
    blocks.append(summary_line(plan, wording) if plan.changes else wording.nothing)
    return clean_keeping_colours("\n\n".join(blocks), painter)


def _is_list(block: str) -> bool:
    return "\n      " not in block


def _volumes(names: tuple[str, ...]) -> str:
    return f"volume{'' if len(names) == 1 else 's'} {', '.join(clean(name) for name in names)}"


def clean_keeping_colours(text: str, painter: Painter) -> str:
    del painter
    return "".join(char if char.isprintable() or char in "\n\t\x1b" else f"\\x{ord(char):02x}" for char in text)


def summary_line(plan: Plan, wording: Wording = PLANNING) -> str:
    count = plan.summary()
    if wording.destroys:
        blocked = f", {count['blocked']} blocked" if count["blocked"] else ""
        return f"Destroy: {count['remove']} to remove{blocked}."
    parts = [f"{count['create']} to add", f"{count['update']} to change", f"{count['replace']} to replace"]
    parts += [f"{count['adopt']} to adopt"] if count["adopt"] else []
    parts += [f"{count['remove']} to remove"]
    parts += [f"{count['blocked']} blocked"] if count["blocked"] else []
    return f"Plan: {', '.join(parts)}."


def _change_text(change: Change, painter: Painter, wording: Wording) -> str:
    sign, colour = _SIGNS[change.verb]
    sign = "+/-" if change.order == "start-first" else sign
    title = f"{painter.paint(sign, colour)} {painter.paint(clean(str(change.address)), '1')}"
    # Whoever destroys a project knows why it goes.
    says_why = not (wording.destroys and change.reason is Reason.ORPHAN)
    lines = [f"{title}  ({change.verb.value}: {_WORDS[change.reason]})" if says_why else title]
    mixed = len({field.reason for field in change.fields}) > 1
    width = max((len(clean(field.path)) for field in change.fields), default=0)
    for field in change.fields:
        before, after = (clean(text) for text in field.shown)
        notes = [_forces(field.forces)] if _forces(field.forces) else []
        notes += [_WORDS[field.reason]] if mixed else []
        notes += [field.source] if field.source else []
        comment = painter.paint(f"  # {', '.join(notes)}", "2") if notes else ""
        lines.append(f"      {clean(field.path):<{width}}  {before} → {after}{comment}")
    if change.note:
        lines.append(painter.paint(f"      # {clean(change.note)}", "2"))
    return "\n".join(lines)


def _forces(forces: str) -> str:
    word, _, signal = forces.partition(":")
    if word == "signal":
        return f"sends {signal}"
    return {"replace": "forces replacement", "data": "forces replacement", "restart": "restarts it"}.get(word, "")


def outcome_line(outcome: Outcome, painter: Painter) -> str:
    colour = "32" if outcome.status is Status.DONE else "33" if outcome.status is Status.BLOCKED else "31"
    text = f"{clean(str(outcome.address))}: {PAST[outcome.verb] if outcome.status is Status.DONE else outcome.status.value}"
    took = f" in {outcome.seconds:.1f}s" if outcome.seconds >= 0.05 else ""
    lines = [f"{painter.paint(text, colour)}{took}"]
    if outcome.message:
        lines.append("    " + readable(outcome.message).replace("\n", "\n    "))
    lines += [painter.paint(f"    engine warning: {clean(warning)}", "33") for warning in outcome.warnings]
    return "\n".join(lines)


PAST = {
    Verb.CREATE: "created",
    Verb.UPDATE: "updated",
    Verb.REPLACE: "replaced",
    Verb.REMOVE: "removed",
    Verb.ADOPT: "adopted",
    Verb.BLOCKED: "blocked",
}


def report_text(report: Report, painter: Painter, wording: Wording = PLANNING, *, sure: bool = True) -> str:
    """The last lines of an apply: what was done, what was not, and what did not stick."""
    counts: dict[str, int] = {}
    for outcome in report.outcomes:
        counts[outcome.status.value] = counts.get(outcome.status.value, 0) + 1
    lines = []
    if report.outcomes:
        lines.append(f"{', '.join(f'{count} {status}' for status, count in counts.items())}.")
    lines += did_not_stick(report, painter)
    if report.is_settled and sure:
        left = f"{_volumes(wording.kept)}, kept" if wording.kept else ""
        text = wording.settled if not left else f"Nothing of the project is left but {left}."
        lines.append(painter.paint(text, "32"))
    return "\n".join(lines)


def did_not_stick(report: Report, painter: Painter) -> list[str]:
    """Changes that were carried out and are planned again all the same."""
    done = {outcome.address for outcome in report.outcomes if outcome.status is Status.DONE}
    again = [change for change in report.remaining.changes if change.address in done] if report.remaining else []
    others = (
        [c for c in report.remaining.changes if c.address not in {o.address for o in report.outcomes}]
        if report.remaining
        else []
    )
    lines: list[str] = []
    for change in again:
        lines.append(painter.paint(f"did not stick: {change.address}", "31"))
        lines += _remains(change)
    for change in others:
        lines.append(painter.paint(f"not settled: {change.address} has changed meanwhile", "31"))
        lines += _remains(change)
    return lines


def _remains(change: Change) -> Iterable[str]:
    if not change.fields:
        yield f"    {change.verb.value}: {_WORDS[change.reason]}"
    for field in change.fields:
        yield f"    {clean(field.path)} is {clean(field.shown[0])}, not {clean(field.shown[1])}"
