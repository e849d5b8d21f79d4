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


@pytest.mark.parametrize("width", [360, 390])
def test_on_a_phone_a_heading_takes_one_line_until_it_is_folded(
    page: Any, make_job: Any, make_result: Any, add_entries: Any, width: int
):
    result = make_result(make_job("Grouped"), "failed")
    name = "configure access switches of the second floor and of the third"
    for level in ("debug", "info", "success", "warning", "failure"):
        add_entries(result, *(f"one {number}" for number in range(12)), level=level, grouping=name)
    add_entries(result, "two", grouping="run")
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"/results/{result.id}")
    heading, arrow = page.locator("#G1"), page.get_by_role("button", name=f"Lines of {name}")
    arrow.wait_for()
    # Two lines of text are higher, with what is around them.
    assert heading.bounding_box()["height"] < 48
    title = heading.get_by_title(name)
    assert title.evaluate("cut => cut.scrollWidth > cut.clientWidth")
    # What went wrong is told in any case, at the end of the line.
    failures = heading.get_by_title("12 failure").bounding_box()
    line = heading.bounding_box()
    assert 0 < line["x"] + line["width"] - failures["x"] - failures["width"] < 24
    assert line["y"] < failures["y"] < line["y"] + line["height"] - failures["height"]
    # A short name takes no more room than it needs.
    assert page.locator("#G61 h3").bounding_box()["width"] < 48
    assert look(page) == []
    arrow.click()
    assert title.evaluate("whole => whole.scrollWidth <= whole.clientWidth")
    page.evaluate("scrollTo(0, 0)")
    assert look(page) == []
