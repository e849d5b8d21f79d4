"""A form whose inputs react to each other, in a real browser."""

import re
from typing import Any

import pytest

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser

MOVES = "/jobs/local/reacting/Moves/"


def choose(page: Any, variable: str, text: str) -> None:
    page.locator(f"#f-{variable} label", has_text=re.compile(f"^{text}$")).click()


def shown(page: Any) -> list[str]:
    fields = page.locator("section .fld:not([hidden])[id^=f-]")
    return [str(name).removeprefix("f-") for name in fields.evaluate_all("all => all.map(each => each.id)")]


def test_a_change_shows_what_depends_on_it_and_nothing_typed_is_lost(open_page: OpenPage):
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/inputs" in request.url else None)
    page.goto(MOVES)
    assert shown(page) == ["note", "mode", "site"]
    page.get_by_label("Note").fill("typed")
    note = page.get_by_label("Note").element_handle()
    choose(page, "mode", "Replace")
    page.locator("#f-new_name:not([hidden])").wait_for()
    assert len(asked) == 1
    page.get_by_label("New name").fill("sw-new")
    choose(page, "site", "Bern")
    page.locator("#f-rack:not([hidden])").wait_for()
    assert page.locator("#f-rack label").all_inner_texts() == ["B-1", "B-2"]
    assert page.evaluate("document.activeElement.name") == "v-site"
    choose(page, "rack", "B-2")
    page.locator("#f-unit:not([hidden])").wait_for()
    assert page.get_by_label("Unit").input_value() == "30"
    choose(page, "site", "Zug")
    page.locator("select#id_rack").wait_for()
    assert shown(page) == ["note", "mode", "new_name", "site", "rack"]
    assert page.get_by_label("New name").input_value() == "sw-new"
    assert note.evaluate("input => input.isConnected && input.value") == "typed", "it was never drawn anew"
    # Gone and back again.
    choose(page, "mode", "Check")
    page.locator("#f-new_name[hidden]").wait_for(state="attached")
    choose(page, "mode", "Replace")
    page.locator("#f-new_name:not([hidden])").wait_for()
    assert page.get_by_label("New name").input_value() == "sw-new"


def test_focus_and_what_is_typed_meanwhile_stay_when_a_field_is_drawn_anew(open_page: OpenPage):
    page = open_page()
    page.goto(f"{MOVES}?mode=move&site=bern&rack=b-1")
    held: list[Any] = []
    page.route(re.compile("/inputs"), lambda route: held.append(route))
    with page.expect_request(re.compile("/inputs")):
        choose(page, "rack", "B-2")
    page.get_by_label("Unit").fill("5")
    with page.expect_response(re.compile("/inputs")):
        held[0].continue_()
    page.locator("#f-unit", has_text="In b-2").wait_for()
    assert page.get_by_label("Unit").input_value() == "5"
    assert page.evaluate("document.activeElement.id") == "id_unit"


def test_without_javascript_a_button_does_the_same(open_page: OpenPage):
    page = open_page(javascript=False)
    page.goto(MOVES)
    page.get_by_label("Note").fill("typed")
    page.get_by_label("Move", exact=True).check()
    page.get_by_label("Bern").check()
    page.locator("#f-site").get_by_role("button", name="Update").click()
    page.wait_for_load_state("domcontentloaded")
    assert shown(page) == ["note", "mode", "urgent", "reason", "extras", "site", "rack"]
    page.get_by_label("B-1").check()
    page.locator("#f-rack").get_by_role("button", name="Update").click()
    assert (page.get_by_label("Unit").input_value(), page.get_by_label("Note").input_value()) == (
        "12",
        "typed",
    )
    page.get_by_label("Note").press("Enter")
    page.wait_for_url(re.compile("/results/"))
