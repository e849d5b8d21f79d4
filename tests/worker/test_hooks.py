"""Changes of objects run receivers: each once, as who made the change, and never in a circle."""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from store.changes import object_changes
from store.data import Data
from store.models import Hook, JobRecord, JobResult, Permission, User, now
from worker.hooks import fire_hooks
from worker.submit import NotRunnable, submit

from .conftest import Portal

MAKER = "inventory.manufacturer"


def make_hook(portal: Portal, job: str = "Hears", **facts: Any) -> Hook:
    values: dict[str, Any] = {
        "name": job,
        "object_types": [MAKER],
        "on_create": True,
        "set_up_by_id": portal.cast["root"].id,
        **facts,
    }
    with portal.platform.session() as db:
        hook = Hook(job_id=portal.jobs[job].id, **values)
        db.add(hook)
        db.commit()
        return hook


def fire(portal: Portal) -> int:
    return fire_hooks(portal.settings, portal.platform)


def runs_of(portal: Portal, hook: Hook) -> list[JobResult]:
    with portal.platform.reading() as db:
        query = select(JobResult).where(JobResult.origin_id == hook.id).order_by(JobResult.created_at)
        return list(db.scalars(query))


def problem_of(portal: Portal, hook: Hook) -> str:
    with portal.platform.reading() as db:
        return db.get_one(Hook, hook.id).last_error


def waiting(portal: Portal) -> list[Any]:
    data = Data(portal.settings.data_database_url)
    with data.session() as session:
        rows = session.execute(select(object_changes).where(~object_changes.c.taken)).all()
    data.dispose()
    return list(rows)


def write(portal: Portal, table: Any, key: Any, **values: Any) -> None:
    with portal.platform.session() as db:
        db.execute(update(table).where(table.id == key).values(**values))
        db.commit()


def test_a_change_runs_its_hook_once_as_who_made_it_and_a_hooks_changes_run_none(portal: Portal):
    portal.run("Change")
    hook = make_hook(portal, "HearsAndChanges", on_update=True)
    assert fire(portal) == 0, "changes made before the hook was there do not count"
    assert waiting(portal) == []
    first = portal.run("Renames")
    assert (fire(portal), fire(portal)) == (1, 0)
    (run,) = runs_of(portal, hook)
    assert (run.username, run.commit, run.parent_id, run.origin) == ("alice", True, first.id, "hook")
    run = portal.execute(run)
    assert run.status == "completed", run.cause
    assert [message for _, _, message in portal.messages(run)][:1] == [
        "update inventory.manufacturer Renamed by alice: New to Renamed, slug new; Renamed"
    ]
    assert len(waiting(portal)) == 1, "it changed something itself"
    assert fire(portal) == 0
    assert waiting(portal) == []
    assert len(runs_of(portal, hook)) == 1


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_a_hook_runs_what_who_set_it_up_may_run_by_now(portal: Portal):
    hook = make_hook(portal)

    def refused() -> str:
        portal.run("Change")
        portal.run("Deletes")
        assert (fire(portal), runs_of(portal, hook)) == (0, [])
        return problem_of(portal, hook)

    write(portal, Hook, hook.id, set_up_by_id=None)
    assert "Nobody knows who set it up, so it has no rights and runs nothing" in refused()
    write(portal, Hook, hook.id, set_up_by_id=portal.cast["carol"].id)
    with portal.platform.session() as db:
        for permission in db.scalars(select(Permission).where(Permission.kind == "job")):
            db.delete(permission)
        db.add(
            Permission(
                name="All", kind="job", actions=["view", "run"], users=[db.get(User, portal.cast["alice"].id)]
            )
        )
        db.commit()
    assert "carol, who set it up, may not run Hears." in refused()
    write(portal, User, portal.cast["carol"].id, active=False)
    assert "carol may not do anything any more" in refused()
    write(portal, Hook, hook.id, set_up_by_id=portal.cast["root"].id)
    portal.run("Change")
    assert fire(portal) == 1


def test_what_is_deleted_is_none(portal: Portal):
    hook = make_hook(portal, on_create=False, on_delete=True)
    portal.run("Change")
    portal.run("Deletes")
    assert fire(portal) == 1
    result = portal.execute(runs_of(portal, hook)[0])
    assert (result.status, result.return_value) == ("completed", ["delete", None, "New"])


@pytest.mark.parametrize(
    "place", ["hooks.submitted", "hooks.marked", "submit.before-commit", "submit.after-commit"]
)
@pytest.mark.in_turn
def test_whoever_dies_between_two_statements_loses_and_doubles_nothing(portal: Portal, place: str):
    hook = make_hook(portal)
    portal.run("Change")
    code = (
        "from store.settings import load_settings; from store.platform import Platform; "
        "from worker.hooks import fire_hooks; s = load_settings(); fire_hooks(s, Platform(s.database_url))"
    )
    died = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "ERRAND_FAILPOINT": place}, check=False
    )
    assert died.returncode == -9
    fire(portal)
    assert len(runs_of(portal, hook)) == 1
    assert waiting(portal) == []


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_a_receiver_of_the_second_generation_hears_the_same(portal: Portal):
    hook = make_hook(portal, "HearsAfterStarting")
    portal.run("Change")
    assert fire(portal) == 1
    result = portal.execute(runs_of(portal, hook)[0])
    assert (result.status, result.return_value) == ("completed", "create New"), result.cause
    assert "about ['object_change']" in str(portal.messages(result))


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_a_hook_that_breaks_stops_no_other(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    broken, sound = make_hook(portal), make_hook(portal, name="Sound")

    def submit_or_break(*given: Any, **more: Any) -> JobResult:
        if more["origin"].id == broken.id:
            raise ZeroDivisionError
        return submit(*given, **more)

    monkeypatch.setattr("worker.hooks.submit", submit_or_break)
    portal.run("Change")
    assert (fire(portal), len(runs_of(portal, sound)), waiting(portal)) == (1, 1, [])
    assert "ZeroDivisionError" in problem_of(portal, broken)


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_why_a_change_runs_nothing_is_kept_with_the_hook(portal: Portal):
    hook = make_hook(portal)
    write(portal, JobRecord, portal.jobs["Hears"].id, enabled=False)
    result = portal.run("Change")
    assert fire(portal) == 0
    assert problem_of(portal, hook).startswith("The change 1 (create of New) ran nothing. ")
    assert waiting(portal) == [], "it is not tried for ever"
    write(portal, JobRecord, portal.jobs["Hears"].id, enabled=True, approval_required=True)
    portal.run("Deletes")
    portal.run("Change")
    assert fire(portal) == 1
    assert runs_of(portal, hook)[0].status == "awaiting_approval"
    write(portal, User, result.user_id, active=False)
    portal.run("Renames", user="root")
    with portal.platform.session() as db:
        db.execute(update(Hook).values(on_update=True, since=now() - timedelta(hours=1)))
        db.commit()
    write(portal, User, portal.cast["root"].id, active=False)
    assert fire(portal) == 0
    assert "root, who made it, may not do anything any more." in problem_of(portal, hook)


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_nobody_runs_a_receiver_by_hand(portal: Portal):
    with pytest.raises(NotRunnable, match="by changes of objects alone"):
        portal.submit("Hears", user="root", raw={"object_change": 1})
