"""What changed since a job last completed, and a result as one file."""

import hashlib
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from jobs.report import Report, Table
from jobs.report.shape import fit
from store.files import file_store
from store.models import ApiToken, Approval, AuditRecord, EntryGroup, LogEntry, RunFile, RunReport
from store.secrets import new_token
from webapp import result_export
from webapp.export_looks import POLICY, SCRIPT, STYLE

from .conftest import NOON, described, text
from .test_weight import queries


@pytest.fixture
def job(make_job):
    return make_job(variables=[described("StringVar", "who"), described("StringVar", "password")])


@pytest.fixture
def api(app, db, cast):
    plain, token_hash = new_token("errand")
    db.add(ApiToken(user_id=cast["alice"].id, prefix=plain[:12], token_hash=token_hash))
    db.commit()
    return lambda path: app.test_client().get(path, headers={"Authorization": f"Token {plain}"})


@pytest.fixture
def two_runs(db, job, make_result, add_entries):
    """A run that completed and one that failed an hour later, with what differs between them."""
    hour = timedelta(hours=1)
    then = make_result(
        job,
        data={"who": "all"},
        sealed_facts={"password": {"fingerprint": "a" * 16, "length": 9}},
        code_digest="1" * 64,
        worker_host="paris",
        worker="paris-1-ab",
    )
    now = make_result(
        job,
        "failed",
        "bob",
        cause="It broke.",
        data={"who": "<b>none</b>"},
        sealed_facts={"password": {"fingerprint": "b" * 16, "length": 9}},
        code_digest="2" * 64,
        worker_host="rome",
        worker="rome-2-cd",
        created_at=NOON + hour,
    )
    add_entries(then, "Took 3 s", "3 rows", "HTTP 200")
    add_entries(now, "Took 4 s", "17 rows", "HTTP 503 <script>alert(1)</script>")
    add_entries(now, "Gone", grouping="cleanup")
    for run, seconds in ((then, 4), (now, 60)):
        for group in db.scalars(select(EntryGroup).where(EntryGroup.result_id == run.id)):
            group.started_at = run.started_at + timedelta(seconds=seconds if group.name != "run" else 0)
    then.finished_at, now.finished_at = then.started_at + timedelta(seconds=4), now.started_at + hour
    db.commit()
    return then, now


def test_a_page_a_fragment_and_the_api_say_what_changed(alice, two_runs):
    then, now = two_runs
    address = f"/results/{now.id}/changes"
    page = text(alice.get(f"/results/{now.id}"))
    assert f'hx-get="{address}"' in page
    assert f'<a href="{address}">' in page
    assert "changes" not in text(alice.get(f"/results/{then.id}"))
    assert alice.get(f"/results/{then.id}/changes").status_code == 404
    whole, part = text(alice.get(address)), text(alice.fragment(address))
    assert "<h1>What changed since it last completed</h1>" in whole
    assert "<html" not in part
    for said in (
        f'href="/results/{then.id}?line=3#L3"',
        f'href="/results/{now.id}?line=3#L3"',
        "The first 2 entries are the same",
        "&lt;b&gt;none&lt;/b&gt;",
        "whether it differs cannot be told",
        "222222222222</code>",
        ">rome<",
        ">bob<",
        "cleanup",
    ):
        assert said in whole, said
        assert said in part, said
    assert "<script>alert" not in whole


def test_the_api_has_the_same_and_the_run_of_the_schedule_or_inputs_comes_first(
    db, alice, api, job, two_runs, make_result
):
    then, now = two_runs
    found = api(f"/api/v1/results/{now.id}/changes").json
    assert (found["earlier"]["id"], found["chosen"]) == (str(then.id), "job")
    assert {each["name"]: (each["before"], each["after"], each["unknown"]) for each in found["inputs"]} == {
        "who": ("all", "<b>none</b>", False),
        "password": (None, None, True),
    }
    assert {each["name"] for each in found["facts"]} == {"code_digest", "worker_host", "user"}
    assert [each["grouping"] for each in found["groupings"]] == ["cleanup", "run"]
    assert (found["same_entries"], found["cut"]) == (2, False)
    assert found["first_difference"]["before"]["message"] == "HTTP 200"
    assert api(f"/api/v1/results/{then.id}/changes").status_code == 404
    # One with the same inputs goes before one that is newer, and one of its schedule before that.
    same = {"data": now.data, "sealed_facts": now.sealed_facts}
    alike = make_result(job, created_at=NOON + timedelta(minutes=1), **same)
    make_result(job, created_at=NOON + timedelta(minutes=2), data={"who": "x"})
    found = api(f"/api/v1/results/{now.id}/changes").json
    assert (found["earlier"]["id"], found["chosen"]) == (str(alike.id), "inputs")
    now.origin, now.origin_id, now.origin_name = "schedule", job.id, "Each hour"
    by_schedule = {"origin": "schedule", "origin_id": job.id}
    planned = make_result(job, created_at=NOON + timedelta(minutes=3), **by_schedule)
    make_result(job, created_at=NOON + timedelta(hours=2), **by_schedule)
    found = api(f"/api/v1/results/{now.id}/changes").json
    assert (found["earlier"]["id"], found["chosen"]) == (str(planned.id), "schedule")


def test_nothing_to_compare_with_and_long_logs(db, app, alice, job, make_result):
    failed = make_result(job, "errored", created_at=NOON + timedelta(hours=1))
    assert "There is no earlier run of this job" in text(alice.get(f"/results/{failed.id}/changes"))
    offered = "What changed since it last completed"
    # What completed later, or was only tried, is not compared with.
    make_result(job, created_at=NOON + timedelta(hours=2))
    make_result(job, origin="approval")
    assert offered not in text(alice.get(f"/results/{failed.id}"))
    earlier = make_result(job)
    assert offered in text(alice.get(f"/results/{failed.id}"))
    _fill(db, earlier, 5_000)
    _fill(db, failed, 5_000)
    with queries(app) as seen:
        page = text(alice.get(f"/results/{failed.id}/changes"))
    assert "The first 3\u202f000 entries are the same" in page
    assert sum("FROM log_entries" in one for one in seen) == 12


def _fill(db, result, entries: int) -> None:
    values = {
        "result_id": result.id,
        "attempt": 1,
        "level": "info",
        "grouping": "run",
        "created_at": NOON,
    }
    rows = [
        {**values, "seq": seq, "message": f"Row {seq}, {seq} rows", "html": f"<p>Row {seq}, {seq} rows</p>"}
        for seq in range(1, entries + 1)
    ]
    db.execute(insert(LogEntry), rows)
    result.last_seq = entries
    db.commit()


def test_an_export_stands_alone(db, app, settings, alice, api, two_runs, add_entries):
    _, run = two_runs
    add_entries(run, "See [it](/objects/inventory.site/1) and [that](javascript:alert(2))", level="error")
    data, _ = fit(Report(Table([["x", "<img src=x onerror=alert(3)>"]])).as_data())
    db.add(RunReport(result_id=run.id, data=data, pieces=1))
    db.add(
        Approval(
            result_id=run.id, asked={"module": "c" * 64}, decision="approved", decided_by="bob", comment="Go"
        )
    )
    with app.app_context():
        key = file_store(settings, app.extensions["sqlalchemy"].engine).put(io.BytesIO(b"hello"))
    db.add(RunFile(key=key, result_id=run.id, name="out.txt", size_bytes=5))
    db.commit()
    answer = alice.get(f"/results/{run.id}/export")
    assert answer.headers["Content-Disposition"] == f"attachment; filename={run.short_id}-result.html"
    page = text(answer)
    log = alice.get(f"/results/{run.id}/log.txt").get_data()
    for said in (
        "&lt;b&gt;none&lt;/b&gt;",
        "fingerprint bbbbbbbb",
        "c" * 64,
        "2" * 64,
        hashlib.sha256(b"hello").hexdigest(),
        hashlib.sha256(log).hexdigest(),
        'href="http://localhost/objects/inventory.site/1"',
        "Exported by alice",
        "It broke.",
        "<h3>cleanup</h3>\n",
    ):
        assert said in page, said
    # One script, ours, which the policy names; and nothing of the job's that could act.
    assert re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", page, re.S) == [STYLE, SCRIPT]
    assert str(POLICY) in page.replace("&#39;", "'")
    assert "<img" not in page
    assert "javascript:" not in page
    assert not re.search(r"<[^>]+\son\w+=", page)
    assert not re.search(r'<[^>]+ (?:src|style)="', page)
    assert "Exported by" in text(api(f"/api/v1/results/{run.id}/export"))
    notes = db.scalars(select(AuditRecord).where(AuditRecord.action == "result.export")).all()
    assert [note.subject for note in notes] == [f"Greet #{run.short_id}"] * 2


def test_an_export_says_once_what_was_printed_and_returned(alice, job, make_result):
    """As the page does."""
    returned = make_result(job, return_value=40_000, output="\n40000\n")
    page = text(alice.get(f"/results/{returned.id}/export"))
    assert "<h2>Output</h2>" not in page
    assert "<h2>Return value</h2>" in page
    printed = make_result(job, return_value="done", output="\ndone\n")
    page = text(alice.get(f"/results/{printed.id}/export"))
    assert '<pre class="code">\ndone</pre>' in page
    assert "<h2>Return value</h2>" not in page


def test_an_export_is_sent_in_pieces_and_says_where_it_is_cut(db, alice, job, make_result, monkeypatch):
    run = make_result(job)
    _fill(db, run, 2_500)
    answer: Any = alice.get(f"/results/{run.id}/export", buffered=False)
    assert max(map(len, answer.iter_encoded())) < 200_000
    monkeypatch.setattr(result_export, "MOST_ENTRIES", 1_000)
    page = text(alice.get(f"/results/{run.id}/export"))
    assert "the 1\u202f500 in the middle are left out" in page
    assert page.count('<div class="e ') == 1_000
    assert 'id="L500"' in page
    assert 'id="L501"' not in page
    assert 'id="L2001"' in page
