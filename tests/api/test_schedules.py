"""`/schedules`: made, found, changed, and acted on by token, with the checks of the pages."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from store.models import Approval, AuditRecord, JobResult, MissedSlots, Permission, Schedule, now
from tests.api.conftest import described, follow

TOMORROW = (now() + timedelta(days=1)).replace(microsecond=0)
DAILY = {"job": "local/greet/Greet", "interval": "daily", "start_at": TOMORROW.isoformat()}


@pytest.fixture
def greet(make_job):
    return make_job(
        "local/greet/Greet",
        variables=[described("StringVar", "name"), described("StringVar", "q", required=False)],
    )


def refused(answer):
    assert answer.status_code == 422, answer.text
    return answer.json["errors"]


def made(answer, status=201):
    assert answer.status_code == status, answer.text
    return answer.json


def test_a_schedule_is_made_like_in_the_form(call, calls_of, carol, greet, db):
    given = {
        **DAILY,
        "name": "Each day",
        "zone": "Europe/Berlin",
        "data": {"name": "Ada", "q": ""},
        "blackouts": ["sat,sun 00:00-23:00"],
        "jitter_seconds": 90,
        "missed": "all",
        "overlap": "wait",
    }
    for wrong, errors in (
        ({"job": "local/no/No"}, {"job": ["There is no such job, or you may not see it."]}),
        (
            {"interval": "yearly"},
            {"interval": ["Give one of 'once', 'hourly', 'daily', 'weekly' or 'cron'."]},
        ),
        ({"name": "x" * 256}, {"name": ["Use at most 255 characters."]}),
        ({"start_at": ""}, {"start_at": ["Say when this starts."]}),
        ({"start_at": "soon"}, {"start_at": ["Write a date and a time such as 2030-05-15 22:00."]}),
        ({"zone": "Mars"}, None),
        ({"interval": "cron", "cron": "x"}, None),
        ({"blackouts": ["never"]}, None),
        ({"jitter_seconds": 9999}, {"jitter_seconds": ["Write 0 to 3600 seconds."]}),
        ({"end_at": "2020-01-01T00:00Z"}, {"end_at": ["The end must be after the start."]}),
        ({"data": {}}, {"data.name": ["This field is required."]}),
        ({"data": {"name": "x", "no": 1}}, None),
        ({"queue": "bulk"}, {"queue": ['"bulk" is not a valid choice. Choose from: default.']}),
        ({"plan": 1}, {"plan": ["There is no such key."]}),
    ):
        found = refused(call("POST", "/schedules", json={**given, **wrong}))
        assert found == errors or (
            errors is None and [key.partition(".")[0] for key in found] == [list(wrong)[-1]]
        )
    assert db.scalars(select(Schedule)).all() == []
    db.commit()
    answer = call("POST", "/schedules", json=given)
    shown = made(answer)
    assert answer.headers["Location"] == f"/api/v1/schedules/{shown['id']}"
    assert call("GET", f"/schedules/{shown['id']}").json == shown
    assert {key: shown[key] for key in given if key not in ("job", "start_at")} == {
        key: value for key, value in given.items() if key not in ("job", "start_at")
    }
    assert (shown["class_path"], shown["user"], shown["enabled"]) == ("local/greet/Greet", "alice", True)
    assert (len(shown["next"]), shown["next_at"], shown["problem"]) == (3, shown["next"][0], None)
    assert shown["words"].startswith("Every day at ")
    stranger = calls_of(carol)
    assert stranger("PATCH", f"/schedules/{shown['id']}", json={"name": "Mine"}).status_code == 403
    assert made(call("POST", "/schedules", json={**DAILY, "data": {"name": "x"}}))["name"] == "Greet"
    noted = db.scalars(select(AuditRecord.action).where(AuditRecord.actor == "alice")).all()
    assert noted.count("schedule.create") == 2


def test_who_may_not_see_schedules_still_learns_what_they_made(call, plain, db):
    db.execute(delete(Permission).where(Permission.kind == "schedule"))
    db.commit()
    shown = made(call("POST", "/schedules", json={**DAILY, "job": str(plain.id)}))
    assert shown == {"id": str(db.scalars(select(Schedule.id)).one()), "url": f"/schedules/{shown['id']}"}
    assert call("GET", f"/schedules/{shown['id']}").status_code == 404


def test_times_are_seen_before(call):
    asked = {"interval": "cron", "cron": "30 6 * * 1", "zone": "Europe/Berlin"}
    shown = made(call("POST", "/schedules/preview", json=asked), 200)
    assert shown["words"] == "At 06:30 on Monday, Europe/Berlin"
    assert [slot["local"].startswith("Mon ") for slot in shown["next"]] == [True] * 3
    assert list(refused(call("POST", "/schedules/preview", json={**asked, "cron": "61 * * * *"}))) == ["cron"]


def test_schedules_are_found(call, greet, plain, db):
    first = made(call("POST", "/schedules", json={**DAILY, "name": "B", "data": {"name": "x"}}))["id"]
    second = made(call("POST", "/schedules", json={**DAILY, "name": "A", "job": str(plain.id)}))["id"]
    call("POST", f"/schedules/{second}/pause")
    db.execute(update(Schedule).where(Schedule.name == "B").values(problem="It broke."))
    db.add(
        MissedSlots(
            schedule_id=db.scalars(select(Schedule.id).where(Schedule.name == "B")).one(),
            first_at=now(),
            last_at=now(),
            count=3,
            cause="Nobody came.",
            noticed_at=now(),
        )
    )
    db.commit()
    for query, expected in {
        "": [second, first],
        "sort=name": [second, first],
        "sort=-name": [first, second],
        "job=local/plain/Plain": [second],
        f"job={greet.id}": [first],
        "user=alice&q=greet": [first],
        "user=bob": [],
        "queue=bulk": [],
        "enabled=false": [second],
        "problem=true": [first],
        "problem=false": [second],
    }.items():
        pages = follow(call, f"/schedules?{query}&limit=1")
        assert [row["id"] for page in pages for row in page] == expected, query
    [line] = call("GET", "/schedules?problem=true").json["results"]
    assert (line["problem"], line["missed_lately"]) == ("It broke.", 3)
    [missed] = call("GET", f"/schedules/{first}/missed").json["results"]
    assert (missed["count"], missed["cause"]) == (3, "Nobody came.")
    assert call("GET", f"/schedules/{first}").json["misses"] == [missed]
    plain.enabled = False
    db.commit()
    assert [row["id"] for row in call("GET", "/schedules?problem=true").json["results"]] == [second, first]


def test_only_what_is_given_is_changed(call, call_as_root, greet, db):
    shown = made(call("POST", "/schedules", json={**DAILY, "data": {"name": "Ada"}, "jitter_seconds": 5}))
    url = f"/schedules/{shown['id']}"
    named = made(call("PATCH", url, json={"name": "New", "version": shown["version"]}), 200)
    same = ("interval", "start_at", "jitter_seconds", "data", "user", "commit", "next")
    assert [named[key] for key in same] == [shown[key] for key in same]
    assert (named["name"], named["version"]) == ("New", shown["version"] + 1)
    late = call("PATCH", url, json={"name": "Late", "version": shown["version"]})
    assert (late.status_code, "version 1 by now" in late.json["detail"]) == (409, True)
    # It has begun by now, and is given back as it was read.
    db.execute(update(Schedule).values(start_at=TOMORROW - timedelta(days=3)))
    db.commit()
    begun = call("GET", url).json["start_at"]
    assert made(call("PATCH", url, json={"start_at": begun, "missed": "skip"}), 200)["missed"] == "skip"
    assert list(refused(call("PATCH", url, json={"start_at": "2020-01-01T00:00Z"}))) == ["start_at"]
    # One wrong thing changes nothing.
    assert list(refused(call("PATCH", url, json={"name": "Half", "data": {}}))) == ["data.name"]
    assert call("GET", url).json["name"] == "New"
    both = made(call_as_root("PATCH", url, json={"name": "Both", "data": {"name": "Bob"}}), 200)
    assert (both["name"], both["data"]["name"], both["user"]) == ("Both", "Bob", "root")
    assert call("PATCH", url, json={"name": "Mine"}).status_code == 403
    quiet = made(call_as_root("PATCH", url, json={"commit": False}), 200)
    assert (quiet["commit"], quiet["data"]) == (False, both["data"])
    db.execute(update(Schedule).values(sealed_facts={"q": {"fingerprint": "x"}}))
    db.commit()
    assert list(refused(call_as_root("PATCH", url, json={"commit": True}))) == ["data"]
    taken = call_as_root("POST", f"{url}/take-over")
    assert (taken.status_code, "Give the inputs anew" in taken.text) == (422, True)


def test_people_act_on_schedules(call, call_as_root, greet, db):
    url = f"/schedules/{made(call('POST', '/schedules', json={**DAILY, 'data': {'name': 'Ada'}}))['id']}"
    paused = made(call("POST", f"{url}/pause"), 200)
    assert (paused["enabled"], paused["switched_by"], paused["next"], paused["next_at"]) == (
        False,
        "alice",
        [],
        None,
    )
    assert call("POST", f"{url}/resume", json={"version": 0}).status_code == 409
    assert made(call("POST", f"{url}/resume"), 200)["enabled"] is True
    ran = call("POST", f"{url}/run")
    result = db.scalars(select(JobResult)).one()
    assert ran.headers["Location"] == f"/api/v1/results/{result.id}"
    assert (made(ran)["id"], result.origin, result.data["name"]) == (str(result.id), "schedule", "Ada")
    db.commit()
    assert made(call_as_root("POST", f"{url}/take-over"), 200)["user"] == "root"
    greet.approval_required = True
    db.commit()
    assert "waits for somebody" in made(call_as_root("POST", f"{url}/ask"), 200)["problem"]
    assert db.scalars(select(Approval.decision)).all() == [None]
    greet.enabled = False
    db.commit()
    unable = call_as_root("POST", f"{url}/run")
    assert (unable.status_code, "waits for somebody" in unable.json["detail"]) == (403, True)
    for verb in ("pause", "resume", "run", "take-over", "ask"):
        assert call("POST", f"{url}/{verb}").status_code == 403, verb
    assert call("DELETE", url).status_code == 403
    assert call_as_root("DELETE", url).status_code == 204
    assert call_as_root("GET", url).json["detail"] == "There is nothing here."
