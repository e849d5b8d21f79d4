"""What only a browser can show of a live log: lines that arrive, parts that are loaded, lines that are linked."""

import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from store.models import JobRecord, SignInLink, now
from store.secrets import new_token
from store.settings import Settings, environment
from tests.conftest import _bare_environment, load_fixture_jobs, make_cast
from tests.waiting import until

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("live", ["sqlite"], indirect=True),
]

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def site(live: Settings, live_platform: Any, start_worker: Callable[..., Any]) -> Iterator[Callable[[], str]]:
    """The web process, all fixture jobs enabled and a worker; gives one-time links."""
    with live_platform.session() as db:
        root = make_cast(db)["root"]
        load_fixture_jobs(db, live)
    start_worker()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    web = subprocess.Popen(
        [sys.executable, "-m", "webapp.cli", "web", "--port", str(port)],
        env={**_bare_environment(), **environment(live)},
    )
    try:
        until(lambda: _answers(url), "the web process answers")

        def link() -> str:
            token, token_hash = new_token("link")
            with live_platform.session() as db:
                expires = now() + timedelta(hours=1)
                db.add(SignInLink(user_id=root.id, token_hash=token_hash, expires_at=expires))
                db.commit()
            return f"{url}/login/{token}"

        yield link
    finally:
        web.terminate()
        web.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def open_page(site: Callable[[], str], chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a signed-in page. Whatever the browser complains about fails the test."""
    contexts, complaints = [], []

    def open_one(size: dict[str, int], *, javascript: bool = True) -> Any:
        link = site()
        context = chromium.new_context(
            viewport=size, java_script_enabled=javascript, base_url=link.partition("/login")[0]
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(link)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def _scroll_down(page: Any) -> bool:
    page.mouse.wheel(0, 400)
    return True


def _is_complaint(said: Any) -> bool:
    # A refused form is announced as an error, and a poll is cut short by leaving the page.
    return said.type == "error" and "422" not in said.text and not said.text.startswith("htmx:")


def test_lines_arrive_while_the_run_goes_on(open_page, tmp_path: Path):
    page = open_page(PHONE)
    page.goto("/jobs/local/endings/WaitsForFile/")
    page.fill("#id_folder", str(tmp_path))
    page.get_by_role("button", name="Run job").click()
    page.wait_for_url("**/results/*")
    page.evaluate("window.stayed = true")
    playwright.expect(page.locator("#L1")).to_contain_text("began with pid", timeout=30_000)
    playwright.expect(page.locator("#state")).to_have_text("Running")
    playwright.expect(page.locator("#now")).to_contain_text("Waits", timeout=40_000, use_inner_text=False)
    (tmp_path / "go").touch()
    playwright.expect(page.locator("#log")).to_contain_text("saw the file", timeout=40_000)
    playwright.expect(page.locator("#state")).to_have_text("Completed", timeout=40_000)
    playwright.expect(page.locator("#n-success")).to_have_text("1")
    playwright.expect(page.get_by_role("button", name="Run again")).to_be_visible()
    playwright.expect(page).to_have_title(re.compile("Completed"))
    assert page.evaluate("window.stayed"), "the page was loaded again"
    assert page.locator("#log-poll[hx-trigger]").count() == 0


def test_a_long_log_is_opened_and_followed_in_parts(open_page):
    page = open_page(DESKTOP)
    page.goto("/jobs/local/endings/Chatty/")
    page.get_by_role("button", name="Run job").click()
    page.wait_for_url("**/results/*")
    playwright.expect(page.locator("#state")).to_have_text("Completed", timeout=30_000)
    page.reload()
    playwright.expect(page.locator("#log > [data-level]")).to_have_count(100)
    page.get_by_role("link", name="Show more lines").click()
    playwright.expect(page.locator("#L250")).to_be_attached()
    page.goto(page.url.partition("#")[0] + "#L249")
    page.reload()
    # The line is not on the page as it opens, so the page opens around it.
    page.wait_for_url("**?line=249#L249")
    playwright.expect(page.locator("#L249")).to_be_in_viewport()
    page.fill("#lq", "line 77")
    playwright.expect(page.locator("#log mark")).to_have_count(1)


def test_a_long_list_of_jobs_comes_as_the_reader_gets_there(open_page, live_platform):
    with live_platform.session() as db:
        db.query(JobRecord).delete()
        db.add_all(
            JobRecord(
                class_path=f"local/many/Job{number}",
                source="local",
                module="many",
                class_name=f"Job{number}",
                name=f"Job {number:02}",
                grouping=f"Group {number // 20}",
                enabled=True,
                refreshed_at=now(),
            )
            for number in range(60)
        )
        db.commit()
    page = open_page(DESKTOP)
    page.goto("/jobs/")
    jobs = page.locator("#list .job h3")
    playwright.expect(page.locator("#list .grp")).to_have_count(3)
    assert jobs.count() < 60
    until(lambda: _scroll_down(page) and jobs.count() == 60, "all jobs are there")
    assert jobs.all_text_contents() == [f"Job {number:02}" for number in range(60)]
    without = open_page(DESKTOP, javascript=False)
    without.goto("/jobs/")
    without.get_by_role("link", name="Show 20 jobs").last.click()
    playwright.expect(without.get_by_role("link", name="Job 40", exact=True)).to_be_visible()
