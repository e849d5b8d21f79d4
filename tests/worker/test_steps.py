"""Steps of a job: groups of its log that know how long they took."""

from itertools import pairwise

import pytest

from jobs import Job
from store.models import EntryGroup
from tests.worker.conftest import Portal, on_sqlite

pytestmark = pytest.mark.in_turn


def seconds(group: EntryGroup) -> float:
    return (group.last_at - group.started_at).total_seconds()


def test_a_step_groups_its_entries_and_knows_its_time(portal: Portal):
    result = portal.run("GoesInSteps")
    assert result.status == "completed", result.cause
    assert portal.messages(result) == [
        ("info", "run", "before"),
        ("info", "Checking devices", "one"),
        ("info", "Checking devices / core-1", "two"),
        ("info", "Checking devices", "three"),
        ("info", "Stumbling", "four"),
        ("info", "run", "after"),
    ]
    groups = portal.groups(result)
    assert [group.name for group in groups] == [
        "run",
        "Checking devices",
        "Checking devices / core-1",
        "Checking devices",
        "Stumbling",
        "run",
    ]
    before, first, within, last, *_ = groups
    # Each of them logged at one moment only.
    assert seconds(before) < 0.1
    assert 0.15 <= seconds(first) < 0.3
    assert 0.15 <= seconds(within) < 0.3
    assert 0.15 <= seconds(last) < 0.3
    assert before.last_at <= first.started_at
    assert within.last_at <= last.last_at


def test_a_step_ends_with_an_exception_too(portal: Portal):
    result = portal.run("GoesInSteps", raw={"stumbles": True})
    assert result.status == "errored"
    assert [grouping for _, grouping, _ in portal.messages(result)][4:6] == ["Stumbling", "run"]


def test_many_steps_are_written_as_they_go(portal: Portal):
    result = portal.run("GoesInManySteps", raw={"count": 3000})
    groups = portal.groups(result)
    assert (result.status, len(groups)) == ("completed", 3000)
    assert all(group.started_at <= group.last_at for group in groups)
    assert all(early.last_at <= late.started_at for early, late in pairwise(groups))


@on_sqlite
def test_times_that_are_none_break_the_line(portal: Portal):
    result = portal.run("FakesSteps")
    assert (result.status, "wrote to the line to its worker" in result.cause) == ("errored", True)


def test_a_job_goes_back_to_where_it_was():
    job = Job()
    with job.step("one"):
        with pytest.raises(ZeroDivisionError), job.step("two"):
            1 / (job.active_test != "one / two")
        assert job.active_test == "one"
        job.active_test = "elsewhere"
    assert job.active_test == "main"
