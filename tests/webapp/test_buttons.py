"""The buttons on the pages of objects, and the pages on which an admin makes them."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, select

from examples.inventory.models import DeviceType, Manufacturer
from store.models import AuditRecord, Button, Group, JobResult, Permission
from webapp import button_texts
from webapp.button_texts import LONGEST_TEXT, BadText, check, text_for

from .conftest import Browser, described, running, text

HOSTILE = "<script>alert(1)</script>"
PAGE = "/objects/inventory.devicetype/1"
INPUTS = [described("StringVar", name) for name in ("object_pk", "object_model_name")]


@pytest.fixture
def app(inventory_settings: Any) -> Iterator[Any]:
    for app in running(inventory_settings):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            Manufacturer(name="Acme", slug="acme").save()
            DeviceType(manufacturer=session.get(Manufacturer, 1), model=HOSTILE, slug="box").save()
            session.commit()
        yield app


@pytest.fixture
def receiver(make_job: Any) -> Any:
    return make_job("Restart", receives="button", variables=INPUTS)


@pytest.fixture
def make_button(db: Any, receiver: Any) -> Callable[..., Button]:
    def make(name: str, **values: Any) -> Button:
        given = {"object_types": ["inventory.devicetype"], "text": name, "job_id": receiver.id, **values}
        button = Button(name=name, **given)
        db.add(button)
        db.commit()
        return button

    return make


def shown(page: str) -> list[tuple[str, str]]:
    """Return the texts of buttons and menus, in order, with their classes."""
    acts = page.partition('<div class="acts own">')[2].partition('<div class="cols">')[0]
    return re.findall(r'<(?:button|summary) class="([^"]*?) ?"[^>]*>([^<]*)', acts)


def test_buttons_stand_in_their_order_in_menus_and_are_pressed(
    alice: Browser, db: Any, make_button: Callable[..., Button]
):
    make_button("Last", weight=200)
    make_button("B", text="{{ obj.model }} of {{ object.manufacturer.name|upper }}", style="bad")
    path = f"{PAGE}/buttons/{make_button('A', group_name='More <b>', weight=90, confirm=False).id}"
    make_button("C", group_name="More <b>", weight=95, style="go")
    absent = [
        make_button("Hidden", text="{% if obj.slug != 'box' %}No{% endif %}").id,
        make_button("Off", enabled=False).id,
        make_button("Other", object_types=["inventory.site"]).id,
    ]
    db.commit()
    page = text(alice.get(PAGE))
    assert HOSTILE not in page
    assert shown(page) == [
        ("btn", "More &lt;b&gt;"),
        ("btn bare", "A"),
        ("btn bare go", "C"),
        ("btn bad", "&lt;script&gt;alert(1)&lt;/script&gt; of ACME"),
        ("btn", "Last"),
    ]
    questions = re.findall(r'/buttons/[^"]+" hx-target="body" hx-confirm="([^"]*)"', page)
    assert len(questions) == 3, "A does not ask"
    assert questions[0] == "C? This runs Restart for &lt;script&gt;alert(1)&lt;/script&gt;."
    assert alice.client.post(path).status_code == 400, "without the token of the page"
    answer = alice.post(path)
    db.expire_all()
    result = db.scalars(select(JobResult)).one()
    assert (answer.status_code, answer.location) == (303, f"/results/{result.id}")
    assert (result.username, result.commit, result.origin) == ("alice", True, "button")
    assert result.data == {"object_pk": "1", "object_model_name": "inventory.devicetype"}
    db.commit()
    fetched = alice.post(path, headers={"HX-Request": "true"})
    assert fetched.headers["HX-Redirect"].startswith("/results/")
    assert [alice.post(f"{PAGE}/buttons/{button_id}").status_code for button_id in absent] == [404] * 3
    assert alice.post(path.replace("/1/", "/2/")).status_code == 404


def test_whoever_may_not_run_the_job_has_no_button(
    browser: Any, db: Any, cast: Any, make_button: Callable[..., Button]
):
    path = f"{PAGE}/buttons/{make_button('Press').id}"
    with db.begin():
        everyone = db.scalars(select(Group).where(Group.everyone)).one()
        db.execute(delete(Permission))
        db.add(Permission(name="See", kind="object", actions=["view"], groups=[everyone]))
        jobs = {"kind": "job", "groups": [everyone]}
        db.add(Permission(name="Jobs", actions=["view"], **jobs))
        db.add(
            Permission(
                name="Some",
                kind="job",
                actions=["view", "run"],
                constraints=[{"data.object_pk": "2"}],
                users=[cast["bob"]],
            )
        )
    for name, status in (("alice", 403), ("bob", 422)):
        someone = browser(name)
        assert shown(text(someone.get(PAGE))) == [], name
        assert someone.post(path).status_code == status
    assert shown(text(browser("root").get(PAGE))) == [("btn", "Press")]
    with db.begin():
        db.execute(delete(Permission).where(Permission.kind == "job"))
    assert browser("alice").post(path).status_code == 404
    assert db.scalars(select(JobResult)).all() == []


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in 'abc' %}{{ a }}{% endfor %}",
        "{% set a = 'x' %}{{ a }}",
        "{% macro a() %}{% endmacro %}",
        "{{ 'x' * 9999999999 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ range(9) }}",
        "{{ lipsum }}",
        "{{ obj.delete() }}",
        "{{ obj.__class__ }}",
        "{{ obj['__class__'] }}",
        "{{ 'x'|center(999999999) }}",
        "{{ obj|attr('__class__') }}",
        "{{ 'x'|replace('', 'xxx') }}",
        "{% if obj %}{{ 1 is divisibleby 0 }}{% endif %}",
        "{% include 'base.html' %}",
        "{{ obj.name",
        "{{ " + "(" * 240 + "1" + ")" * 240 + " }}",
        "{% if obj %}" * 30 + "x" * 200,
        "x" * 501,
    ],
)
def test_a_template_that_could_do_more_than_read_is_refused(template: str):
    with pytest.raises(BadText):
        check(template)


class Odd(Manufacturer):
    """What a plugin's model may bring along."""

    @property
    def breaks(self) -> str:
        raise KeyError("no such thing")

    @property
    def huge(self) -> str:
        return "ß" * 10_000_000

    @property
    def slow(self) -> str:
        return "late"

    def method(self) -> str:
        return "called"


def test_a_template_reads_columns_relations_and_properties_alone(app: Any, monkeypatch: pytest.MonkeyPatch):
    with app.extensions["errand"].data.session() as session:
        box, odd = session.get(DeviceType, 1), Odd(name=" A\n<b>", slug="a")
        assert text_for("{{ obj.display }} {{ obj.u_height }} {{ obj.pk }}", box) == f"Acme {HOSTILE} 1 1"
        assert text_for("{% if obj.u_height > 1 %}x{% endif %} ", box) == ""
        assert text_for("{{ 'none' if obj.part_number == '' else 'x' }}", box) == "none"
        assert text_for("{{ obj.name }}|", odd) == "A <b>|"
        assert len(text_for("{{ obj.huge|upper ~ obj.huge }}", odd)) == LONGEST_TEXT
        assert text_for("{{ obj.nothing|default('none') }}", odd) == "none"
        for path in ("method", "metadata", "objects", "nothing", "name.upper", "registry"):
            with pytest.raises(BadText, match=r"has no \w+ that can be read here"):
                text_for(f"{{{{ obj.{path} }}}}", odd)
        with pytest.raises(BadText, match="KeyError: 'no such thing'"):
            text_for("{{ obj.breaks }}", odd)
        monkeypatch.setattr(button_texts, "MOST_SECONDS", -1)
        with pytest.raises(BadText, match="takes too long: slow was read"):
            text_for("{{ obj.slow }}", odd)


def test_a_button_is_made_mended_and_deleted(
    root: Browser, browser: Any, db: Any, make_job: Any, receiver: Any, make_button: Callable[..., Button]
):
    plain = make_job("Plain")
    wrong = {
        "name": "Mine",
        "job": str(plain.id),
        "object_types": "no.thing",
        "text": "{{ lipsum() }}",
        "weight": "-1",
        "style": "pink",
        "group_name": "x" * 101,
    }
    refused = root.post("/admin/buttons/new", wrong)
    page = text(refused)
    assert (refused.status_code, 'value="Mine"' in page, "{{ lipsum() }}</textarea>" in page) == (
        422,
        True,
        True,
    )
    for sentence in (
        "Choose one of these jobs.",
        "Choose at least one of these.",
        "Nothing can be called here",
        "Give a whole number from 0 to 32,767.",
        "Ensure this value has at most 100 characters.",
        "Choose one of these.<",
        "6 inputs need a change",
    ):
        assert sentence in page, sentence
    given = {
        "name": "Mine",
        "job": str(receiver.id),
        "object_types": ["inventory.site", "inventory.devicetype"],
        "text": "Restart {{ obj.nmae }}",
        "weight": "7",
        "style": "go",
        "confirm": "true",
        "enabled": "true",
    }
    assert root.post("/admin/buttons/new", given).status_code == 303
    again = root.post("/admin/buttons/new", given)
    assert (again.status_code, "There is a button of this name already." in text(again)) == (422, True)
    button = db.scalars(select(Button)).one()
    assert (button.weight, button.object_types, button.confirm) == (
        7,
        ["inventory.devicetype", "inventory.site"],
        True,
    )
    db.commit()
    problem = "has no nmae that can be read here."
    assert problem in text(root.get(PAGE)), "who may change buttons is told"
    stranger_page = text(browser("alice").get(PAGE))
    assert (shown(stranger_page), problem in stranger_page) == ([], False)
    assert browser("alice").post(f"{PAGE}/buttons/{button.id}").status_code == 404
    mended = {**given, "text": "Restart {{ obj.slug }}"}
    del mended["confirm"]
    assert root.post(f"/admin/buttons/{button.id}", mended).status_code == 303
    db.commit()
    assert shown(text(root.get(PAGE))) == [("btn go", "Restart box")]
    receiver.enabled = False
    db.commit()
    page = text(root.get(PAGE))
    assert (shown(page), "Restart is not enabled to be run." in page) == ([], True)
    assert root.post(f"{PAGE}/buttons/{button.id}").status_code == 403
    assert "Mine" in text(root.get("/admin/buttons/"))
    assert "{{ obj.slug }}</textarea>" in text(root.get(f"/admin/buttons/{button.id}"))
    assert root.post(f"/admin/buttons/{button.id}/delete").status_code == 303
    db.expire_all()
    assert db.scalars(select(Button)).all() == []
    noted = [row.action for row in db.scalars(select(AuditRecord).order_by(AuditRecord.id))]
    assert [action for action in noted if action.startswith("button.")] == [
        "button.create",
        "button.change",
        "button.delete",
    ]
