"""Choosing the job of a form: from a list, or by its class path where there are many."""

import re

import pytest
from sqlalchemy import select, update

from store.models import Chain, Group, JobRecord, Permission
from webapp import choosing_jobs

from .conftest import text


@pytest.fixture
def many(make_job, monkeypatch):
    """More jobs than a list has, one of them a receiver."""
    monkeypatch.setattr(choosing_jobs, "MOST_LISTED", 2)
    return [make_job(name) for name in ("Alpha", "Beta", "Gamma")] + [make_job("Hears", receives="hook")]


def test_of_many_jobs_one_is_named_by_its_class_path(root, db, many):
    first, second, _, receiver = (job.class_path for job in many)
    page = text(root.get("/admin/chains/new"))
    assert ("<option" in page, 'hx-get="/jobs/offered?field=next_job"' in page) == (False, True)
    given = {"name": "Then", "job": first, "next_job": second, "on": "ended", "data": "", "enabled": "true"}
    for wrong in ("", "local/no/Such", receiver, str(many[3].id)):
        refused = root.post("/admin/chains/new", {**given, "job": wrong})
        assert (refused.status_code, "Choose one of these jobs." in text(refused)) == (422, True), wrong
        # What was typed stays.
        assert f'value="{second}"' in text(refused)
    assert root.post("/admin/chains/new", given).status_code == 303
    chain = db.scalars(select(Chain)).one()
    assert (chain.job_id, chain.next_job_id) == (many[0].id, many[1].id)
    address = f"/admin/chains/{chain.id}"
    db.rollback()
    shown = text(root.get(address))
    assert f'value="{first}"' in shown


def test_what_fits_is_suggested_as_one_types(root, many):
    def offered(typed: str) -> list[str]:
        return re.findall(">(.+?)</option>", text(root.fragment(f"/jobs/offered?field=job&job={typed}")))

    assert offered("alph") == offered("/ALPHA") == ["Alpha"]
    assert offered("a") == offered("") == ["Alpha", "Beta", "Gamma"]
    # A receiver runs by what it hears; a sign of patterns is a sign.
    assert offered("hears") == offered("%25") == []


def test_nobody_is_told_of_jobs_they_may_not_see(alice, db, many):
    with db.begin():
        everyone = db.scalars(select(Group).where(Group.everyone)).one()
        db.execute(update(Permission).values(actions=[]))
        rule = {"class_path": many[1].class_path}
        db.add(Permission(name="One", kind="job", actions=["view"], constraints=[rule], groups=[everyone]))
    assert text(alice.fragment("/jobs/offered?field=job&job=a")).strip() == (
        f'<option value="{many[1].class_path}">Beta</option>'
    )
    assert db.scalars(select(JobRecord.name).where(JobRecord.name == "Alpha")).one()
