"""Whole ways through the product by keys alone, and without JavaScript: find, run, watch, cancel, approve, schedule, keep."""

import re
from typing import Any

import pytest
from sqlalchemy import select

from store.models import User
from store.platform import Platform
from store.settings import load_settings
from tests.browser.conftest import OpenPage, Product
from tests.browser.test_lists_and_logs import REPORT, run_report
from tests.browser.test_main_job import fill, somebody_else_writes
from tests.waiting import until

pytestmark = pytest.mark.browser

RETIRE = "/jobs/plugins/examples.inventory.jobs.retiring/RetireSite/"
FOCUS = """(here => here === document.body ? "" : here.id || here.getAttribute("aria-label") || here.textContent.trim())(
    document.activeElement)"""
RESULT = re.compile(r"/results/[0-9a-f-]{36}$")


@pytest.fixture
def bob(product: Product) -> str:
    """Somebody else who may do anything."""
    platform = Platform(load_settings(product.instance, {}).database_url)
    with platform.session() as db:
        if db.scalars(select(User).where(User.username == "bob")).first() is None:
            db.add(User(username="bob", superuser=True))
            db.commit()
    platform.dispose()
    return "bob"


def sign_in(page: Any, product: Product, user: str) -> Any:
    page.goto(product.sign_in_link(user))
    return page


def focus(page: Any) -> str:
    """Return what has the focus: its id, its label, or what it reads."""
    return str(page.evaluate(FOCUS))


def tab_to(page: Any, words: str, most: int = 40, key: str = "Tab") -> None:
    """Press Tab until the focus is on what is called so."""
    for _ in range(most):
        page.keyboard.press(key)
        if words in focus(page):
            return
    raise AssertionError(f"Tab does not come to {words!r}; it is on {focus(page)!r}")


def comes_to(page: Any, words: str) -> None:
    until(lambda: words in focus(page), f"the focus is on {words}", seconds=5)
    # No hand is quicker, but a test: htmx sets the focus once more when it has settled.
    until(lambda: page.evaluate("!document.querySelector('.htmx-settling,.htmx-added')"), "all has settled")


def test_a_job_is_found_run_scheduled_and_kept_at_hand_by_keys_alone(open_page: OpenPage):
    page = open_page()
    page.goto("/workers/")
    page.keyboard.press("/")
    page.keyboard.type("device connections")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/jobs/.*ConnectionsReport/|/jobs/.*Connections"))
    job = page.url
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    page.wait_for_url(RESULT)
    page.locator("#state", has_text="Failed").wait_for()
    page.keyboard.type("gr")
    page.wait_for_url("**/results/")
    # A filter is set, saved under a name, and opens first from then on.
    page.get_by_label("Status").focus()
    page.keyboard.type("Failed")
    page.locator(".save").wait_for()
    tab_to(page, "Save filter", 20, "Shift+Tab")
    page.keyboard.press("Enter")
    comes_to(page, "filter-name")
    page.keyboard.type("By keys")
    page.keyboard.press("Enter")
    comes_to(page, "By keys")
    tab_to(page, "default-filter", 3)
    page.keyboard.press("Enter")
    page.locator("#default-filter[aria-pressed=true]").wait_for()
    assert focus(page) == "default-filter"
    page.keyboard.type("gjgr")
    page.wait_for_url("**/results/?status=failed")
    page.locator("#default-filter").focus()
    page.keyboard.press("Space")
    page.locator("#default-filter[aria-pressed=false]").wait_for()
    # The rows are chosen by keys, and what can be done with them is there.
    page.keyboard.type("jx")
    assert "chosen" in page.locator("[data-ticked]").inner_text()
    assert page.locator("#table tbody [name=id]:checked").count() == 1
    tab_to(page, "Clear", 200)
    page.keyboard.press("Enter")
    # The filter goes as it came; others use this portal after us.
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete the filter By keys").focus()
    page.keyboard.press("Enter")
    page.locator(".save").wait_for()
    # It is to run each day; the switch keeps the focus when it is pressed.
    page.goto(job)
    page.locator("[name=_when][value=cron], [name=_when][value=recurring]").first.focus()
    page.keyboard.press("Space")
    page.get_by_label("Starts").fill("2030-01-01T08:00")
    page.locator("[data-run-form] button[data-run]").last.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/schedules/[0-9a-f-]{36}"))
    page.keyboard.type("gs")
    page.wait_for_url("**/schedules/")
    switch = page.get_by_role("switch", name=REPORT)
    switch.focus()
    page.keyboard.press("Space")
    page.locator("[role=switch][aria-checked=false]").wait_for()
    assert switch.evaluate("one => one === document.activeElement")


def test_a_run_is_canceled_and_a_request_decided_by_keys_alone(
    open_page: OpenPage, product: Product, bob: str
):
    page = open_page()
    page.on("dialog", lambda dialog: dialog.accept())
    with somebody_else_writes(product):
        fill(page, "To be canceled", 2)
        page.locator("#pick-switch_model summary").focus()
        page.keyboard.press("Enter")
        page.locator("#pick-switch_model input[type=radio]").first.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        page.locator("[data-run-form] h2").first.click()
        page.keyboard.press("r")
        page.keyboard.press("Enter")
        page.wait_for_url(RESULT)
        page.locator("#log .msg", has_text="Waiting for another run").wait_for()
        page.locator("#cancel").focus()
        page.keyboard.press("Enter")
        page.locator("#state", has_text="Canceled").wait_for()
        until(
            lambda: page.evaluate("document.activeElement.closest('#result-head') !== null"),
            "the focus is kept",
        )
    # Somebody else has asked for what needs an approval.
    other = sign_in(open_page(signed_in=False), product, bob)
    ask_to_retire(other)
    page.keyboard.type("ga")
    page.wait_for_url("**/approvals/")
    request = page.locator("article").first
    key = request.get_attribute("id")
    request.get_by_placeholder("Comment").focus()
    page.keyboard.type("Not now")
    tab_to(page, "Deny", 6)
    page.keyboard.press("Enter")
    page.locator(f"#{key}", has_text="Denied").wait_for()
    until(
        lambda: page.evaluate(f"!!document.activeElement.closest('#{key}')"),
        "the focus is on what was decided",
    )


def ask_to_retire(page: Any) -> None:
    page.goto(RETIRE)
    picker = page.locator("#pick-site")
    if page.evaluate("!!window.htmx"):
        picker.locator("summary").click()
        picker.locator("li label").first.click()
    else:
        picker.locator("details").evaluate("details => details.open = true")
        picker.locator("li input").first.check()
    page.get_by_role("button", name="Ask for approval").click()
    page.wait_for_url(RESULT)


def test_loaded_lines_take_the_focus(open_page: OpenPage):
    page = open_page()
    page.goto("/jobs/")
    more = page.locator(".job.more a").first
    if more.count():
        group = more.evaluate("link => link.closest('details').id")
        more.focus()
        page.keyboard.press("Enter")
        until(
            lambda: page.evaluate(f"!!document.activeElement.closest('#{group} .job:not(.more)')"),
            "the focus is on a line that came",
        )
    # What is typed stays under the fingers while the list changes below it.
    page.locator("#q").focus()
    with page.expect_response(re.compile("q=report")):
        page.keyboard.type("report")
    page.locator(".match").wait_for()
    assert focus(page) == "q"


def test_the_ways_without_javascript(open_page: OpenPage, product: Product, bob: str):
    page = open_page(javascript=False)
    result = run_report(page)
    assert "Failed" in page.locator("#state").inner_text()
    # Found by time, between moments that the link then names.
    page.goto("/results/")
    page.get_by_text("Times", exact=True).click()
    page.get_by_label("From").fill("2020-01-01T00:00")
    page.locator(".by-time").get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("since=2020-01-01T00"))
    assert page.locator(f"a[href='{result[result.index('/results/') :]}']").count() == 1
    page.get_by_text("Times", exact=True).click()
    page.get_by_label("Until").fill("2019-01-01T00:00")
    page.locator(".by-time").get_by_role("button", name="Show").click()
    page.locator("#until-e").wait_for()
    # A filter of the jobs is kept, opens first, and all that match are switched at once.
    page.goto("/jobs/?q=report")
    page.get_by_text("Save filter").click()
    page.get_by_label("Name of the filter").fill("Reports")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Open first").click()
    page.goto("/jobs/")
    assert page.url.endswith("/jobs/?q=report")
    page.get_by_role("button", name="Disable all that match").click()
    page.get_by_role("heading", name=re.compile(r"Disable: \d+ jobs\?")).wait_for()
    page.get_by_role("link", name="Back to the list").click()
    page.get_by_role("button", name="Open first").click()
    page.get_by_role("button", name="Delete the filter Reports").click()
    page.get_by_text("Save filter").wait_for()
    # A run is canceled by a page that asks first.
    with somebody_else_writes(product):
        fill(page, "Plainly canceled", 2)
        page.locator("#pick-switch_model details").evaluate("details => details.open = true")
        page.locator("#pick-switch_model li input").first.check()
        page.get_by_role("button", name="Run job").click()
        page.wait_for_url(RESULT)
        page.get_by_role("button", name="Cancel run").click()
        page.locator("main form[method=post] button").first.click()
        page.locator("#state", has_text="Canceled").wait_for()
    ask_to_retire(sign_in(open_page(javascript=False, signed_in=False), product, bob))
    page.goto("/approvals/")
    request = page.locator("article").first
    request.get_by_placeholder("Comment").fill("Not now")
    request.get_by_role("button", name="Deny").click()
    page.goto("/approvals/?view=decided")
    page.get_by_text("Denied by admin").first.wait_for()
