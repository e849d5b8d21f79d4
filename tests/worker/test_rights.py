"""Whether somebody may run a job is asked when they ask for the run, and again when it begins."""

import pytest
from sqlalchemy import delete, select

from jobs.errors import InvalidData
from store.models import JobResult, Permission, User
from store.permissions import NotVisible
from tests.worker.conftest import Portal, on_sqlite

pytestmark = on_sqlite


def only(portal: Portal, **facts: object) -> None:
    with portal.platform.session() as db:
        db.execute(delete(Permission))
        if facts:
            alice = db.scalars(select(User).where(User.username == "alice")).one()
            db.add(Permission(name="P", kind="job", actions=["view", "run"], users=[alice], **facts))
        db.commit()


def test_a_permission_taken_away_while_a_run_waits_counts(portal: Portal):
    result = portal.submit("Passes")
    only(portal)
    ended = portal.execute(result)
    assert (ended.status, ended.cause) == ("errored", "alice may not run Passes any more.")


def test_without_one_nothing_is_stored(portal: Portal):
    only(portal)
    with pytest.raises(NotVisible):
        portal.submit("Passes")
    with portal.platform.reading() as db:
        assert db.scalars(select(JobResult)).all() == []


def test_what_the_command_line_asks_for_needs_nobody_s_permission(portal: Portal):
    only(portal)
    assert portal.run("Passes", permitted=True).status == "completed"


def test_inputs_are_looked_at_again_when_the_run_begins(portal: Portal):
    only(portal, constraints=[{"data.host": "core-*"}])
    result = portal.submit("KnowsASecret", raw={"host": "core-7", "password": "secret"})
    with pytest.raises(InvalidData, match="You may not run KnowsASecret with this"):
        portal.submit("KnowsASecret", raw={"host": "edge-1", "password": "secret"})
    only(portal, constraints=[{"data.host": "edge-*"}])
    assert portal.execute(result).status == "errored"
