"""The log of a run that goes on, opened in the middle: its reader gets to the end, and stays there."""

from typing import Any

import pytest

from .test_every_page import app, fill, page

pytestmark = pytest.mark.browser

__all__ = ["app", "fill", "page"]


@pytest.fixture
def result(page: Any, make_job: Any, make_result: Any, add_entries: Any) -> Any:
    """A run with a log that is open around its 20th line, and that goes on."""
    result = make_result(make_job("Joined"), "running")
    add_entries(result, *(f"line {number}" for number in range(1, 251)))
    page.goto(f"/results/{result.id}?line=20#L20")
    page.locator("#L20").wait_for()
    assert page.locator("#L250").count() == 0
    assert not page.locator(".follow").is_checked()
    return result


def test_lines_go_on_arriving_once_the_end_is_loaded(page: Any, result: Any, add_entries: Any):
    page.get_by_role("link", name="Show more lines").click()
    page.locator("#L250").wait_for(state="attached")
    add_entries(result, "line 251")
    page.locator("#L251").wait_for(state="attached")
    seqs = page.locator("#log > [data-level]").evaluate_all(
        "rows => rows.map(row => Number(row.id.slice(1)))"
    )
    assert seqs == list(range(1, 252))


def test_who_follows_goes_to_the_end(page: Any, result: Any, add_entries: Any):
    add_entries(result, "line 251")
    page.locator(".follow").check()
    page.locator("#L251").wait_for()
    add_entries(result, "line 252")
    page.locator("#L252").wait_for()
    assert page.locator(".follow").is_checked()


def test_the_end_is_where_it_is_by_now(page: Any, result: Any, add_entries: Any):
    add_entries(result, *(f"line {number}" for number in range(251, 301)))
    page.get_by_role("link", name="Go to the end").click()
    page.locator("#L300").wait_for()
    add_entries(result, "line 301")
    page.locator("#L301").wait_for()


def test_what_is_not_followed_is_not_said_to_be(page: Any, result: Any):
    page.locator("#logbox").evaluate("box => { box.scrollTop = box.scrollHeight }")
    page.wait_for_function("document.getElementById('logbox').scrollTop > 0")
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert not page.locator(".follow").is_checked()


def test_who_stops_following_keeps_their_lines(page: Any, result: Any, add_entries: Any):
    page.goto(f"/results/{result.id}")
    page.locator("#L250").wait_for()
    add_entries(result, *(f"line {number}" for number in range(251, 301)))
    page.locator("#L300").wait_for()
    page.evaluate("window.first = document.querySelector('#log > [data-level]')")
    with page.expect_response(lambda answer: "/log?after=300" in answer.url):
        page.locator(".follow").uncheck()
    assert page.evaluate("window.first.isConnected")
