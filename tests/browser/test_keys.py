"""Anything is reached by keys alone, from anywhere; and on a phone, with and without JavaScript."""

import re

import pytest

from tests.browser.conftest import OpenPage
from tests.waiting import until

pytestmark = pytest.mark.browser

FOCUS = "document.activeElement.id || document.activeElement.textContent.trim()"


def test_the_palette_goes_anywhere_and_gives_the_focus_back(open_page: OpenPage):
    page = open_page()
    page.goto("/results/")
    field, chosen = page.locator("#jump-q"), page.locator("#jump-list [aria-selected=true]")
    page.get_by_role("link", name="Objects").focus()
    page.keyboard.press("/")
    chosen.wait_for()
    assert page.evaluate(FOCUS) == "jump-q"
    page.keyboard.type("new br")
    page.locator("[data-asked='new br']").wait_for(state="attached")
    assert re.match(r"New Branch\s", chosen.inner_text())
    assert field.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert re.match(r"New Branch\s", chosen.inner_text())
    assert re.match(r"\d+ match", page.locator("#jump-said").inner_text())
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate(FOCUS) == "Objects"
    # What is typed quickly is what is gone to, though its answer has not come yet.
    page.keyboard.press("Control+k")
    page.keyboard.type("audit lo")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/audit/")
    # Where nothing had the focus, the field that is closed does not keep it.
    page.keyboard.press("/")
    page.locator("#jump[open]").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.locator("#keys[open]").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("new br")
    page.keyboard.press("Enter")
    page.wait_for_url("**/NewBranch/")
    page.keyboard.press("r")
    assert page.evaluate(FOCUS).startswith("Run job")


def test_keys_lead_through_pages_and_lists(open_page: OpenPage):
    page = open_page()
    page.goto("/workers/")
    page.keyboard.type("gj")
    page.wait_for_url("**/jobs/")
    page.keyboard.type("jjk")
    first = page.locator(".job h3 a").first
    assert first.evaluate("link => link === document.activeElement")
    # What is drawn again keeps the focus where it was.
    with page.expect_response(re.compile(r"/jobs/\?q=")):
        page.evaluate("document.querySelector('main form.bar').requestSubmit()")
    until(lambda: first.evaluate("link => link === document.activeElement"), "the focus is back", seconds=5)
    # In a field, keys are letters.
    page.keyboard.press("s")
    assert page.evaluate(FOCUS) == "q"
    with page.expect_response(re.compile("q=gr%3F")):
        page.keyboard.type("gr?")
    assert page.locator("#q").input_value() == "gr?"
    assert page.locator("dialog[open]").count() == 0
    page.locator("#q").fill("")
    page.get_by_role("link", name="Jobs", exact=True).focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    dialog.wait_for()
    dialog.get_by_label("Single letters are keys").uncheck()
    page.keyboard.press("Escape")
    assert page.evaluate(FOCUS) == "Jobs"
    page.keyboard.type("gr/")
    assert page.locator("dialog[open]").count() == 0
    page.keyboard.press("Control+k")
    page.locator("#jump[open]").wait_for()
    assert page.url.partition("?")[0].endswith("/jobs/")


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
def test_a_phone_has_all_pages_and_finds_anything(open_page: OpenPage, javascript: bool):
    page = open_page(390, javascript=javascript)
    page.goto("/jobs/")
    nav = page.get_by_role("navigation", name="Main")
    assert nav.get_by_role("link").all_inner_texts() == ["Jobs", "Results", "Schedules", "Approvals"]
    assert nav.evaluate("nav => nav.scrollWidth <= nav.clientWidth")
    nav.get_by_text("More").click()
    nav.get_by_role("link", name="Admin").click()
    page.wait_for_url("**/admin/users/")
    assert nav.locator("summary").get_attribute("aria-current") == "true"
    page.get_by_role("link", name="Jump to").click()
    if javascript:
        page.locator("#jump-q").press_sequentially("ostend")
        page.locator("[data-asked=ostend]").wait_for(state="attached")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        return
    page.get_by_role("searchbox").fill("new branch")
    page.get_by_role("button", name="Find").click()
    # Other tests may have run it: what stands first is the job.
    page.get_by_role("link", name="New Branch", exact=True).first.click()
    page.wait_for_url("**/jobs/**/NewBranch/")
