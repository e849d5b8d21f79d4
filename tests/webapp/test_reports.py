"""The report of a run: on its page, by itself, as a file, in the API."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from jobs.report import Code, File, Html, Image, List, Metric, ObjectLink, Report, Section, Table, Text
from jobs.report.shape import fit
from store.files import file_store
from store.models import Delivery, JobResult, RunFile, RunReport
from store.notice_settings import SmtpSettings
from store.platform import Platform
from store.reports.files import for_mail
from webapp import headers
from worker.mail import compose
from worker.messages import NO_REPORT, Told
from worker.postman import Postman

from .conftest import text


@pytest.fixture
def reported(db: Session, make_job: Any, make_result: Any) -> Callable[..., JobResult]:
    def add(*pieces: Any, **values: Any) -> JobResult:
        result: JobResult = make_result(make_job())
        data, _ = fit(Report(*pieces, **values).as_data())
        db.add(RunReport(result_id=result.id, data=data, pieces=len(data["pieces"])))
        db.commit()
        return result

    return add


def test_the_page_shows_it_and_sorts_a_table_without_a_script(alice, reported):
    rows = [[f"port-{number}", number] for number in range(250)]
    result = reported(
        Section("Ports"), Table(rows, column_headers=["Port", "Speed"]), Code("x = 1", "python")
    )
    page = text(alice.get(f"/results/{result.id}"))
    assert '<a href="#report">Report</a>' in page
    assert '<h3>Ports</h3><span class="n">100 of 250</span>' in page
    assert 'data-copy="#c-2"' in page
    address = f"/results/{result.id}"
    assert f'href="{address}?t=1&amp;sort=2&amp;p=1#r-1"' in page
    sorted_page = text(alice.get(f"{address}?t=1&sort=-2"))
    assert 'aria-sort="descending"' in sorted_page
    assert "port-249<" in sorted_page
    assert "port-0<" not in sorted_page
    part = text(alice.fragment(f"{address}/report?t=1&sort=2&p=3"))
    assert part.startswith('<figure class="box" id="r-1">')
    assert "Page 3 of 3" in part
    assert alice.fragment(f"{address}/report?t=7").status_code == 404
    # Odd numbers are no error.
    for query in ("t=1&sort=9999&p=99999", "t=x&sort=--1&p=-1", "from=99999", "t=99999999999999999999"):
        assert alice.get(f"{address}/report?{query}").status_code == 200


def test_it_is_given_as_files(alice, reported, make_result, make_job):
    result = reported(
        Text("Hello <b>"),
        Table([["=1+1", 2]], column_headers=["a", "b"]),
        title="Mine",
        filename="my report/../x",
    )
    address = f"/results/{result.id}/report"
    for form, part in (
        ("html", "Hello &lt;b&gt;"),
        ("md", "Hello &lt;b&gt;"),
        ("json", '"title": "Mine"'),
        ("csv", "a,b\r\n'=1+1,2"),
        ("txt", "Hello <b>"),
    ):
        answer = alice.get(f"{address}?format={form}")
        assert part in text(answer)
        assert answer.headers["Content-Disposition"] == f"attachment; filename=my-report-x.{form}"
    assert "a,b" in text(alice.get(f"{address}?format=csv&piece=1"))
    for wrong in ("exe", "csv&table=2", "csv&piece=0", "svg&piece=1", "csv&piece=99"):
        assert alice.get(f"{address}?format={wrong}").status_code == 404
    other = make_result(make_job("Another"))
    assert alice.get(f"/results/{other.id}/report").status_code == 404
    assert 'href="#report"' not in text(alice.get(f"/results/{other.id}"))


def test_images_come_from_allowed_hosts_alone(alice, app, reported):
    image = Image("https://images.example/a.png", alt="map")
    result = reported(
        image, Html("<b>ok</b><img src=x onerror=alert(1)>"), File("none.txt"), ObjectLink("plain")
    )
    page = alice.get(f"/results/{result.id}/report")
    assert '<a href="https://images.example/a.png" rel="noopener nofollow">map</a>' in text(page)
    assert "img-src 'self' data:;" in page.headers["Content-Security-Policy"]
    errand = app.extensions["errand"]
    settings = replace(errand.settings, image_hosts=("images.example",))
    app.extensions["errand"] = replace(errand, settings=settings)
    assert '<img class="shot" src="https://images.example/a.png"' in text(
        alice.get(f"/results/{result.id}/report")
    )
    headers.init_app(bare := Flask("bare"), https=False, image_hosts=("images.example",))
    policy = bare.test_client().get("/").headers["Content-Security-Policy"]
    assert "img-src 'self' data: https://images.example;" in policy


def test_a_file_of_html_carries_the_images_that_the_run_made(alice, app, db, reported):
    result = reported(Text("to be replaced"))
    with app.app_context():
        settings, engine = app.extensions["errand"].settings, app.extensions["sqlalchemy"].engine
        key = file_store(settings, engine).put(io.BytesIO(b"GIF89a"))
    made = RunFile(key=key, result_id=result.id, name="a.gif", content_type="image/gif", size_bytes=6)
    db.add(made)
    db.flush()
    address = f"/results/{result.id}/files/{made.id}"
    row = db.get_one(RunReport, result.id)
    row.data = fit(Report(List([Image(address, alt="dot")])).as_data())[0]
    db.commit()
    assert f'<img class="shot" src="{address}"' in text(alice.get(f"/results/{result.id}/report"))
    assert 'src="data:image/gif;base64,R0lGODlh"' in text(
        alice.get(f"/results/{result.id}/report?format=html")
    )


def test_a_large_report_is_shown_in_part(alice, reported):
    rows = [[number, f"switch-{number}", "Zurich", "up", ObjectLink("x")] for number in range(10_000)]
    result = reported(Metric("Rows", 10_000), Table(rows), Code("value = 1  # why\n" * 280_000, "python"))
    page = text(alice.get(f"/results/{result.id}"))
    assert len(page) < 300_000
    assert "Show all" in page


def test_whoever_carries_the_mails_reads_it_from_its_own_table(app, reported):
    result = reported(Text("All is well."))
    settings = app.extensions["errand"].settings
    postman = Postman(settings, Platform(settings.database_url))
    delivery = Delivery(event="ended", content={"result": {"id": str(result.id)}})
    assert postman._report(delivery) == Told("All is well.", "<p>All is well.</p>")
    for event, content in (("asked", delivery.content), ("ended", {"result": {"id": "1"}}), ("ended", {})):
        assert postman._report(Delivery(event=event, content=content)) == NO_REPORT
    postman.end()


def test_a_mail_carries_it(reported, db):
    result = reported(
        Text("<script>x</script>"), Table([["r", n] for n in range(500)]), Image("data:image/png;base64,AAAA")
    )
    report = db.get_one(RunReport, result.id).data
    delivery = Delivery(
        title="Completed: Greet",
        receiver="a@example.com",
        target="mail:1",
        content={"texts": ["Done."]},
        mark="m",
    )
    smtp = SmtpSettings(host="localhost", port=25, security="none", sender="errand@example.com")
    message = compose(
        smtp, delivery, "https://errand.example", {}, Told(*for_mail(report)), ["a@example.com"]
    )
    plain, html = (part.get_content() for part in message.iter_parts())
    assert "<script>x</script>" in plain
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "470 more rows" in html
    assert "<img" not in html
    assert len(html) < 100_000
