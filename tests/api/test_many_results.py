"""What is done with results by their API: waiting for them, running again, and one act for many."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from store.models import ApiToken, JobResult, LogEntry, Permission, now
from tests.api.conftest import NOON, follow
from tests.waiting import until
from webapp.desk import AT_ONCE


@pytest.fixture
def runner(db, alice):
    """alice may run and cancel what is hers."""
    db.add(Permission(name="Runs", kind="job", actions=["run"], users=[alice]))
    db.commit()


def ids(answer):
    return [row["id"] for row in answer.json["results"]]


def test_results_are_narrowed_and_sorted(call, make_result, plain):
    made = [
        make_result(status="failed", cause="No route to sw-1.", queue="bulk"),
        make_result(status="completed", origin="schedule", username="bob", name="Zebra"),
        make_result(status="completed", name="Alpha", parent_id=plain.id),
    ]
    first, second, third = (str(each.id) for each in made)
    for query, expected in {
        "queue=bulk": [first],
        "queue=bulk&queue=other&status=failed": [first],
        "origin=schedule": [second],
        "origin=person": [third, first],
        "user=bob": [second],
        f"parent={plain.id}": [third],
        "q=ROUTE": [first],
        "q=zeb": [second],
        "since=2026-01-31T12:00:02Z": [third, second],
        "until=2026-01-31T12:00:02Z": [first],
        "sort=created_at": [first, second, third],
        "sort=name": [third, first, second],
        "sort=-name": [second, first, third],
    }.items():
        assert ids(call("GET", f"/results?{query}")) == expected, query
        pages = follow(call, f"/results?{query}&limit=1")
        assert [row["id"] for page in pages for row in page] == expected, query
    refused = call("GET", "/results?sort=status")
    assert refused.json["errors"] == {
        "sort": ["There is no 'status' to sort by; there are created_at, name."]
    }
    other = call("GET", "/results?sort=name&limit=1").json["next"].partition("after=")[2]
    for after in ("x", other, "W10"):
        refused = call("GET", f"/results?after={after.partition('&')[0]}")
        assert (refused.status_code, list(refused.json["errors"])) == (422, ["after"])


def test_fields_and_etags(call, make_result):
    result = make_result(status="completed")
    answer = call("GET", f"/results/{result.id}?fields=id,status")
    assert answer.json == {"id": str(result.id), "status": "completed"}
    assert call("GET", "/results?fields=status").json == {"results": [{"status": "completed"}], "next": None}
    assert "name" in call("GET", f"/results/{result.id}?fields=%0d,").json, "none was named"
    refused = call("GET", "/results?fields=stauts")
    assert refused.json["errors"]["fields"][0].startswith(
        "There is no field 'stauts'; there are id, url, job"
    )
    tag = answer.headers["ETag"]
    again = call("GET", f"/results/{result.id}?fields=id,status", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    other = call("GET", f"/results/{result.id}", headers={"If-None-Match": tag})
    assert other.status_code == 200


def test_an_answer_waits_for_the_end(call, make_result, db, app):
    result = make_result(status="running")
    asked = threading.Event()

    def ask():
        asked.set()
        return call("GET", f"/results/{result.id}?wait=50")

    with ThreadPoolExecutor(AT_ONCE + 2) as pool:
        # More than a process works on at once: they wait beside their places.
        answers = [pool.submit(ask) for _ in range(AT_ONCE + 2)]
        assert asked.wait(10)
        assert call("GET", f"/results/{result.id}").json["status"] == "running", "and others are answered"
        db.execute(update(JobResult).values(status="completed", finished_at=now()))
        db.commit()
        assert {answer.result().json["status"] for answer in answers} == {"completed"}
    assert call("GET", f"/results/{result.id}?wait=50").json["status"] == "completed", "at once"


def test_whose_token_ends_while_it_waits_is_told_nothing(call, make_result, db, app):
    result = make_result(status="running")
    url = f"/results/{result.id}?wait=50"
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, "GET", url)
        until(lambda: app.extensions["errand"].waiting._waiters, "it waits")
        db.execute(delete(ApiToken))
        db.execute(update(JobResult).values(status="completed", finished_at=now()))
        db.commit()
        assert answer.result().status_code == 401


def test_entries_wait_for_the_next_one(call, make_result, db):
    result = make_result(status="running")
    url = f"/results/{result.id}/entries"
    now_ = call("GET", f"{url}?wait=0").json
    assert now_ == {"results": [], "next": None, "last_seq": 0, "finished": False}

    def write():
        message = {"grouping": "run", "message": "Hello **you**", "html": "Hello <b>you</b>"}
        entry = {"seq": 1, "attempt": 1, "created_at": NOON, "level": "success", **message}
        db.add(LogEntry(result_id=result.id, **entry))
        db.execute(update(JobResult).values(last_seq=1))
        db.commit()

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, "GET", f"{url}?wait=50")
        write()
        got = answer.result().json
    assert ([each["seq"] for each in got["results"]], got["last_seq"], got["finished"]) == ([1], 1, False)
    none = call("GET", f"{url}?level=failure").json
    assert (none["results"], none["last_seq"]) == ([], 1), "it was looked at"
    assert [each["seq"] for each in call("GET", f"{url}?family=success&q=HELLO").json["results"]] == [1]
    lines = call("GET", url, headers={"Accept": "application/x-ndjson"})
    assert lines.mimetype == "application/x-ndjson"
    assert '"message": "Hello **you**"' in lines.text
    text = call("GET", f"{url}?format=txt")
    assert (text.mimetype, text.text.split("\t")[2:]) == ("text/plain", ["success", "run", "Hello **you**\n"])
    assert call("GET", f"{url}?format=txt&after=1").text == ""


def test_a_run_is_run_again(call, make_result, plain, db, runner):
    result = make_result(status="completed", commit=False)
    answer = call("POST", f"/results/{result.id}/rerun")
    assert (answer.status_code, answer.json["commit"], answer.json["status"]) == (201, False, "pending")
    assert answer.headers["Location"].endswith(answer.json["id"])
    plain.has_sensitive_variables = True
    db.commit()
    gone = call("POST", f"/results/{make_result(status='completed', sensitive=True).id}/rerun")
    assert (gone.status_code, "given again" in gone.json["detail"]) == (422, True)


def test_one_act_for_all_that_match(call_as_root, make_result, db, monkeypatch):
    monkeypatch.setattr("webapp.api.bulk.MOST_AT_ONCE", 2)
    waiting = [make_result(status="pending") for _ in range(5)]
    ended = make_result(status="completed")
    body = {"action": "cancel", "matching": {"status": ["pending"]}}
    wrong = call_as_root("POST", "/results/bulk", json={**body, "expect": 4})
    assert (wrong.status_code, wrong.json["detail"]) == (409, "5 results match, not 4: nothing was done.")
    done, after, parts = [], "", 0
    while after is not None:
        answer = call_as_root("POST", "/results/bulk", json={**body, "expect": 5, "after": after})
        assert answer.status_code == 200, answer.text
        done, after, parts = done + answer.json["done"], answer.json["next"], parts + 1
    assert (done, parts) == ([str(each.id) for each in waiting], 3)
    named = call_as_root("POST", "/results/bulk", json={"action": "cancel", "ids": [str(ended.id)]})
    assert named.json["done"] == []
    assert named.json["refused"] == [{"id": str(ended.id), "detail": "This run has already ended."}]


def test_results_are_deleted(call, call_as_root, make_result, db):
    ended, running, other = [str(make_result(status=word).id) for word in ("failed", "running", "completed")]
    entry = {"seq": 1, "attempt": 1, "created_at": NOON, "level": "info", "grouping": "run"}
    db.add(LogEntry(result_id=UUID(ended), message="x", html="x", **entry))
    db.commit()
    assert call("DELETE", f"/results/{ended}").status_code == 403
    assert call_as_root("DELETE", f"/results/{ended}").status_code == 204
    assert call_as_root("GET", f"/results/{ended}").status_code == 404
    assert db.scalars(select(LogEntry)).all() == []
    db.rollback()
    early = call_as_root("DELETE", f"/results/{running}")
    assert (early.status_code, early.json["detail"]) == (409, "This run has not ended yet. Cancel it first.")
    body = {"action": "delete", "matching": {"status": ["completed", "running"]}}
    answer = call_as_root("POST", "/results/bulk", json=body).json
    assert answer["done"] == [other]
    assert [each["id"] for each in answer["refused"]] == [running]


def test_running_again_what_matches_ends(call_as_root, make_result, db, monkeypatch):
    monkeypatch.setattr("webapp.api.bulk.MOST_AT_ONCE", 1)
    old = {make_result(status="failed").id for _ in range(3)}
    body, made = {"action": "rerun", "matching": {"job": "local/plain/Plain"}, "after": ""}, []
    while body["after"] is not None:
        answer = call_as_root("POST", "/results/bulk", json=body).json
        made += answer["done"]
        body["after"] = answer["next"]
    db.expire_all()
    assert len(made) == 3, "what it makes itself is left alone"
    assert {str(row) for row in db.scalars(select(JobResult.id)) if row not in old} == set(made)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "action"),
        ({"action": "delete-all", "ids": []}, "action"),
        ({"action": "cancel"}, "ids"),
        ({"action": "cancel", "ids": ["x"]}, "ids"),
        ({"action": "cancel", "matching": {"stauts": []}}, "matching.stauts"),
        ({"action": "cancel", "matching": {}, "after": "x"}, "after"),
        ({"action": "cancel", "matching": {"input": ["site:Bern"]}}, "matching"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, body, name):
    answer = call("POST", "/results/bulk", json=body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [name])
