"""Pictures of what was: a job's runs and days, a result's groupings, the queues of the last day."""

import re
from datetime import timedelta

from store.models import EntryGroup, QueueSample, minute_of, now
from webapp.plots import area, gaps, outline

from .conftest import NOON, text

DAY = timedelta(days=1)


def figures(page: str) -> dict[str, str]:
    shown = re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", page)
    return {name: re.sub(r"<[^>]+>", "", value) for name, value in shown}


def rows(page: str, caption: str) -> list[str]:
    """The lines of the table with this caption, as they read."""
    table = page[page.index(caption) :].partition("</table>")[0].partition("<tbody>")[2]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in table.split("</tr>")[:-1]]


def test_the_history_of_a_job_counts_and_measures(alice, make_job, make_result):
    job, other = make_job("Sweep"), make_job("Other")
    make_result(other, "failed")
    lasted = [*range(1, 20), 200]
    for place, seconds in enumerate(lasted):
        at = NOON + place * timedelta(minutes=1)
        end = at + timedelta(seconds=seconds)
        make_result(job, created_at=at, started_at=at, finished_at=end, count_warning=place % 10 == 9)
    bad = make_result(job, "errored", created_at=NOON + DAY)
    make_result(job, "canceled", created_at=NOON + DAY, started_at=None)
    make_result(job, "running", created_at=NOON + DAY)
    page = text(alice.get(f"/jobs/{job.class_path}/history"))
    assert figures(page) == {
        "Runs that ended": "22",
        "Completed": "18 81.8%",
        "Warnings": "2 9.09%",
        "Canceled": "1 4.55%",
        "Errored": "1 4.55%",
        "Median duration": "11s",
        "95 of 100 within": "19s",
    }
    assert page.count('<use href="#mk-completed" class="is-ok" x=') == 18 + 1
    assert f'<a href="/results/{bad.id}" tabindex="-1"><title>Errored, 5.0s, 01 Feb 12:00</title>' in page
    assert "1 run took longer than the picture is high" in page
    assert len(rows(page, "Runs, the newest first")) == 22
    assert rows(page, "Days, the newest first") == [
        "2026-02-01 2 runs 0 completed 0 warnings 1 canceled 1 errored – median 95 of 100 within –",
        "2026-01-31 20 runs 18 completed 2 warnings 0 canceled 0 errored 11s median 95 of 100 within 19s",
    ]
    assert "style=" not in page
    # Each day leads to its results, and only to those.
    assert f'href="/results/?job={job.class_path}&amp;day=2026-02-01"' in page
    listed = text(alice.get("/results/", query_string={"job": job.class_path, "day": "2026-02-01"}))
    assert listed.count('href="/results/' + str(bad.id)) == 1
    assert "On 2026-02-01" in listed
    # No day at all: no filter.
    assert "On 2026-02-31" not in text(alice.get("/results/?day=2026-02-31"))


def test_days_without_a_run_are_days_and_too_many_runs_are_said(alice, make_job, make_result, monkeypatch):
    job = make_job("Sweep")
    page = text(alice.get(f"/jobs/{job.class_path}/history?of=7-days"))
    assert "No run has ended in this time" in page
    today = now()
    for days in (0, 2, 9):
        make_result(job, created_at=today - days * DAY)
    page = text(alice.get(f"/jobs/{job.class_path}/history?of=7-days"))
    assert figures(page)["Runs that ended"] == "2"
    assert [line.split()[1] for line in rows(page, "Days, the newest first")] == list("1010000")
    monkeypatch.setattr("webapp.job_history.MOST_RUNS", 1)
    page = text(alice.get(f"/jobs/{job.class_path}/history?of=30-days"))
    assert len(rows(page, "Days, the newest first")) == 1
    assert "There are more runs than a history looks at" in page


def test_of_many_runs_the_telling_ones_are_drawn(alice, make_job, make_result, monkeypatch):
    monkeypatch.setattr("webapp.job_pictures.MOST_MARKS", 6)
    monkeypatch.setattr("webapp.job_pictures.MOST_SLOW", 1)
    job = make_job("Sweep")
    ids = {}
    for place in range(12):
        at = NOON + place * timedelta(hours=1)
        status, seconds = ("failed" if place == 5 else "completed"), (90 if place == 7 else 5)
        made = make_result(
            job, status, created_at=at, started_at=at, finished_at=at + timedelta(seconds=seconds)
        )
        ids[place] = str(made.id)
    page = text(alice.get(f"/jobs/{job.class_path}/history"))
    drawn = re.findall(r'<a href="/results/([0-9a-f-]{36})" tabindex', page)
    assert {ids[5], ids[7]} <= set(drawn)
    assert len(drawn) <= 6
    assert f"{len(drawn)} of 12 runs are drawn" in page


def test_a_result_draws_when_its_groupings_began_and_ended(alice, db, make_job, make_result):
    result = make_result(make_job("Sweep"), finished_at=NOON + timedelta(seconds=100))
    page = text(alice.get(f"/results/{result.id}"))
    assert 'id="timeline"' not in page

    def stretch(seq: int, name: str, begin: int, end: int, **counts) -> None:
        times = {"started_at": NOON + timedelta(seconds=begin), "last_at": NOON + timedelta(seconds=end)}
        db.add(EntryGroup(result_id=result.id, first_seq=seq, name=name, **times, **counts))

    stretch(1, "main", 0, 10)
    stretch(4, "<b>paris", 10, 60, count_error=2)
    stretch(9, "main", 80, 90, count_warning=1)
    db.commit()
    page = text(alice.get(f"/results/{result.id}"))
    main, paris = re.findall(r'<tr><td class="said">.*?</tr>', page, re.DOTALL)
    assert f'href="/results/{result.id}?line=1#L1">main</a>' in main
    assert "1 warning" in main
    assert '<rect class="of is-warn" x="0.0%" y="3" width="90.0%"' in main
    assert re.findall(r'<rect class="is-warn" x="(.+?)%" width="(.+?)%"', main) == [
        ("0.0", "10.0"),
        ("80.0", "10.0"),
    ]
    assert main.endswith('<td class="num nowrap">1m 30s</td></tr>')
    assert "&lt;b&gt;paris" in paris
    assert "2 failures" in paris
    assert re.findall(r'<rect class="is-bad" x="(.+?)%" width="(.+?)%"', paris) == [("10.0", "50.0")]


def test_the_workers_page_draws_queues_with_gaps_as_gaps(alice, db, monkeypatch):
    monkeypatch.setattr("webapp.queue_history.now", lambda: NOON)
    page = text(alice.get("/workers/"))
    assert "Last 24 hours" not in page
    minute = minute_of(NOON)
    for back, waiting in ((60, 7), (62, 3), (120, 0), (8 * 24 * 60, 99)):
        sample = QueueSample(
            minute=minute - back, queue="bulk", waiting=waiting, running=1, workers=2, busy=1
        )
        db.add(sample)
    db.add(QueueSample(minute=minute - 60, queue="nothing", waiting=0, running=0, workers=0, busy=0))
    db.commit()
    page = text(alice.get("/workers/"))
    day = page[page.index('id="day"') :]
    assert "bulk in the last 24 hours: at most 7 waiting, and at most 2 workers. There are gaps" in day
    assert "nothing" not in day
    # 120 minutes ago nothing waited, which is a line on the ground and no gap; 62 minutes ago is a step of its own.
    assert re.findall(r'class="is-hold" d="(.+?)"', day) == ["M263 100V100h1V100zM274 100V57.1h1V0h1V100z"]
    assert day.count('<rect class="gap" x="') == 3
    hours = rows(day, "bulk, the most of each hour")
    assert len(hours) == 24
    assert sum("No sample" in hour for hour in hours) == 22
    # It is outside what asks for itself again.
    assert 'id="day"' not in text(alice.get("/workers/live", headers={"HX-Request": "true"}))


def test_pictures_keep_what_is_missing_apart_from_nothing():
    assert area([None, 0, 5, None, 10], 10) == "M1 100V100h1V50h1V100zM4 100V0h1V100z"
    assert outline([1, 2, None, 2], 2) == "M0 50h1V0h1M3 0h1"
    assert gaps([None, 0, None, None]) == [(0.0, 25.0), (50.0, 50.0)]
