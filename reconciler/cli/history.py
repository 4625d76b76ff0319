"""The command that tells what was done: history. It reads the journal of a `run`, whether that runs or not."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from reconciler.cli.documents import print_json
from reconciler.cli.journals import find_journal
from reconciler.cli.render import PAST, Painter, clean, outcome_line, plan_text
from reconciler.errors import UsageError
from reconciler.model.address import parse_address
from reconciler.model.documents import FORMAT_VERSION
from reconciler.model.plan import Change, FieldChange, Plan, Reason, Verb
from reconciler.model.report import Outcome, Status
from reconciler.service.journal import Journal

if TYPE_CHECKING:
    import argparse

_COLOURS = {"done": "32", "failed": "31", "incomplete": "33"}


def history(options: argparse.Namespace) -> int:
    """The last passes that did something or failed, or one of them whole."""
    journal = Journal(find_journal(options.state_dir))
    match options.words:
        case []:
            return _list(journal, options)
        case ["show", number] if number.isdecimal():
            return _show(journal, int(number), options)
        case ["show", *_]:
            raise UsageError("show takes one number\n    hint: `reconciler history` lists them")
    raise UsageError(f"{' '.join(options.words)} is not understood\n    hint: write `reconciler history show ID`")


def _list(journal: Journal, options: argparse.Namespace) -> int:
    if options.limit < 1:
        raise UsageError(f"--limit takes a number above 0, not {options.limit}")
    entries = journal.entries(options.project, options.limit)
    if options.json:
        print_json({"format_version": FORMAT_VERSION, "entries": entries})
        return 0
    if not entries:
        of = f" of project {options.project}" if options.project else ""
        print(f"Nothing{of} is in the journal {journal.file}.", file=sys.stderr)
        return 0
    rows = [("ID", "WHEN", "PROJECT", "BY", "RESULT", "WHAT")]
    rows += [
        (str(item["id"]), local(item["until"]), clean(item["project"]), item["by"], item["result"], clean(what(item)))
        for item in entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    painter = Painter(sys.stdout)
    for number, row in enumerate(rows):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        if number:
            cells[4] = painter.paint(cells[4], _COLOURS.get(row[4], "0"))
        print("  ".join([*cells, row[5]]).rstrip())
    return 0


def what(entry: dict[str, Any]) -> str:
    """What it did, in a few words."""
    if entry["error"]:
        times = f" ({entry['times']} times since {local(entry['at'])})" if entry["times"] > 1 else ""
        return f"{entry['error'].partition(chr(10))[0]}{times}"
    resources = entry["resources"]
    texts = [f"{_done(item)} {item['address']}" for item in resources[:3]]
    return ", ".join(texts) + (f" and {len(resources) - 3} more" if len(resources) > 3 else "")


def _done(item: dict[str, Any]) -> str:
    """`replaced`, or `did not replace (failed)`."""
    if item["status"] == Status.DONE.value:
        return PAST[Verb(item["verb"])]
    return f"did not {item['verb']} ({item['status']})"


def local(moment: str) -> str:
    """A time of the journal as a clock on the wall shows it."""
    import calendar

    seconds = calendar.timegm(time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S"))
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


# --- one pass ------------------------------------------------------------------------------------------------------


def _show(journal: Journal, number: int, options: argparse.Namespace) -> int:
    entry = journal.entry(number)
    if entry is None:
        raise UsageError(
            f"there is no pass {number} in the journal {journal.file}\n    hint: `reconciler history` lists them"
        )
    if options.json:
        print_json({"format_version": FORMAT_VERSION, **entry})
        return 0
    painter = Painter(sys.stdout)
    causes = dict.fromkeys(
        f"{item['cause']} ({item['text']})" if item["text"] else item["cause"] for item in entry["triggers"]
    )
    print(
        f"{painter.paint(f'Pass {number}', '1')} of {clean(entry['project'])}: {painter.paint(entry['result'], _COLOURS.get(entry['result'], '0'))}"
    )
    facts = {
        "began": f"{local(entry['at'])}, took {entry['seconds']:.1f} s",
        "times": f"{entry['times']}, the last at {local(entry['until'])}" if entry["times"] > 1 else "",
        "by": f"reconciler {entry['by']}",
        "because": ", ".join(causes),
        "revision": entry["revision"],
        "log": f"pass_id {entry['pass_id']}",
    }
    for name, text in facts.items():
        if text:
            print(f"  {name:<9} {clean(text)}")
    changes = tuple(change_of(item) for item in entry["changes"])
    if changes:
        plan = Plan(entry["project"], "", "", "", changes, tuple(entry["warnings"]))
        print(f"\n{plan_text(plan, painter)}")
    outcomes = [outcome_of(item) for item in entry["outcomes"]]
    if outcomes:
        print()
    for outcome in outcomes:
        print(outcome_line(outcome, painter))
    if entry["error"]:
        print(f"\n{painter.paint('error:', '31')} {clean(entry['error'])}")
    return 0


def change_of(document: dict[str, Any]) -> Change:
    """A change as it is shown, without what it was made of."""
    fields = tuple(
        FieldChange(
            item["path"],
            None,
            None,
            Reason(item["reason"]),
            item["forces"],
            item["sensitive"],
            item["source"],
            (item["shown"][0], item["shown"][1]),
        )
        for item in document["fields"]
    )
    return Change(
        parse_address(document["address"]),
        Verb(document["verb"]),
        Reason(document["reason"]),
        fields,
        note=document["note"],
        order=document["order"],
    )


def outcome_of(document: dict[str, Any]) -> Outcome:
    return Outcome(
        parse_address(document["address"]),
        Verb(document["verb"]),
        Status(document["status"]),
        document["seconds"],
        document["message"],
        tuple(document["warnings"]),
    )
