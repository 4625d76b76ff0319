"""docs/options.md is what the option table says."""

from pathlib import Path

from tests.docs.options import page
from tests.support.golden import golden

OPTIONS = Path(__file__).parents[2] / "docs" / "options.md"


def test_page() -> None:
    golden(OPTIONS, page())
