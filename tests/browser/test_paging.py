"""Further pages and further lines, by keys alone: whoever asks for them goes on with the first of them."""

import re
from typing import Any

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.test_lists_and_logs import run_report
from tests.waiting import until

pytestmark = pytest.mark.browser


def press(link: Any) -> None:
    link.focus()
    link.press("Enter")


def next_stop(page: Any, part: str) -> bool:
    """Press Tab, and tell whether it leads to the first thing of a part that can be reached."""
    page.keyboard.press("Tab")
    return page.evaluate(
        f"document.activeElement === document.querySelector('{part}').querySelector('a[href],input:not([hidden])')"
    )


def top(page: Any, line: str) -> float:
    return float(page.locator(f"#{line}").evaluate("line => line.getBoundingClientRect().top"))


def run(page: Any, job: str) -> None:
    page.goto("/jobs/")
    page.get_by_role("button", name=f"Run {job} now").click()
    page.wait_for_url(re.compile(r"/results/[0-9a-f-]{36}$"))
    page.locator("#state", has_text="Completed").wait_for(timeout=60_000)


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "plain"])
def test_a_further_page_of_objects_begins_with_its_list(open_page: OpenPage, javascript: bool):
    page = open_page(javascript=javascript)
    page.goto("/objects/inventory.device/")
    press(page.get_by_role("link", name="Next", exact=True))
    page.wait_for_url(re.compile("after="))
    assert next_stop(page, "#table")


def test_further_results_begin_with_their_list(open_page: OpenPage):
    page = open_page()
    for _ in range(2):
        run(page, "Survey all sites")
    page.goto("/results/?children=all")
    press(page.get_by_role("link", name="Older", exact=True))
    page.wait_for_url(re.compile("older="))
    page.locator("[data-tick-all]:not([hidden])").wait_for()
    assert next_stop(page, "#table table")
    press(page.get_by_role("link", name="Newer", exact=True))
    page.wait_for_url(re.compile("newer="))
    assert next_stop(page, "#table table")


def test_further_lines_of_a_search_begin_with_their_list(open_page: OpenPage):
    page = open_page()
    for _ in range(2):
        run_report(page)
    further = page.get_by_role("navigation", name="Pages").locator("[rel=next]")

    def is_found() -> bool:
        page.goto("/results/search?q=connect*")
        return bool(further.count())

    until(is_found, "what was logged can be found", seconds=20)
    press(further)
    page.wait_for_url(re.compile("before="))
    assert next_stop(page, "#list")


def test_further_lines_of_a_log_take_the_focus(open_page: OpenPage):
    page = open_page()
    page.goto("/jobs/local/hello/Hello/")
    page.locator("#id_times").fill("100")
    page.get_by_role("button", name="Run job").click()
    page.wait_for_url(re.compile(r"/results/[0-9a-f-]{36}$"))
    page.locator("#state", has_text="Completed").wait_for()
    page.reload()
    press(page.get_by_role("link", name="Show more lines"))
    until(lambda: page.evaluate("!!document.activeElement.closest('#L101')"), "the first new line has it")
    page.goto(page.url.partition("#")[0] + "?line=101#L101")
    first, earlier = "L51", page.get_by_role("link", name="Show earlier lines")
    earlier.scroll_into_view_if_needed()
    was = top(page, first)
    press(earlier)
    page.locator("#L1").wait_for()
    until(lambda: page.evaluate("!!document.activeElement.closest('#log > [data-level]')"), "a line has it")
    # The line that was the first stays where it was, and the one above it has the focus.
    assert page.evaluate("document.activeElement.closest('li').nextElementSibling.id") == first
    assert abs(top(page, first) - was) < 2
