"""What stands before the web server: its word counts where somebody said so, and no further."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, request, url_for
from sqlalchemy import select

from jobs.report import File, Image, Markdown, Report
from jobs.report.shape import fit
from store.models import Delivery, JobRecord, JobResult, RunFile, RunReport
from store.settings import SettingsError, load_settings
from webapp.result_files import file_path

from .conftest import running, signed_in
from .test_every_page import pages
from .test_matrix import app, fill

__all__ = ["app", "fill"]

#: As a proxy tells of a request; what stands first in a list, anybody may have written.
TOLD = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "errand.example.com",
    "X-Forwarded-Prefix": "/portal",
}


@pytest.fixture
def seen(settings: Any) -> Any:
    def ask(headers: dict[str, str], **given: Any) -> tuple[int, list[str]]:
        found: list[str] = []
        for made in running(replace(settings, **given)):
            made.before_request(
                lambda: found.extend([request.remote_addr or "", request.host, url_for("login.show")])
            )
            return made.test_client().get("/login", headers=headers).status_code, found
        raise AssertionError

    return ask


@pytest.mark.parametrize(
    ("proxies", "expected"),
    [
        (0, ["127.0.0.1", "localhost", "/login"]),
        (1, ["198.51.100.7", "errand.example.com", "/portal/login"]),
    ],
)
def test_the_word_of_proxies_counts_as_far_as_there_are_any(
    seen: Callable[..., Any], proxies: int, expected: list[str]
):
    assert seen(TOLD, proxies=proxies) == (200, expected)


def test_with_two_proxies_the_address_is_what_the_outer_one_saw(seen: Callable[..., Any]):
    told = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 198.51.100.7"}
    assert seen(told, proxies=2)[1][0] == "203.0.113.9"


def test_a_portal_answers_to_its_own_names_only(seen: Callable[..., Any]):
    hosts = ("errand.example.com",)
    assert seen({"Host": "errand.example.com"}, hosts=hosts)[0] == 200
    assert seen({"Host": "errand.example.com:443"}, hosts=hosts)[0] == 200
    assert seen({"Host": "evil.example.com"}, hosts=hosts)[0] == 400
    # How the health check of a container asks.
    assert seen({"Host": "127.0.0.1:8000"}, hosts=hosts)[0] == 200
    # What a proxy says, too.
    assert seen(TOLD | {"X-Forwarded-Host": "evil.example.com"}, hosts=hosts, proxies=1)[0] == 400


BELOW = {"X-Forwarded-Prefix": "/portal"}
LINK = re.compile(r'\b(?:href|src|action|hx-get|hx-post|data-[a-z-]+)="(/[^"]*)"')
#: What texts name by its path on the portal, with a prefix that nobody knows when they are written.
SITE, MARKED = "/objects/inventory.site/1", "See [the site](/objects/inventory.site/1)"


@pytest.fixture
def inventory_settings(inventory_settings: Any) -> Any:
    return replace(inventory_settings, proxies=1)


@pytest.fixture
def fill_told(db: Any, cast: Any, fill: Callable[[str], str], add_entries: Any) -> Callable[[str], str]:
    """Have jobs, lines, reports and a notice name pages of the portal."""
    fill("/")
    for job in db.scalars(select(JobRecord)).all():
        job.description = MARKED
    for result in db.scalars(select(JobResult)).all():
        add_entries(
            result,
            MARKED,
            level="failure",
            object_text="Bern",
            object_url=SITE,
        )
        file = RunFile(
            result_id=result.id, name="x.png", key=result.id.hex, size_bytes=1, content_type="image/png"
        )
        db.add(file)
        db.flush()
        pieces = Report(Markdown(MARKED), File("x.png"), Image(file_path(result.id, file.id), alt="x"))
        data = fit(pieces.as_data())[0]
        data["pieces"].append({"kind": "object", "text": "Bern", "url": SITE})
        db.add(RunReport(result_id=result.id, data=data, pieces=4))
    notice = {"event": "ended", "event_key": "y", "target": "browser:1", "via": "browser", "title": "y"}
    about = {"user_id": cast["root"].id, "receiver": "root", "content": {"path": "/results/1"}}
    db.add(Delivery(**notice, **about))
    db.commit()
    return fill


def test_below_a_prefix_every_link_leads_below_it(
    app: Flask, db: Any, cast: Any, fill_told: Callable[[str], str], subtests: Any
):
    fill = fill_told
    client = signed_in(app, db, cast["root"]).client
    for path in pages(app, db, cast, fill):
        with subtests.test(path):
            page = client.get(fill(path), headers=BELOW).text
            links = LINK.findall(page)
            assert [
                link for link in links if not link.startswith("/portal/") or "/portal/portal" in link
            ] == []
            assert len(links) > 3
    page = client.get(fill("/results/*"), headers=BELOW).text
    for what in (SITE, "/results/1"):
        assert f'href="/portal{what}"' in page


def test_below_a_prefix_one_comes_back_to_the_page_that_one_wanted(app: Flask, db: Any, cast: Any):
    client = app.test_client()
    sent = client.get("/jobs/?q=x", headers=BELOW).headers["Location"]
    assert sent == "/portal/login?next=%2Fportal%2Fjobs%2F%3Fq%3Dx"
    assert client.get("/", headers=BELOW).headers["Location"] == "/portal/login"
    client = signed_in(app, db, cast["root"]).client

    def back(wanted: str) -> str:
        return str(client.get("/login", query_string={"next": wanted}, headers=BELOW).headers["Location"])

    assert back("/portal/jobs/?q=x") == "/portal/jobs/?q=x"
    for elsewhere in ("/jobs/", "/portal-of-others/", "/portal/login", "//portal/jobs/"):
        assert back(elsewhere) == "/portal/"


def test_below_a_prefix_the_place_that_is_shown_is_marked(app: Flask, db: Any, cast: Any):
    page = signed_in(app, db, cast["root"]).client.get("/results/", headers=BELOW).text
    assert '<a href="/portal/results/" aria-current="page"' in page


def test_below_a_prefix_links_that_are_handed_on_name_it(app: Flask, db: Any, cast: Any):
    browser = signed_in(app, db, cast["root"])
    made = browser.post(f"/admin/users/{cast['bob'].id}/link", headers=BELOW)
    assert "http://localhost/portal/login/" in made.text


@pytest.mark.parametrize(
    ("name", "value"), [("ERRAND_PROXIES", "all"), ("ERRAND_PROXIES", "-1"), ("ERRAND_HOSTS", "https://x")]
)
def test_what_cannot_be_meant_is_refused(tmp_path: Any, name: str, value: str):
    with pytest.raises(SettingsError, match=name):
        load_settings(tmp_path / "i", {name: value})
