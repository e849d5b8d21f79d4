"""Pages where the system chooses the colours, as high contrast on Windows does: what colours and shadows say is said otherwise."""

from typing import Any

import pytest

from .test_every_page import app, fill, page

pytestmark = pytest.mark.browser

__all__ = ["app", "fill", "page"]

LOOKS = """([selector, part]) => Array.from(document.querySelectorAll(selector)).filter(one => one.checkVisibility()).map(one => {
    const style = getComputedStyle(one, part); return [style.backgroundColor, style.borderBottomColor, style.color].join() })"""


def looks(page: Any, selector: str, part: str | None = None) -> set[str]:
    """Return how the things of a kind look that are to be seen."""
    found = set(page.evaluate(LOOKS, [selector, part]))
    assert found, selector
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_on_and_what_is_current_can_be_told(
    page: Any, make_job: Any, make_result: Any, add_entries: Any, theme: str
):
    page.emulate_media(forced_colors="active", color_scheme=theme)
    job = make_job("Told", enabled=True)
    running = make_result(job, "running")
    add_entries(running, "one")
    page.goto(f"/results/{running.id}")
    switch = page.locator(".follow")
    switch.set_checked(True)
    on = looks(page, ".follow")
    knob = looks(page, ".follow", "::before")
    assert on != knob, "the knob of a switch cannot be seen"
    switch.set_checked(False)
    assert looks(page, ".follow") != on
    assert looks(page, ".nav [aria-current]").isdisjoint(looks(page, ".nav a:not([aria-current])"))
    ended = make_result(job, "completed")
    page.goto(f"/results/{ended.id}")
    assert looks(page, ".tabs [aria-current]").isdisjoint(looks(page, ".tabs a:not([aria-current])"))
    page.goto("/jobs/")
    assert looks(page, ".chip[aria-current]").isdisjoint(looks(page, ".chip:not([aria-current])"))
