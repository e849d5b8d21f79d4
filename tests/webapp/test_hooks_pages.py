"""The pages on which an admin says which changes run which job."""

import re
from typing import Any

import pytest
from sqlalchemy import select

from store.models import AuditRecord, Hook

from .conftest import Browser, running, text


@pytest.fixture
def app(inventory_settings: Any) -> Any:
    yield from running(inventory_settings)


def test_a_hook_is_made_switched_and_deleted(root: Browser, db: Any, make_job: Any, make_result: Any):
    job = make_job("Hears", receives="hook")
    other = make_job("Plain")
    wrong = root.post("/admin/hooks/new", {"name": "Mine", "job": str(other.id), "object_types": "no.thing"})
    assert wrong.status_code == 422
    assert 'value="Mine"' in text(wrong)
    assert text(wrong).count("Choose at least one of these.") == 2
    assert "Choose one of these jobs." in text(wrong)
    given = {
        "name": "Mine",
        "job": str(job.id),
        "object_types": ["inventory.site", "inventory.device"],
        "actions": ["update", "delete"],
        "enabled": "true",
    }
    assert root.post("/admin/hooks/new", given).status_code == 303
    hook = db.scalars(select(Hook)).one()
    since = hook.since
    assert (hook.actions, hook.object_types) == (["update", "delete"], ["inventory.device", "inventory.site"])
    db.commit()
    twice = root.post("/admin/hooks/new", {**given, "name": "Other", "actions": "delete"})
    assert "The hook Mine runs this job already for such a change." in text(twice)
    beside = {**given, "actions": "create"}
    assert "There is a hook of this name already." in text(root.post("/admin/hooks/new", beside))
    hook.last_error, hook.last_error_at = "Something <b>odd</b>.", hook.since
    make_result(job, origin="hook", origin_id=hook.id)
    db.commit()
    db.commit()
    page = text(root.get(f"/admin/hooks/{hook.id}"))
    assert "Something &lt;b&gt;odd&lt;/b&gt;." in page
    assert page.count("/results/") >= 1
    assert re.search(r'name="enabled" value="true" checked', page)
    db.commit()
    del given["enabled"]
    assert root.post(f"/admin/hooks/{hook.id}", given).status_code == 303
    db.refresh(hook)
    assert (hook.enabled, hook.since > since) == (False, True)
    db.commit()
    assert "Off" in text(root.get("/admin/hooks/"))
    assert root.post(f"/admin/hooks/{hook.id}/delete").status_code == 303
    db.expire_all()
    assert db.scalars(select(Hook)).all() == []
    noted = [row.action for row in db.scalars(select(AuditRecord).order_by(AuditRecord.id))]
    assert [action for action in noted if action.startswith("hook.")] == [
        "hook.create",
        "hook.change",
        "hook.delete",
    ]
