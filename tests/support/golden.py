"""Golden files: expected output kept in a file under tests/golden, rewritten by `pytest --golden`."""

import difflib
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent.parent / "golden"

rewrite = False  # set by conftest.py from --golden


def golden(path: str | Path, text: str) -> None:
    """Assert that `text` is what the golden file holds; a relative path is below tests/golden."""
    file = GOLDEN / path
    if rewrite:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return
    if not file.exists():
        pytest.fail(f"{file} is missing: write it with `make golden`, then read it", pytrace=False)
    expected = file.read_text(encoding="utf-8")
    if text != expected:
        lines = difflib.unified_diff(
            expected.splitlines(keepends=True),
            text.splitlines(keepends=True),
            fromfile=str(file),
            tofile="what the test saw",
        )
        pytest.fail("".join(lines) + "\nIf that is right, run `make golden`.", pytrace=False)
