"""`/results`: what became of the runs."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select

from store.models import LEVELS, JobResult, LogEntry, Status
from tests.api.conftest import NOON, described, follow
from webapp.api.shapes import time

LINE_KEYS = {
    "id",
    "url",
    "job",
    "class_path",
    "name",
    "user",
    "status",
    "cause",
    "commit",
    "queue",
    "created_at",
    "started_at",
    "finished_at",
    "counts",
    "attempt",
    "worker",
    "origin",
}
RESULT_KEYS = LINE_KEYS | {
    "data",
    "return_value",
    "output",
    "results",
    "cancel_requested_at",
    "canceled_by",
    "code_digest",
    "code_commit",
    "last_seq",
    "gathers",
    "note",
    "progress",
    "profile",
    "ignore_singleton_lock",
    "sealed",
}
UNKNOWN = ["nonsense", "1", "7a5ad157-04a5-4a53-b7a3-0a8be41e9b7e", "%00", "%ff", "x" * 5000, "7a5ad15704a5"]


@pytest.fixture
def result(make_result):
    return make_result(
        status=Status.COMPLETED,
        data={"text": "x"},
        return_value={"a": [1, None]},
        output="\nx",
        results={"k": "v"},
        started_at=NOON,
        finished_at=NOON + timedelta(seconds=1),
        count_info=3,
        last_seq=3,
        attempt=1,
        worker="w1",
    )


@pytest.fixture
def make_entries(db):
    def make(result, number, **values):
        last = db.scalar(
            select(LogEntry.seq).where(LogEntry.result_id == result.id).order_by(LogEntry.seq.desc()).limit(1)
        )
        for seq in range((last or 0) + 1, (last or 0) + number + 1):
            defaults = {"level": "info", "grouping": "run", "message": f"**{seq}**", "html": f"<b>{seq}</b>"}
            db.add(
                LogEntry(result_id=result.id, seq=seq, attempt=1, created_at=NOON, **{**defaults, **values})
            )
        db.commit()

    return make


def test_a_result_is_shaped_as_the_contract_says(call, result, plain):
    answer = call("GET", f"/results/{result.id}")
    assert answer.status_code == 200
    assert set(answer.json) == RESULT_KEYS
    assert answer.json == answer.json | {
        "id": str(result.id),
        "url": f"/results/{result.id}",
        "job": str(plain.id),
        "class_path": "local/plain/Plain",
        "user": "alice",
        "status": "completed",
        "cause": None,
        "commit": True,
        "created_at": "2026-01-31T12:00:01.000005Z",
        "started_at": "2026-01-31T12:00:00.000005Z",
        "finished_at": "2026-01-31T12:00:01.000005Z",
        "return_value": {"a": [1, None]},
        "output": "\nx",
        "data": {"text": "x"},
        "results": {"k": "v"},
        "counts": {**dict.fromkeys(LEVELS, 0), "info": 3},
        "attempt": 1,
        "worker": "w1",
        "queue": "default",
    }


def test_the_list_shows_the_latest_first_and_leaves_out_what_may_be_large(call, result, make_result):
    later = make_result()
    answer = call("GET", "/results")
    assert set(answer.json) == {"results", "next"}
    assert [row["id"] for row in answer.json["results"]] == [str(later.id), str(result.id)]
    assert all(set(row) == LINE_KEYS for row in answer.json["results"])


def test_a_result_outlives_its_job(call, db, result, plain):
    db.delete(plain)
    db.commit()
    assert call("GET", f"/results/{result.id}").json["job"] is None
    assert len(call("GET", "/results?job=local/plain/Plain").json["results"]) == 1


@pytest.mark.parametrize("rest", ["", "/entries", "/files", "/report"])
@pytest.mark.parametrize("unknown", UNKNOWN)
def test_an_unknown_result_is_a_404(call, result, unknown, rest):
    answer = call("GET", f"/results/{unknown}{rest}")
    assert answer.status_code == 404
    assert "detail" in answer.json


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_pages_hold_every_result_once_even_where_times_are_equal_and_new_ones_arrive(
    call, make_result, limit
):
    made = [make_result(created_at=NOON + timedelta(seconds=n // 4)) for n in range(11)]
    first = call("GET", f"/results?limit={limit}").json
    make_result(created_at=NOON + timedelta(hours=1))
    seen = [row["id"] for row in first["results"]]
    if first["next"]:
        rest = follow(call, first["next"].removeprefix("/api/v1"))
        seen += [row["id"] for page in rest for row in page]
    assert sorted(seen) == sorted(str(result.id) for result in made)


def test_filters_narrow_and_stay_while_paging(call, make_result, make_job, alice):
    other = make_job("local/other/Other")
    for n in range(6):
        make_result(status=Status.FAILED if n % 2 else Status.COMPLETED)
    make_result(status=Status.ERRORED, job_id=other.id, class_path=other.class_path)

    def statuses(query):
        return [row["status"] for page in follow(call, f"/results?{query}") for row in page]

    assert statuses("status=failed&limit=1") == ["failed"] * 3
    assert sorted(statuses("status=failed&status=errored&limit=2")) == ["errored", *["failed"] * 3]
    assert statuses("job=local/other/Other") == ["errored"]
    assert statuses(f"job={other.id}") == ["errored"]
    assert statuses("job=local/none/None") == []
    assert len(statuses("since=2026-01-31T12:00:05Z")) == 3
    assert len(statuses("since=2026-01-31T13:00:05%2B01:00")) == 3
    assert statuses("status=failed&since=2026-01-31T12:00:06Z") == ["failed"]


def test_inputs_are_found_in_parts(call, make_result, plain, db, monkeypatch):
    plain.variables = [described("ChoiceVar", "city", choices=[["brn", "Bern"]])]
    db.commit()
    job = str(plain.id)
    sites = ["brn", "zrh", "brn", "zrh", "zrh"]
    made = [
        make_result(data={"city": site, "n": n}, created_at=NOON + timedelta(minutes=n))
        for n, site in enumerate(sites)
    ]
    ids = {str(result.id): number for number, result in enumerate(made)}
    db.rollback()

    def found(query: str) -> list[list[int]]:
        return [[ids[row["id"]] for row in page] for page in follow(call, f"/results?{query}")]

    assert found("input=city:brn&input=n%3C2") == [[0]]
    assert found("input=city:Bern") == [[]]
    assert found(f"input=city:Bern&job={job}") == [[2, 0]]
    assert found("input=city:Bern&job=local/plain/Plain&limit=1") == [[2], [0]]
    monkeypatch.setattr("webapp.api.results.MOST_LOOKED_THROUGH", 2)
    assert found("input=city:brn") == [[], [2], [0]]
    assert found("input=city:brn&sort=created_at") == [[0], [2], []]
    assert found("queue=none&sort=name") == [[], [], []]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("status=lost", "status"),
        ("status=", "status"),
        ("job=x", "job"),
        ("job=a/%00", "job"),
        ("since=yesterday", "since"),
        ("since=2026-01-31T12:00:05", "since"),
        ("since=0001-01-01T00:00:00%2B23:59", "since"),
        ("since=", "since"),
        ("after=x", "after"),
        ("after=2026-01-31T12:00:05Z_x", "after"),
        ("after=0001-01-01T00:00:00%2B23:59_" + str(uuid.UUID(int=1)), "after"),
        ("after=%00", "after"),
        ("limit=1e3", "limit"),
        ("since=2026-01-31T12:00:05Z&since=2026-01-31T12:00:05Z", "since"),
        ("stauts=failed", "stauts"),
    ],
)
def test_filters_that_cannot_be_meant_are_refused_by_name(call, query, name):
    answer = call("GET", f"/results?{query}")
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [name]


def test_an_entry_is_shaped_exactly_as_the_contract_says(call, result, make_entries):
    make_entries(result, 1)
    make_entries(result, 1, level="failure", object_text="sw1", object_url="/objects/inventory.device/12")
    answer = call("GET", f"/results/{result.id}/entries")
    common = {"created_at": "2026-01-31T12:00:00.000005Z", "grouping": "run"}
    assert answer.json == {
        "results": [
            {"seq": 1, "level": "info", "message": "**1**", "html": "<b>1</b>", "object": None, **common},
            {
                "seq": 2,
                "level": "failure",
                "message": "**2**",
                "html": "<b>2</b>",
                "object": {"text": "sw1", "url": "/objects/inventory.device/12"},
                **common,
            },
        ],
        "next": None,
        "last_seq": 3,
        "finished": True,
    }


@pytest.mark.parametrize("limit", [1, 4, 10, 1000, 5000])
def test_pages_of_entries_are_complete_and_in_order(call, result, make_entries, limit):
    make_entries(result, 10)
    pages = follow(call, f"/results/{result.id}/entries?limit={limit}")
    assert [entry["seq"] for page in pages for entry in page] == list(range(1, 11))


def test_a_page_of_entries_never_has_more_than_a_thousand(call, result, make_entries):
    make_entries(result, 1001)
    assert [len(page) for page in follow(call, f"/results/{result.id}/entries?limit=5000")] == [1000, 1]


def test_after_gives_only_what_is_new(call, result, make_entries):
    make_entries(result, 3)
    assert [e["seq"] for e in call("GET", f"/results/{result.id}/entries?after=2").json["results"]] == [3]
    nothing = {"results": [], "next": None, "last_seq": 3, "finished": True}
    assert call("GET", f"/results/{result.id}/entries?after=3").json == nothing


def test_entries_are_filtered_by_level(call, result, make_entries):
    make_entries(result, 3)
    make_entries(result, 3, level="warning")
    make_entries(result, 3, level="error")
    pages = follow(call, f"/results/{result.id}/entries?level=warning&level=error&limit=2")
    assert [entry["seq"] for page in pages for entry in page] == [4, 5, 6, 7, 8, 9]


def test_entries_of_other_results_stay_there(call, result, make_result, make_entries):
    make_entries(make_result(), 3)
    assert call("GET", f"/results/{result.id}/entries").json["results"] == []


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=9999999999", "after=1&after=2", "level=loud", "limit=0", "page=2"]
)
def test_parameters_of_entries_that_cannot_be_meant_are_refused_by_name(call, result, query):
    answer = call("GET", f"/results/{result.id}/entries?{query}")
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [query.split("=")[0]]


def test_a_result_without_files_has_an_empty_list(call, result):
    assert call("GET", f"/results/{result.id}/files").json == {"results": [], "next": None}


def test_a_result_without_a_report_says_so(call, result):
    answer = call("GET", f"/results/{result.id}/report")
    assert (answer.status_code, answer.json["detail"]) == (404, "This result has no report.")


def test_cancel_ends_a_waiting_run(call, db, make_result):
    waiting = make_result()
    answer = call("POST", f"/results/{waiting.id}/cancel")
    assert answer.status_code == 202
    assert set(answer.json) == RESULT_KEYS
    assert (answer.json["status"], answer.json["canceled_by"]) == ("canceled", "alice")
    db.rollback()
    db.refresh(waiting)
    assert waiting.status == Status.CANCELED


def test_cancel_asks_a_running_one_to_stop(call, make_result):
    running = make_result(status=Status.RUNNING, attempt=1)
    answer = call("POST", f"/results/{running.id}/cancel")
    assert answer.status_code == 202
    assert answer.json["status"] == "running"
    assert answer.json["cancel_requested_at"].endswith("Z")


@pytest.mark.parametrize("status", ["completed", "failed", "errored", "canceled", "denied"])
def test_cancel_of_an_ended_run_is_a_409_and_changes_nothing(call, db, make_result, status):
    ended = make_result(status=status)
    answer = call("POST", f"/results/{ended.id}/cancel")
    assert (answer.status_code, answer.json["status"]) == (409, 409)
    db.rollback()
    assert db.scalars(select(JobResult.status)).all() == [status]


def test_cancel_is_for_the_person_who_asked_and_for_superusers(calls_of, carol, root, make_result):
    waiting = make_result()
    answer = calls_of(carol)("POST", f"/results/{waiting.id}/cancel")
    assert (answer.status_code, answer.json["status"]) == (403, 403)
    assert calls_of(root)("POST", f"/results/{waiting.id}/cancel").status_code == 202


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_cancel_of_an_unknown_result_is_a_404(call, unknown):
    assert call("POST", f"/results/{unknown}/cancel").status_code == 404


def test_a_result_says_what_asked_for_it(call, make_result):
    schedule, parent = uuid.uuid4(), uuid.uuid4()
    asked = {"origin": "schedule", "origin_id": schedule, "origin_name": "Nightly", "slot_at": NOON}
    made = make_result(**asked, parent_id=parent)
    assert call("GET", f"/results/{made.id}").json["origin"] == {
        "kind": "schedule",
        "id": str(schedule),
        "name": "Nightly",
        "slot_at": time(NOON),
        "after": str(parent),
    }
    assert call("GET", f"/results/{make_result().id}").json["origin"] is None
