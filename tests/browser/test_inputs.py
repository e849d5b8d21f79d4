"""Inputs in a real browser: files, and choices made while a search is on its way."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.test_main_job import NEW_BRANCH
from tests.waiting import until

pytestmark = pytest.mark.browser

IMPORT = "/jobs/plugins/examples.inventory.jobs.importing/ImportDevices/"
TABLE = "name,model,role\nsw-new-1,Catalyst 9300-48U,Access Switch\nsw-new-2,No such model,Access Switch\n"


def choose_first(page: Any, variable: str) -> None:
    picker = page.locator(f"#pick-{variable}")
    picker.locator("summary").click()
    picker.locator("li label").first.click()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_file_is_sent_and_what_the_run_makes_of_it_comes_back(
    open_page: OpenPage, tmp_path: Path, javascript: bool
):
    page = open_page(javascript=javascript)
    page.goto(IMPORT)
    choose_first(page, "site")
    file = {"name": "new.csv", "mimeType": "text/csv", "buffer": TABLE.encode()}
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name=re.compile("Dry run first|Run job")).first.click()
    page.wait_for_url(re.compile("/results/"))
    until(lambda: _ended(page, javascript), "the run has ended")
    assert page.locator("#inputs").get_by_text("new.csv (").is_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="left out.csv").last.click()
    assert "No such model" in Path(download.value.path()).read_text()


def _ended(page: Any, javascript: bool) -> bool:
    if not javascript:
        page.reload()
    return page.locator("#state", has_text=re.compile("Completed|Warnings")).count() > 0


def test_a_file_that_is_too_large_is_said_so_before_it_is_sent(open_page: OpenPage):
    page = open_page()
    page.goto(IMPORT)
    choose_first(page, "site")
    large = {"name": "large.csv", "mimeType": "text/csv", "buffer": b"x" * (10 * 1024 * 1024 + 1)}
    field = page.get_by_label("CSV file")
    field.set_input_files(large)
    said = field.evaluate("input => input.validationMessage")
    assert said == "The file is larger than 10 MB, the most that is taken here."
    page.get_by_role("button", name="Run job").click()
    assert "/results/" not in page.url
    field.set_input_files({**large, "buffer": b"x"})
    assert field.evaluate("input => input.validity.valid")


def test_a_choice_made_while_a_search_is_on_its_way_stays(open_page: OpenPage):
    page = open_page()
    page.goto(NEW_BRANCH)
    picker = page.locator("#pick-manufacturer")
    picker.locator("summary").click()
    held: list[Any] = []
    page.route(re.compile("_part=list"), lambda route: held.append(route))
    with page.expect_request(re.compile("_part=list")):
        picker.locator("input[type=search]").fill("Juniper")
    picker.locator("li", has_text="Cisco").locator("label").click()
    with page.expect_response(re.compile("_part=list")):
        held[0].continue_()
    picker.locator("li", has_text="Juniper").wait_for(state="attached")
    assert picker.locator("li:has(input:checked)").all_text_contents() == ["Cisco"]
    assert picker.locator("[data-chosen]").inner_text() == "Cisco"
