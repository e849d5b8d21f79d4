"""How far a run is, on its page and in the rail: as its job says, with what earlier runs took."""

import re
from datetime import timedelta

import pytest

from store.models import JobResult, now
from webapp.advance import advance, mark

from .conftest import text


def running(seconds: float, progress: dict | None = None) -> JobResult:
    return JobResult(status="running", started_at=now() - timedelta(seconds=seconds), progress=progress)


def said(done: float, total: float | None = 10, words: str = "") -> dict:
    return {"done": done, "total": total, "text": words}


@pytest.mark.parametrize(
    ("run", "usual", "percent", "words", "left"),
    [
        ((30, said(5)), None, 50, "5 of 10", 30),
        ((30, said(5, 10, "half")), None, 50, "half", 30),
        ((30, said(5, None)), None, None, "5 done", None),
        # Too early to tell: earlier runs know better.
        ((1, said(5)), 60, 50, "5 of 10", 59),
        ((30, said(0.1)), 60, 1, "0.1 of 10", 30),
        ((30,), 60, None, "", 30),
    ],
)
def test_what_the_job_says_and_what_earlier_runs_took(run, usual, percent, words, left):
    made = advance(running(*run), usual)
    assert made is not None
    assert (made.percent, made.text) == (percent, words)
    assert made.left_seconds == (None if left is None else pytest.approx(left, abs=1))


@pytest.mark.parametrize(
    ("values", "usual"),
    [
        ({}, None),
        ({"started_at": now() - timedelta(hours=1)}, 60),
        ({"status": "completed", "progress": said(5)}, None),
        ({"status": "pending", "started_at": None}, 60),
    ],
)
def test_where_nobody_can_tell_there_is_no_bar(values, usual):
    result = running(30)
    for name, value in values.items():
        setattr(result, name, value)
    assert advance(result, usual) is None


def test_the_page_has_a_bar_and_a_poll_moves_it(alice, make_job, make_result, db):
    job = make_job()
    result = make_result(job, "running", created_at=now(), progress=said(3, 12, "3 of <b>12</b>"))
    page = text(alice.get(f"/results/{result.id}"))
    assert '<progress max="100" value="25" aria-label="Progress, 25 percent">' in page
    assert "3 of &lt;b&gt;12&lt;/b&gt;" in page
    assert '<a id="now-' in page
    assert "</span> 25%" in page
    [url] = re.findall(r'hx-get="([^"]+/log\?[^"]+)"', page)
    url = url.replace("&amp;", "&")
    assert f"p={mark(result)}" in url
    every = re.search(r"every=(\d+)", url)
    assert every is not None
    assert alice.fragment(url).status_code == 204
    with db.begin():
        db.merge(result).progress = said(6, 12, "half")
    answer = text(alice.fragment(url))
    assert '<div id="progress" hx-swap-oob="true">' in answer
    assert 'value="50"' in answer
    assert "half" in answer
    # Nothing else is sent for it.
    assert 'id="result-head"' not in answer


def test_the_rail_hears_of_it(alice, make_job, make_result, db):
    result = make_result(make_job(), "running", created_at=now(), progress=said(1))
    [url] = re.findall(r'hx-get="(/now\?[^"]+)"', text(alice.get("/account/")))
    assert alice.fragment(url).status_code == 204
    with db.begin():
        db.merge(result).progress = said(2)
    assert 'value="20"' in text(alice.fragment(url))
