"""Pages that stay fresh: nothing moves under who reads, what is in use stays, and what came is told."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import OpenPage, Product
from tests.browser.test_lists_and_logs import run_report
from tests.browser.test_main_job import somebody_else_writes
from tests.browser.test_manners import run_new_branch
from tests.waiting import until

pytestmark = pytest.mark.browser

WATCH = """window.shifted = 0; window.movedBy = []; new PerformanceObserver(list => list.getEntries().forEach(entry => {
    if (entry.hadRecentInput) return;
    window.shifted += entry.value;
    window.movedBy.push(entry.value.toFixed(4) + ": " + entry.sources.map(source => {
        const node = source.node && (source.node.closest ? source.node : source.node.parentElement);
        const name = node ? node.tagName + "#" + node.id + "." + node.className : "gone";
        return name + " from " + source.previousRect.y + " to " + source.currentRect.y;
    }).join(", ")); })).observe({type: "layout-shift"});"""
POLL = "document.getElementById('now').dispatchEvent(new Event('wake'))"
MOST_SHIFT = 0.02


def watched(open_page: OpenPage, address: str, width: int = 1440) -> Any:
    """Open a page, and count what moves on it from when it is there."""
    page = open_page(width)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.mouse.move(1, 1)
    page.evaluate(WATCH)
    return page


def first_row(page: Any) -> str:
    return str(page.locator("#table a.name").first.get_attribute("href"))


def count(page: Any, selector: str) -> int:
    return int(page.locator(selector).count())


def test_nothing_moves_while_pages_update(open_page: OpenPage, product: Product):
    runner = open_page()
    first = run_report(runner)
    pages = {
        address: watched(open_page, address, width)
        for address, width in (
            ("/results/", 1440),
            ("/jobs/", 1440),
            ("/workers/", 1440),
            ("/results/?q=re", 390),
        )
    }
    rows = {address: first_row(page) for address, page in pages.items() if "results" in address}
    with somebody_else_writes(product):
        run_new_branch(runner, "Watched", 20)
        runner.evaluate(WATCH)
        runner.mouse.move(1, 1)
        for page in pages.values():
            # On a phone there is no room for what runs now.
            page.locator("#now a").wait_for(state="attached")
        phone = open_page(390)
        phone.goto(runner.url)
        phone.locator("#log .msg", has_text="Waiting for another run").wait_for()
        phone.evaluate(WATCH)
    # Through the end of the run, whose answer is there afterwards.
    for reader in (runner, phone):
        reader.locator("#state", has_text="Completed").wait_for()
        reader.locator("#outcome #output").wait_for(state="attached")
    second = run_report(open_page())
    for address, page in pages.items():
        if address in rows:
            page.locator(f"#table a[href='/results/{second.rsplit('/', 1)[1]}']").wait_for()
            assert first_row(page) != rows[address]
    pages["/jobs/"].locator(f".last a[href='/results/{second.rsplit('/', 1)[1]}']").wait_for()
    assert first != second
    pages |= {"the run": runner, "the run on a phone": phone}
    shifts = {name: page.evaluate("window.shifted") for name, page in pages.items()}
    moved = {name: page.evaluate("window.movedBy") for name, page in pages.items()}
    assert max(shifts.values()) <= MOST_SHIFT, moved


def test_what_the_reader_uses_stays_and_what_came_is_offered(open_page: OpenPage):
    run_report(open_page())
    page = open_page()
    page.goto("/results/")
    name = page.locator("#table a.name").first
    name.focus()
    row = first_row(page)
    page.fill("#q", "")
    name.focus()
    new = run_report(open_page()).rsplit("/", 1)[1]
    page.evaluate(POLL)
    page.locator("#arrived", has_text="new result").wait_for()
    assert first_row(page) == row
    assert page.evaluate("document.activeElement.className") == "name"
    page.locator("#arrived").click()
    page.locator(f"#table a[href='/results/{new}']").wait_for()
    # Groups that are closed, and what is being typed, stay.
    page.goto("/jobs/")
    page.locator("#list summary").first.click()
    page.locator("#q").focus()
    run_report(open_page())
    with page.expect_response(lambda answer: "/now" in answer.url and answer.status == 200):
        page.evaluate(POLL)
    assert count(page, "#list details.grp:not([open])") == 1
    assert page.evaluate("document.activeElement.id") == "q"


def test_the_tab_and_those_who_listen_hear_how_a_run_stands(open_page: OpenPage, product: Product):
    page = open_page()
    icon = page.locator("link[rel=icon]")
    with somebody_else_writes(product):
        run_new_branch(page, "In the tab")
        assert page.title().startswith("Running: ")
        assert "icon-run" in icon.get_attribute("href")
    page.locator("#state", has_text="Completed").wait_for()
    until(lambda: page.title().startswith("Completed: "), "the title says so")
    assert "icon-ok" in icon.get_attribute("href")
    assert page.locator("#say").inner_text().startswith("Completed.")
    # Afterwards its page asks as any other does.
    assert page.locator("#now").get_attribute("hx-get")


# --- How often pages ask --------------------------------------------------------------------------------------

LOOK_AWAY = """hidden => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange", {bubbles: true})); }"""
NOW = re.compile(r"/now\b")


@pytest.fixture
def timed(chromium: Any, product: Product) -> Iterator[Any]:
    """A page whose time is in the test's hands. Its server may fail to answer, which Chromium notes as an error."""
    context = chromium.new_context(base_url=product.url)
    page = context.new_page()
    page.goto(product.sign_in_link())
    page.clock.install()
    page.goto("/account/")
    page.wait_for_load_state("networkidle")
    yield page
    context.close()


def asked_within(page: Any, seconds: int) -> int:
    """Let so much time go by, five seconds at once, and return how often the page asks."""
    asked: list[str] = []

    def note(request: Any) -> None:
        if NOW.search(request.url):
            asked.append(request.url)

    page.on("request", note)
    for _ in range(seconds // 5):
        page.clock.fast_forward(5000)
        # The answer comes in real time.
        page.wait_for_timeout(100)
    page.remove_listener("request", note)
    return len(asked)


def test_a_hidden_tab_asks_nothing_and_catches_up_at_once(timed: Any):
    assert asked_within(timed, 15) > 0
    timed.evaluate(LOOK_AWAY, True)
    assert asked_within(timed, 60) == 0
    with timed.expect_request(NOW):
        timed.evaluate(LOOK_AWAY, False)


def test_a_page_asks_less_often_while_nobody_is_there(timed: Any):
    timed.clock.fast_forward(125_000)
    assert 1 <= asked_within(timed, 60) <= 5
    timed.clock.fast_forward(600_000)
    assert 1 <= asked_within(timed, 120) <= 3
    with timed.expect_request(NOW):
        timed.keyboard.press("Shift")


def test_a_page_says_that_nobody_answers_and_asks_less_often(timed: Any):
    timed.keyboard.press("Shift")
    note = timed.locator("#offline")
    timed.route(NOW, lambda route: route.abort())
    assert asked_within(timed, 5) == 1
    note.wait_for()
    assert re.match(r"Not connected, last update \d\d:\d\d:\d\d", note.inner_text().strip())
    assert 2 <= asked_within(timed, 60) <= 7
    timed.unroute(NOW)
    asked_within(timed, 20)
    note.wait_for(state="hidden")


def always_news(route: Any) -> None:
    """Ask as a page would that shows something old: what comes is put in place of what asked."""
    route.continue_(url=re.sub(r"shown=[^&]*", "shown=old", route.request.url))


def test_a_page_that_is_answered_again_says_so_also_where_there_is_news(timed: Any):
    timed.keyboard.press("Shift")
    note = timed.locator("#offline")
    timed.route(NOW, lambda route: route.abort())
    asked_within(timed, 5)
    note.wait_for()
    timed.unroute(NOW)
    timed.route(NOW, always_news)
    asked_within(timed, 20)
    note.wait_for(state="hidden")


def test_a_page_where_something_happens_asks_as_often_with_nobody_there(timed: Any):
    timed.route(NOW, always_news)
    timed.clock.fast_forward(125_000)
    assert asked_within(timed, 60) >= 9
    # But not for good: on some pages something changes all the time.
    timed.clock.fast_forward(600_000)
    assert 2 <= asked_within(timed, 60) <= 5


def test_who_listens_hears_how_far_a_run_is_every_ten_seconds(timed: Any):
    timed.evaluate("""document.querySelector("main").insertAdjacentHTML("beforeend",
        '<p id="say" role="status"></p><div id="progress"><p data-say="0 percent"></p></div>')""")
    heard: list[str] = []
    for percent in range(30):
        timed.evaluate(
            "percent => document.querySelector('[data-say]').dataset.say = percent + ' percent'", percent
        )
        timed.clock.run_for(1000)
        said = timed.locator("#say").inner_text()
        if said and said not in heard:
            heard.append(said)
    assert 2 <= len(heard) <= 4


# --- What is in use stays -------------------------------------------------------------------------------------


def test_what_is_ticked_opened_and_half_typed_survives_the_news(open_page: OpenPage):
    run_report(open_page())
    page = open_page()
    page.goto("/results/?status=failed")
    row = first_row(page)
    box = page.locator("#table tbody [name=id]").first
    box.check()
    page.get_by_text("Save filter").click()
    page.get_by_label("Name of the filter").press_sequentially("Half ty")
    new = run_report(open_page()).rsplit("/", 1)[1]
    page.evaluate(POLL)
    page.locator("#arrived", has_text="new result").wait_for()
    assert first_row(page) == row
    assert box.is_checked()
    assert page.locator("[data-ticked]").inner_text() == "1 chosen"
    assert count(page, "details.save[open]") == 1
    assert page.get_by_label("Name of the filter").input_value() == "Half ty"
    assert page.evaluate("document.activeElement.id") == "filter-name"
    # Nothing in use any more: they come by themselves.
    page.get_by_role("button", name="Clear", exact=True).click()
    page.mouse.move(1, 1)
    page.locator("#arrived").click()
    page.locator(f"#table a[href='/results/{new}']").wait_for()


def test_a_filter_of_the_results_keeps_the_focus(open_page: OpenPage):
    page = open_page()
    page.goto("/results/")
    chosen = page.get_by_label("Status")
    chosen.focus()
    with page.expect_response(re.compile("status=failed")):
        chosen.select_option("failed")
    page.locator(".save").wait_for()
    assert chosen.evaluate("select => select === document.activeElement")
