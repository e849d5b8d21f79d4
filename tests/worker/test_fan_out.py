"""Fan-out: a run asks for others, waits for them in no process, and is told what became of them."""

import signal
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from jobs.errors import InvalidData
from store.models import (
    AuditRecord,
    FanOut,
    FanOutPart,
    JobResult,
    Permission,
    RunReport,
    Status,
    User,
    now,
)
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker
from tests.worker.engine import Engine, at_once
from worker import fan_out, queues
from worker.children_again import run_children_again
from worker.failpoints import VARIABLE
from worker.gathering import settle
from worker.host import start_time
from worker.keyring import ensure
from worker.origins import Origin

fan_out_make = fan_out.make

on_sqlite = pytest.mark.parametrize("live", ["sqlite"], indirect=True)


def children_of(portal: Portal, parent: JobResult) -> Sequence[JobResult]:
    with portal.platform.reading() as db:
        query = select(JobResult).where(JobResult.parent_id == parent.id)
        return db.scalars(query.order_by(JobResult.map_number)).all()


def states(portal: Portal, parent: JobResult) -> list[str]:
    return [str(child.status) for child in children_of(portal, parent)]


def pushed(portal: Portal, parent: JobResult) -> list[int]:
    return [child.map_number or 0 for child in children_of(portal, parent) if child.pushed_at]


def execute_children(portal: Portal, parent: JobResult) -> list[JobResult]:
    return [portal.execute(child) for child in children_of(portal, parent) if not child.finished]


def make(portal: Portal) -> int:
    """Make what nobody is at, as any process does."""
    return fan_out.make(portal.platform, portal.settings)


def again(portal: Portal, earlier: JobResult, user: str = "alice") -> JobResult:
    with portal.platform.session() as db:
        person = db.get_one(User, portal.cast[user].id)
        found = db.get_one(JobResult, earlier.id)
        db.refresh(found, ["job"])
        return run_children_again(db, portal.settings, found, person)


def test_a_run_is_told_what_became_of_those_it_asked_for(portal: Portal, engine: Engine):
    parent = portal.run("Squares", raw={"count": 4, "bad": 1})
    assert (parent.status, parent.cause) == ("pending", "It waits for its 4 runs.")
    assert (parent.gathers, parent.worker, parent.pushed_at) == ("waiting", None, None)
    children = children_of(portal, parent)
    assert [child.data["number"] for child in children] == [1, 2, 3, 4]
    assert {(child.origin, child.username, child.commit) for child in children} == {("map", "alice", True)}
    queues.withdraw(portal.settings, parent.id, queue="default", priority="normal")
    assert engine.waiting() == [child.id for child in children]
    assert engine.reconcile().pushed == []
    assert portal.execute(parent).status == "pending", "an old id on the queue does nothing"
    execute_children(portal, parent)
    assert engine.waiting()[-1] == parent.id, "pushed by the end of the last one"
    told = portal.execute(parent)
    assert (told.status, told.return_value) == ("completed", 4 + 9 + 16)
    assert told.results == {"asked": 4, "failed": [1]}
    assert (told.tries, told.attempt) == (1, 2)
    assert told.started_at == parent.started_at, "it has lasted from its first part on"
    assert [entry.seq for entry in portal.entries(told)] == list(range(1, told.last_seq + 1))
    assert [message for _, _, message in portal.messages(told)] == ["It asks.", "4 have ended."]
    with portal.platform.reading() as db:
        pieces = db.get_one(RunReport, told.id).data["pieces"]
        noted = db.scalars(select(AuditRecord.after).where(AuditRecord.action == "run.map")).all()
    assert [piece["content"] for piece in pieces] == ["Asked", "Added"]
    assert noted == [{"parent": str(parent.id), "runs": 4}]


@on_sqlite
def test_without_a_method_the_children_alone_say_how_it_ends(portal: Portal):
    parent = portal.run("Squares", raw={"count": 3, "bad": 1, "gathers": False})
    execute_children(portal, parent)
    ended = portal.result(parent)
    assert (ended.status, ended.cause) == ("failed", "1 of 3 runs did not complete.")
    assert (ended.return_value, ended.output.strip(), ended.attempt) == ("asked", "asked", 1)

    redone = again(portal, ended)
    assert (redone.status, redone.gathers, redone.pushed_at) == ("pending", "waiting", None)
    assert make(portal) == 1
    [child] = children_of(portal, redone)
    assert (child.map_number, child.data) == (1, {"number": 1, "mood": "bad"})
    portal.execute(child)
    assert portal.result(redone).cause == "1 of 3 runs did not complete."


def test_only_what_did_not_complete_is_run_again_and_all_are_told_of(portal: Portal):
    parent = portal.run("Squares", raw={"count": 4, "bad": 2})
    with pytest.raises(InvalidData, match="not ended"):
        again(portal, parent)
    execute_children(portal, parent)
    first = portal.execute(parent)
    assert (first.return_value, first.results["failed"]) == (9 + 16, [1, 2])

    second = again(portal, first)
    make(portal)
    one, two = children_of(portal, second)
    with portal.platform.session() as db:
        # One of the two goes well this time, the other one the time after that.
        db.execute(update(JobResult).where(JobResult.id == one.id).values(data={"number": 1, "mood": "good"}))
        db.commit()
    portal.execute(one), portal.execute(two)
    told = portal.execute(second)
    assert (told.return_value, told.results) == (1 + 9 + 16, {"asked": 4, "failed": [2]})

    third = again(portal, told)
    make(portal)
    [last] = children_of(portal, third)
    with portal.platform.session() as db:
        db.execute(
            update(JobResult).where(JobResult.id == last.id).values(data={"number": 2, "mood": "good"})
        )
        db.commit()
    portal.execute(last)
    told = portal.execute(third)
    assert (told.return_value, told.status) == (1 + 4 + 9 + 16, "completed")
    with pytest.raises(InvalidData, match="have completed"):
        again(portal, told)


@on_sqlite
def test_a_run_that_needs_an_approval_asks_for_nothing_again_before_it_has_it(portal: Portal, engine: Engine):
    parent = portal.run("Squares", raw={"count": 1, "bad": 1})
    execute_children(portal, parent)
    parent = portal.execute(parent)
    engine.rule("Squares", approval_required=True)
    waits = again(portal, parent)
    make(portal)
    assert (waits.status, children_of(portal, waits)) == ("awaiting_approval", [])
    engine.write(waits, status="pending")
    make(portal)
    assert states(portal, waits) == ["pending"]


def test_so_many_at_once_and_none_after_so_many_failures(portal: Portal, engine: Engine):
    parent = portal.run("Squares", raw={"count": 6, "bad": 3, "at_once": 2, "stop_after": 2})
    children = children_of(portal, parent)
    assert pushed(portal, parent) == [1, 2]
    assert children[5].cause == "It waits until it is its turn: at most 2 runs of these at once."
    one, two = (engine.start(child) for child in children[:2])
    assert engine.start(children[2]) is None, "whatever the queue says"
    engine.reconcile()
    assert pushed(portal, parent) == [1, 2]
    assert one is not None
    assert two is not None
    engine.end(one, Status.COMPLETED)
    engine.reconcile()
    assert pushed(portal, parent) == [1, 2, 3]
    engine.end(two, Status.FAILED, "No.")
    portal.execute(children[2])
    assert states(portal, parent) == ["completed", "failed", "failed", *["canceled"] * 3]
    assert portal.result(children[3]).cause == "Not started: 2 of those asked for together did not complete."
    told = portal.execute(parent)
    assert (told.status, told.results["failed"]) == ("completed", [2, 3, 4, 5, 6])


@on_sqlite
def test_what_is_refused_is_a_run_that_has_ended(portal: Portal):
    parent = portal.run("AsksForOddThings")
    causes = [(str(child.status), child.cause) for child in children_of(portal, parent)]
    assert causes == [
        ("pending", None),
        ("errored", "Its inputs do not fit: number: Enter a whole number."),
        ("errored", "Its inputs do not fit: colour: Job data contained an unknown property"),
        ("errored", "There is no job local/fanning/Nothing, or alice may not run it."),
        ("pending", None),
        (
            "errored",
            'Its inputs do not fit: _queue: "nowhere" is not a valid choice. Choose from: default, bulk.',
        ),
    ]
    assert [child.queue for child in children_of(portal, parent)][4] == "bulk"
    assert children_of(portal, parent)[1].data == {"number": "one"}
    execute_children(portal, parent)
    told = portal.execute(parent)
    assert (told.status, told.cause) == ("failed", "Some were refused.")
    said = [message for level, _, message in portal.messages(told) if level == "warning"]
    assert said == [
        "'Squared' is no class path: write source/module/Class.",
        "A job is its class, or its class path as text, not int.",
        "A job is its class, or its class path as text, not NotAJob.",
        "Data 1 does not fit into JSON: a value of type object.",
        "There is no method nowhere to gather with.",
        "The runs have ended: no more of them can be asked for by this one.",
    ]
    assert ("info", "tell", "1 completed: The job ran to its end.") in portal.messages(told)


@on_sqlite
def test_children_belong_to_whom_the_run_belongs(portal: Portal, engine: Engine):
    refused = {
        "needs an approval": {"approval_required": True},
        "There is no job": {"enabled": False},
        "always saves": {"dialect": "2"},
    }
    for said, facts in refused.items():
        engine.rule("Squared", **facts)
        parent = portal.run("Squares", raw={"count": 1}, commit=False)
        [child] = children_of(portal, parent)
        assert said in (child.cause or "")
        engine.rule("Squared", approval_required=False, enabled=True, dialect="classic")
    parent = portal.run("Squares", raw={"count": 1}, commit=False)
    assert [child.commit for child in children_of(portal, parent)] == [False], "a dry run asks for dry runs"

    only = [{"class_path": "local/fanning/Squares"}]
    with portal.platform.session() as db:
        for permission in db.scalars(select(Permission).where(Permission.kind == "job")):
            permission.enabled = False
        dave = db.merge(User(username="dave", active=True))
        db.add(
            Permission(name="Squares", kind="job", actions=["view", "run"], constraints=only, users=[dave])
        )
        db.commit()
        portal.cast["dave"] = dave
    parent = portal.run("Squares", user="dave", raw={"count": 1})
    causes = [child.cause for child in children_of(portal, parent)]
    assert causes == ["There is no job local/fanning/Squared, or dave may not run it."]
    assert portal.status(parent) == "pending"
    assert portal.execute(parent).results == {"asked": 1, "failed": [1]}


@on_sqlite
def test_a_first_part_that_does_not_complete_asks_for_nothing(portal: Portal):
    parent = portal.run("AsksAndFails")
    assert (parent.status, parent.cause, children_of(portal, parent)) == ("failed", "Not today.", [])
    assert portal.messages(parent)[-1][2] == "Not asked for, as this one did not complete: 2 runs."


def test_cancel_ends_what_waits_and_stops_what_runs(portal: Portal, engine: Engine):
    parent = portal.run("Squares", raw={"count": 3})
    first, second, _ = children_of(portal, parent)
    begun = engine.start(first)
    assert begun is not None
    engine.write(second, gathers="waiting")
    assert portal.cancel(parent) is True
    cause = (
        "The run that asked for it has ended: Canceled by alice before it was told what became of its runs."
    )
    assert states(portal, parent) == ["running", "canceled", "canceled"]
    asked = portal.result(first)
    assert (asked.cause, asked.canceled_by) == (cause, "alice")
    assert asked.cancel_requested_at is not None
    assert portal.result(second).gathers == "ready", "what that has asked for was looked after, too"
    engine.end(begun, Status.CANCELED, "Stopped.")
    engine.reconcile()
    assert (portal.status(parent), portal.result(parent).gathers) == ("canceled", "ready")


@on_sqlite
def test_what_replaces_a_run_ends_what_that_had_asked_for(portal: Portal, engine: Engine):
    engine.rule("Squares", concurrency_limit=1, concurrency_policy="replace")
    parent = portal.run("Squares", raw={"count": 2})
    portal.submit("Squares")
    assert portal.status(parent) == "canceled"
    engine.reconcile()
    assert states(portal, parent) == ["canceled", "canceled"]


@on_sqlite
def test_a_run_that_waits_for_others_keeps_its_place(portal: Portal, engine: Engine):
    engine.rule("Squares", concurrency_limit=1, rate_limit="2/h")
    parent = portal.run("Squares", raw={"count": 1})
    other = portal.submit("Squares")
    assert portal.execute(other).status == "pending"
    execute_children(portal, parent)
    assert portal.execute(other).status == "pending"
    assert engine.reconcile().ended == []
    assert portal.execute(parent).status == "completed", "and its second part is no start that a rate counts"
    assert portal.execute(other).cause == "It waits for its 3 runs."


@on_sqlite
def test_the_second_part_alone_is_tried_again(portal: Portal):
    parent = portal.run("TriesAgain")
    execute_children(portal, parent)
    waits = portal.execute(parent)
    assert (waits.status, waits.cause) == (
        "pending",
        "Attempt 1 of 2 errored: The job raised ValueError: stumbled; the next one follows at once.",
    )
    told = portal.execute(parent)
    assert (told.status, told.return_value, told.tries) == ("completed", [9], 2)
    assert (told.output.count("first"), len(children_of(portal, parent))) == (1, 1)


@on_sqlite
def test_runs_that_ask_for_themselves_come_to_an_end(portal: Portal):
    found = [portal.run("Levels")]
    for _ in range(fan_out.MOST_LEVELS):
        found.append(portal.execute(children_of(portal, found[-1])[0]))
    [last] = children_of(portal, found[-1])
    assert last.cause == "Runs have asked for runs 5 times over: it ends here."
    causes = {portal.result(result).cause for result in found}
    assert causes == {"The run that it asked for did not complete."}, "one after the other, up to the first"


@on_sqlite
def test_a_function_asks_for_runs_too(portal: Portal):
    parent = portal.run("Fans", raw={"count": 2})
    execute_children(portal, parent)
    told = portal.execute(parent)
    assert (told.status, told.return_value) == ("completed", 2)
    assert portal.messages(told) == [("info", "in_all", "in all")]


def test_two_that_make_the_same_part_make_it_once(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("worker.fan_out.make", lambda *_, **__: 0)
    parent = portal.run("Squares", raw={"count": 5})
    with portal.platform.reading() as db:
        part = db.scalars(select(FanOutPart)).one()
    assert b"good" not in part.content, "it may be secret"

    def make_part() -> int:
        return fan_out.make_part(portal.platform, portal.settings, part.id)

    with portal.platform.session() as db:
        db.execute(update(FanOutPart).values(content=b"of another key"))
        db.commit()
    assert (fan_out_make(portal.platform, portal.settings, parent.id), children_of(portal, parent)) == (0, [])
    with portal.platform.session() as db:
        db.execute(update(FanOutPart).values(content=part.content))
        db.commit()
    assert sorted(at_once(make_part, make_part, make_part)) == [0, 0, 5]
    assert len(children_of(portal, parent)) == 5


@on_sqlite
@pytest.mark.parametrize(("job", "told"), [("FansOf2", [4]), ("FansOfBots", [9])])
def test_other_dialects_ask_for_runs_too(portal: Portal, job: str, told: list[int]):
    parent = portal.run(job)
    execute_children(portal, parent)
    ended = portal.execute(parent)
    assert (ended.status, ended.return_value) == ("completed", told)


@on_sqlite
def test_secrets_among_the_data_stay_secrets(portal: Portal):
    with portal.platform.session() as db:
        ensure(db, portal.settings)
    parent = portal.run("PassesASecretOn", raw={"password": "correct horse"})
    [child] = children_of(portal, parent)
    assert child.data == {"pin": "", "host": "as (redacted)"}, "the run's own, where nobody seals it"
    portal.cancel(child)
    first = again(portal, parent_of(portal, child))
    make(portal)
    [child] = children_of(portal, first)
    assert portal.execute(child).return_value["length"] == len("correct horse"), "as it was typed"
    assert portal.execute(first).return_value == [[True, {"pin": "", "host": "as (redacted)"}, 13]]


@on_sqlite
def test_whoever_only_tries_a_run_asks_for_no_others(portal: Portal):
    tried = portal.run("Squares", raw={"count": 1}, origin=Origin("approval"))
    assert (tried.status, children_of(portal, tried)) == ("completed", [])
    assert (
        portal.messages(tried)[-1][2] == "Not asked for, as this one only shows what a run would do: 1 run."
    )


def parent_of(portal: Portal, child: JobResult) -> JobResult:
    """Return the run that asked for it, told of its end."""
    with portal.platform.reading() as db:
        parent = db.get_one(JobResult, child.parent_id)
    settle(portal.platform, portal.settings, parent.id)
    return portal.execute(parent)


@pytest.mark.in_turn
def test_whatever_dies_all_are_run_once(
    portal: Portal, engine: Engine, start_worker: StartWorker, tmp_path: Path
):
    path = tmp_path / "go"
    parent = portal.submit("WaitsForMany", raw={"path": str(path)})
    dies(start_worker(**{VARIABLE: "fan-out.before-commit:2"}))
    assert (portal.status(parent), len(children_of(portal, parent))) == ("pending", 2)
    engine.reconcile()
    assert len(children_of(portal, parent)) == 2, "it may be at it still"
    with portal.platform.session() as db:
        db.execute(update(FanOutPart).values(free_at=now()))
        db.commit()
    engine.reconcile()
    until(lambda: len(children_of(portal, parent)) == 4, "what the dead one had not made is there")

    killed = start_worker()
    begun = Path(f"{path}.begun")
    pid = int(until(lambda: begun.exists() and begun.read_text(), "one has begun"))
    killed.send_signal(signal.SIGKILL)
    dies(killed)
    # A little later: until then its job would see the file, and go on.
    until(lambda: start_time(pid) is None, "its process died too")
    path.touch()
    # One on another machine: of this one it has the addresses of the databases and Redis, and no folder.
    on_postgres = portal.platform.engine.dialect.name == "postgresql"
    start_worker(**({"ERRAND_INSTANCE": str(tmp_path / "elsewhere")} if on_postgres else {}))
    told = until(lambda: (row := portal.result(parent)).finished and row, "all have ended")
    assert (told.status, told.return_value) == ("completed", [1, 2, 3, 4])
    done = Counter(Path(f"{path}.done").read_text().split())
    assert done == {"1": 1, "2": 1, "3": 1, "4": 1}
    with portal.platform.reading() as db:
        left = db.scalar(select(func.count()).select_from(FanOutPart))
        calls = db.scalar(select(func.count()).select_from(FanOut))
    assert (left, calls) == (0, 2)


def dies(process: "subprocess.Popen[Any]") -> None:
    process.wait(60)
    assert process.returncode == -signal.SIGKILL
