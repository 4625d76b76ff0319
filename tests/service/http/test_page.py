"""The files of the page, without a browser: what a strict policy would refuse, and what one names and another lacks.

How it looks and behaves is tested in a real browser: tests/page/browser.py.
"""

import re
from pathlib import Path

from reconciler.service import http
from tests.service.http.conftest import Site

PAGE = Path(http.__file__).parent / "page"
HTML, CSS, SCRIPT = ((PAGE / name).read_text() for name in ("index.html", "page.css", "page.js"))


def test_nothing_that_the_policy_forbids() -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", HTML)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", SCRIPT)
    assert "@import" not in CSS


def test_nothing_from_elsewhere() -> None:
    addresses = re.findall(r"(?:https?:)?//[a-z0-9][^\s\"')]*", HTML + CSS + re.sub(r"(^|\s)//.*", "", SCRIPT))
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_what_the_script_looks_for_is_there() -> None:
    there = set(re.findall(r'\bid="([^"]+)"', HTML))
    assert set(re.findall(r'byId\("([^"]+)"\)', SCRIPT)) <= there
    icons = {name.removeprefix("i-") for name in there if name.startswith("i-")}
    assert set(re.findall(r'icon\("([a-z]+)"\)', SCRIPT)) <= icons
    assert {"ok", "busy", "warn", "bad", "mute", "none", "away"} <= icons


def test_each_file_is_served_as_what_it_is(site: Site) -> None:
    for path, name, content_type in (
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/page.css", "page.css", "text/css; charset=utf-8"),
        ("/page.js", "page.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "icon.svg", "image/svg+xml"),
    ):
        answer = site.ask(path)
        assert (answer.status, answer.body) == (200, (PAGE / name).read_bytes())
        assert answer.headers["content-type"] == content_type


def test_the_page_asks_for_all_by_relative_paths() -> None:
    """So that a proxy may put it under any path."""
    assert not re.search(r'(?:href|src)="/', HTML)
    assert not re.search(r'"/(?:api|page|metrics)', SCRIPT)
