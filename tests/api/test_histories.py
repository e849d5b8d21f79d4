"""`/jobs/<id>/history` and `/queues/history`: the numbers behind the pictures."""

from datetime import timedelta

from store.models import QueueSample, minute_of, now


def test_a_job_tells_how_it_did(call, plain, make_result, db):
    at = now() - timedelta(hours=1)
    for seconds, status in ((4, "completed"), (2, "completed"), (9, "failed")):
        made = make_result(status=status)
        made.created_at = made.started_at = at
        made.finished_at = at + timedelta(seconds=seconds)
        db.commit()
    told = call("GET", f"/jobs/{plain.class_path}/history").json
    assert told["counts"] == {"completed": 2, "failed": 1}
    assert (told["median_seconds"], told["p95_seconds"], told["since"], told["cut"]) == (
        4.0,
        4.0,
        None,
        False,
    )
    assert [day["counts"] for day in told["days"]] == [told["counts"]]
    assert sorted((run["outcome"], run["seconds"]) for run in told["results"]) == [
        ("completed", 2.0),
        ("completed", 4.0),
        ("failed", 9.0),
    ]
    days = call("GET", f"/jobs/{plain.class_path}/history?days=3").json
    assert len(days["days"]) == 3
    assert len(days["results"]) == 3
    assert len(call("GET", f"/jobs/{plain.class_path}/history?runs=1").json["results"]) == 1
    assert call("GET", f"/jobs/{plain.class_path}/history?runs=0").status_code == 422


def test_queues_tell_what_they_held(call, db):
    minute = minute_of(now()) // 5 * 5
    for back, waiting in ((30, 2), (29, 6), (60, 0)):
        db.add(QueueSample(minute=minute - back, queue="bulk", waiting=waiting, running=1, workers=2, busy=1))
    db.commit()
    told = call("GET", "/queues/history").json
    assert told["step_minutes"] == 5
    assert [(each["queue"], each["waiting"], each["workers"]) for each in told["results"]] == [
        ("bulk", 0, 2),
        ("bulk", 6, 2),
    ]
    assert call("GET", "/queues/history?queue=other").json["results"] == []
    assert call("GET", "/queues/history?hours=1000").status_code == 422
