"""Objects: what there is, and what jobs said about each."""

import re

import pytest
from sqlalchemy import delete, select

from examples.inventory.models import DeviceType, Manufacturer
from store.changes import Author, record_changes
from store.models import Group, Permission

from .conftest import running, signed_in, text

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def inventory(inventory_settings, db, cast):
    """Alice's browser on an instance with 70 manufacturers and a type of the first."""
    for app in running(inventory_settings):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            for number in range(70):
                Manufacturer(name=f"Maker {number:02d}", slug=f"maker-{number}").save()
            first = session.get(Manufacturer, 1)
            DeviceType(manufacturer=first, model=HOSTILE, slug="box").save()
            session.commit()
        yield signed_in(app, db, cast["alice"])


def test_kinds_are_listed_with_their_numbers(inventory):
    page = text(inventory.get("/objects/"))
    assert re.search(r"Manufacturers</a>.*?>70</td>", page, re.DOTALL)


def test_objects_are_found_and_paged(inventory):
    page = text(inventory.get("/objects/inventory.manufacturer/"))
    assert "50 of 70" in page
    following = re.search(r'href="([^"]+)">Next', page)[1].replace("&amp;", "&")
    rest = text(inventory.fragment(following))
    assert "<html" not in rest
    both = re.findall(r">(Maker \d\d)</a>", page) + re.findall(r">(Maker \d\d)</a>", rest)
    assert both == [f"Maker {number:02d}" for number in range(70)]
    assert "Maker 07" in text(inventory.fragment("/objects/inventory.manufacturer/?q=07"))
    assert "Nothing matches" in text(inventory.fragment("/objects/inventory.manufacturer/?q=%25%00<b>"))


def test_lists_are_narrowed_by_parameters(inventory):
    assert "&lt;script&gt;" in text(inventory.get("/objects/inventory.devicetype/?manufacturer_id=1"))
    assert "Nothing matches" in text(inventory.get("/objects/inventory.devicetype/?manufacturer_id=2"))
    refused = inventory.get(f"/objects/inventory.devicetype/?{HOSTILE}=1")
    assert refused.status_code == 200
    assert HOSTILE not in text(refused)
    assert (
        "after"
        not in text(inventory.get("/objects/inventory.devicetype/?after=zzz")).partition('<nav class="bar"')[
            2
        ]
    )


def test_an_object_shows_facts_relations_and_what_jobs_said(inventory, make_job, make_result, add_entries):
    result = make_result(make_job(), "failed", cause="No.")
    add_entries(result, "not about it")
    add_entries(
        result, f"**about** it {HOSTILE}", object_text="Box", object_url="/objects/inventory.devicetype/1"
    )
    page = text(inventory.get("/objects/inventory.devicetype/1"))
    assert HOSTILE not in page
    assert "<strong>about</strong> it" in page
    assert "not about it" not in page
    assert f'href="/results/{result.id}?line=2#L2"' in page
    assert 'href="/objects/inventory.manufacturer/1"' in page
    assert 'href="/objects/inventory.devicetype/1"' in text(
        inventory.get("/objects/inventory.manufacturer/1")
    )


@pytest.fixture
def changed(inventory_settings, db, cast, make_job, make_result):
    """Alice's browser on an object that one run made and another, of which she may know, changed twice."""
    made, renamed = make_result(make_job("Makes"), username="bob"), make_result(make_job("Renames"))
    for app in running(inventory_settings):
        data = app.extensions["errand"].data
        for result, act in ((made, "make"), (renamed, "rename"), (renamed, "move")):
            with data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
                author = Author(result.id, 1, result.username)
                session.on_flush.append(lambda flushed, author=author: record_changes(flushed, author))
                if act == "make":
                    for name in ("First", "Second"):
                        Manufacturer(name=name, slug=name.lower()).save()
                    DeviceType(manufacturer=session.get(Manufacturer, 1), model="Box", slug="box").save()
                else:
                    box = session.get(DeviceType, 1)
                    if act == "rename":
                        box.model = f"Box {HOSTILE}"
                    else:
                        box.manufacturer = session.get(Manufacturer, 2)
                    box.save()
                session.commit()
        yield signed_in(app, db, cast["alice"]), made, renamed


def test_an_object_shows_what_jobs_changed_of_it(changed):
    alice, made, renamed = changed
    assert 'Changes by jobs <span class="n">3</span>' in text(alice.get("/objects/inventory.devicetype/1"))
    page = text(alice.get("/objects/inventory.devicetype/1?view=changes"))
    assert HOSTILE not in page
    moved, rename, make = re.findall(r'<li class="g"><h3>.*?(?=<li class="g">|</ol>)', page, re.DOTALL)
    assert f'href="/results/{renamed.id}">Renames</a>' in moved
    assert "Changed by alice" in moved
    assert re.search(
        r">Manufacturer</span><span><del>.*?>First</span></a></del><ins>.*?>Second</span></a></ins>",
        moved,
        re.DOTALL,
    )
    assert "<del>Box</del><ins>Box &lt;" in rename
    assert "Manufacturer" not in rename
    assert f'href="/results/{made.id}">Makes</a>' in make
    assert "Created by bob" in make
    assert "<ins>box</ins>" in make
    assert "<del>" not in make


def test_a_change_by_a_run_that_one_may_not_see_does_not_name_it(changed, db):
    alice, made, renamed = changed
    with db.begin():
        everyone = db.scalars(select(Group).where(Group.everyone)).one()
        db.execute(delete(Permission).where(Permission.kind == "result"))
        db.add(
            Permission(
                name="Own", kind="result", actions=["view"], constraints=[{"owner": "me"}], groups=[everyone]
            )
        )
    page = text(alice.get("/objects/inventory.devicetype/1?view=changes"))
    assert str(made.id) not in page
    assert "Makes" not in page
    assert page.count("A run you cannot see") == 1
    assert page.count(f'href="/results/{renamed.id}"') == 2


def test_older_changes_follow(changed, monkeypatch):
    alice, _made, _renamed = changed
    monkeypatch.setattr("webapp.objects.CHANGES_SHOWN", 2)
    page = text(alice.get("/objects/inventory.devicetype/1?view=changes"))
    assert page.count('<li class="g"><h3>') == 2
    older = re.search(r'hx-get="([^"]+before=\d+)"', page)[1].replace("&amp;", "&")
    rest = text(alice.fragment(older))
    assert "<html" not in rest
    assert rest.count('<li class="g"><h3>') == 1
    assert "Created by bob" in rest


def test_older_lines_follow(inventory, make_job, make_result, add_entries):
    result = make_result(make_job())
    add_entries(result, *map(str, range(70)), object_text="Box", object_url="/objects/inventory.devicetype/1")
    page = text(inventory.get("/objects/inventory.devicetype/1"))
    older = re.search(r'hx-get="([^"]+before=\d+)"', page)[1]
    rest = text(inventory.fragment(older))
    assert "<html" not in rest
    numbers = [int(n) for n in re.findall(r"\?line=(\d+)#", page + rest)]
    assert sorted(numbers) == list(range(1, 71))


@pytest.mark.parametrize(
    "path",
    [
        "inventory.manufacturer/999",
        "inventory.manufacturer/x",
        "inventory.manufacturer/%00",
        "nothing.at_all/1",
        "nothing.at_all/",
        "__class__/1",
    ],
)
def test_unknown_objects_are_not_found(inventory, path):
    assert inventory.get(f"/objects/{path}").status_code == 404


def test_without_plugins_there_are_none(alice, monkeypatch):
    # Other tests of this process have loaded some.
    monkeypatch.setattr("store.registry._models", {})
    assert "There are no objects" in text(alice.get("/objects/"))
