"""Pages enlarged four times, as who sees little has them: a window of 1280 by 1024 shows 320 by 256 of a page then."""

from typing import Any

import pytest

from .test_every_page import app, fill, page

pytestmark = pytest.mark.browser

__all__ = ["app", "fill", "page"]

#: How much of the window is covered by what does not go away when the page is scrolled.
COVERED = """() => { const rows = new Set(); document.querySelectorAll("body *").forEach(one => {
    if (!["fixed", "sticky"].includes(getComputedStyle(one).position) || !one.checkVisibility()) return;
    const box = one.getBoundingClientRect();
    if (box.width > 100) for (let row = Math.max(0, Math.ceil(box.top)); row < Math.min(innerHeight, box.bottom); row++) rows.add(row) });
    return rows.size / innerHeight }"""


def test_most_of_the_window_is_left_for_what_is_read(
    page: Any, make_job: Any, make_result: Any, add_entries: Any
):
    result = make_result(make_job("Read"), "failed", cause="No.")
    add_entries(result, *(f"line {number}" for number in range(40)))
    page.set_viewport_size({"width": 320, "height": 256})
    for address in (f"/results/{result.id}", "/results/", "/jobs/"):
        page.goto(address)
        page.mouse.wheel(0, 500)
        page.wait_for_function("scrollY > 0")
        assert page.evaluate(COVERED) < 0.25, address
        assert page.evaluate("document.documentElement.scrollWidth") == 320
    # All pages can still be reached, and so can what the menu opens.
    page.evaluate("scrollTo(0, 0)")
    page.get_by_text("More", exact=True).click()
    page.locator(".nav .more a").first.wait_for()


def test_the_palette_shows_what_it_found(page: Any, make_job: Any):
    for name in ("First", "Second", "Third"):
        make_job(name, class_name=name, enabled=True)
    page.set_viewport_size({"width": 320, "height": 256})
    page.goto("/jobs/")
    page.keyboard.press("/")
    page.locator("#jump-list [role=option]").first.wait_for()
    assert page.locator("#jump-list").bounding_box()["height"] > 100
