"""The page in a real browser: looked at in each state, used by mouse and keyboard, and held to the rules of accessibility.

make page                    runs this; not part of `make check`, since a browser has to be installed
make page ARGS=--golden      writes the pictures in docs/images anew
"""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from reconciler.loop.telling import Condition, SourceStatus
from tests.page.scenes import BLOG, TOKEN, Scenery, scene, wait

IMAGES = Path(__file__).parents[2] / "docs" / "images"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
DESK, PHONE = (1360, 850), (360, 780)
#: name of the picture: the scene, how large, by day or by night, with the token
PICTURES = {
    "page": ("changing", DESK, "light", False),
    "page-drift": ("drifting", DESK, "light", True),
    "page-failed": ("failing", DESK, "dark", False),
    "page-many": ("many", DESK, "light", False),
    "page-phone": ("failing", PHONE, "light", True),
}

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens pages that may not complain on their console, unless that is said to be meant."""
    complaints: list[str] = []
    contexts = []

    def open_(
        scenery: Scenery, size: tuple[int, int] = DESK, scheme: Any = "light", *, token: bool = False, calm: bool = True
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion="reduce" if calm else "no-preference",
            locale="en-GB",
        )
        contexts.append(context)
        if token:
            context.add_init_script(f"sessionStorage.setItem('token', '{TOKEN}')")
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(scenery.address)
        page.wait_for_selector(".project")
        expect(page.locator("#link")).to_have_text("Live")
        return page

    yield open_
    for context in contexts:
        context.close()
    # A browser tells of each request that fails, as those do that are meant to.
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def row(page: Page, key: str) -> Any:
    return page.locator(f'tr.row[data-key="{key}"]')


# --- how it looks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["settled", "changing", "failing", "away", "drifting", "many", "refused"])
def test_every_state_is_accessible_and_fits_on_a_desk_by_day_and_on_a_phone_by_night(
    open_page: Open, name: str
) -> None:
    with scene(name) as scenery:
        for size, scheme in ((DESK, "light"), (PHONE, "dark")):
            page = open_page(scenery, size, scheme, token=True)
            expect(page.locator(".history .entry").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") == size[0], "it scrolls sideways"
            found = Axe().run(page, options={"runOnly": RULES})
            assert found.violations_count == 0, found.generate_report()
            page.context.close()


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(open_page: Open, name: str, request: pytest.FixtureRequest) -> None:
    shown, size, scheme, token = PICTURES[name]
    path = IMAGES / f"{name}.png"
    with scene(shown) as scenery:
        page = open_page(scenery, size, scheme, token=token)
        page.wait_for_timeout(500)
        picture = page.screenshot()
    if request.config.getoption("--golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture)
    assert path.stat().st_size < 250_000
    assert path.read_bytes()[16:24] == picture[16:24], "the picture has another size"


def test_headlines_say_how_it_is(open_page: Open) -> None:
    said = {
        "settled": "Everything is as declared",
        "changing": r"Changing \d resources in shop",
        "failing": "shop needs attention",
        "away": "The engine is away",
        "drifting": "blog needs attention",
        "many": "container.orders-11 is not well",
        "refused": "The newest revision of shop is refused",
    }
    for name, text in said.items():
        with scene(name) as scenery:
            page = open_page(scenery)
            expect(page.locator("h1")).to_have_text(re.compile(f"^{text}$"))
            assert re.sub(r"^. | · reconciler$", "", page.title()) == page.locator("h1").inner_text()
            page.context.close()


def test_a_difference_says_what_is_there_what_should_be_what_it_costs_and_where_it_stands(open_page: Open) -> None:
    with scene("drifting") as scenery:
        page = open_page(scenery)
        field = page.locator('[data-key="shop/container.api:inside"] .field')
        expect(field.locator("dt")).to_have_text("mem_limit")
        expect(field.locator("del")).to_have_text("512M")
        expect(field.locator("ins")).to_have_text("256M")
        expect(field.locator(".about")).to_contain_text("in place")
        expect(field.locator(".about code")).to_have_text(re.compile(r"shop\.toml:\d+"))
        expect(page.locator(".held").first).to_contain_text("drift is only reported: heal is off.")
        expect(row(page, "metrics/container.grafana")).to_contain_text("suspended")
        problem = page.locator('[data-key="blog"] .problem').first
        expect(problem).to_contain_text("blog.toml:6:1")
        expect(problem).to_contain_text("did you mean 'ports'?")


def test_a_failed_candidate_says_what_it_wrote(open_page: Open) -> None:
    with scene("failing") as scenery:
        page = open_page(scenery)
        inside = page.locator('[data-key="shop/container.api:inside"]')
        expect(inside.locator("pre").first).to_contain_text("SystemExit: refusing to serve on schema 41")
        inside.get_by_text("What was tried").click()
        expect(inside.locator("ol")).to_contain_text("take back: ")
        inside.get_by_role("button", name="Log").click()
        expect(inside.locator(".log h4")).to_contain_text("shop-api-1")
        entry = page.locator(".history .entry.bad").first
        entry.get_by_role("button").click()
        expect(entry.locator(".pass")).to_contain_text("SystemExit: refusing to serve")
        expect(entry.locator(".pass .field").first).to_contain_text("shop/api:1.4")


# --- live ----------------------------------------------------------------------------------------------------------


def test_what_happens_is_seen_without_loading_anew(open_page: Open) -> None:
    with scene("settled") as scenery:
        page = open_page(scenery)
        before = page.locator(".history .entry").count()
        scenery.engine.remove_by_force(scenery.container("shop-redis-1"))
        expect(page.locator(".history .entry")).to_have_count(before + 1)
        expect(page.locator(".history .entry").first).to_contain_text("created container.redis")
        scenery.write("blog", BLOG.replace("ports", "prots"))
        expect(page.locator('[data-key="blog"] .badge').first).to_have_text("Invalid spec")
        expect(page.locator("h1")).to_have_text("blog needs attention")
        scenery.write("blog", BLOG)
        expect(page.locator("h1")).to_have_text("Everything is as declared")


def test_a_rollout_is_seen_step_by_step_and_to_its_end(open_page: Open) -> None:
    with scene("changing") as scenery:
        page = open_page(scenery)
        move = page.locator('.move[data-key="container.api"]')
        expect(move.locator(".steps li.now")).to_have_text(re.compile("^wait until shop-api-1 is ready"))
        expect(row(page, "shop/container.api")).to_contain_text("changing")
        for container in list(scenery.engine.containers.all):
            if scenery.engine.containers.get(container)["State"].get("Health"):
                scenery.engine.set_health(container, "healthy")
        expect(page.locator(".rollout")).to_have_count(0)
        expect(page.locator("h1")).to_have_text("Everything is as declared")
        expect(row(page, "shop/container.api")).to_contain_text("shop/api:1.5")


def test_a_lost_connection_is_said_and_found_again(open_page: Open) -> None:
    with scene("settled") as scenery:
        page = open_page(scenery)
        scenery.server.stop()
        expect(page.locator("#lost")).to_contain_text("Connection lost")
        expect(page.locator("#link")).to_have_text("Not live")
        scenery.serve_again()
        expect(page.locator("#link")).to_have_text("Live", timeout=15_000)
        expect(page.locator("#lost")).to_be_hidden()
        scenery.instance.suspend("blog")
        expect(page.locator('[data-key="blog"]')).to_contain_text("suspended")


# --- by hand -------------------------------------------------------------------------------------------------------


def test_it_is_used_by_keyboard(open_page: Open) -> None:
    with scene("settled") as scenery:
        page = open_page(scenery)
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the projects")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#projects")).to_be_focused()
        page.keyboard.press("Tab")
        first = row(page, "shop/container.api").get_by_role("button")
        expect(first).to_be_focused()
        page.keyboard.press("Enter")
        expect(first).to_have_attribute("aria-expanded", "true")
        scenery.instance.suspend("shop")  # the page changes under the fingers
        expect(page.locator('[data-key="shop"]')).to_contain_text("Suspended")
        expect(first).to_be_focused()
        expect(first).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("/")
        expect(page.locator("#filter")).to_be_focused()
        page.keyboard.type("prom 9090")
        expect(page.locator("tr.row")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator("#filter")).to_have_value("")
        assert page.locator("tr.row").count() > 5
        seen = set()
        for _ in range(60):  # nobody is caught anywhere
            page.keyboard.press("Tab")
            seen.add(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
        assert any('href="metrics"' in item for item in seen)


def test_a_hundred_resources_are_filtered_and_drawn_at_once(open_page: Open) -> None:
    with scene("many") as scenery:
        page = open_page(scenery)
        keys = page.locator("tr.row").evaluate_all("rows => rows.map((row) => row.dataset.key)")
        assert keys[0] == "fleet/container.orders-11", "what is not well comes first"
        page.locator("#filter").fill("render")
        expect(page.locator("tr.row")).to_have_count(25)
        page.locator("#problems").check(force=True)
        expect(page.locator("tr.row")).to_have_count(1)
        page.locator("#filter").fill("")
        expect(page.locator("tr.row")).to_have_count(3)
        page.locator("#filter").fill("nothing is called so")
        expect(page.locator("#projects")).to_contain_text("Nothing matches")
        page.locator("#problems").uncheck(force=True)
        page.locator("#filter").fill("")
        began = time.monotonic()
        for _ in range(10):
            page.evaluate("document.getElementById('filter').dispatchEvent(new Event('input'))")
        assert (time.monotonic() - began) / 10 < 0.25


def test_orders_are_given_once_the_token_is_entered(open_page: Open) -> None:
    with scene("settled") as scenery:
        page = open_page(scenery)
        expect(page.get_by_role("button", name="Suspend", exact=True)).to_have_count(0)
        page.locator("#key").click()
        page.get_by_label("Token", exact=True).fill("a-token-that-is-wrong")
        page.get_by_role("button", name="Unlock", exact=True).click()
        blog = page.locator('[data-key="blog"]')
        blog.get_by_role("button", name="Suspend", exact=True).click()
        expect(page.get_by_role("dialog")).to_contain_text("not right")
        page.get_by_label("Token", exact=True).fill(TOKEN)
        page.keyboard.press("Enter")
        blog.get_by_role("button", name="Suspend", exact=True).click()
        expect(page.locator("#said")).to_have_text("Suspended blog")
        expect(blog).to_contain_text("suspended")
        wait(lambda: scenery.status("blog").is_suspended)
        blog.get_by_role("button", name="Resume").click()
        wait(lambda: not scenery.status("blog").is_suspended)
        passes = scenery.status("blog").passes
        blog.get_by_role("button", name="Reconcile").click()
        wait(lambda: scenery.status("blog").passes > passes)
        api = row(page, "shop/container.api").get_by_role("button")
        api.click()
        page.locator('[data-key="shop/container.api:inside"]').get_by_role("button", name="Suspend", exact=True).click()
        wait(lambda: any(item.is_suspended for item in scenery.status("shop").resources))
        page.reload()
        expect(page.get_by_role("button", name="Suspend", exact=True).first).to_be_visible()
        page.locator("#key").click()
        expect(page.get_by_role("button", name="Suspend", exact=True)).to_have_count(0)
        assert page.evaluate("sessionStorage.getItem('token')") is None


def test_without_a_token_to_enter_there_is_no_key(open_page: Open) -> None:
    with scene("settled", token=False) as scenery:
        expect(open_page(scenery).locator("#key")).to_be_hidden()


def test_colours_follow_the_system_until_they_are_chosen(open_page: Open) -> None:
    with scene("settled") as scenery:
        page = open_page(scenery, scheme="dark")
        ground = "getComputedStyle(document.body).backgroundColor"
        dark = page.evaluate(ground)
        page.locator("#theme").click()
        light = page.evaluate(ground)
        assert light != dark
        page.reload()
        page.wait_for_selector(".project")
        assert page.evaluate(ground) == light
        page.locator("#theme").click()
        assert page.evaluate(ground) == dark


def test_what_comes_from_elsewhere_is_text(open_page: Open) -> None:
    evil = "<img src=x onerror=document.title='taken'>"
    with scene("settled") as scenery:
        scenery.sources["shop"] = SourceStatus(evil, refusal=f"{evil} \x1b[31m")
        scenery.write("blog", BLOG + f'[container."{evil}"]\nimage = "caddy:2.10"\n')
        scenery.until("blog", Condition.INVALID)
        page = open_page(scenery)
        expect(page.locator('[data-key="shop"]')).to_contain_text(evil)
        assert page.locator("img[src=x]").count() == 0
        assert "taken" not in page.title()


def test_nothing_moves_for_those_who_want_no_motion(open_page: Open) -> None:
    running = "document.getAnimations().filter((item) => item.playState === 'running').length"
    with scene("changing") as scenery:
        assert open_page(scenery).evaluate(running) == 0
        assert open_page(scenery, calm=False).evaluate(running) > 0


def test_before_anything_is_known_it_says_that_it_loads(browser: Browser) -> None:
    with scene("settled") as scenery:
        page = browser.new_page()
        page.route("**/api/v1/*", lambda route: route.abort())
        page.goto(scenery.address)
        expect(page.locator("#lost")).to_contain_text("Connection lost. What is shown is nothing yet")
        expect(page.locator(".skeleton").first).to_be_visible()
        page.unroute("**/api/v1/*")
        expect(page.locator("h1")).to_have_text("Everything is as declared", timeout=15_000)
        page.close()
