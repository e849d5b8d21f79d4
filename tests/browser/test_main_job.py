"""The main job: from the form to the live result, as a person sees it."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.browser.conftest import OpenPage, Product

pytestmark = pytest.mark.browser

NEW_BRANCH = "/jobs/plugins/examples.inventory.jobs.provisioning/NewBranch/"


@contextmanager
def somebody_else_writes(product: Product) -> Iterator[None]:
    """Keep the write turn of the objects: a run has to wait, and can be watched while it does."""
    connection = sqlite3.connect(product.instance / "data.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def fill(page: Any, site: str, switches: int) -> None:
    page.goto(NEW_BRANCH)
    page.get_by_label("Site name").fill(site)
    page.get_by_label("Access switches").fill(str(switches))


def choose(page: Any, variable: str, text: str) -> None:
    picker = page.locator(f"#pick-{variable}")
    picker.locator("summary").click()
    # Choose from what was found: an answer that comes after the click would draw the list again.
    search = picker.locator("input[type=search]")
    if search.input_value() != text:
        with page.expect_response(re.compile("_part=list")):
            search.fill(text)
    page.wait_for_load_state("networkidle")
    picker.locator("li", has_text=text).first.locator("label").click()
    page.wait_for_load_state("networkidle")


def no_wider_than_the_window(page: Any) -> bool:
    # In the middle of a navigation there is no document to measure.
    page.wait_for_load_state("domcontentloaded")
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("width", [1440, 390])
def test_new_branch_from_the_form_to_the_live_result(open_page: OpenPage, product: Product, width: int):
    page = open_page(width)
    page.goto("/jobs/")
    page.get_by_role("link", name="New Branch", exact=True).click()
    assert no_wider_than_the_window(page)
    fill(page, f"Ostend {width}", 12)
    choose(page, "manufacturer", "Cisco")
    choose(page, "switch_model", "Catalyst 9300")
    with somebody_else_writes(product):
        page.get_by_role("button", name="Run job").click()
        page.wait_for_url(re.compile(r"/results/[0-9a-f-]{36}$"))
        address = page.url
        # It arrives while the job runs, without a reload.
        page.locator("#log .msg", has_text="Waiting for another run").wait_for()
        assert page.locator("#state").inner_text().strip() == "Running"
        assert no_wider_than_the_window(page)
    page.locator("#state", has_text="Completed").wait_for()
    assert page.url == address
    assert page.locator("#log li[data-level=success]").count() == 13
    assert page.locator("#outcome").inner_text().count(f"sw-ostend-{width}-acc-") == 12
    page.locator("#log .obj", has_text=f"Ostend {width}").first.click()
    page.wait_for_url(re.compile(r"/objects/inventory\.site/\d+$"))
    assert page.locator("h1").inner_text() == f"Ostend {width}"
    assert no_wider_than_the_window(page)


def test_a_choice_that_does_not_fit_any_more_is_dropped(open_page: OpenPage):
    page = open_page()
    page.goto(NEW_BRANCH)
    choose(page, "manufacturer", "Cisco")
    choose(page, "switch_model", "Catalyst 9300")
    summary = page.locator("#pick-switch_model summary")
    assert "Catalyst 9300" in summary.inner_text()
    page.locator("#pick-manufacturer summary").click()
    page.locator("#pick-manufacturer input[type=search]").fill("Juniper")
    page.locator("#pick-manufacturer li", has_text="Juniper").first.locator("label").click()
    page.locator("#pick-switch_model summary", has_text="Choose").wait_for()
    page.locator("#pick-switch_model summary").click()
    options = page.locator("#pick-switch_model ul")
    options.get_by_text("EX3400-48P").wait_for()
    assert "Catalyst" not in options.inner_text()


def test_wrong_inputs_are_told_beside_them_and_nothing_is_lost(open_page: OpenPage):
    page = open_page()
    fill(page, "Nowhere", 99)
    page.locator("[data-run-form]").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Run job").click()
    page.locator("#errors").wait_for()
    assert "less than or equal to 48" in page.locator("main").inner_text()
    assert "This field is required." in page.locator("main").inner_text()
    assert page.get_by_label("Site name").input_value() == "Nowhere"
    assert page.get_by_label("Access switches").input_value() == "99"
    assert page.evaluate("document.activeElement.id") == "errors"


def test_without_javascript_it_works_the_same(open_page: OpenPage):
    page = open_page(javascript=False)
    fill(page, "Plain Town", 2)
    picker = page.locator("#pick-switch_model")
    picker.locator("summary").click()
    picker.locator("input[type=search]").fill("EX3400")
    picker.get_by_role("button", name="Search").click()
    assert page.get_by_label("Site name").input_value() == "Plain Town"
    page.locator("#pick-switch_model li", has_text="EX3400").first.locator("input").check()
    page.get_by_role("button", name="Run job").click()
    page.wait_for_url(re.compile(r"/results/"))
    # The page reloads by itself every five seconds.
    page.locator("#state", has_text="Completed").wait_for()
    assert "sw-plain-town-acc-02,Juniper,EX3400-48P" in page.locator("main").inner_text()


def test_a_stranger_is_asked_to_sign_in_and_comes_back(open_page: OpenPage):
    page = open_page(signed_in=False)
    page.goto(NEW_BRANCH)
    assert "/login" in page.url
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("no such password")
    page.get_by_role("button", name="Sign in").click()
    assert page.locator("[role=alert]").inner_text().strip()
    assert page.get_by_label("Name").input_value() == "admin"


def test_a_sign_in_link_works_once(open_page: OpenPage, product: Product):
    link = product.sign_in_link()
    first, second = open_page(signed_in=False), open_page(signed_in=False)
    first.goto(link)
    assert first.locator(".who").inner_text().startswith("admin")
    second.goto(link)
    assert second.locator(".who").count() == 0
