"""Buttons on the pages of objects run receivers: as whoever presses, with the object, and with approval where that is needed."""

import re
from uuid import UUID

import pytest
from sqlalchemy import update

from store.data import Data
from store.models import Button, JobRecord, JobResult
from worker.submit import NotRunnable

from .conftest import Portal, Web, on_sqlite

MAKER = "inventory.manufacturer"


def make_button(portal: Portal, job: str) -> Button:
    with portal.platform.session() as db:
        button = Button(
            name=job, job_id=portal.jobs[job].id, object_types=[MAKER], text="Press {{ obj.name }}"
        )
        db.add(button)
        db.commit()
        return button


def make_maker(portal: Portal) -> str:
    """Make a manufacturer; return the address of its page."""
    portal.run("Change")
    data = Data(portal.settings.data_database_url)
    with data.session() as session:
        key = session.connection().exec_driver_sql("SELECT id FROM inventory_manufacturers").scalar_one()
    data.dispose()
    return f"/objects/{MAKER}/{key}"


def press(portal: Portal, web: Web, page: str, button: Button) -> JobResult:
    answer = web.post(f"{page}/buttons/{button.id}")
    assert answer.status_code == 303, answer.text
    with portal.platform.reading() as db:
        return db.get_one(JobResult, UUID(answer.location.rsplit("/", 1)[1]))


def test_a_receiver_of_either_generation_gets_the_object(portal: Portal, web: Web):
    page = make_maker(portal)
    buttons = {name: make_button(portal, name) for name in ("Pressed", "PressedLater")}
    assert "Press New" in web.page(page).text
    result = press(portal, web, page, buttons["Pressed"])
    assert (result.username, result.commit, result.origin, result.origin_id, result.origin_name) == (
        "root",
        True,
        "button",
        buttons["Pressed"].id,
        "Pressed",
    )
    key = page.rsplit("/", 1)[1]
    assert result.data == {"object_pk": key, "object_model_name": MAKER}
    result = portal.execute(result)
    assert (result.status, result.return_value) == ("completed", "Pressed"), result.cause
    (entry,) = [entry for entry in portal.entries(result) if entry.level == "success"]
    assert (entry.message, entry.object_url) == ("Pressed for new", page)
    assert "Press Pressed" in web.page(page).text, "what it changed is saved"
    assert re.search(
        rf'By button.*?href="/admin/buttons/{buttons["Pressed"].id}"',
        web.page(f"/results/{result.id}").text,
        re.DOTALL,
    )
    later = portal.execute(press(portal, web, page, buttons["PressedLater"]))
    assert (later.status, later.return_value) == ("completed", "Pressed"), later.cause
    messages = [message for _, _, message in portal.messages(later)]
    assert {f"{MAKER} {key}", "Pressed for new"} <= set(messages)


@on_sqlite
def test_a_press_waits_for_approval_and_finds_the_object_gone(portal: Portal, web: Web):
    page, button = make_maker(portal), make_button(portal, "Pressed")
    with portal.platform.session() as db:
        db.execute(
            update(JobRecord).where(JobRecord.id == portal.jobs["Pressed"].id).values(approval_required=True)
        )
        db.commit()
    waiting = press(portal, web, page, button)
    assert (waiting.status, waiting.pushed_at) == ("awaiting_approval", None)
    with portal.platform.session() as db:
        db.execute(update(JobRecord).values(approval_required=False))
        db.commit()
    result = press(portal, web, page, button)
    portal.run("Deletes")
    result = portal.execute(result)
    assert result.status == "failed"
    assert result.cause.startswith("The object that the button was pressed for is gone. There is no manu")
    with pytest.raises(NotRunnable, match="by buttons on the pages of objects alone"):
        portal.submit("Pressed", user="root", raw=result.data)
