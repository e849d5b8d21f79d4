"""Objects: what there is, and what jobs said about each."""

import re

import pytest
from sqlalchemy import delete, select

from examples.inventory.models import DeviceType, Manufacturer, Site, Status
from store.changes import Author, record_changes
from store.models import Group, Permission

from .conftest import described, running, signed_in, text

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


def test_a_job_is_run_on_an_object_from_its_page(inventory, make_job, db):
    takes = [described("ObjectVar", "key", model="inventory.manufacturer", query_params={}, null_option=None)]
    for name, values in (
        ("Recall", {}),
        ("Two ways", {"variables": [*takes, *takes]}),
        ("Off", {"enabled": False}),
        ("Unlisted", {"hidden": True}),
        ("Gone", {"installed": False}),
        ("Kept", {"restricted": True}),
        ("About types", {"variables": [{**takes[0], "model": "inventory.devicetype"}]}),
    ):
        make_job(name, **{"variables": takes, **values})
    page = text(inventory.get("/objects/inventory.manufacturer/7"))
    menu = page.partition("Run a job on this")[2].partition("</details>")[0]
    assert re.findall(r">([^<>]+)</a>", menu) == ["Recall", "Two ways: Key", "Two ways: Key"]
    form = text(inventory.get(re.search(r'href="([^"]+)"', menu)[1]))
    assert re.search(r'name="v-key" value="7"[^>]* checked', form)


def test_lines_are_chosen_by_level_and_words(inventory, make_job, make_result, add_entries):
    box = {"object_text": "Box", "object_url": "/objects/inventory.devicetype/1"}
    result = make_result(make_job())
    add_entries(result, "port up", "fan up", **box)
    add_entries(result, "port down", level="failure", **box)
    page = text(inventory.get(box["object_url"]))
    assert re.search(r'value="failure" checked>.*?id="n-failure">1<', page)
    chosen = text(inventory.get(f"{box['object_url']}?level=failure&level=debug&q=PORT"))
    assert "fan up" not in chosen
    assert "up</div>" not in chosen
    assert "<mark>port</mark> down" in chosen
    assert re.findall(r'value="(\w+)" checked', chosen) == ["debug", "failure"]
    assert 'name="q" value="PORT"' in chosen
    assert "<mark>fan</mark> up" in text(inventory.fragment(f"{box['object_url']}?q=fan"))


def test_what_one_may_not_see_about_an_object_is_not_counted_either(
    inventory, make_job, make_result, add_entries, db
):
    takes = [described("ObjectVar", "box", model="inventory.devicetype", query_params={}, null_option=None)]
    job = make_job(variables=takes)
    own, others = make_result(job, data={"box": 1}), make_result(job, username="bob", data={"box": 1})
    for result in (own, *[others] * 60):
        add_entries(result, "said", object_text="Box", object_url="/objects/inventory.devicetype/1")
    with db.begin():
        everyone = db.scalars(select(Group).where(Group.everyone)).one()
        db.execute(delete(Permission).where(Permission.kind == "result"))
        db.add(
            Permission(
                name="Own", kind="result", actions=["view"], constraints=[{"owner": "me"}], groups=[everyone]
            )
        )
        own_id, others_id = str(own.id), str(others.id)
    for view in ("", "?view=results"):
        page = text(inventory.get(f"/objects/inventory.devicetype/1{view}"))
        assert others_id not in page
        assert own_id in page
        assert 'What jobs said <span class="n">1</span>' in page
        assert 'Results <span class="n">1</span>' in page
        assert "Show older" not in page


def test_older_results_about_an_object_follow(inventory, make_job, make_result, monkeypatch):
    monkeypatch.setattr("webapp.objects.RESULTS_SHOWN", 2)
    takes = [described("MultiObjectVar", "boxes", model="inventory.devicetype", query_params={})]
    job = make_job(variables=takes)
    made = [make_result(job, data={"boxes": [number % 2, 1]}) for number in range(3)]
    page = text(inventory.get("/objects/inventory.devicetype/1?view=results"))
    older = re.search(r'href="([^"]+)">Older', page)[1].replace("&amp;", "&")
    tables = [each.partition("<tbody>")[2] for each in (page, text(inventory.get(older)))]
    shown = [re.findall(r'class="name" href="/results/([^"]+)"', table) for table in tables]
    assert [len(ids) for ids in shown] == [2, 1]
    assert {*shown[0], *shown[1]} == {str(result.id) for result in made}


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


def test_without_plugins_there_are_none(alice, root, monkeypatch):
    # Other tests of this process have loaded some.
    monkeypatch.setattr("store.registry._models", {})
    assert "There are no objects that you may see" in text(alice.get("/objects/"))
    assert "ERRAND_PLUGINS" in text(root.get("/objects/"))


def test_how_an_object_stands_is_beside_its_name(inventory_settings, db, cast):
    for app in running(inventory_settings):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            for name in ("Active", "Offline", HOSTILE):
                status = Status(name=name, slug=f"s-{len(name)}")
                status.save()
                Site(name=f"In {len(name)}", slug=f"in-{len(name)}", status=status, facility="ZRH1").save()
            session.commit()
        alice = signed_in(app, db, cast["alice"])
        heads = [
            text(alice.get(f"/objects/inventory.site/{key}")).partition('<nav class="tabs"')[0]
            for key in (1, 2, 3)
        ]
        for head, css, word in zip(
            heads, ("is-ok", "is-bad", "is-wait"), ("Active", "Offline", "&lt;script"), strict=True
        ):
            assert re.search(
                rf'<h1 class="mono">In \d+</h1><span class="st pill {css}"><svg.*?</svg>{word}', head
            )
            # What there is nothing of is left out.
            assert '<div class="meta"><span>ZRH1</span></div>' in head
        assert (
            'class="st pill'
            not in text(alice.get("/objects/inventory.status/1")).partition('<nav class="tabs"')[0]
        )
