"""docs/engines.md from the results of the matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.address import Kind
from reconciler.model.rows import TABLE
from tests.matrix.differences import DIFFERENCES, NOTES

_HEAD = """\
# Engines

Which engines the tests have run on, and what is different there. Written by `make matrix` (`tests/matrix/`), which starts
each engine privately (`scripts/engine`, from Debian's packages), runs the contract, registry, option and scenario tests on
it, and removes it. The version of the API is agreed upon once: the lower of the engine's and the highest of this table;
below 1.41 an engine is refused.
"""
_GROUPS = {
    "engine/test_contract": "contract",
    "engine/test_registry": "registry",
    "options": "options",
    "scenarios": "scenarios",
}
_MARKS = {"passed": "yes", "expected": "differs", "failed": "**no**"}


def page(results: Mapping[str, Mapping[str, Any]], odd_flags: str) -> str:
    return "\n".join(
        [_HEAD, *_summary(results), *_notes(results, odd_flags), *_differences(results), *_options(results)]
    )


def _summary(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    groups = list(_GROUPS.values())
    yield f"| | engine | API | {' | '.join(groups)} | start, tests |"
    yield "|---|---|---|" + "---|" * (len(groups) + 1)
    for kind, result in results.items():
        cells = [_count(result["tests"], path) for path in _GROUPS]
        times = f"{result['preparing']} s, {result['testing']} s"
        yield f"| `{kind}` | {result['engine']} {result['version']} | {result['api']} | {' | '.join(cells)} | {times} |"
    yield "\nEach cell: tests that passed, of all. The rest differs as declared below, or failed.\n"


def _count(tests: Mapping[str, str], path: str) -> str:
    outcomes = [outcome for name, outcome in tests.items() if name.startswith(f"tests/{path}")]
    failed = outcomes.count("failed")
    return f"{outcomes.count('passed')} of {len(outcomes)}" + (f", {failed} failed" if failed else "")


def _notes(results: Mapping[str, Mapping[str, Any]], odd_flags: str) -> Iterator[str]:
    yield "## What to know of each\n"
    for kind in results:
        for note in NOTES.get(kind, ()):
            yield f"- `{kind}`: {note.format(flags=odd_flags)}"
    yield ""


def _differences(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    declared = [difference for difference in DIFFERENCES if difference.engine in results]
    if declared:
        yield "## What differs\n\nTests that are expected to fail there, and are run all the same.\n"
        for difference in declared:
            names = ", ".join(f"`{name.rpartition('::')[2]}`" for name in difference.tests)
            yield f"- `{difference.engine}`: {difference.reason} ({names})"
        yield ""
    failed = [(kind, name) for kind, result in results.items() for name, o in result["tests"].items() if o == "failed"]
    if failed:
        yield "## What failed and is not understood yet\n"
        for kind, name in failed:
            yield f"- `{kind}`: `{name}`"
        yield ""


def _options(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "## Options\n\nEach is created, added, changed and taken away, with an empty plan after every step.\n"
    yield f"| option | API | {' | '.join(f'`{kind}`' for kind in results)} |"
    yield "|---|---|" + "---|" * len(results)
    for kind in (Kind.CONTAINER, Kind.NETWORK, Kind.VOLUME):
        for row in TABLE[kind]:
            if not row.declared or not row.path:
                continue
            test = f"tests/options/test_every_option.py::test_{kind}_option[{row.name}]"
            cells = [_MARKS.get(result["tests"].get(test, ""), "not run") for result in results.values()]
            since = f"{row.since[0]}.{row.since[1]}" if row.since > (0, 0) else "any"
            yield f"| {kind} {row.name} | {since} | {' | '.join(cells)} |"
    yield ""
