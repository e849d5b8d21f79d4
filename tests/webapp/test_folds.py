"""Headings of a log fold their lines away, in a real browser."""

from typing import Any

import pytest

from tests.accessibility import look

from .test_every_page import app, fill, page

pytestmark = pytest.mark.browser

__all__ = ["app", "fill", "page"]


def test_a_heading_folds_its_lines_and_a_link_to_one_of_them_unfolds_it(
    page: Any, make_job: Any, make_result: Any, add_entries: Any
):
    result = make_result(make_job("Grouped"), "running")
    add_entries(result, *(f"one {number}" for number in range(3)), grouping="first part")
    add_entries(result, *(f"two {number}" for number in range(3)), grouping="second part")
    page.goto(f"/results/{result.id}")
    first = page.get_by_role("button", name="Lines of first part")

    def shown() -> list[str]:
        return [text.strip() for text in page.locator("#log > [data-level]:visible .msg").all_inner_texts()]

    everything = [f"{part} {number}" for part in ("one", "two") for number in range(3)]
    assert shown() == everything
    first.focus()
    page.keyboard.press("Enter")
    assert shown() == everything[3:]
    assert first.get_attribute("aria-expanded") == "false"
    assert look(page) == []
    # What comes in under a heading that is folded is folded, too.
    page.get_by_role("button", name="Lines of second part").click()
    assert shown() == []
    add_entries(result, "two 3", grouping="second part")
    page.locator("#L7").wait_for(state="attached")
    assert shown() == []
    page.evaluate("location.hash = '#L2'")
    page.locator("#L2").wait_for()
    assert shown() == everything[:3]
    assert first.get_attribute("aria-expanded") == "true"
