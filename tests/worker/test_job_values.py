"""What a job keeps between its runs: for its class alone, at once, and not in a dry run."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from jobs import Job
from store.models import JobResult, JobValue
from tests.worker.conftest import Portal, on_sqlite
from tests.worker.engine import Engine, at_once
from worker.job_values import ValueRefused, forget, remember
from worker.kept_values import MOST_KEYS
from worker.ownership import Fenced

pytestmark = pytest.mark.in_turn


def told(portal: Portal, *acts: list[Any], commit: bool = True) -> Any:
    result = portal.run("Remembers", raw={"acts": list(acts)}, commit=commit)
    assert result.status == "completed", result.cause
    return result.return_value


def kept(portal: Portal) -> dict[tuple[str, str], Any]:
    with portal.platform.reading() as db:
        return {
            (row.class_path.rpartition("/")[2], row.key): row.value for row in db.scalars(select(JobValue))
        }


def test_a_value_is_there_in_the_next_run(portal: Portal):
    value = {"serial": 12, "hosts": ["a", None, 1.5, "ü"]}
    assert told(portal, ["get", "last"], ["set", "last", value], ["get", "last"]) == ["nothing", None, value]
    assert kept(portal) == {("Remembers", "last"): value}
    acts = (["in", "last"], ["in", "first"], ["set", "last", None], ["items"], ["delete", "last"], ["items"])
    assert told(portal, *acts) == [True, False, None, [1, {"last": None}], None, [0, {}]]
    assert kept(portal) == {}


def test_a_text_comes_back_as_it_was(portal: Portal):
    assert told(portal, ["odd", "a"]) == [r"'a\x00\ud800'"]


def test_a_value_says_which_run_wrote_it_and_outlives_that(portal: Portal):
    result = portal.run("Remembers", raw={"acts": [["set", "a", 1]]})
    with portal.platform.session() as db:
        assert db.scalars(select(JobValue.result_id)).one() == result.id
        db.execute(delete(JobResult).where(JobResult.id == result.id))
        db.commit()
        assert db.scalars(select(JobValue.result_id)).one() is None
    assert told(portal, ["get", "a"]) == [1]


def test_each_job_has_values_of_its_own(portal: Portal):
    told(portal, ["set", "seen", 10])
    assert [portal.run("OnlyLooks").return_value for _ in range(3)] == [1, 2, 3]
    assert kept(portal) == {("Remembers", "seen"): 10, ("OnlyLooks", "seen"): 3}


def test_a_dry_run_reads_and_keeps_nothing(portal: Portal):
    told(portal, ["set", "a", 1], ["set", "b", 2])
    acts = (
        ["get", "a"],
        ["set", "a", 5],
        ["get", "a"],
        ["delete", "b"],
        ["[]", "b"],
        ["delete", "b"],
        ["set", "c", 3],
        ["items"],
    )
    assert told(portal, *acts, commit=False) == [
        1,
        None,
        5,
        None,
        "KeyError: 'b'",
        "KeyError: 'b'",
        None,
        [2, {"a": 5, "c": 3}],
    ]
    assert kept(portal) == {("Remembers", "a"): 1, ("Remembers", "b"): 2}


def test_it_is_kept_at_once_whatever_becomes_of_the_run(portal: Portal):
    assert portal.run("RemembersAndBreaks").status == "errored"
    assert kept(portal) == {("RemembersAndBreaks", "before"): True}


@pytest.mark.parametrize("commit", [True, False])
def test_what_is_not_kept_is_told_to_the_job(portal: Portal, commit: bool):
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    said = told(
        portal,
        ["[]", "none"],
        ["delete", "none"],
        ["set", "", 1],
        ["set", "x" * 201, 1],
        ["set", "a\nb\u0001", 1],
        ["set", 5, 1],
        ["set a set", "a"],
        ["long", "a", 64 * 1024],
        ["long", "b", 64 * 1024 - 2],
        ["set", "c", deep],
        commit=commit,
    )
    visible = "ValueError: A key is text of 1 to 200 characters, all of them visible."
    assert said == [
        "KeyError: 'none'",
        "KeyError: 'none'",
        visible,
        visible,
        visible,
        "TypeError: A key is text, not int.",
        "ValueError: a was not kept: its value does not fit into JSON: Object of type set is not JSON serializable.",
        "ValueError: a was not kept: a value has at most 64 KB as JSON.",
        None,
        None,
    ]


def test_a_job_keeps_so_many_values_and_may_change_them(portal: Portal):
    told(portal, ["set", "first", 1])
    with portal.platform.session() as db:
        row = db.scalars(select(JobValue)).one()
        more = [
            {"class_path": row.class_path, "key": f"k{number}", "value": number}
            for number in range(1, MOST_KEYS)
        ]
        db.execute(insert(JobValue), more)
        db.commit()
    assert told(portal, ["set", "first", 2], ["set", "one more", 1], ["get", "first"]) == [
        None,
        "ValueError: one more was not kept: a job keeps at most 1,000 values.",
        2,
    ]


@on_sqlite
def test_many_values_in_a_row(portal: Portal):
    assert portal.run("KeepsMany", raw={"count": 300}).return_value == 300


def test_a_run_that_is_not_ours_any_more_writes_nothing(portal: Portal, engine: Engine):
    taken = engine.start(portal.submit("Remembers", raw={"acts": []}))
    assert taken is not None
    remember(portal.platform, taken, "a", 1)
    for lost in (replace(taken, attempt=2), replace(taken, attempt=0)):
        with pytest.raises(Fenced):
            remember(portal.platform, lost, "a", 2)
        with pytest.raises(Fenced):
            forget(portal.platform, lost, "a")
    engine.end(taken)
    with pytest.raises(Fenced):
        remember(portal.platform, taken, "a", 3)
    assert kept(portal) == {("Remembers", "a"): 1}


def test_runs_that_make_the_same_key_at_once_both_write(portal: Portal, engine: Engine):
    taken = [engine.start(portal.submit("Remembers", raw={"acts": []})) for _ in range(4)]
    answers = at_once(
        *[
            lambda claim=claim, number=number: remember(portal.platform, claim, "a", number)
            for number, claim in enumerate(taken)
        ]
    )
    assert answers == [None] * 4
    assert kept(portal)["Remembers", "a"] in range(4)
    assert not issubclass(ValueRefused, ValueError)


@on_sqlite
@pytest.mark.parametrize(("act", "key"), [("drop", "a"), ("get", ""), ("get", "a\x01")])
def test_what_no_child_of_ours_asks_breaks_the_line(portal: Portal, act: str, key: str):
    result = portal.run("AsksForValuesItself", raw={"act": act, "key": key})
    assert (result.status, "wrote to the line to its worker" in result.cause) == ("errored", True)


@on_sqlite
def test_text_that_is_no_json_is_refused(portal: Portal):
    result = portal.run("AsksForValuesItself", raw={"act": "set", "key": "a"})
    assert (result.status, kept(portal)) == ("completed", {})


def test_outside_of_a_run_it_is_a_dictionary():
    job = Job()
    job.store["a"] = 1
    assert (dict(job.store), dict(Job().store)) == ({"a": 1}, {})
