"""Documents agree with the code and with each other."""

import re
from pathlib import Path

import pytest

from reconciler.cli.parser import build_parser, commands_of
from reconciler.model.plan import Reason, Verb
from reconciler.spec.load import load
from tests.docs.blocks import blocks_of, section

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
)  # fmt: skip
_LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text()):
        if "://" in target:
            continue
        file = page.parent / target if target else page
        assert file.exists(), f"{name_of(page)}: {target}"
        if anchor:
            assert anchor[1:] in anchors_of(file), f"{name_of(page)}: {target}{anchor}"


def anchors_of(page: Path) -> list[str]:
    """The anchors of a page's headings, as repositories show them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_paths_of_the_code_exist() -> None:
    """What a document names in backquotes below reconciler/, scripts/ and tests/ is there."""
    for page in PAGES:
        for name in re.findall(r"`((?:reconciler|scripts|tests)/[\w/.-]+)`", page.read_text()):
            assert (ROOT / name).exists(), f"{name_of(page)}: {name}"


def test_architecture_is_short_and_whole() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    assert len(text.splitlines()) <= 150
    packages = {path.parent.name for path in (ROOT / "reconciler").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^\| `(\w+)/`", text, re.MULTILINE))


def test_decisions_are_short_and_listed() -> None:
    listed = (ROOT / "docs/decisions/README.md").read_text()
    for page in sorted((ROOT / "docs/decisions").glob("[0-9]*.md")):
        text = page.read_text()
        title = text.splitlines()[0]
        assert title.startswith(f"# {page.name[:4]} "), page.name
        assert f"[{page.name[:4]}]({page.name}) | {title[7:]} |" in listed, page.name
        assert len(text.splitlines()) <= 60, page.name
        for part in ("Context", "Choice", "Alternatives", "Consequences"):
            assert f"\n## {part}\n" in text, f"{page.name}: {part}"


def test_glossary_has_the_verbs_and_reasons() -> None:
    text = (ROOT / "docs/glossary.md").read_text()
    verbs = text[slice(*section(text, "Verbs"))]
    assert re.findall(r"`(\w+)`", verbs) == [verb.value for verb in Verb]
    reasons = text[slice(*section(text, "Reasons"))]
    assert re.findall(r"^\| `([\w-]+)`", reasons, re.MULTILINE) == [reason.value for reason in Reason]


def test_glossary_is_sorted() -> None:
    words = re.findall(r"^\| \*\*(.+?)\*\*", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    assert words == sorted(words)


def test_readme_has_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    table = text[slice(*section(text, "Commands"))]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    named = {word for cell in cells for word in re.findall(r"`(\w+)", cell)}
    assert named == set(commands_of(build_parser()))


def test_the_spec_in_one_page_is_valid(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    spec = next(block for block in blocks_of(text, *section(text, "The spec in one page")) if "[project]" in block.text)
    (tmp_path / "shop.toml").write_text(spec.text)
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "Dockerfile").write_text("FROM busybox:latest AS prod\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / ".env.api").write_text("")
    (tmp_path / "db_password.txt").write_text("hunter2")
    state = load(tmp_path, {"DB_URL": "postgres://db/shop"})
    assert not state.warnings


def test_architecture_names_modules_that_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    for package, paragraph in re.findall(r"^\*\*(\w+)\.\*\* (.*?)\n\n", text, re.MULTILINE | re.DOTALL):
        for name in re.findall(r"`([a-z_]+)`", paragraph):
            assert list((ROOT / "reconciler" / package).rglob(f"{name}.py")), f"{package}: {name}"
