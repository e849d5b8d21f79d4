"""Suppressions by page and by the API: seen by those who see a job, made and ended by those who may change it."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select

from store.models import ApiToken, Permission, Suppression, now
from store.secrets import new_token

from .conftest import running, text

URL = "/jobs/local/greetings/Greet"
HERE = ZoneInfo("Europe/Zurich")


@pytest.fixture
def app(settings, monkeypatch):
    monkeypatch.setenv("ERRAND_TIME_ZONE", HERE.key)
    from store.settings import load_settings

    yield from running(load_settings(settings.instance))


def local(moment: datetime) -> str:
    return moment.astimezone(HERE).replace(tzinfo=None).isoformat(timespec="minutes")


def stored(db) -> list[Suppression]:
    with db.begin():
        return list(db.scalars(select(Suppression).order_by(Suppression.starts_at)))


def test_a_suppression_is_made_seen_and_ended(alice, root, make_job, db):
    make_job(concurrency_limit=1, dedupe=True, delay=60, rate_limit="10/m")
    at = now().replace(second=0, microsecond=0)
    assert "Suppressions" not in text(alice.get(f"{URL}/"))
    assert "Have no run begin for a while" in text(root.get(f"{URL}/"))
    page = text(root.get(f"{URL}/suppressions"))
    assert "Europe/Zurich" in page
    assert re.search(r'name="starts_at" type="datetime-local" value="[0-9T:-]{16}"', page)
    moments = {"starts_at": local(at), "ends_at": local(at + timedelta(hours=2))}
    assert root.post(f"{URL}/suppressions", moments).status_code == 303
    (row,) = stored(db)
    assert (row.starts_at, row.ends_at, row.username) == (at, at + timedelta(hours=2), "root")
    # Everybody who sees the job sees it, and what its rules are.
    page = text(alice.get(f"{URL}/"))
    assert "Suppressed until" in page
    assert "one run at once; at most 10 starts in a minute; equal requests count once while one waits" in page
    assert "starts 1m after it is asked for" in page
    assert "/suppressions/" not in page
    listed = text(alice.get(f"{URL}/suppressions"))
    assert "root" in listed
    assert "Suppress it" not in listed
    assert f"{URL}/suppressions/{row.id}/end" in text(root.get(f"{URL}/"))
    assert alice.post(f"{URL}/suppressions/{row.id}/end").status_code == 403
    assert root.post(f"{URL}/suppressions/{row.id}/end").status_code == 303
    assert root.post(f"{URL}/suppressions/{row.id}/end").status_code == 404
    assert "It is not suppressed" in text(root.get(f"{URL}/suppressions"))
    assert stored(db) == []


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "sentence"),
    [
        ("", "2030-01-01 10:00", "Write a date and a time such as"),
        ("2030-01-01 10:00", "tomorrow <b>", "Write a date and a time such as"),
        ("2030-01-01 10:00", "2030-01-01T09:00+00:00", "The end has to be later than the beginning."),
        ("2020-01-01 10:00", "2020-01-01 11:00", "That time is over already."),
        ("2030-01-01 10:00", "9999-01-01 11:00", "A suppression ends within a year"),
    ],
)
def test_what_makes_no_sense_is_said_where_it_was_typed(
    root, make_job, db, starts_at: str, ends_at: str, sentence: str
):
    make_job()
    answer = root.post(f"{URL}/suppressions", {"starts_at": starts_at, "ends_at": ends_at})
    assert answer.status_code == 422
    page = text(answer)
    assert re.search(rf'id="(starts|ends)_at-e">.*{re.escape(sentence)}', page)
    assert ends_at.replace("<b>", "&lt;b&gt;") in page
    assert stored(db) == []


def test_a_time_before_all_others_is_none(root, make_job, db):
    make_job()
    moments = {"starts_at": "0001-01-01T00:00", "ends_at": local(now() + timedelta(hours=1))}
    answer = root.post(f"{URL}/suppressions", moments)
    assert answer.status_code == 422
    assert "Write a date and a time such as" in text(answer)
    assert stored(db) == []


def test_the_api_does_the_same(app, make_job, cast, db):
    job = make_job()
    plain, token_hash = new_token("errand")
    with db.begin():
        db.add(ApiToken(user_id=cast["root"].id, prefix=plain[:12], token_hash=token_hash))
    client, path = app.test_client(), f"/api/v1/jobs/{job.id}/suppressions"
    headers = {"Authorization": f"Token {plain}"}
    until = now() + timedelta(hours=1)
    made = client.post(path, json={"ends_at": until.isoformat()}, headers=headers)
    assert made.status_code == 201, made.text
    assert made.json["user"] == "root"
    later = {"starts_at": until.isoformat(), "ends_at": (until + timedelta(hours=1)).isoformat()}
    also = client.post(path, json=later, headers=headers)
    listed = client.get(path, headers=headers).json
    assert listed == {"results": [made.json, also.json], "next": None}
    wrong = client.post(path, json={**later, "ends_at": later["starts_at"]}, headers=headers)
    assert (wrong.status_code, wrong.json["errors"]) == (
        422,
        {"ends_at": ["The end has to be later than the beginning."]},
    )
    assert client.delete(f"{path}/{made.json['id']}", headers=headers).status_code == 204
    assert client.delete(f"{path}/{made.json['id']}", headers=headers).status_code == 404
    assert client.delete(path, headers=headers).json == {"ended": 1}
    assert stored(db) == []
    shown = client.get(f"/api/v1/jobs/{job.id}", headers=headers).json
    assert (shown["dedupe"], shown["delay"], shown["concurrency_policy"]) == (False, 0.0, "wait")


def test_who_asks_for_what_waits_already_comes_to_that_run(alice, root, make_job, db):
    make_job(dedupe=True)
    first = root.post(f"{URL}/", {}).headers["Location"]
    answer = alice.post(f"{URL}/", {})
    assert answer.headers["Location"] == first
    assert "still waits: that run is yours, too." in text(alice.get(first))
    # Where it may not be seen, it is said where it was asked for.
    with db.begin():
        db.execute(delete(Permission).where(Permission.name == "See all results"))
    assert alice.post(f"{URL}/", {}).headers["Location"] == f"{URL}/"
    assert "still waits" in text(alice.get(f"{URL}/"))
