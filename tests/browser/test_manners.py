"""What pages owe to those who use them: nothing typed is lost, nothing jumps, and keys are enough."""

import re
import sqlite3
from typing import Any

import pytest

from store.models import Delivery, User
from store.platform import Platform
from store.settings import load_settings
from tests.browser.conftest import OpenPage, Product
from tests.browser.test_main_job import NEW_BRANCH, choose, fill, somebody_else_writes
from tests.waiting import until

pytestmark = pytest.mark.browser


def end_all_sessions(product: Product) -> None:
    connection = sqlite3.connect(product.instance / "errand.db", isolation_level=None, timeout=10)
    connection.execute("DELETE FROM user_sessions")
    connection.close()


def polled(page: Any, name: str) -> Any:
    return page.expect_response(lambda answer: name in answer.url)


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.tagName + '.' + document.activeElement.type")


# --- Pickers --------------------------------------------------------------------------------------------------


def test_a_picker_is_used_by_keys_alone(open_page: OpenPage):
    page = open_page()
    page.goto(NEW_BRANCH)
    picker = page.locator("#pick-manufacturer")
    details, summary = picker.locator("details"), picker.locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    names = [name.strip() for name in picker.locator("li").all_inner_texts()]
    picker.locator("input[type=radio]").first.focus()
    for name in names[1:4]:
        page.keyboard.press("ArrowDown")
        assert details.get_attribute("open") is not None
        assert focused(page) == "INPUT.radio"
        assert summary.inner_text().strip() == name
        assert name in summary.get_attribute("aria-label")
    # Enter takes the choice; it does not run the job.
    page.keyboard.press("Enter")
    assert details.get_attribute("open") is None
    assert summary.evaluate("summary => summary === document.activeElement")
    assert page.url.endswith(NEW_BRANCH)
    page.keyboard.press("Enter")
    picker.locator("input[type=search]").focus()
    page.keyboard.press("Escape")
    assert details.get_attribute("open") is None
    assert summary.evaluate("summary => summary === document.activeElement")
    assert summary.inner_text().strip() == names[3]


def test_a_picker_closes_when_an_option_is_pressed(open_page: OpenPage):
    page = open_page()
    page.goto(NEW_BRANCH)
    for _ in range(2):  # The second time the option is chosen already.
        choose(page, "manufacturer", "Cisco")
        page.locator("#pick-manufacturer details:not([open])").wait_for()
        assert page.locator("#pick-manufacturer summary").inner_text().strip() == "Cisco"
        assert focused(page).startswith("SUMMARY")


def test_escape_closes_a_menu(open_page: OpenPage):
    page = open_page()
    page.goto(NEW_BRANCH)
    page.get_by_role("button", name="More actions").click()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert page.locator(".menu[open]").count() == 0
    assert focused(page).startswith("SUMMARY")


# --- Sessions that end ----------------------------------------------------------------------------------------


def test_a_poll_after_the_session_leaves_a_half_filled_form_alone(open_page: OpenPage, product: Product):
    page = open_page()
    fill(page, "Half filled", 7)
    end_all_sessions(product)
    note = page.locator("#signed-out")
    note.wait_for()
    assert "You are signed out." in note.inner_text()
    assert page.url.endswith(NEW_BRANCH)
    assert page.get_by_label("Site name").input_value() == "Half filled"
    link = note.get_by_role("link", name="Sign in")
    assert link.get_attribute("href") == "/login?next=" + NEW_BRANCH.replace("/", "%2F")
    # No poll follows.
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(5500)
    assert asked == []


def test_what_was_typed_is_sent_after_signing_in_again(open_page: OpenPage, product: Product):
    page = open_page()
    fill(page, "Typed before", 2)
    choose(page, "switch_model", "Catalyst 9300")
    end_all_sessions(product)
    page.get_by_role("button", name="Run job").click()
    page.locator("#signed-out").wait_for()
    assert page.url.endswith(NEW_BRANCH)
    assert page.get_by_label("Site name").input_value() == "Typed before"
    other = page.context.new_page()
    other.goto(product.sign_in_link())
    other.close()
    page.get_by_role("button", name="Run job").click()
    page.wait_for_url(re.compile(r"/results/[0-9a-f-]{36}$"))
    assert "Typed before" in page.locator("#inputs").inner_text()


def test_a_log_that_is_watched_stays_when_the_session_ends(open_page: OpenPage, product: Product):
    page = open_page()
    with somebody_else_writes(product):
        run_new_branch(page, "Watched in vain")
        address = page.url
        end_all_sessions(product)
        page.locator("#signed-out").wait_for()
        assert page.url == address
        assert page.locator("#log li[data-level]").count() > 0


# --- A run that ends before one's eyes ------------------------------------------------------------------------


def run_new_branch(page: Any, site: str, switches: int = 2) -> None:
    fill(page, site, switches)
    choose(page, "switch_model", "Catalyst 9300")
    page.get_by_role("button", name="Run job").click()
    page.wait_for_url(re.compile(r"/results/[0-9a-f-]{36}$"))
    page.locator("#log .msg", has_text="Waiting for another run").wait_for()


def test_the_end_of_a_run_is_below_its_log_until_a_reload(open_page: OpenPage, product: Product):
    page = open_page()
    with somebody_else_writes(product):
        run_new_branch(page, "In order")
    page.locator("#state", has_text="Completed").wait_for()
    page.locator("#outcome #output").wait_for()
    below = "outcome.getBoundingClientRect().top > logbox.getBoundingClientRect().bottom - 1"
    assert page.evaluate(below)
    assert page.locator("#now a").count() == 0
    # By keys: the way to it leads the focus there, too.
    page.get_by_role("link", name="See how it ended").press("Enter")
    page.wait_for_function("document.activeElement.id === 'outcome'")
    page.reload()
    assert page.locator("#tabs").is_visible()
    assert not page.evaluate(below)


def test_who_reads_the_log_keeps_their_place_when_the_run_ends(open_page: OpenPage, product: Product):
    page = open_page(390)
    box = "document.getElementById('logbox').getBoundingClientRect().top"
    with somebody_else_writes(product):
        run_new_branch(page, "Still reading", 30)
        page.locator("#logbox").focus()
        before = page.evaluate(box)
    page.locator("#state", has_text="Completed").wait_for()
    page.locator("#outcome #output").wait_for(state="attached")
    assert abs(page.evaluate(box) - before) < 2
    assert page.evaluate("document.activeElement.id") == "logbox"


def test_a_run_that_has_ended_leaves_the_rail_of_other_pages(open_page: OpenPage, product: Product):
    page, other = open_page(), open_page()
    with somebody_else_writes(product):
        run_new_branch(page, "In the rail")
        other.goto("/jobs/")
        other.locator("#now a").wait_for()
        # Below ten seconds too the time that goes by is whole seconds.
        time = other.locator("#now [data-since]")
        until(lambda: re.fullmatch(r"\d+s", time.inner_text()), "the time is in whole seconds", seconds=3)
    page.locator("#state", has_text="Completed").wait_for()
    with polled(other, "/now"):
        pass
    other.locator("#now a").wait_for(state="detached")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)])
def test_the_newest_entry_is_in_sight(open_page: OpenPage, product: Product, width: int, height: int):
    page = open_page(width)
    page.set_viewport_size({"width": width, "height": height})
    with somebody_else_writes(product):
        run_new_branch(page, f"In sight {width}")
        assert page.locator(".follow").is_checked()
        # As if it had logged more than a screen holds.
        page.evaluate("""for (let n = 0; n < 80; n++)
            document.getElementById('log').append(document.querySelector('#log .msg').closest('li').cloneNode(true))""")
        end = page.locator("#log li").last.evaluate("line => line.getBoundingClientRect().bottom")
        box = page.locator("#logbox").evaluate("box => box.getBoundingClientRect().bottom")
        bar = page.locator(".nav").evaluate("bar => bar.getBoundingClientRect().top")
        edge = bar if width < 800 else height
        assert end <= box + 1 <= edge + 1
        assert page.evaluate("scrollY") == 0
    page.locator("#state", has_text="Completed").wait_for()


# --- Tabs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", ["users/", "webhooks/", "retention/"])
def test_the_current_tab_is_in_sight_on_a_phone(open_page: OpenPage, tab: str):
    page = open_page(390)
    page.goto(f"/admin/{tab}")
    current = page.locator(".tabs [aria-current]").bounding_box()
    assert current["x"] >= 0
    assert current["x"] + current["width"] <= 390
    assert page.locator(".more > summary[aria-current=true]").is_visible()


# --- Lists ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_a_long_cause_makes_no_row_grow(open_page: OpenPage, product: Product, width: int):
    page = open_page(width)
    with somebody_else_writes(product):
        run_new_branch(page, f"Long cause {width}")
    page.locator("#state", has_text="Completed").wait_for()
    result_id = page.url.rpartition("/")[2].replace("-", "")
    connection = sqlite3.connect(product.instance / "errand.db", isolation_level=None, timeout=10)
    # The database itself refuses to change how a run ended.
    connection.execute("DROP TRIGGER IF EXISTS job_results_final_stays")
    change = "UPDATE job_results SET status = 'failed', cause = ? WHERE replace(id, '-', '') = ?"
    assert connection.execute(change, ("x" * 5000, result_id)).rowcount == 1
    connection.close()
    page.goto("/results/")
    row = page.locator(".runs tbody tr").first
    row.get_by_text("xxx").wait_for()
    assert row.evaluate("row => row.offsetHeight") < (170 if width == 390 else 70)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if width == 1440:
        assert row.locator("td").last.evaluate("cell => cell.offsetHeight < 70 && cell.offsetWidth > 60")


# --- What the reader asked to be told about -------------------------------------------------------------------


def test_a_message_is_said_in_a_corner_once(open_page: OpenPage, product: Product):
    page = open_page()
    platform = Platform(load_settings(product.instance, {}).database_url)
    with platform.session() as db:
        admin = db.query(User).filter_by(username="admin").one()
        facts: dict[str, Any] = {"event": "ended", "event_key": "in a corner", "via": "browser"}
        content = {"path": "/results/?q=<x>", "result": {"status": "failed"}}
        db.add(
            Delivery(
                **facts,
                content=content,
                target="x",
                receiver="admin",
                title="Failed: <b>x</b>",
                user_id=admin.id,
            )
        )
        db.commit()
    platform.dispose()
    page.goto("/jobs/")
    toast = page.locator(".toast")
    toast.wait_for()
    assert toast.locator("a").inner_text() == "Failed: <b>x</b>"
    assert toast.locator("a").get_attribute("href") == "/results/?q=<x>"
    toast.get_by_role("button", name="Close").click()
    assert toast.count() == 0
    page.goto("/jobs/")
    page.wait_for_load_state("networkidle")
    assert toast.count() == 0
