"""What a run has asked for of other jobs, on its page and on theirs."""

import re
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from store.models import FanOut, FanOutPart, Gathering, JobResult
from webapp.children import MOST_SQUARES

from .conftest import NOON, text
from .test_weight import queries

CALL = uuid.UUID(int=7)


@pytest.fixture
def ask(db, make_job, make_result):
    """Make a run that has asked for others in these states."""
    parent_job, child_job = make_job("Fans"), make_job("Counts")

    def made(*states: str, size: int | None = None, **values) -> JobResult:
        parent = make_result(parent_job, values.pop("status", "pending"), **{"gathers": "waiting", **values})
        size = len(states) if size is None else size
        db.add(Gathering(result_id=parent.id, method="", size=size, total=size))
        call = FanOut(id=uuid.uuid4(), result_id=parent.id, class_path=child_job.class_path, stop_cause="")
        db.add(call)
        db.flush()
        for number, status in enumerate(states, 1):
            of = {"parent_id": parent.id, "map_number": number, "origin": "map", "origin_id": call.id}
            make_result(child_job, status, data={"n": number}, **of)
        db.commit()
        return parent

    return made


def page_of(browser, result):
    return text(browser.get(f"/results/{result.id}"))


def squares(page):
    return re.findall(r'class="(is-\w+)" title="(\d+): ([^"]+)"', page)


def test_a_run_shows_what_it_has_asked_for(app, db, alice, ask):
    parent = ask("completed", "failed", "running", "pending", size=6, cause="It waits for its 6 runs.")
    slow = db.scalars(select(JobResult).where(JobResult.map_number == 2)).one()
    slow.finished_at = NOON + timedelta(minutes=2)
    db.commit()
    page = page_of(alice, parent)
    assert squares(page) == [
        ("is-ok", "1", "Completed"),
        ("is-bad", "2", "Failed"),
        ("is-run", "3", "Running"),
        ("is-wait", "4", "Queued"),
    ]
    assert f'href="/results/{slow.id}" class="is-bad"' in page
    assert "2 of 6 ended" in page
    assert "2 still to be made" in page
    assert re.search(r'id="state">.*?Waiting', page, re.DOTALL)
    assert re.findall(r">(\d): Counts #", page) == ["2", "1"], "the slowest first"
    assert f"/results/?status=failed&amp;parent={parent.id}" in page or (
        f"/results/?parent={parent.id}&amp;status=failed" in page
    )
    assert 'id="children-again"' not in page

    address = re.search(r'id="children"[^>]* hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
    assert alice.fragment(address).status_code == 204, "nothing new"
    db.execute(update(JobResult).where(JobResult.map_number > 2).values(status="completed"))
    db.execute(update(JobResult).where(JobResult.id == parent.id).values(status="failed", gathers="ready"))
    db.commit()
    fragment = text(alice.fragment(address))
    assert [each[0] for each in squares(fragment)] == ["is-ok", "is-bad", "is-ok", "is-ok"]
    assert "hx-get" not in fragment, "the run has ended"
    assert alice.get(address).headers["Location"] == f"/results/{parent.id}#runs"
    child = page_of(alice, slow)
    assert re.search(r"Run 2 of 6 of <a href=\"/results/[-0-9a-f]+\">Fans #", child)
    assert 'id="led-to"' not in page_of(alice, parent), "they are shown as its runs"


def test_those_that_did_not_complete_can_be_run_again(db, alice, ask):
    parent = ask("completed", "failed", "canceled", status="failed", gathers="ready")
    assert "Run the 2 again that did not complete" in page_of(alice, parent)
    answer = alice.post(f"/results/{parent.id}/children/again")
    assert answer.status_code == 303
    made = db.get_one(JobResult, uuid.UUID(answer.headers["Location"].rpartition("/")[2]))
    assert (made.status, made.gathers, made.pushed_at) == ("pending", "waiting", None)
    gathering = db.get_one(Gathering, made.id)
    assert (gathering.size, gathering.total, gathering.again_of) == (2, 3, parent.id)
    assert len(db.scalars(select(FanOutPart)).all()) == 1
    page = page_of(alice, made)
    assert f'/results/{parent.id}">the run before</a>' in page

    whole = ask("completed", status="completed", gathers="ready")
    assert "children-again" not in page_of(alice, whole)
    refused = alice.post(f"/results/{whole.id}/children/again", follow_redirects=True)
    assert "All of the runs that it asked for have completed." in text(refused)


def test_the_page_of_many_runs_stays_light(app, db, alice, ask):
    few = ask("completed", "completed")
    many = ask(size=MOST_SQUARES + 1)
    call = db.scalars(select(FanOut.id).where(FanOut.result_id == many.id)).one()
    db.execute(
        insert(JobResult),
        [
            {
                "id": uuid.uuid4(),
                "class_path": "local/net/Counts",
                "name": "Counts",
                "username": "alice",
                "status": "completed",
                "time_limit": 1,
                "parent_id": many.id,
                "map_number": number,
                "origin": "map",
                "origin_id": call,
                "created_at": NOON,
            }
            for number in range(1, MOST_SQUARES + 2)
        ],
    )
    db.commit()
    asked = []
    for parent in (few, many):
        with queries(app) as seen:
            page = page_of(alice, parent)
        asked.append(len(seen))
    assert squares(page) == []
    assert "2\u202f001 completed" in page
    assert len(page) < 60_000
    assert asked[1] <= asked[0]


def test_children_stay_out_of_the_list_until_they_are_looked_for(db, alice, ask):
    parent = ask("completed", "failed", size=30)
    child = db.scalars(select(JobResult).where(JobResult.map_number == 1)).one()
    class_path, parent_id = child.class_path, str(parent.id)
    db.rollback()
    others = "without the runs that these have asked for"
    for query, shown in [
        ("", ["Fans"]),
        ("?person=", ["Fans"]),
        ("?children=all", ["Counts", "Counts", "Fans"]),
        ("?children=nonsense", ["Fans"]),
        ("?status=failed", ["Counts"]),
        (f"?job={class_path}", ["Counts", "Counts"]),
        ("?q=count", ["Counts", "Counts"]),
        (f"?parent={parent_id}", ["Counts", "Counts"]),
    ]:
        page = text(alice.get(f"/results/{query}"))
        names = re.findall(r'class="name" href="/results/[^"]+">([^<]+)</a>', page)
        assert sorted(names) == shown, query
        assert (others in page) == (shown == ["Fans"]), query
        if "Fans" in names:
            tag = re.search(
                rf'<a class="tag" href="/results/\?parent={parent_id}">(?:<svg.*?</svg>)?([^<]+)<', page
            )
            assert tag[1] == "30 runs", "as many as it has asked for, made or not"
            assert re.search(r'class="st is-run">(?:<svg.*?</svg>)?Waiting<', page)
    assert text(alice.get("/results/results.csv")).count("\n") == 2, "a heading, and what the list shows"
