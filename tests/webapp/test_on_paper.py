"""A result on paper says what of its log is not there."""

from typing import Any

import pytest

from .test_every_page import app, fill, page

pytestmark = pytest.mark.browser

__all__ = ["app", "fill", "page"]


def test_a_long_log_says_what_is_not_printed(page: Any, make_job: Any, make_result: Any, add_entries: Any):
    result = make_result(make_job("Printed"))
    add_entries(result, *(f"line {number}" for number in range(1, 301)))
    page.goto(f"/results/{result.id}?line=150#L150")
    earlier = page.get_by_text("What comes before line 100 is not here.")
    later = page.get_by_text("What comes after line 199 of 300 is not here.")
    assert not earlier.is_visible()
    assert not later.is_visible()
    page.emulate_media(media="print")
    assert earlier.is_visible()
    assert later.is_visible()
    assert not page.get_by_text("Show more lines").is_visible()
