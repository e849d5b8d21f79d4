"""The line above a log: what it holds stays together, however long the counts are."""

from typing import Any

import pytest

from .test_every_page import app, fill, page

pytestmark = pytest.mark.browser

__all__ = ["app", "fill", "page"]

MIDDLES = """() => ["#lq", ".follow", "#log-menu"].map(selector => document.querySelector(selector)).filter(one => one)
    .map(one => { const box = one.getBoundingClientRect(); return box.top + box.height / 2 })"""


@pytest.mark.parametrize("status", ["running", "completed"])
def test_what_finds_follows_and_takes_away_is_on_one_line(
    page: Any, make_job: Any, make_result: Any, add_entries: Any, status: str
):
    result = make_result(make_job("Counted"), status)
    add_entries(result, "one")
    page.goto(f"/results/{result.id}")
    heights = set()
    for digits in ("7", "4 321", "1 654 321"):
        page.evaluate(
            "digits => document.querySelectorAll('.chips .n').forEach(n => n.textContent = digits)", digits
        )
        for width in (360, 768, 900, 1100, 1280, 1440, 1600, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            middles = page.evaluate(MIDDLES)
            assert max(middles) - min(middles) < 4, (width, digits, middles)
            heights.add((width, page.locator("#log-filter").bounding_box()["height"]))
    if status == "running":
        # Nothing below moves while they grow.
        assert len(heights) == 8, sorted(heights)
