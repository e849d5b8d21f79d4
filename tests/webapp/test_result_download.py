"""The list of results as a file."""

import csv
import io
from datetime import timedelta

import pytest

from jobs.spreadsheet import csv_rows
from webapp import result_download

from .conftest import NOON, text


def rows(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(answer), newline="")))


def test_the_list_is_downloaded_as_it_is_filtered(alice, make_job, make_result):
    job = make_job()
    make_result(job, count_info=3, count_default=2)
    failed = make_result(
        job, "failed", "bob", cause="=1+1\nNo.", commit=False, created_at=NOON + timedelta(days=1)
    )
    make_result(job, "pending", created_at=NOON - timedelta(days=1))
    answer = alice.get("/results/results.csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == "attachment; filename=results.csv"
    newest, completed, pending = rows(answer)
    assert newest == {
        "id": str(failed.id),
        "job": "Greet",
        "class_path": "local/greetings/Greet",
        "status": "failed",
        "cause": "'=1+1\nNo.",
        "commit": "False",
        "by": "bob",
        "created_at": "2026-02-01T12:00:00.000000Z",
        "started_at": "2026-02-01T12:00:00.000000Z",
        "finished_at": "2026-02-01T12:00:05.000000Z",
        "duration_seconds": "5.0",
        **dict.fromkeys(["debug", "info", "success", "warning", "failure"], "0"),
    }
    assert (completed["info"], completed["debug"], completed["cause"]) == ("3", "2", "")
    assert (pending["started_at"], pending["duration_seconds"]) == ("", "")
    assert [row["by"] for row in rows(alice.get("/results/results.csv?status=failed&person=bob"))] == ["bob"]
    assert rows(alice.get("/results/results.csv?q=nothing")) == []


def test_the_link_follows_the_filter(alice, make_job):
    assert 'id="list-csv" href="/results/results.csv"' in text(alice.get("/results/"))
    page = text(alice.fragment("/results/?status=failed&q=a+b"))
    assert 'id="list-csv" hx-swap-oob="true" href="/results/results.csv?status=failed&amp;q=a+b"' in page


@pytest.mark.parametrize("same_moment", [True, False])
def test_no_result_is_lost_or_repeated_between_pieces(alice, make_job, make_result, monkeypatch, same_moment):
    monkeypatch.setattr(result_download, "PIECE", 3)
    job = make_job()
    made = [
        make_result(job, created_at=NOON if same_moment else NOON + timedelta(minutes=minute))
        for minute in range(9)
    ]
    found = [row["id"] for row in rows(alice.get("/results/results.csv"))]
    assert sorted(found) == sorted(str(result.id) for result in made)
    if not same_moment:
        assert found == [str(result.id) for result in reversed(made)]


def test_no_text_is_a_formula():
    cells = ["=1", "+1", "-1", "@x", "\tx", "\rx", "x=1", "", -1]
    (row,) = csv.reader(io.StringIO(csv_rows([cells]), newline=""))
    assert row == ["'=1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "x=1", "", "-1"]
