"""Objects through the API: searched for a select, and named in the data of a run."""

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from store import migrate
from store.changes import Author, record_changes
from store.data import Data
from store.models import Button, JobResult
from store.plugins import load_plugins
from store.settings import Settings, load_settings
from tests.api.conftest import described, follow

RUN = "/jobs/local/objects/Objects/run"
HOSTILE = [
    "\x00",
    "a\x00b",
    "\ud800",
    "' OR 1=1 --",
    "%",
    "_",
    "\\",
    "x" * 1000,
    "9" * 400,
    "1e9",
    "-1",
    "null",
    "٣",
]


@pytest.fixture(scope="module")
def inventory_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATA database with three sites and seven devices, to copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERRAND_PLUGINS", "examples.inventory")
        patch.delenv("DATABASE_URL", raising=False)
        settings = load_settings(tmp_path_factory.mktemp("inventory"))
    migrate.upgrade_data(settings)
    load_plugins(settings)
    data = Data(settings.data_database_url)
    with data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
        _fill()
        session.commit()
    data.dispose()
    return settings.instance / "data.db"


def _fill() -> None:
    from examples.inventory.models import Device, DeviceRole, DeviceType, Manufacturer, Site, Status

    def made(kind: Any, /, **values: Any) -> Any:
        row = kind(**values)
        row.save()
        return row

    active = made(Status, name="Active", slug="active")
    acme = made(Manufacturer, name="Acme", slug="acme")
    switch = made(DeviceType, manufacturer_id=acme.pk, model="S1", slug="s1")
    role = made(DeviceRole, name="Access", slug="access")
    for number in range(1, 4):
        site = made(Site, name=f"Site {number}", slug=f"site-{number}", status_id=active.pk)
        for device in range(3 if number == 1 else 2):
            made(
                Device,
                name=f"sw{device}",
                site_id=site.pk,
                device_type_id=switch.pk,
                device_role_id=role.pk,
                status_id=active.pk,
            )


@pytest.fixture
def settings(settings: Settings, inventory_db: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ERRAND_PLUGINS", "examples.inventory")
    shutil.copy(inventory_db, settings.instance / "data.db")
    return load_settings(settings.instance)


@pytest.fixture
def job(make_job):
    options = {"display_field": "display", "query_params": {}, "null_option": None, "required": False}
    return make_job(
        "local/objects/Objects",
        variables=[
            described("ObjectVar", "site", model="inventory.site", **options),
            described(
                "ObjectVar",
                "device",
                model="inventory.device",
                **options | {"query_params": {"site_id": "$site"}},
            ),
            described("MultiObjectVar", "sites", model="inventory.site", **options),
        ],
    )


def test_an_object_is_shaped_exactly_as_the_contract_says(call):
    answer = call("GET", "/objects/inventory.site?q=2")
    assert answer.json == {
        "results": [{"pk": 2, "text": "Site 2", "url": "/objects/inventory.site/2"}],
        "next": None,
    }


def test_the_text_is_the_one_that_selects_show(call):
    assert call("GET", "/objects/inventory.devicetype").json["results"][0]["text"] == "Acme S1"


@pytest.mark.parametrize("limit", [1, 2, 3, 50, 5000])
def test_pages_hold_every_object_once(call, limit):
    pages = follow(call, f"/objects/inventory.device?limit={limit}")
    assert sorted(row["pk"] for page in pages for row in page) == list(range(1, 8))


def test_other_parameters_narrow_as_query_params_do_and_stay_while_paging(call):
    pages = follow(call, "/objects/inventory.device?site_id=1&site_id=2&limit=2")
    assert sorted(row["pk"] for page in pages for row in page) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "model", ["inventory.none", "none", "inventory", "a%00b", "Status", "store.models.User", "users"]
)
def test_an_unknown_model_is_a_404(call, model):
    answer = call("GET", f"/objects/{model}")
    assert (answer.status_code, answer.json["status"]) == (404, 404)


@pytest.mark.parametrize(
    "query",
    [
        "nothing=1",
        "site__status__name__regex=(",
        "limit=0",
        "limit=x",
        "q=a&q=b",
        "after=x",
        "after=" + base64.urlsafe_b64encode(b"[" * 1500).decode(),
        "after=" + base64.urlsafe_b64encode(b'["x"]').decode(),
        "after=" + base64.urlsafe_b64encode(b'[{"a": 1}, []]').decode(),
        "after=" + base64.urlsafe_b64encode(b'["x", ' + b"9" * 4000 + b"]").decode(),
        "after=%ff",
        "q=%00",
        "site_id=a%00b",
    ],
)
def test_searches_that_cannot_be_meant_are_a_422(call, query):
    answer = call("GET", f"/objects/inventory.device?{query}")
    assert (answer.status_code, answer.json["status"]) == (422, 422)


@pytest.mark.parametrize("name", ["q", "site", "site_id", "name", "name__ic", "id", "id__gt", "after"])
@pytest.mark.parametrize("value", [text for text in HOSTILE if text != "\ud800"])
def test_no_text_breaks_a_search(call, name, value):
    answer = call("GET", "/objects/inventory.device", query_string={name: value})
    assert answer.status_code in (200, 422)
    if name == "q" and answer.status_code == 200:
        assert answer.json["results"] == []


# --- in the data of a run ---


def data_of(answer: Any) -> Any:
    assert answer.status_code == 201, answer.text
    return answer.json["data"]


def test_an_object_is_named_by_key_or_by_lookups(call, job):
    assert data_of(call("POST", RUN, json={"data": {"site": 2}}))["site"] == 2
    assert data_of(call("POST", RUN, json={"data": {"site": {"slug": "site-3"}}}))["site"] == 3
    assert data_of(call("POST", RUN, json={"data": {"sites": [1, 3]}}))["sites"] == [1, 3]


def test_parts_name_objects_in_the_same_ways(call, db, job):
    def run(**parts: Any) -> Any:
        return data_of(call("POST", RUN, data=parts, content_type="multipart/form-data"))

    assert run(site="2")["site"] == 2
    assert run(site='{"slug": "site-3"}')["site"] == 3
    assert run(sites=["1", "3"])["sites"] == [1, 3]
    assert run(sites="[1, 3]")["sites"] == [1, 3]
    assert run(sites="2")["sites"] == [2]
    assert run(sites=['{"slug": "site-3"}', "1"])["sites"] == [3, 1]
    assert run(site="")["site"] is None


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"site": 99}, "site"),
        ({"site": {"status__slug": "active"}}, "site"),
        ({"site": {"slug": "none"}}, "site"),
        ({"site": {}}, "site"),
        ({"site": {"nothing": 1}}, "site"),
        ({"site": {"slug": ["site-1"]}}, "site"),
        ({"site": {"slug": {"a": 1}}}, "site"),
        ({"site": {"slug\x00": "x"}}, "site"),
        ({"site": {"\ud800": "x"}}, "site"),
        ({"site": {"__class__": "x"}}, "site"),
        ({"site": {"slug__in": [[1]]}}, "site"),
        ({"site": {"pk": 10**300}}, "site"),
        ({"site": {"pk": 1e300}}, "site"),
        ({"site": 2**63}, "site"),
        ({"site": -(2**70)}, "site"),
        ({"site": 1.0}, "site"),
        ({"site": True}, "site"),
        ({"site": [1]}, "site"),
        ({"site": 2, "device": 1}, "device"),
        ({"sites": 1}, "sites"),
        ({"sites": [1, 99]}, "sites"),
        ({"sites": [[1]]}, "sites"),
        ({"sites": {"slug": "site-1"}}, "sites"),
        ({"sites": [{"slug": "none"}]}, "sites"),
        *(({"site": text}, "site") for text in HOSTILE),
        *(({"site": {"slug": text}}, "site") for text in HOSTILE),
        *(({"sites": [text]}, "sites") for text in HOSTILE),
        *(({"site": 1, "device": text}, "device") for text in HOSTILE),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_objects_that_are_not_there_are_named_by_variable_and_nothing_is_stored(call, db, job, data, name):
    answer = call("POST", RUN, json={"data": data})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [name])
    db.rollback()
    assert db.scalars(select(JobResult)).all() == []


@pytest.mark.parametrize(
    "site", [{"slug": "site-1"}, {"a": {}}, [1, [2]], "\ud800", "a\x00", {"\ud800": 1}, 10**300, True]
)
def test_what_another_variable_refers_to_may_be_anything(call, job, site):
    assert call("POST", RUN, json={"data": {"site": site, "device": 1}}).status_code in (201, 422)


def test_kinds_of_objects_are_listed_with_their_numbers(call):
    kinds = {row["name"]: row for row in call("GET", "/objects").json["results"]}
    assert kinds["inventory.device"] == {
        "name": "inventory.device",
        "label": "device",
        "label_plural": "devices",
        "count": 7,
    }


def test_an_object_has_the_facts_of_its_page_and_what_jobs_changed(app, call, make_result):
    from examples.inventory.models import Site

    run = make_result(status="completed")
    for number in (1, 2):
        author = Author(run.id, 1, "alice")
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            session.on_flush.append(lambda flushed, author=author: record_changes(flushed, author))
            site = session.get(Site, 1)
            site.slug = f"bern-{number}"
            site.save()
            session.commit()
    told = call("GET", "/objects/inventory.site/1").json
    facts = {fact["name"]: fact["value"] for fact in told["facts"]}
    assert (told["pk"], told["text"], told["model"]) == (1, "Site 1", "inventory.site")
    assert facts["status"] == {"pk": 1, "text": "Active", "url": "/objects/inventory.status/1"}
    pages = follow(call, "/objects/inventory.site/1/changes?limit=1")
    assert [[(row["action"], row["result"]) for row in rows] for rows in pages] == [
        [("update", str(run.id))]
    ] * 2
    assert pages[0][0]["differences"] == [{"title": "Slug", "before": "bern-1", "after": "bern-2"}]
    assert call("GET", "/objects/inventory.site/1/changes?after=x").status_code == 422
    for path in ("inventory.site/99", "inventory.site/x", "nothing.here/1", "inventory.site/99/buttons"):
        assert call("GET", f"/objects/{path}").status_code == 404


def test_buttons_are_listed_and_pressed_by_whoever_may_run_their_job(call, db, make_job):
    inputs = [described("StringVar", name, required=False) for name in ("object_pk", "object_model_name")]
    job = make_job("local/buttons/Press", receives="button", variables=inputs)
    for name, more in (("A", {"group_name": "More"}), ("B", {"confirm": False}), ("C", {"enabled": False})):
        db.add(Button(name=name, text=name, object_types=["inventory.site"], job_id=job.id, **more))
    db.commit()
    listed = call("GET", "/objects/inventory.site/1/buttons").json["results"]
    assert [(row["text"], row["group"], row["question"] is None) for row in listed] == [
        ("A", "More", False),
        ("B", None, True),
    ]
    pressed = call("POST", f"/objects/inventory.site/1/buttons/{listed[1]['id']}")
    assert pressed.status_code == 201, pressed.text
    assert pressed.headers["Location"] == f"/api/v1/results/{pressed.json['id']}"
    assert (pressed.json["origin"]["kind"], pressed.json["origin"]["name"]) == ("button", "B")
    assert pressed.json["data"] == {"object_pk": "1", "object_model_name": "inventory.site"}
    assert call("POST", f"/objects/inventory.device/1/buttons/{listed[1]['id']}").status_code == 404
    job.enabled = False
    db.commit()
    assert call("GET", "/objects/inventory.site/1/buttons").json["results"] == []
    assert call("POST", f"/objects/inventory.site/1/buttons/{listed[0]['id']}").status_code == 404
