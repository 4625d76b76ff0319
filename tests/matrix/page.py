"""docs/engines.md from the results of the matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.address import Kind
from reconciler.model.rows import TABLE
from tests.matrix.differences import DIFFERENCES, NOTES
from tests.matrix.refusals import REFUSALS

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
_MARKS = {"passed": "yes", "refused": "refused", "expected": "differs", "failed": "**no**"}


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
    yield (
        "\nEach cell: tests that passed, of all. Refused: the engine cannot do it, so the plan refuses it and says what to do; "
        "the test\nhas seen just that, the exit status, and that nothing was made. The rest differs as declared below, or failed.\n"
    )


def _count(tests: Mapping[str, str], path: str) -> str:
    outcomes = [outcome for name, outcome in tests.items() if name.startswith(f"tests/{path}")]
    rest = ((outcomes.count(word), word) for word in ("refused", "failed"))
    passed = f"{outcomes.count('passed')} of {len(outcomes)}"
    return ", ".join([passed, *(f"{count} {word}" for count, word in rest if count)])


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
            yield f"- `{difference.engine}`: {difference.reason} ({_names(difference.tests)})"
        yield ""
    refused = [refusal for refusal in REFUSALS if refusal.engine in results]
    if refused:
        yield "## What is refused\n\nWhat the engine cannot do, in the words of the plan, and the tests that meet them.\n"
        for refusal in refused:
            yield f"- `{refusal.engine}`: “{refusal.words}” ({_names(refusal.tests)})"
        yield ""
    failed = [(kind, name) for kind, result in results.items() for name, o in result["tests"].items() if o == "failed"]
    if failed:
        yield "## What failed and is not understood yet\n"
        for kind, name in failed:
            yield f"- `{kind}`: `{name}`"
        yield ""


def _names(tests: tuple[str, ...]) -> str:
    return ", ".join(f"`{name.rpartition('::')[2]}`" for name in tests)


def _options(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "## Options\n\nEach is created, added, changed and taken away, with an empty plan after every step.\n"
    yield f"| option | API | {' | '.join(f'`{kind}`' for kind in results)} |"
    yield "|---|---|" + "---|" * len(results)
    for kind in (Kind.CONTAINER, Kind.NETWORK, Kind.VOLUME):
        for row in TABLE[kind]:
            if not row.declared or not row.path:
                continue
            test = f"tests/options/test_every_option.py::test_{kind}_option[{row.name}]"
            cells = [_mark(result, test, row.since) for result in results.values()]
            since = f"{row.since[0]}.{row.since[1]}" if row.since > (0, 0) else "any"
            yield f"| {kind} {row.name} | {since} | {' | '.join(cells)} |"
    yield ""


def _mark(result: Mapping[str, Any], test: str, since: tuple[int, int]) -> str:
    """What an engine makes of an option: one whose API is too old for it has passed by refusing it."""
    outcome = result["tests"].get(test, "")
    spoken = tuple(int(part) for part in result["api"].split("."))
    return _MARKS.get("refused" if outcome == "passed" and since > spoken else outcome, "not run")
