"""Chains: the end of a run asks for another one, once, whatever dies."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from store.models import AuditRecord, Chain, ChainLink, JobRecord, JobResult, Permission, User, now
from store.permissions import Forbidden
from tests.worker.conftest import Portal
from tests.worker.engine import at_once
from worker.approvals import decide
from worker.chains import MOST_LINKS, begin, follow_up
from worker.references import OF_RUN, BadReference, check, facts_of_run, resolve

on_sqlite = pytest.mark.parametrize("live", ["sqlite"], indirect=True)


def chain(portal: Portal, first: str, following: str, on: str = "completed", **data: Any) -> Chain:
    with portal.platform.session() as db:
        made = Chain(
            name=f"{first} to {following}",
            job_id=portal.jobs[first].id,
            next_job_id=portal.jobs[following].id,
            on=on,
            data=data,
            set_up_by_id=portal.cast["root"].id,
            last_error="",
        )
        db.add(made)
        begin(db, made)
        db.commit()
        return made


def follow(portal: Portal) -> int:
    return follow_up(portal.settings, portal.platform)


def runs_of(portal: Portal, made: Chain) -> Sequence[JobResult]:
    with portal.platform.reading() as db:
        query = select(JobResult).where(JobResult.origin_id == made.id).order_by(JobResult.created_at)
        return db.scalars(query).all()


def problem_of(portal: Portal, made: Chain) -> str:
    with portal.platform.reading() as db:
        return db.get_one(Chain, made.id).last_error


def test_the_end_of_a_run_runs_the_next_job_with_its_data(portal: Portal):
    before = portal.run("Passes")
    made = chain(portal, "Passes", "Chatty", lines=2)
    first = portal.run("Passes", commit=False)
    assert follow(portal) == 1
    assert follow(portal) == 0, "once"
    [run] = runs_of(portal, made)
    assert (run.parent_id, run.origin, run.username, run.commit) == (first.id, "chain", "alice", False)
    assert (run.data, before.id != run.parent_id) == ({"lines": 2}, True)


@on_sqlite
def test_who_set_up_a_chain_does_not_approve_what_it_runs(portal: Portal):
    made = chain(portal, "Passes", "Chatty", lines=2)
    with portal.platform.session() as db:
        bob, root = (db.get_one(User, portal.cast[name].id) for name in ("bob", "root"))
        db.add(Permission(name="Approves", kind="job", actions=["approve"], users=[bob]))
        job = db.get_one(JobRecord, portal.jobs["Chatty"].id)
        job.approval_required = True
        db.get_one(Chain, made.id).set_up_by_id = bob.id
        db.commit()
        portal.run("Passes")
        assert follow(portal) == 1
        run = db.get_one(JobResult, runs_of(portal, made)[0].id)
        assert (run.username, run.status) == ("alice", "awaiting_approval")
        with pytest.raises(Forbidden, match="your own"):
            decide(db, portal.settings, run, "approved", user=bob)
        db.rollback()
        decide(db, portal.settings, run, "approved", user=root)
        assert run.status == "pending"


@on_sqlite
def test_who_set_up_a_chain_has_nobody_do_what_they_may_not_themselves(portal: Portal):
    """It runs as alice, with inputs that carol chose: each of them has to be allowed them."""
    made = chain(portal, "Passes", "Chatty", lines=2)
    with portal.platform.session() as db:
        carol = db.get_one(User, portal.cast["carol"].id)
        for permission in db.scalars(select(Permission).where(Permission.kind.in_(["job", "result"]))):
            db.delete(permission)
        alice = db.get_one(User, portal.cast["alice"].id)
        db.add(Permission(name="All", kind="job", actions=["view", "run"], users=[alice]))
        few = Permission(
            name="Few", kind="job", actions=["view", "run"], constraints=[{"data.lines": 1}], users=[carol]
        )
        db.add(few)
        db.get_one(Chain, made.id).set_up_by_id = carol.id
        db.commit()

        def refused() -> str:
            portal.run("Passes")
            assert (follow(portal), len(runs_of(portal, made))) == (0, 0)
            return problem_of(portal, made)

        assert "carol, who set it up, may not see the run" in refused()
        db.add(Permission(name="See", kind="result", actions=["view"], users=[carol]))
        db.commit()
        assert "carol, who set it up, may not run Chatty with this" in refused()
        carol.active = False
        db.commit()
        assert "carol may not do anything any more" in refused()
        carol.active, few.constraints = True, [{"data.lines": 2}]
        db.commit()
    portal.run("Passes")
    assert follow(portal) == 1


@on_sqlite
def test_a_chain_of_which_nobody_knows_who_set_it_up_runs_nothing(portal: Portal):
    """It was made before that was written down."""
    made = chain(portal, "Passes", "Chatty", lines=2)
    with portal.platform.session() as db:
        db.get_one(Chain, made.id).set_up_by_id = None
        db.commit()
    portal.run("Passes")
    assert (follow(portal), runs_of(portal, made)) == (0, [])
    assert "somebody who may run its jobs has to save it" in problem_of(portal, made)


@on_sqlite
@pytest.mark.parametrize(
    ("on", "job", "follows"),
    [
        ("completed", "Passes", True),
        ("completed", "Raises", False),
        ("failed", "Raises", True),
        ("failed", "SaysItFailed", True),
        ("failed", "Passes", False),
        ("ended", "Raises", True),
        ("ended", "Passes", True),
    ],
)
def test_it_follows_the_ends_it_is_for(portal: Portal, on: str, job: str, follows: bool):
    made = chain(portal, job, "LogsAFailure", on)
    portal.run(job)
    assert follow(portal) == follows
    assert len(runs_of(portal, made)) == follows


def test_many_schedulers_at_once_ask_for_it_once(portal: Portal):
    made = chain(portal, "Passes", "LogsAFailure")
    for _ in range(3):
        portal.run("Passes")
    at_once(*[lambda: follow(portal)] * 4)
    assert len(runs_of(portal, made)) == 3


@pytest.mark.parametrize("place", ["chains.followed", "submit.before-commit", "submit.after-commit"])
@pytest.mark.in_turn
def test_whoever_dies_between_two_statements_loses_and_doubles_nothing(portal: Portal, place: str):
    made = chain(portal, "Passes", "LogsAFailure")
    portal.run("Passes")
    code = (
        "from store.settings import load_settings; from store.platform import Platform; "
        "from worker.chains import follow_up; s = load_settings(); follow_up(s, Platform(s.database_url))"
    )
    died = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "ERRAND_FAILPOINT": place}, check=False
    )
    assert died.returncode == -9
    follow(portal)
    assert len(runs_of(portal, made)) == 1


@on_sqlite
def test_what_is_refused_runs_nothing_and_says_why_once(portal: Portal):
    made = chain(portal, "Passes", "Chatty", lines="{{ result.return_value.count }}")
    first = portal.run("Passes")
    assert (follow(portal), follow(portal), runs_of(portal, made)) == (0, 0, [])
    assert "return_value.count leads nowhere" in problem_of(portal, made)
    with portal.platform.reading() as db:
        [noted] = db.scalars(select(AuditRecord).where(AuditRecord.action == "chain.refuse")).all()
        assert (noted.actor, noted.subject) == ("alice", made.name)
        reason = "lines: result.return_value.count leads nowhere: there is no count."
        assert noted.after == {"result": str(first.id), "reason": reason}
        assert db.scalars(select(ChainLink.refused)).all() == [reason]
    with portal.platform.session() as db:
        db.execute(update(Chain).values(data={"lines": 1}))
        db.execute(update(JobRecord).where(JobRecord.id == made.next_job_id).values(installed=False))
        db.commit()
    portal.run("Passes")
    assert follow(portal) == 0
    assert "Chatty is not installed any more" in problem_of(portal, made)
    with portal.platform.session() as db:
        db.execute(update(JobRecord).where(JobRecord.id == made.next_job_id).values(installed=True))
        own = {"class_path": portal.jobs["Passes"].class_path}
        everyone = Permission.name == "Run enabled jobs"
        db.execute(update(Permission).where(everyone).values(constraints=[own]))
        db.commit()
    portal.run("Passes")
    assert follow(portal) == 0
    assert problem_of(portal, made).endswith("Whoever asked for it may not see its job.")
    portal.run("Passes", permitted=True)
    assert follow(portal) == 1, "what the command line asks for needs nobody's permission"
    asked = portal.run("Passes")
    with portal.platform.session() as db:
        db.execute(update(User).where(User.id == asked.user_id).values(active=False))
        db.commit()
    assert follow(portal) == 0
    assert "alice, who asked for it, may not do anything any more." in problem_of(portal, made)


def test_an_end_that_comes_to_be_seen_late_is_followed_once(portal: Portal):
    before = portal.run("Passes")
    made = chain(portal, "Passes", "LogsAFailure")
    portal.run("Passes")
    assert (follow(portal), follow(portal)) == (1, 0)
    # Its machine's clock is off, or its transaction took that long.
    late = portal.submit("Passes")
    with portal.platform.session() as db:
        long_ago = now() - timedelta(days=2)
        db.execute(
            update(JobResult).where(JobResult.id == late.id).values(status="completed", finished_at=long_ago)
        )
        db.commit()
    assert (follow(portal), follow(portal)) == (1, 0)
    assert runs_of(portal, made)[-1].parent_id == late.id
    # Whoever died before the word of it was taken back.
    with portal.platform.session() as db:
        db.execute(update(JobResult).values(followed=False))
        db.commit()
    assert follow(portal) == 0
    assert before.id not in {run.parent_id for run in runs_of(portal, made)}
    with portal.platform.reading() as db:
        assert (
            db.scalars(select(JobResult.followed).where(JobResult.finished_at.is_not(None))).all()
            == [True] * 3
        )


def forget_job(portal: Portal, name: str) -> None:
    with portal.platform.session() as db:
        db.delete(db.get_one(JobRecord, portal.jobs[name].id))
        db.commit()


def test_a_chain_whose_first_job_was_removed_follows_nothing(portal: Portal):
    made = chain(portal, "Passes", "Chatty", on="ended", lines=1)
    portal.run("SaysItFailed")
    for name in ("Passes", "SaysItFailed"):
        forget_job(portal, name)
    assert (follow(portal), runs_of(portal, made)) == (0, [])


@on_sqlite
def test_a_chain_that_breaks_stops_no_other(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    broken, sound = chain(portal, "Passes", "LogsAFailure"), chain(portal, "Passes", "Chatty", lines=1)

    def resolve_or_break(data: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        if not data:
            raise ZeroDivisionError
        return resolve(data, facts)

    monkeypatch.setattr("worker.chains.resolve", resolve_or_break)
    portal.run("Passes")
    assert (follow(portal), follow(portal)) == (1, 0)
    assert (len(runs_of(portal, broken)), len(runs_of(portal, sound))) == (0, 1)
    assert "ZeroDivisionError" in problem_of(portal, broken)


@on_sqlite
def test_what_a_read_only_job_leads_to_is_no_dry_run(portal: Portal):
    made = chain(portal, "Passes", "LogsAFailure")
    with portal.platform.session() as db:
        db.execute(update(JobRecord).where(JobRecord.id == made.job_id).values(read_only=True))
        db.commit()
    assert portal.run("Passes").commit is False
    assert follow(portal) == 1
    assert runs_of(portal, made)[0].commit is True


@on_sqlite
def test_after_the_run_of_a_hook_rights_are_asked(portal: Portal):
    made = chain(portal, "Passes", "LogsAFailure")
    with portal.platform.session() as db:
        db.execute(update(Permission).where(Permission.name == "Run enabled jobs").values(actions=["view"]))
        db.commit()
    run = portal.run("Passes", permitted=True)
    with portal.platform.session() as db:
        db.execute(update(JobResult).where(JobResult.id == run.id).values(origin="hook"))
        db.commit()
    assert follow(portal) == 0
    assert "You may not run LogsAFailure." in problem_of(portal, made)


@on_sqlite
def test_chains_of_chains_end(portal: Portal):
    made = chain(portal, "Passes", "Passes")
    portal.run("Passes")
    for _ in range(MOST_LINKS + 3):
        follow(portal)
        for run in runs_of(portal, made):
            if run.status == "pending":
                portal.execute(run)
    assert len(runs_of(portal, made)) == MOST_LINKS
    assert f"{MOST_LINKS} runs have led to one another" in problem_of(portal, made)


def test_references_keep_the_type_of_what_they_refer_to():
    result = JobResult(
        return_value={"site": {"id": 7}, "list": ["a", "b"]}, status="completed", data={"x": None}, output=""
    )
    given = {
        "number": "{{ result.return_value.site.id }}",
        "item": "{{result.return_value.list.1}}",
        "none": "{{ result.data.x }}",
        "text": "site {{ result.return_value.site.id }}: {{ result.status }}",
        "plain": 3,
    }
    assert resolve(given, facts_of_run(result)) == {
        "number": 7,
        "item": "b",
        "none": None,
        "text": "site 7: completed",
        "plain": 3,
    }
    for wrong in ("{{ result.kept_box }}", "{{ user.password }}", "{{ result.__class__ }}", "{{ 7 * 7 }}"):
        with pytest.raises(BadReference):
            check(wrong, OF_RUN)
    for nowhere in (
        "{{ result.return_value.list.2 }}",
        "{{ result.return_value.site.keys }}",
        f"{{{{ result.return_value.list.{'9' * 5000} }}}}",
    ):
        with pytest.raises(BadReference, match="leads nowhere"):
            resolve({"x": nowhere}, facts_of_run(result))
