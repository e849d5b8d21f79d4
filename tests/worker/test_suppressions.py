"""Times in which no run of a job begins."""

from datetime import timedelta

import pytest

from jobs.errors import InvalidData
from store.models import AuditRecord, JobRecord, Suppression, User
from store.permissions import Forbidden
from tests.worker.conftest import Portal
from tests.worker.engine import Clock, Engine
from worker.suppressions import UNSUPPRESSED, active, purge, suppress, unsuppress

pytestmark = pytest.mark.in_turn


@pytest.fixture
def now_of_rules(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr("worker.suppressions.now", lambda: clock(0))
    return clock


def stop(portal: Portal, job: str, first: float, last: float, clock: Clock, user: str = "alice") -> int:
    """Suppress a job from so many seconds from now until so many."""
    at = clock(0)
    with portal.platform.session() as db:
        record = db.get_one(JobRecord, portal.jobs[job].id)
        person = db.get_one(User, portal.cast[user].id)
        spoken = at + timedelta(seconds=first), at + timedelta(seconds=last)
        return suppress(db, record, *spoken, person).id


def end(portal: Portal, job: str, only: int | None = None) -> int:
    with portal.platform.session() as db:
        person = db.get_one(User, portal.cast["alice"].id)
        return unsuppress(db, db.get_one(JobRecord, portal.jobs[job].id), person, only=only)


def test_nothing_begins_while_a_job_is_suppressed(portal: Portal, engine: Engine, now_of_rules: Clock):
    clock = now_of_rules
    engine.rule("Stations", concurrency_limit=1)
    on = portal.submit("Stations")
    clock(0.001)  # Of two of the same moment either may be first.
    waits, other = portal.submit("Stations"), portal.submit("Passes")
    taken = engine.start(on)
    stop(portal, "Stations", -1, 60, clock)
    # What has begun goes on, and its end lets nothing begin; other jobs are not concerned.
    assert taken is not None
    assert engine.end(taken) == []
    assert engine.start(other) is not None
    assert engine.start(waits) is None
    row = portal.result(waits)
    assert (row.status, row.pushed_at) == ("pending", None)
    assert row.cause is not None
    assert row.cause.startswith("Suppressed until ")
    assert row.cause.endswith(" UTC by alice.")
    clock(59)
    report = engine.reconcile()
    assert (report.pushed, report.next_seconds) == ([], 1)
    # Their places in line are as they were.
    later = portal.submit("Stations")
    clock(1)
    assert engine.reconcile().pushed == [waits.id]
    assert engine.start(later) is None
    assert engine.start(waits) is not None


def test_what_is_to_come_stops_nothing_yet(portal: Portal, engine: Engine, now_of_rules: Clock):
    clock = now_of_rules
    stop(portal, "Passes", 10, 20, clock)
    assert engine.start(portal.submit("Passes")) is not None
    clock(10)
    assert engine.start(portal.submit("Passes")) is None


def test_several_hold_until_the_last_of_them_ends(portal: Portal, engine: Engine, now_of_rules: Clock):
    clock = now_of_rules
    result = portal.submit("Passes")
    stop(portal, "Passes", 0, 60, clock)
    stop(portal, "Passes", 30, 90, clock, user="bob")
    clock(40)
    assert engine.start(result) is None
    assert (portal.result(result).cause or "").endswith("by bob.")
    clock(30)
    assert engine.reconcile().pushed == []
    assert purge(portal.platform) == 1
    clock(20)
    assert engine.reconcile().pushed == [result.id]
    assert (purge(portal.platform), purge(portal.platform)) == (1, 0)


def test_ending_them_lets_what_waits_begin(portal: Portal, engine: Engine, now_of_rules: Clock):
    clock = now_of_rules
    result = portal.submit("Passes")
    first = stop(portal, "Passes", 0, 60, clock)
    stop(portal, "Passes", 100, 200, clock)
    assert engine.start(result) is None
    assert end(portal, "Stations") == 0
    assert end(portal, "Passes", only=first) == 1
    row = portal.result(result)
    assert (row.cause, row.unreached) == (UNSUPPRESSED, False)
    assert engine.reconcile().pushed == [result.id]
    assert end(portal, "Passes") == 1
    with portal.platform.reading() as db:
        assert db.query(Suppression).count() == 0
        said = db.query(AuditRecord).filter(AuditRecord.action.like("job.%suppress")).all()
    assert [(record.action, record.actor) for record in said] == [
        ("job.suppress", "alice"),
        ("job.suppress", "alice"),
        ("job.unsuppress", "alice"),
        ("job.unsuppress", "alice"),
    ]


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [(10, 10, "ends_at"), (-20, -10, "ends_at"), (0, 400 * 86_400, "ends_at")],
)
def test_a_time_that_makes_no_sense_is_refused(
    portal: Portal, now_of_rules: Clock, first: float, last: float, field: str
):
    with pytest.raises(InvalidData) as refusal:
        stop(portal, "Passes", first, last, now_of_rules)
    assert list(refusal.value.errors) == [field]
    with portal.platform.reading() as db:
        assert active(db, user=portal.cast["alice"]) == []


def test_who_may_not_run_a_job_may_not_stop_it(portal: Portal, engine: Engine, now_of_rules: Clock):
    engine.rule("Passes", restricted=True)
    with pytest.raises(Forbidden):
        stop(portal, "Passes", 0, 60, now_of_rules)
