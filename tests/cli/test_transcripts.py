"""Transcripts: a file holds commands and every word they print. `make golden` writes them anew; then read them."""

from pathlib import Path

import pytest

from tests.cli.console import Console
from tests.support.golden import golden

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("file", TRANSCRIPTS, ids=lambda file: file.stem)
def test_transcript(file: Path, console: Console) -> None:
    console.project.directory.joinpath("project.toml").unlink()
    seen = console.replay(file.read_text(encoding="utf-8"))
    assert len(seen.splitlines()) <= 60, "a transcript is read in one look"
    golden(file, seen)
