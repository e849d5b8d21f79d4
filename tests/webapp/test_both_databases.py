"""One walk over all pages on SQLite and on PostgreSQL, with a Redis that answers."""

import re
import uuid
from datetime import timedelta

import pytest
from flask import g
from sqlalchemy import select, update

from examples.inventory.models import Manufacturer
from store.html import render
from store.models import ApiToken, EntryGroup, JobRecord, JobResult, LogEntry, SignInLink, now
from store.secrets import new_token
from tests.conftest import load_fixture_jobs, make_cast
from webapp import result_download
from webapp.api.document import document
from webapp.history import newest_runs
from worker import helper

from .conftest import Browser, described, running, text


@pytest.fixture
def app(live):
    yield from running(live)


@pytest.fixture
def job(live_platform, app):
    with live_platform.session() as db:
        job = JobRecord(
            class_path="local/walk/Walk",
            source="local",
            module="walk",
            class_name="Walk",
            name="Walk",
            grouping="Walks",
            enabled=True,
            refreshed_at=now(),
            variables=[
                described("StringVar", "who", required=False, min_length=None, max_length=None, regex=None),
                described(
                    "ObjectVar", "maker", model="inventory.manufacturer", query_params={}, null_option=None
                ),
            ],
        )
        db.add(job)
        db.commit()
    with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
        Manufacturer(name="Acme", slug="acme").save()
        session.commit()
    return job


@pytest.fixture
def root(app, live_platform):
    link, token_hash = new_token("link")
    with live_platform.session() as db:
        user = make_cast(db)["root"]
        db.add(SignInLink(user_id=user.id, token_hash=token_hash, expires_at=now() + timedelta(hours=1)))
        db.commit()
    browser = Browser(app.test_client())
    assert browser.get(f"/login/{link}").headers["Location"] == "/"
    return browser


def test_the_latest_runs_of_a_job_come_newest_first(app, live_platform, job):
    with live_platform.session() as db:
        user = make_cast(db)["root"]
        made = [
            JobResult(
                id=uuid.uuid4(),
                job_id=job.id,
                class_path=job.class_path,
                name=job.name,
                user_id=user.id,
                username="root",
                status="completed",
                time_limit=600.0,
                created_at=now() - timedelta(seconds=number),
                started_at=now() - timedelta(seconds=number, microseconds=-250_000),
                finished_at=now() + timedelta(microseconds=number),
            )
            for number in range(25)
        ]
        db.add_all(made)
        db.commit()
        expected = [(each.id, each.created_at, each.started_at, each.duration_seconds) for each in made]
    with app.test_request_context("/"):
        g.user = user
        runs = newest_runs([job.id, uuid.uuid4()])
    assert list(runs) == [job.id]
    shown = [(run.id, run.created_at, run.started_at, run.duration_seconds) for run in runs[job.id]]
    assert shown == expected[:20]


def add_entries(db, result, count):
    moment = now()
    db.add(
        EntryGroup(
            result_id=result.id, first_seq=1, name="run", started_at=moment, last_at=moment, count_info=count
        )
    )
    for seq in range(1, count + 1):
        line = {"message": f"line {seq}", "html": render(f"line {seq}")}
        db.add(
            LogEntry(
                result_id=result.id,
                seq=seq,
                attempt=1,
                created_at=moment,
                level="info",
                grouping="run",
                **line,
            )
        )
    result.last_seq = result.count_info = count


def test_the_pages_work_on_both_databases(root, job, live_platform):
    assert root.get("/readyz").status_code == 200
    url = "/jobs/local/walk/Walk/"
    assert root.post(url, {"v-maker": "99", "v-who": "\x00"}).status_code == 422
    asked = root.post(url, {"v-maker": "1", "v-who": "Ada"})
    assert asked.status_code == 303
    with live_platform.session() as db:
        result = db.scalars(select(JobResult)).one()
        assert result.pushed_at is not None
        result.status, result.started_at = "running", now()
        add_entries(db, result, 130)
        db.commit()
    page = text(root.get(f"/results/{result.id}"))
    assert "Show earlier lines" in page
    assert "Acme" in page
    address = re.search(r'id="log-poll"[^>]* hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
    assert root.fragment(address).status_code == 204
    assert 'id="L30"' in text(root.fragment(f"/results/{result.id}/log?before=31"))
    assert 'id="L77"' in text(root.fragment(f"/results/{result.id}/log?q=LINE+77&level=info"))
    with live_platform.session() as db:
        for number in range(60):
            made = {"id": uuid.uuid4(), "job_id": job.id, "class_path": job.class_path, "name": job.name}
            db.add(
                JobResult(
                    **made,
                    user_id=result.user_id,
                    username="root",
                    status="completed",
                    time_limit=1.0,
                    created_at=now(),
                    count_warning=number % 2,
                )
            )
        db.commit()
    first = text(root.get("/results/?person=root&started=day&q=walk"))
    older = re.search(r'href="([^"]+)">Older', first)[1].replace("&amp;", "&")
    ids = re.findall(r'class="name" href="/results/([^"]+)"', first + text(root.fragment(older)))
    assert len(set(ids)) == len(ids) == 61
    assert str(result.id) in text(root.get(f"/results/?q={result.short_id}"))
    for path in (
        "/",
        "/welcome",
        "/jobs/",
        f"{url}?_from_result={result.id}",
        f"{url}choices/maker?q-maker=%00'%25",
        "/results/?q=%00'%25&older=x&status=warnings",
        f"/results/{result.id}/log.txt",
        "/workers/",
        "/objects/",
        "/objects/inventory.manufacturer/?q=acme",
        "/objects/inventory.manufacturer/1",
    ):
        with root.get(path) as answer:
            assert answer.status_code in (200, 302), path
    short = result.id.hex[:5]
    for wanted, shown in (("WALK", "Completed #"), ("acme", "Acme"), (short, f"#{short}"), ("", "/jobs/")):
        assert shown in text(root.fragment("/jump", query_string={"q": wanted})), wanted
    assert root.get("/objects/inventory.manufacturer/%00").status_code == 404
    assert root.post("/workers/queues/default/pause").status_code == 303
    page = text(root.get("/workers/"))
    assert "Paused by root" in page
    assert re.search(r"Redis, [\d.]+ ms, [\d]+ MB", page)
    assert root.post("/workers/queues/default/resume").status_code == 303
    assert root.post("/workers/queues/%00/pause").status_code == 404
    assert root.post("/workers/%00/drain").status_code == 303
    assert root.post(f"/results/{result.id}/cancel").status_code == 303
    assert root.post(f"/results/{result.id}/rerun").status_code == 303
    assert root.post(f"{url}disable").status_code == 303
    assert root.post("/logout").status_code == 303
    assert root.get("/jobs/").status_code == 303


def test_stars_filters_and_downloads_work_on_both_databases(root, job, live_platform, monkeypatch):
    monkeypatch.setattr(result_download, "PIECE", 2)
    url = "/jobs/local/walk/Walk/"
    for _ in range(2):
        assert root.post(f"{url}star").status_code == 303
    assert "Walk</a>" in text(root.get("/jobs/?show=favourites"))
    for _ in range(2):
        assert root.post(f"{url}unstar").status_code == 303
    assert "No favourites yet" in text(root.get("/jobs/?show=favourites"))
    assert root.post("/results/filters", {"name": "Wände\x00", "q": "wä\x00nd"}).status_code == 303
    assert root.post("/results/filters", {"name": "wände\x00", "q": "w"}).status_code == 422
    page = text(root.get("/results/", query_string={"q": "wä\N{REPLACEMENT CHARACTER}nd"}))
    (gone,) = re.findall(r'action="(/results/filters/\d+/delete)"', page)
    assert root.post(gone).status_code == 303
    assert root.post("/results/filters/999999999999/delete").status_code == 404
    assert root.post(url, {"v-maker": "1"}).status_code == 303
    with live_platform.session() as db:
        result = db.scalars(select(JobResult)).one()
        result.status, result.started_at = "completed", now() - timedelta(seconds=2)
        result.finished_at = now()
        add_entries(db, result, 130)
        for number in range(5):
            made = {"id": uuid.uuid4(), "job_id": job.id, "class_path": job.class_path, "name": job.name}
            ended = {"started_at": result.started_at, "finished_at": result.finished_at}
            db.add(
                JobResult(
                    **made, **ended, username=f"u{number}", status="failed", time_limit=1.0, created_at=now()
                )
            )
        db.commit()
    page = text(root.get("/results/"))
    assert page.count('<svg class="dur"') == 6
    assert 'Failed this week <span class="n">5</span>' in page
    assert len(text(root.get("/results/results.csv")).splitlines()) == 1 + 6
    assert len(text(root.get("/results/results.csv?status=failed&q=u3")).splitlines()) == 1 + 1
    for form, head in (("txt", 0), ("csv", 1), ("ndjson", 0)):
        log = text(root.get(f"/results/{result.id}/log.{form}?q=LINE+7&level=info"))
        assert len(log.splitlines()) == head + 11
    assert "<mark>" in text(root.get(f"/results/{result.id}?q=LINE+7"))


def test_a_form_shows_what_a_job_s_code_computes(root, live, live_platform):
    with live_platform.session() as db:
        load_fixture_jobs(db, live)
    try:
        page = root.get("/jobs/local/asking/Asks/")
        assert {"Huge", "First", "Red"} <= set(re.findall(r"Huge|First|Red", page.text))
        refused = root.post("/jobs/local/asking/AskedTooMuch/", data={})
        assert refused.status_code == 422
        assert "could not be computed" in refused.text
    finally:
        helper.stop()


def test_all_that_the_api_lists_is_answered(app, live_platform):
    plain, token_hash = new_token("errand")
    with live_platform.session() as db:
        user = make_cast(db)["root"]
        db.add(ApiToken(user_id=user.id, prefix=plain[:12], token_hash=token_hash))
        db.commit()
    headers = {"Authorization": f"Token {plain}"}
    lists = [path for path, calls in document(app)["paths"].items() if "get" in calls and "{" not in path]
    assert len(lists) > 20
    # Of one question: what it is about has to be said.
    for path in set(lists) - {"/api/v1/permissions/explain", "/api/v1/entries"}:
        answer = app.test_client().get(path, headers=headers)
        assert answer.status_code == 200, f"{path}: {answer.text}"


def test_an_object_knows_its_runs_by_their_log_and_by_their_inputs(root, job, live_platform, monkeypatch):
    page = "/objects/inventory.manufacturer/1"
    with live_platform.session() as db:
        # PostgreSQL keeps the NUL as it is, but reads nothing of such a text.
        asked = [{"maker": 1}, {"maker": 11, "who": "1"}, {"maker": [2, 1]}, {"who": "\x00"}, {"maker": None}]
        made = {"job_id": job.id, "class_path": job.class_path, "name": job.name, "username": "root"}
        results = [
            JobResult(
                id=uuid.uuid4(), **made, data=data, status="completed", time_limit=1.0, created_at=now()
            )
            for data in asked
        ]
        db.add_all(results)
        db.flush()
        add_entries(db, results[3], 60)
        db.flush()
        db.execute(update(LogEntry).values(object_url=page))
        db.commit()
        ids = [str(result.id) for result in results]
    listed = text(root.get(f"{page}?view=results"))
    table = listed.partition("<tbody>")[2].partition("</tbody>")[0]
    assert re.findall(r'class="name" href="/results/([^"]+)"', table) == [ids[3], ids[2], ids[0]]
    assert table.count("Chosen as an input") == 2
    assert "Named in 60 lines" in table
    assert 'Results <span class="n">3</span>' in listed
    assert 'title="3 runs about it">3<' in listed
    # What a search has not looked through can still be asked for.
    monkeypatch.setattr("webapp.object_entries.SCAN", 20)
    found = text(root.get(f"{page}?q=LINE+1&level=info&level=debug"))
    assert "Nothing among the newest" in found
    for expected in (0, 11):
        further = re.search(r'hx-get="([^"]+)"[^>]*>Look further back', found)[1].replace("&amp;", "&")
        found = text(root.fragment(further))
        assert len(re.findall(r"<mark>", found)) == expected
    assert "Look further" not in found
    assert "No line fits" in text(root.fragment(f"{page}?level=failure&q=line&before=20"))
    monkeypatch.setattr("webapp.object_runs.RUNS_LOOKED_AT", 1)
    monkeypatch.setattr("webapp.object_runs.ENTRIES_LOOKED_AT", 3)
    bounded = text(root.get(f"{page}?view=results"))
    assert "Found among the newest lines that name it and the newest runs" in bounded
    assert ids[0] not in bounded
