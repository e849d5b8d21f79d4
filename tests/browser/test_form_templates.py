"""A form with a template of its own, in a real browser: under the strict policy for content, and without JavaScript.

Every complaint of the browser about that policy fails a test (see `open_page`).
"""

from typing import Any

import pytest

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser

URL = "/jobs/local/forming/Forming/"


def css(page: Any, selector: str, name: str) -> str:
    return str(
        page.locator(selector).evaluate("(it, name) => getComputedStyle(it).getPropertyValue(name)", name)
    )


def run(page: Any) -> None:
    page.get_by_role("button", name="Run job").click()


def test_its_script_changes_the_form_and_what_it_wrote_is_sent(open_page: OpenPage):
    page = open_page()
    page.goto(URL)
    assert page.get_by_label("Size").input_value() == "l", (
        "the second script ran, after the inputs were there"
    )
    page.get_by_label("Var1").fill("quiet")
    assert page.get_by_label("Loud").input_value() == "QUIET"
    assert page.locator("#said").inner_text() == "Typed: quiet"
    run(page)
    page.wait_for_url("**/results/*")
    page.get_by_text("QUIET").first.wait_for()


def test_its_style_changes_the_form_and_nothing_else(open_page: OpenPage):
    page = open_page()
    page.goto(URL)
    assert css(page, "#hint", "color") == "rgb(1, 2, 3)"
    assert css(page, "#hint", "animation-name") == "blink"
    assert css(page, "#id_var1", "letter-spacing") == "3px"
    assert css(page, ".side", "color") != "rgb(9, 9, 9)"
    assert css(page, "body", "color") != "rgb(9, 9, 9)"


def test_nothing_of_it_is_inline(open_page: OpenPage):
    page = open_page()
    page.goto(URL)
    page.locator("#hint").click()
    assert page.title() != "clicked"
    assert page.locator("style, [style], script:not([src]), [onclick]").count() == 0
    assert page.locator("#said").get_attribute("hx-get") is None


def test_it_works_again_after_a_refusal(open_page: OpenPage):
    page = open_page()
    page.goto(URL)
    page.get_by_label("Var1").evaluate("input => input.removeAttribute('minlength')")
    page.get_by_label("Var1").fill("ab")
    run(page)
    page.locator("#errors").wait_for()
    assert page.locator("#said").inner_text() == "Typed: ab"
    page.get_by_role("link", name="Var1").click()
    assert page.evaluate("document.activeElement.id") == "id_var1"
    page.get_by_label("Var1").fill("abc")
    assert page.get_by_label("Loud").input_value() == "ABC"
    assert css(page, "#hint", "color") == "rgb(1, 2, 3)"


@pytest.mark.parametrize("width", [360, 1440])
def test_without_javascript_it_is_the_plain_form_with_the_html(open_page: OpenPage, width: int):
    page = open_page(width, javascript=False)
    page.goto(URL)
    assert page.locator("#hint").inner_text() == "Read Forming & co first"
    assert page.locator("#said").inner_text() == "Nothing typed"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Var1").fill("typed")
    page.get_by_label("Var1").press("Enter")
    page.wait_for_url("**/results/*")


def test_a_template_that_cannot_be_used_leaves_the_plain_form(open_page: OpenPage):
    page = open_page()
    page.goto("/jobs/local/forming/Malformed/")
    assert "forms/malformed.html: line 4" in page.get_by_role("alert").first.inner_text()
    run(page)
    page.wait_for_url("**/results/*")
