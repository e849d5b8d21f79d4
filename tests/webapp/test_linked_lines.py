"""Lines of a log in a real browser: links to them, the way back to those that were filtered, and how they are read."""

from typing import Any

import pytest

from .test_every_page import app, fill, page

pytestmark = pytest.mark.browser

__all__ = ["app", "fill", "page"]


@pytest.fixture
def result(make_job: Any, make_result: Any, add_entries: Any) -> Any:
    result = make_result(make_job("Linked"), "failed", cause="No.")
    add_entries(result, *(f"line {number}" for number in range(1, 4)))
    add_entries(result, "looked closely", level="debug")
    return result


def test_a_link_to_a_line_whose_level_is_off_turns_it_on(page: Any, result: Any):
    page.goto(f"/results/{result.id}#L4")
    page.locator("#L4").wait_for()
    page.goto("/results/")
    page.goto(f"/results/{result.id}")
    page.locator("#L4").wait_for(state="hidden")
    page.evaluate("location.hash = '#L4'")
    page.locator("#L4").wait_for()
    assert page.locator("#log-filter [value=debug]").is_checked()


def test_a_line_whose_number_begins_another_is_found_from_there(
    page: Any, make_job: Any, make_result: Any, add_entries: Any
):
    result = make_result(make_job("Long"))
    add_entries(result, *(f"line {number}" for number in range(1, 301)))
    page.goto(f"/results/{result.id}?line=250#L250")
    page.evaluate("location.hash = '#L25'")
    page.wait_for_url("**?line=25#L25")
    page.locator("#L25").wait_for()


def test_the_way_back_leads_to_the_log_as_it_was_filtered(page: Any, result: Any):
    page.goto(f"/results/{result.id}")
    page.fill("#lq", "line 2")
    page.locator("#log mark").wait_for()
    page.locator(".nav a").first.click()
    page.wait_for_url("**/jobs/")
    page.go_back()
    page.locator("#lq").wait_for()
    assert page.locator("#lq").input_value() == "line 2"
    assert page.locator("#log > [data-level] .msg").all_inner_texts() == ["line 2"]


def test_what_is_written_from_right_to_left_is_read_so(
    page: Any, make_job: Any, make_result: Any, add_entries: Any
):
    result = make_result(make_job("Greetings"))
    add_entries(result, "Hello, world", "\u0645\u0631\u062d\u0628\u0627 123 abc!")
    page.goto(f"/results/{result.id}")
    middle = "row => { const box = row.querySelector('.msg').getBoundingClientRect(); return box.left + box.width / 2 }"
    text = """row => { const range = document.createRange(); range.selectNodeContents(row.querySelector(".msg p"));
        const box = range.getBoundingClientRect(); return box.left + box.width / 2 }"""
    for line, is_left in (("#L1", True), ("#L2", False)):
        row = page.locator(line)
        assert (row.evaluate(text) < row.evaluate(middle)) == is_left, line
