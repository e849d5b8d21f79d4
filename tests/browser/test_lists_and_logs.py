"""Stars, saved filters and the tools of the log: with JavaScript, without it, and on a small screen."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import OpenPage, Product
from tests.browser.test_main_job import NEW_BRANCH, fill, no_wider_than_the_window, somebody_else_writes

pytestmark = pytest.mark.browser

REPORT = "Device connections report"
BOTH = pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "plain"])


def run_report(page: Any) -> str:
    """Run the demo's report, which ends failed with many lines, and return the address of its result."""
    page.goto("/jobs/")
    page.get_by_role("button", name=f"Run {REPORT} now").click()
    page.wait_for_url(re.compile(r"/results/[0-9a-f-]{36}$"))
    # Without JavaScript the page reloads by itself every five seconds.
    page.locator("#state", has_text="Failed").wait_for()
    page.goto(page.url)
    return page.url


def star(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=f"Favourite: {name}")


# --- Small screens --------------------------------------------------------------------------------------------


@BOTH
def test_no_page_is_wider_than_a_small_screen(open_page: OpenPage, product: Product, javascript: bool):
    page = open_page(360, javascript=javascript)
    result = run_report(page)
    addresses = [
        "/jobs/",
        "/jobs/?show=favourites",
        "/jobs/?q=nothing-like-it",
        NEW_BRANCH,
        "/results/",
        "/results/?status=failed",
        result,
        f"{result}?q=console&level=failure",
    ]
    for address in addresses:
        page.goto(address)
        assert no_wider_than_the_window(page), address
    page.goto("/results/?status=failed")
    page.locator(".save summary").click()
    assert page.get_by_label("Name of the filter").is_visible()
    assert no_wider_than_the_window(page)
    page.goto(result)
    page.locator("#log-menu summary").click()
    page.get_by_role("link", name="NDJSON").wait_for()
    assert no_wider_than_the_window(page)


@BOTH
def test_a_run_that_goes_on_is_no_wider_than_a_small_screen(
    open_page: OpenPage, product: Product, javascript: bool
):
    page = open_page(360, javascript=javascript)
    with somebody_else_writes(product):
        fill(page, f"Narrow {javascript}", 2)
        if javascript:
            page.locator("#pick-switch_model summary").click()
        else:
            page.locator("#pick-switch_model details").evaluate("details => details.open = true")
        page.locator("#pick-switch_model li label").first.click()
        page.get_by_role("button", name="Run job").click()
        page.wait_for_url(re.compile(r"/results/[0-9a-f-]{36}$"))
        page.locator("#state", has_text="Running").wait_for()
        assert no_wider_than_the_window(page)
        page.locator("#log-menu summary").click()
        assert page.get_by_role("link", name="CSV").is_visible()
        assert no_wider_than_the_window(page)
    page.locator("#state", has_text="Completed").wait_for()
    assert no_wider_than_the_window(page)


# --- Favourites -----------------------------------------------------------------------------------------------


@BOTH
def test_a_star_is_pressed_on_the_list_and_on_the_page(open_page: OpenPage, javascript: bool):
    page = open_page(javascript=javascript)
    page.goto("/jobs/?q=new")
    count = page.locator("#n-favourites")
    assert count.inner_text() == "0"
    page.evaluate("window.stayed = true")
    star(page, "New Branch").click()
    page.locator(".star[aria-pressed=true]").wait_for()
    assert count.inner_text() == "1"
    assert page.evaluate("!!window.stayed") == javascript
    assert "q=new" in page.url
    if javascript:
        # Whoever presses by keys goes on where they were.
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Favourite: New Branch"
    page.get_by_role("link", name="Favourites").click()
    page.get_by_role("link", name="New Branch", exact=True).click()
    page.get_by_role("button", name="Favourite", exact=True).click()
    page.locator(".star[aria-pressed=false]").wait_for()
    assert NEW_BRANCH in page.url
    page.goto("/jobs/?show=favourites")
    page.get_by_text("No favourites yet").wait_for()


# --- Saved filters --------------------------------------------------------------------------------------------


@BOTH
def test_a_filter_is_saved_used_and_deleted(open_page: OpenPage, javascript: bool):
    page = open_page(javascript=javascript)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("/results/")
    tabs = page.locator("#views .tabs")
    assert page.get_by_text("Save filter").count() == 0
    page.get_by_label("Status").select_option("failed")
    if not javascript:
        page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_text("Save filter").click()
    name = page.get_by_label("Name of the filter")
    name.fill("my runs")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("There is a tab of this name already.").wait_for()
    assert name.input_value() == "my runs"
    page.wait_for_function("document.activeElement.id == 'filter-name'")
    name.fill("What failed")
    name.press("Enter")
    tabs.locator("[aria-current]", has_text="What failed").wait_for()
    assert page.get_by_text("Save filter").count() == 0
    assert page.get_by_label("Status").input_value() == "failed"
    tabs.get_by_role("link", name="All").click()
    tabs.locator("[aria-current]", has_text="All").wait_for()
    tabs.get_by_role("link", name="What failed").click()
    page.get_by_role("button", name="Delete the filter What failed").click()
    page.get_by_text("Save filter").wait_for()
    assert tabs.get_by_role("link", name="What failed").count() == 0
    assert page.get_by_label("Status").input_value() == "failed"


def test_leaving_a_search_does_not_close_what_is_opened(open_page: OpenPage):
    page = open_page()
    page.goto("/results/")
    with page.expect_response(re.compile("q=branch")):
        page.get_by_label("Find a result").press_sequentially("branch")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "q=branch" in request.url else None)
    page.get_by_text("Save filter").click()
    page.get_by_label("Name of the filter").press_sequentially("Branches")
    assert page.get_by_label("Name of the filter").input_value() == "Branches"
    assert page.evaluate("document.activeElement.id") == "filter-name"
    assert asked == []


# --- The log --------------------------------------------------------------------------------------------------


@BOTH
def test_the_log_is_searched_and_taken_away(open_page: OpenPage, tmp_path: Path, javascript: bool):
    page = open_page(javascript=javascript)
    run_report(page)
    page.get_by_label("Find in log").fill("CONSOLE")
    if not javascript:
        page.get_by_role("button", name="Show", exact=True).click()
    marks = page.locator("#log mark")
    marks.first.wait_for()
    assert {text.lower() for text in marks.all_inner_texts()} == {"console"}
    said = re.fullmatch(r"(\d+) lines?", page.locator("#found").inner_text())
    assert said
    assert page.locator("#log > [data-level]").count() == int(said[1])
    page.locator("#log-menu summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    file = tmp_path / "log.csv"
    download.value.save_as(file)
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == int(said[1])
    assert all("console" in row["message"].lower() for row in rows)
