"""Schedules on the pages: made in a job's form, listed, drawn, paused, edited, taken over."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from store.models import (
    Approval,
    AuditRecord,
    JobRecord,
    JobResult,
    MissedSlots,
    Permission,
    Schedule,
    User,
    now,
)
from store.timing.recurrence import Recurrence
from webapp.timeline import Planned, timeline

from .conftest import described, text

URL = "/jobs/local/greetings/Greet/"
TOMORROW = (now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
DAILY = {
    "_when": "cron",
    "_schedule_name": "Each <b>day</b>",
    "_schedule_interval": "daily",
    "_schedule_start_time": TOMORROW,
    "_schedule_zone": "Europe/Berlin",
}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def job(make_job):
    return make_job(variables=[described("StringVar", "name", required=True)])


def schedules(db) -> list[Schedule]:
    with db.begin():
        db.expire_all()
        return list(db.scalars(select(Schedule).order_by(Schedule.created_at)))


def test_a_form_makes_a_schedule_that_its_page_tells_of(alice, job, db):
    answer = alice.post(URL, {"v-name": "Ada", **DAILY, "_schedule_jitter": "90"})
    [made] = schedules(db)
    assert answer.headers["Location"] == f"/schedules/{made.id}"
    assert (made.username, made.data, made.interval, made.zone) == (
        "alice",
        {"name": "Ada"},
        "daily",
        "Europe/Berlin",
    )
    assert (made.jitter_seconds, made.missed, made.overlap, made.enabled) == (90, "once", "skip", True)
    with db.begin():
        assert db.scalars(select(JobResult)).all() == []
        assert db.scalars(select(AuditRecord.action).where(AuditRecord.action.like("schedule.%"))).all() == [
            "schedule.create"
        ]
    page = text(alice.get(answer.headers["Location"]))
    assert "Each &lt;b&gt;day&lt;/b&gt; is scheduled." in page
    assert re.search(r"Every day at \d\d:\d\d, Europe/Berlin", page)
    assert page.count('title="') > 3
    assert "Ada" in page
    assert "Each &lt;b&gt;day&lt;/b&gt;" in text(alice.get("/schedules/"))


def test_a_new_schedule_begins_with_its_job(alice, job, make_job):
    make_job("Send", variables=[described("FileVar", "letter")])
    make_job("Heard", receives="hook")
    make_job("Gone", enabled=False)
    assert 'href="/schedules/new"' in text(alice.get("/schedules/"))
    page = text(alice.get("/schedules/new"))
    assert "Choose the job that is to run at set times." in page
    # No job that could not be scheduled.
    assert re.findall(r'class="name" href="([^"]+)"', page) == [f"{URL}?_when=cron"]
    assert "No job that you may schedule is called “x”" in text(alice.get("/schedules/new?q=x"))
    form = text(alice.get(f"{URL}?_when=cron"))
    assert '<input type="radio" name="_when" value="cron" checked>' in form
    assert "Fill in what this job is to run with" in form
    assert 'id="errors"' not in form
    nothing = make_job("Plain", variables=[])
    assert "Say below, under" in text(alice.get(f"/jobs/{nothing.class_path}/?_when=cron"))
    assert "Fill in what this job is to run with" not in text(alice.get(f"{URL}?_when=x"))


def test_of_many_jobs_the_first_are_offered_to_schedule(alice, job, make_job, monkeypatch):
    monkeypatch.setattr("webapp.choosing_jobs.MOST_LISTED", 1)
    make_job("Zip")
    first, found = text(alice.get("/schedules/new")), text(alice.get("/schedules/new?q=zip"))
    assert "Greet" in first
    assert "Zip" not in first
    assert "There are more jobs." in first
    assert 'href="/jobs/local/greetings/Zip/?_when=cron"' in found


def test_what_is_wrong_stands_at_its_place_and_nothing_typed_is_lost(alice, job, db):
    wrong = {
        "_when": "cron",
        "_schedule_name": " ",
        "_schedule_interval": "custom",
        "_schedule_crontab": "61 * * * *",
        "_schedule_start_time": "next week",
        "_schedule_end_time": "2001-01-01T00:00",
        "_schedule_zone": "Europe/Berln",
        "_schedule_jitter": "much",
        "_schedule_blackouts": "mon-fri 08:00-18:00\nsomeday 1-2",
        "_schedule_missed": "perhaps",
    }
    answer = alice.post(URL, {"v-name": "", **wrong})
    page = text(answer)
    assert answer.status_code == 422
    assert schedules(db) == []
    for name, typed in wrong.items():
        if name not in ("_when", "_schedule_name", "_schedule_missed", "_schedule_interval"):
            assert f"{typed}" in page, name
    for name, sentence in {
        "name": "Please provide a name for the job schedule.",
        "crontab": "61",
        "start_time": "Write a date and a time such as",
        "zone": "did you mean Europe/Berlin",
        "jitter": "Write a whole number of seconds.",
        "blackouts": "Line 2: write days and times such as mon-fri 08:00-18:00.",
        "missed": "Choose from: once, skip, all.",
    }.items():
        assert sentence in re.findall(rf'id="s-{name}-e">.*?<span>(.*?)</span>', page)[0], name


def test_a_start_in_the_past_and_inputs_that_do_not_fit_are_refused(alice, job, db):
    answer = alice.post(URL, {"v-name": "Ada", **DAILY, "_schedule_start_time": "2020-01-01T10:00"})
    sentence = "Please enter a valid date and time greater than or equal to the current date and time."
    assert (answer.status_code, sentence in text(answer)) == (422, True)
    missing = alice.post(URL, {"v-name": "", **DAILY})
    assert (missing.status_code, TOMORROW in text(missing)) == (422, True)
    assert schedules(db) == []


def test_what_is_typed_is_said_in_words_with_the_next_three_times(alice):
    query = "_when=cron&_schedule_interval=custom&_schedule_crontab=30+2+*+*+1-5&_schedule_zone=Europe/Berlin"
    page = text(alice.get(f"/schedules/preview?{query}", headers=HTMX))
    assert "At 02:30 on Monday to Friday, Europe/Berlin" in page
    assert len(re.findall(r"<li>\w{3} \d{1,2} \w{3}( \d{4})? 02:30 ", page)) == 3
    wrong = text(
        alice.get("/schedules/preview?_when=cron&_schedule_interval=custom&_schedule_crontab=1+2+31+2+*")
    )
    assert "Nothing would run" in wrong or "never" in wrong


def test_inputs_that_nobody_may_read_are_scheduled_only_where_workers_have_a_key(alice, make_job, db):
    make_job(variables=[described("SecretVar", "token", type="SecretVar", required=True)])
    answer = alice.post(URL, {"v-token": "s3cr3t", **DAILY})
    assert answer.status_code == 422
    assert "Unable to schedule job: Job may have sensitive input variables." in text(answer)
    assert "s3cr3t" not in text(answer)
    assert schedules(db) == []


def test_it_is_paused_resumed_and_run_with_a_press(alice, job, db, make_schedule):
    made = make_schedule(job, data={"name": "Ada"})
    line = text(alice.post(f"/schedules/{made.id}/pause", headers=HTMX))
    assert ('aria-checked="false"' in line, "Paused" in line, "<html" in line) == (True, True, False)
    assert schedules(db)[0].enabled is False
    assert 'aria-checked="true"' in text(alice.post(f"/schedules/{made.id}/resume", headers=HTMX))
    back = alice.post(f"/schedules/{made.id}/pause", {"then": "list"})
    assert back.headers["Location"] == "/schedules/"
    answer = alice.post(f"/schedules/{made.id}/run")
    with db.begin():
        run = db.scalars(select(JobResult)).one()
    assert answer.headers["Location"] == f"/results/{run.id}"
    assert (run.origin, run.origin_id, run.data, run.slot_at) == ("schedule", made.id, {"name": "Ada"}, None)
    listed = text(alice.get(f"/results/?origin={made.id}"))
    assert "By Each hour" in listed
    assert run.short_id in listed


def test_its_times_are_edited_and_a_start_of_long_ago_may_stay(alice, job, db, make_schedule):
    made = make_schedule(job, data={"name": "Ada"})
    with db.begin():
        long_ago = datetime(2024, 3, 1, 7, 30, tzinfo=UTC)
        db.execute(update(Schedule).values(start_at=long_ago, interval="daily", last_slot_at=now()))
    page = text(alice.get(f"/schedules/{made.id}/edit"))
    assert 'value="2024-03-01T07:30"' in page
    typed = {
        "_when": "cron",
        "_schedule_name": "Mornings",
        "_schedule_interval": "daily",
        "_schedule_start_time": "2024-03-01T07:30",
        "_schedule_zone": "UTC",
        "_schedule_overlap": "wait",
    }
    assert alice.post(f"/schedules/{made.id}/edit", typed).status_code == 303
    [kept] = schedules(db)
    assert (kept.name, kept.overlap, kept.version) == ("Mornings", "wait", 1)
    assert kept.next_slot_at is not None
    assert (kept.next_slot_at > now(), f"{kept.next_slot_at:%H:%M}") == (True, "07:30")
    refused = alice.post(f"/schedules/{made.id}/edit", {**typed, "_schedule_name": ""})
    assert (refused.status_code, "Please provide a name" in text(refused)) == (422, True)


def test_whoever_gives_other_inputs_is_whom_it_runs_as(alice, browser, job, db, cast, make_schedule):
    made = make_schedule(job, data={"name": "Ada"})
    with db.begin():
        db.add(Permission(name="All schedules", kind="schedule", actions=["change"], users=[cast["bob"]]))
    bob = browser("bob")
    page = text(bob.get(f"{URL}?_schedule={made.id}"))
    assert ('value="Ada"' in page, "Whoever saves them is whom it runs as." in page) == (True, True)
    assert 'name="_when"' not in page
    refused = bob.post(URL, {"v-name": "", "_schedule": str(made.id)})
    assert (refused.status_code, "Whoever saves them" in text(refused)) == (422, True)
    assert bob.post(URL, {"v-name": "Bea", "_schedule": str(made.id)}).status_code == 303
    [kept] = schedules(db)
    assert (kept.username, kept.data) == ("bob", {"name": "Bea"})
    # Alice may change her own schedules only, and this is none any more.
    assert alice.post(URL, {"v-name": "Ada", "_schedule": str(made.id)}).status_code == 403


def test_many_are_listed_by_pages(alice, job, db, make_schedule):
    for number in range(52):
        make_schedule(job, name=f"Number {number:02}")
    first, second, beyond = (text(alice.get(f"/schedules/?page={page}")) for page in (1, 2, 99))
    assert "52 on" in first
    assert "1 to 50 of 52" in first
    assert ">Number 00</a>" in first
    assert "of the schedules listed here" in first
    assert 'rel="next" href="/schedules/?page=2#table"' in first
    assert 'rel="prev"' not in first
    assert re.findall(r">(Number \d+)</a>", second) == ["Number 50", "Number 51"]
    assert "51 to 52 of 52" in second
    assert 'rel="prev" href="/schedules/?page=1#table"' in second
    assert 'rel="next"' not in second
    assert "Number" not in beyond
    assert "Show all" in beyond
    assert 'aria-label="Pages"' not in text(alice.get("/schedules/?q=number+1&page=1"))
    assert ">Number 00</a>" in text(alice.get("/schedules/?page=-1"))


def test_it_is_for_those_who_may(alice, browser, job, db, make_schedule):
    made = make_schedule(job, username="bob")
    carol = browser("carol")
    for act in ("pause", "resume", "run", "take-over", "edit", "ask", "delete"):
        assert carol.post(f"/schedules/{made.id}/{act}").status_code == 403, act
    assert carol.post("/schedules/00000000-0000-4000-8000-000000000000/pause").status_code == 404
    page = text(carol.get(f"/schedules/{made.id}"))
    assert ("Run now" in page, "Delete" in page) == (False, False)
    with db.begin():
        db.execute(update(Permission).where(Permission.kind == "schedule").values(enabled=False))
    assert carol.get(f"/schedules/{made.id}").status_code == 404
    assert "Each hour" not in text(carol.get("/schedules/"))


def test_one_whose_owner_is_gone_says_so_and_is_taken_over(root, job, db, cast, make_schedule):
    made = make_schedule(job, username="alice", data={"name": "Ada"})
    with db.begin():
        db.execute(update(User).where(User.id == cast["alice"].id).values(active=False))
    sentence = "alice, as whom it runs, may not sign in any more. Somebody has to take it over."
    assert sentence in text(root.get("/schedules/"))
    assert sentence in text(root.get(f"/schedules/{made.id}"))
    assert root.post(f"/schedules/{made.id}/take-over").status_code == 303
    assert schedules(db)[0].username == "root"
    assert sentence not in text(root.get("/schedules/"))


def test_what_was_missed_is_listed_with_the_reason(alice, job, db, make_schedule):
    made = make_schedule(job)
    with db.begin():
        slot = now() - timedelta(hours=2)
        db.add(
            MissedSlots(
                schedule_id=made.id,
                first_at=slot,
                last_at=slot + timedelta(hours=1),
                count=2,
                cause="<i>Down</i>",
                noticed_at=now(),
            )
        )
    assert "2 runs missed" in text(alice.get("/schedules/"))
    page = text(alice.get(f"/schedules/{made.id}"))
    assert "2 runs: &lt;i&gt;Down&lt;/i&gt;" in page


def test_a_schedule_of_a_job_that_needs_it_is_approved_by_another_person(alice, browser, db, cast, make_job):
    make_job(approval_required=True, variables=[described("StringVar", "name", required=False)])
    with db.begin():
        db.add(Permission(name="Approve", kind="job", actions=["approve"], users=[cast["bob"]]))
    page = text(alice.post(URL, DAILY, follow_redirects=True))
    assert "and waits for an approval" in page
    [made] = schedules(db)
    bob = browser("bob")
    listed = text(bob.get("/approvals/"))
    assert ("Every day at" in listed, "1 waiting" in listed, 'value="approve"' in listed) == (
        True,
        True,
        True,
    )
    assert 'value="approve"' not in text(alice.get("/approvals/"))
    assert alice.post(f"/approvals/schedules/{made.id}", {"decision": "approve"}).status_code == 403
    # Tried first: a run of bob's that saves nothing, and the request waits on.
    tried = bob.post(f"/approvals/schedules/{made.id}", {"decision": "try"})
    with db.begin():
        run = db.scalars(select(JobResult)).one()
    assert tried.headers["Location"] == f"/results/{run.id}"
    assert (run.username, run.commit, run.status, run.origin) == ("bob", False, "pending", "approval")
    assert "Dry run</span>" in text(bob.get("/approvals/"))
    assert run.short_id in text(bob.get("/results/"))
    refused = bob.post(f"/approvals/schedules/{made.id}", {"decision": "deny", "comment": ""})
    assert (refused.status_code, "Say why" in text(refused)) == (422, True)
    assert bob.post(f"/approvals/schedules/{made.id}", {"decision": "approve"}).status_code == 303
    assert "Approved" in text(bob.get("/approvals/?view=decided"))
    page = text(alice.get(f"/schedules/{made.id}"))
    assert ("It makes no runs at present" in page, "by bob" in page) == (False, True)
    with db.begin():
        assert db.scalars(select(Approval.decision).where(Approval.result_id.is_(None))).all() == ["approved"]
    # Denied for a reason it says so, and can be asked for again.
    assert alice.post(f"/schedules/{made.id}/ask").status_code == 303
    bob.post(f"/approvals/schedules/{made.id}", {"decision": "deny", "comment": "Not <b>now</b>."})
    page = text(alice.get(f"/schedules/{made.id}"))
    assert ("Denied by bob: Not &lt;b&gt;now&lt;/b&gt;." in page, "Ask again" in page) == (True, True)


def test_who_gives_a_schedule_its_times_does_not_approve_it(alice, browser, db, cast, make_job):
    make_job(approval_required=True, variables=[described("StringVar", "name", required=False)])
    with db.begin():
        for kind, action in (("job", "approve"), ("schedule", "change")):
            db.add(Permission(name=action, kind=kind, actions=[action], users=[cast["bob"]]))
        db.add(Permission(name="too", kind="job", actions=["approve"], users=[cast["carol"]]))
    alice.post(URL, DAILY)
    [made] = schedules(db)
    bob, asks = browser("bob"), f"/approvals/schedules/{made.id}"
    # It runs as alice, and bob is who asks.
    assert bob.post(f"/schedules/{made.id}/ask").status_code == 303
    assert 'value="approve"' not in text(bob.get("/approvals/"))
    assert bob.post(asks, {"decision": "approve"}).status_code == 403
    assert bob.post(asks, {"decision": "try"}).status_code == 403
    assert browser("carol").post(asks, {"decision": "approve"}).status_code == 303


def test_a_request_for_one_time_that_is_over_is_approved_when_somebody_says_so(root, alice, db, make_job):
    make_job(approval_required=True)
    alice.post(URL, {**DAILY, "_when": "later", "_schedule_interval": ""})
    [made] = schedules(db)
    with db.begin():
        db.execute(update(Schedule).values(start_at=now() - timedelta(hours=1)))
    address = f"/approvals/schedules/{made.id}"
    refused = root.post(address, {"decision": "approve"})
    assert (refused.status_code, "would run at once" in text(refused)) == (422, True)
    assert root.post(address, {"decision": "approve", "late": "1"}).status_code == 303


def test_removing_a_schedule_keeps_its_results(alice, job, db, make_schedule, make_result):
    made = make_schedule(job)
    make_result(job, origin="schedule", origin_id=made.id, origin_name="Each hour")
    assert "Its results stay" in text(alice.post(f"/schedules/{made.id}/delete", follow_redirects=True))
    assert schedules(db) == []
    with db.begin():
        assert len(db.scalars(select(JobResult)).all()) == 1
        assert db.scalar(select(JobRecord.id)) is not None


def test_a_run_says_what_asked_for_it(alice, job, db, make_schedule, make_result):
    made = make_schedule(job)
    by_schedule = {"origin": "schedule", "origin_id": made.id, "origin_name": "Each <i>hour</i>"}
    slot = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
    first = make_result(job, **by_schedule, origin_key="slot 1", slot_at=slot)
    page = text(alice.get(f"/results/{first.id}"))
    assert re.search(
        rf'By schedule <a href="/schedules/{made.id}">Each &lt;i&gt;hour&lt;/i&gt;</a>, for <time', page
    )
    second = make_result(
        job, origin="hook", origin_id=uuid.uuid4(), origin_name="On change", parent_id=first.id
    )
    page = text(alice.get(f"/results/{second.id}"))
    assert "By hook On change" in page
    assert f'After <a href="/results/{first.id}">' in page
    assert "By schedule" not in text(alice.get(f"/results/{make_result(job).id}"))


AT = datetime(2030, 1, 1, tzinfo=UTC)


def planned(cron: str, seconds: float, queue: str = "default") -> Planned:
    times = Recurrence("custom", AT, cron=cron)
    return Planned(queue, times, times.before_all, seconds)


def test_the_picture_has_a_mark_for_each_run_as_wide_as_it_takes():
    picture = timeline([planned("0 6 * * *", 3600), planned("30 6 * * *", 0)], AT, {"default": 1})
    assert (picture.count, picture.crowded) == (2, [("default", 1)])
    [lane] = picture.lanes
    # A quarter of the way, an hour of 43 points wide; what may have to wait lies below it.
    assert lane.paths["is-run", False] == "M338.0 28h43.0v7.5h-43.0z"
    assert lane.paths["is-warn", False].startswith("M359.5 36.5h2.5v7.5")
    assert [round(tick.x) for tick in picture.ticks][:2] == [80, 209]


def test_what_is_over_at_once_keeps_nobody_waiting():
    picture = timeline([planned("0 6 * * *", 1) for _ in range(5)], AT, {"default": 2})
    assert (picture.count, picture.crowded) == (5, [])
    picture = timeline([planned("0 6 * * *", 600) for _ in range(5)], AT, {"default": 2})
    assert picture.crowded == [("default", 3)]


def test_the_picture_stays_light_however_often_something_runs():
    picture = timeline([planned("* * * * *", 30, f"q{number}") for number in range(5)], AT, {})
    assert picture.count == 5 * 1440
    assert sum(len(path) for lane in picture.lanes for path in lane.paths.values()) < 60_000


def test_where_too_much_is_to_be_drawn_what_fires_most_often_is_left_out():
    often = [planned("* * * * *", 60) for _ in range(60)]
    picture = timeline([*often, planned("0 6 * * *", 60), planned("*/5 * * * *", 60)], AT, {"default": 1})
    assert picture.count == 1 + 288 + (62 - 2 - picture.left_out) * 1440
    assert 50 < picture.left_out < 60
    alike = timeline([planned("0 6 * * *", 3600) for _ in range(400)], AT, {"default": 3})
    assert (alike.count, alike.left_out, alike.crowded) == (400, 0, [("default", 397)])
