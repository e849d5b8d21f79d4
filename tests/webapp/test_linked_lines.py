"""Links to lines of a log, and the way back to a log that was filtered, in a real browser."""

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
