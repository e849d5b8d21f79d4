"""Every page, with something on it, in a real browser: nobody is shut out, and nothing runs over.

The pages are those that the matrix has, so a new page is looked at as soon as it is there.
"""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.accessibility import AXE_SCRIPT, DESKTOP, PHONE, SOME_WIDTHS, THEMES, WIDTHS, look, look_in_sizes

from .conftest import Browser, described, first_view, signed_in
from .test_matrix import JOB, LOOKING, TABLE, app, fill
from .test_weight import MOST_AT_FIRST

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

__all__ = ["app", "fill"]

#: What has no pages.
OTHERS = ("api.", "extras.", "ndscheduler.")
#: Parts of pages, which a page asks for.
PARTS = (
    "/jobs/local/net/Ping/choices/site",
    "/jobs/bulk/count",
    "/jobs/offered?field=job&job=Ping",
    "/results/bulk/count",
    "/results/*/log",
    "/workers/live",
    "/schedules/preview",
)
#: A job with an input of each common kind.
EVERYTHING = "/jobs/local/greetings/Everything/"


@pytest.fixture
def page(app: Flask, db: Any, cast: Any, fill: Any, chromium: Any) -> Iterator[Any]:
    """A browser whose network is the portal itself, as a superuser sees it."""
    fill("/")
    client = signed_in(app, db, cast["root"])
    context = chromium.new_context(base_url="http://localhost")
    # Once for all pages: to send it to each takes a tenth of the time.
    context.add_init_script(AXE_SCRIPT)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    context.route("**/*", through(client))
    yield page
    context.close()
    assert complaints == []


def through(client: Browser) -> Callable[[Any], None]:
    """Answer what a browser asks for with what the portal gives this client, and nothing from elsewhere."""

    kept: dict[str, dict[str, Any]] = {}

    def answer(route: Any) -> None:
        request = route.request
        address = urlsplit(request.url)
        assert address.netloc == "localhost", "Nothing is loaded from elsewhere."
        if request.url in kept:
            return route.fulfill(**kept[request.url])
        headers = {name: value for name, value in request.headers.items() if name.startswith("hx-")}
        found = client.client.open(
            f"{address.path}?{address.query}",
            method=request.method,
            headers=headers,
            data=request.post_data_buffer,
            content_type=request.headers.get("content-type"),
        )
        headers = {name: value for name, value in found.headers.items() if name != "Set-Cookie"}
        given = {"status": found.status_code, "headers": headers, "body": found.data}
        found.close()
        if address.path.startswith("/static/"):
            kept[request.url] = given
        route.fulfill(**given)

    return answer


def pages(app: Flask, db: Any, cast: Any, fill: Callable[[str], str]) -> list[str]:
    client = signed_in(app, db, cast["root"])
    looking = [path for _, path in LOOKING if not TABLE["GET", path][0].startswith(OTHERS)]
    return [path for path in looking if path not in PARTS and is_page(client.get(fill(path)))]


def is_page(answer: Any) -> bool:
    """Tell whether this is HTML, whole, and shown rather than kept."""
    with answer:
        kept = "attachment" in answer.headers.get("Content-Disposition", "")
        return answer.mimetype == "text/html" and not kept and answer.status_code not in (302, 303)


def test_nobody_is_shut_out_of_any_page(
    page: Any, app: Flask, db: Any, cast: Any, fill: Callable[[str], str], subtests: Any, whole: bool
):
    seen = pages(app, db, cast, fill)
    assert len(seen) > 60
    root = signed_in(app, db, cast["root"])
    for number, path in enumerate(seen):
        # Pages are made of the same parts: in turns, each part is looked at in both themes.
        themes = THEMES if whole else (THEMES[number % 2],)
        with subtests.test(path):
            page.goto(fill(path))
            assert look_in_sizes(page, WIDTHS if whole else SOME_WIDTHS, themes) == []
            assert first_view(root, fill(path)) < MOST_AT_FIRST


# --- What opens, and what runs leave behind ---------------------------------------------------------------------

#: What is looked at: what to call it, where it is, what is pressed there (in turn), and what is there then.
OPENED = (
    ("palette", "/jobs/", ("keys:/",), "#jump[open]"),
    ("list of keys", "/jobs/", ("keys:?",), "#keys[open]"),
    ("filters of jobs", "/jobs/", (".flags > summary",), ".flags[open]"),
    ("menu of a job", f"{JOB}/", (".acts .menu > summary",), ".acts .menu[open]"),
    ("picker", f"{JOB}/", (".pick > summary",), ".pick[open]"),
    ("menu of a log", "{failed}", ("#log-menu > summary",), "#log-menu[open]"),
    ("no jobs", "/jobs/?q=nothing-is-called-so", (), "main"),
    ("no results", "/results/?q=nothing-is-called-so", (), "main"),
    ("no such page", "/no-such-page", (), "h1"),
    *((status, f"{{{status}}}", (), "#state") for status in ("running", "completed", "failed", "errored")),
    ("wrong inputs", EVERYTHING, ("form:[data-run-form]",), "#errors"),
)


@pytest.fixture
def runs(make_job: Any, make_result: Any, add_entries: Any) -> dict[str, str]:
    """Runs that ended in each way, with lines of all levels, and a job with an input of each common kind."""
    kinds = ("StringVar", "TextVar", "IntegerVar", "BooleanVar", "FileVar", "DateTimeVar")
    inputs = [described(kind, f"a_{kind.lower()}", description="Says **what** it is.") for kind in kinds]
    job = make_job("Everything", variables=inputs, description="Has a *bit* of everything.")
    there = {}
    for status in ("running", "completed", "failed", "errored"):
        result = make_result(job, status, cause=None if status == "running" else "It said so.")
        for level in ("debug", "info", "success", "warning", "failure"):
            add_entries(result, f"A line of `{level}`, *marked up*.", level=level, grouping=f"part {level}")
        there[status] = f"/results/{result.id}"
    return there


def test_nobody_is_shut_out_of_what_opens(page: Any, runs: dict[str, str], subtests: Any):
    for name, path, presses, there in OPENED:
        with subtests.test(name):
            page.set_viewport_size({"width": DESKTOP, "height": 900})
            page.goto(path.format_map(runs))
            for press in presses:
                how, _, what = press.partition(":")
                if how == "keys":
                    page.keyboard.press(what)
                elif how == "form":
                    page.locator(what).evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
                else:
                    page.locator(press).first.click()
            page.locator(there).first.wait_for()
            assert look(page, covered=name.startswith("menu")) == []
    with subtests.test("More, on a phone"):
        page.set_viewport_size({"width": PHONE, "height": 844})
        page.goto("/jobs/")
        page.locator(".more > summary").click()
        page.locator(".more[open]").wait_for()
        assert look(page) == []
