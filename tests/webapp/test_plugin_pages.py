"""Pages that plugins bring: served to those who have signed in, named at the side, and refused in a sentence."""

import re
import sys
from types import ModuleType

import pytest
from flask import Blueprint

from examples.inventory.models import Device, DeviceRole, DeviceType, Manufacturer, Site, Status
from store.plugins import Link, Plugin, PluginError
from webapp.app import create_app

from .conftest import Browser, running, signed_in, text


@pytest.fixture
def app(inventory_settings):
    for app in running(inventory_settings):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            make_network()
            session.commit()
        yield app


def make_network():
    active, planned = Status(name="Active", slug="active"), Status(name="Planned", slug="planned")
    role, maker = DeviceRole(name="Switch", slug="switch"), Manufacturer(name="Maker", slug="maker")
    kind = DeviceType(manufacturer=maker, model="One", slug="one")
    bern = Site(name="Bern <b>", slug="bern", status=active)
    zug = Site(name="Zug", slug="zug", status=planned)
    for made in (active, planned, role, maker, kind, bern, zug):
        made.save()
    for number, status in enumerate((active, active, planned)):
        Device(name=f"sw-{number}", site=bern, status=status, device_role=role, device_type=kind).save()


def test_a_page_of_a_plugin_looks_like_ours_and_is_named_at_the_side(alice):
    page = text(alice.get("/plugins/inventory/"))
    rows = re.findall(r"<tr><td.*?>([^<]+)</a></td><td>(.+?)</td><td.*?>(.+?)</td><td.*?>(.+?)</td>", page)
    assert rows == [
        ("Bern &lt;b&gt;", "Active", "2 active, 1 planned", "3"),
        ("Zug", "Planned", "none", "0"),
    ]
    assert 'href="/plugins/inventory/" aria-current="page"' in page
    assert 'href="/plugins/inventory/">' in text(alice.get("/jobs/"))


def test_strangers_are_asked_to_sign_in(app):
    answer = Browser(app.test_client()).get("/plugins/inventory/")
    assert answer.status_code == 303
    assert answer.location.startswith("/login")


def test_without_the_plugin_there_is_neither_page_nor_link(settings, db, cast):
    for app in running(settings):
        alice = signed_in(app, db, cast["alice"])
        assert alice.get("/plugins/inventory/").status_code == 404
        assert "/plugins/" not in text(alice.get("/jobs/"))


@pytest.fixture
def refused(settings, monkeypatch):
    """Return why an application with this plugin cannot be made."""

    def refuse(blueprint: object, **facts: object) -> str:
        module = ModuleType("some_pages")
        module.blueprint = blueprint
        monkeypatch.setitem(sys.modules, "some_pages", module)
        plugin = Plugin(name="Some", label="some", **{"pages": "some_pages", **facts})
        monkeypatch.setattr("webapp.app.load_plugins", lambda settings: [plugin])
        with pytest.raises(PluginError) as error:
            create_app(settings)
        return str(error.value)

    return refuse


def test_what_is_wrong_with_pages_is_said_in_a_sentence(refused):
    assert 'some_pages has no `blueprint = Blueprint("some", __name__, ...)`' in refused(None)
    assert "has no `blueprint" in refused(Blueprint("other", __name__))
    assert "cannot be found: there is no module nowhere" in refused(None, pages="nowhere")

    pages = Blueprint("some", __name__)
    pages.get("/<int:number>", endpoint="one")(lambda number: "")
    for link in (Link("Somewhere"), Link("One", "one")):
        assert f"The link '{link.text}' of the plugin 'Some' leads nowhere" in refused(pages, links=(link,))
