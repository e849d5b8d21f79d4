"""`/hooks`, `/chains`, `/buttons`: what makes runs when something happens, with the checks of the pages."""

import shutil

import pytest
from sqlalchemy import delete, select

from store.models import AuditRecord, Button, Chain, Hook, Permission
from store.settings import load_settings
from tests.api.conftest import close, described, follow
from webapp.app import create_app


@pytest.fixture
def app(settings, migrated_sqlite, monkeypatch):
    monkeypatch.setenv("ERRAND_PLUGINS", "examples.inventory")
    shutil.copy(migrated_sqlite / "data.db", settings.instance)
    app = create_app(load_settings(settings.instance))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield app
    close(app)


def check(call, path, given, wrongs):
    """Be refused with each wrong body, and make one."""
    for wrong, errors in wrongs:
        answer = call("POST", path, json={**given, **wrong})
        assert (answer.status_code, answer.json.get("errors")) == (422, errors), wrong
    answer = call("POST", path, json=given)
    assert answer.status_code == 201, answer.text
    url = f"{path}/{answer.json['id']}"
    assert answer.headers["Location"] == f"/api/v1{url}"
    assert call("GET", url).json == answer.json
    assert call("GET", path).json["results"] == [answer.json]
    return url, answer.json


def changed(call, url, **given):
    answer = call("PATCH", url, json=given)
    assert answer.status_code == 200, answer.text
    return answer.json


def noted(db, noun):
    with db.begin():
        query = select(AuditRecord.action).where(AuditRecord.action.startswith(f"{noun}."))
        return list(db.scalars(query.order_by(AuditRecord.id)))


def test_hooks(call, call_as_root, make_job, plain, db):
    hears = make_job("local/net/Hears", receives="hook")
    given = {
        "name": "Mine",
        "job": "local/net/Hears",
        "object_types": ["inventory.site", "inventory.device", "inventory.site"],
        "actions": ["update", "delete"],
    }
    url, made = check(
        call_as_root,
        "/hooks",
        given,
        (
            ({"name": " "}, {"name": ["This field is required."]}),
            ({"job": "local/no/No"}, {"job": ["Choose from: local/net/Hears."]}),
            ({"job": str(plain.id)}, {"job": ["Choose from: local/net/Hears."]}),
            ({"actions": []}, {"actions": ["Choose from: create, update, delete."]}),
            ({"actions": ["x"]}, {"actions": ["Give one of 'create', 'update' or 'delete'."]}),
            ({"if": 1}, {"if": ["There is no such key."]}),
        ),
    )
    unknown = call_as_root("POST", "/hooks", json={**given, "object_types": ["no.thing"]}).json["errors"]
    assert unknown["object_types"][0].startswith("Choose from: inventory.")
    assert (made["job"], made["object_types"]) == (str(hears.id), ["inventory.device", "inventory.site"])
    beside = call_as_root("POST", "/hooks", json={**given, "name": "Other", "actions": ["delete"]})
    assert "The hook Mine runs this job already" in beside.json["errors"]["object_types"][0]
    twice = call_as_root("POST", "/hooks", json={**given, "actions": ["create"]})
    assert twice.json["errors"] == {"name": ["There is a hook of this name already."]}
    off = changed(call_as_root, url, enabled=False)
    assert {**off, "enabled": True, "since": made["since"]} == made
    assert off["since"] > made["since"]
    named = changed(call_as_root, url, name="New")
    assert (named["name"], named["since"]) == ("New", off["since"]), "its name means nothing"
    assert call_as_root("GET", "/hooks?enabled=true").json["results"] == []
    assert call_as_root("GET", f"/hooks?q=NE&enabled=false&job={hears.id}").json["results"] == [named]
    for method, path in (
        ("GET", "/hooks"),
        ("GET", url),
        ("POST", "/hooks"),
        ("PATCH", url),
        ("DELETE", url),
    ):
        body = {"json": given} if method == "POST" else {}
        assert call(method, path, **body).status_code == 404, "alice may not know of it"
    assert call_as_root("DELETE", url).status_code == 204
    assert db.scalars(select(Hook)).all() == []
    db.commit()
    assert noted(db, "hook") == ["hook.create", "hook.change", "hook.change", "hook.delete"]


def test_who_may_not_run_a_job_has_no_hook_run_it(call_as_root, calls_of, carol, make_job, db):
    make_job("local/net/Hears", receives="hook")
    mine, other = make_job("local/mine/Mine", receives="hook"), make_job("local/net/Other", receives="hook")
    db.execute(delete(Permission).where(Permission.kind == "job"))
    db.add(Permission(name="Hooks", kind="hook", actions=["view", "change"], users=[carol]))
    db.add(Permission(name="Looks", kind="job", actions=["view"], users=[carol]))
    groups = [{"grouping": "mine"}]
    db.add(Permission(name="Runs", kind="job", actions=["run"], constraints=groups, users=[carol]))
    db.commit()
    by_carol = calls_of(carol)
    given = {"name": "Mine", "object_types": ["inventory.site"], "actions": ["update"]}
    refused = {"job": ["You may not run Hears yourself."]}
    for enabled in (True, False):
        answer = by_carol("POST", "/hooks", json={**given, "job": "local/net/Hears", "enabled": enabled})
        assert (answer.status_code, answer.json.get("errors")) == (422, refused), answer.text
    url = f"/hooks/{by_carol('POST', '/hooks', json={**given, 'job': str(mine.id)}).json['id']}"
    for change in ({"job": "local/net/Hears"}, {"job": "local/net/Hears", "enabled": False}):
        assert by_carol("PATCH", url, json=change).json["errors"] == refused
    changed(call_as_root, url, job=str(other.id))
    wider = by_carol("PATCH", url, json={"actions": ["create", "update"]})
    assert wider.json["errors"] == {"job": ["You may not run Other yourself."]}
    assert changed(by_carol, url, enabled=False)["enabled"] is False, (
        "that it runs nothing needs no such right"
    )
    assert by_carol("PATCH", url, json={"enabled": True}).status_code == 422


def test_chains(call, call_as_root, calls_of, carol, plain, make_job, db):
    site = described("StringVar", "site")
    following = make_job("local/net/Next", variables=[site, described("IntegerVar", "count")])
    given = {
        "name": "Then",
        "job": str(plain.id),
        "next_job": "local/net/Next",
        "data": {"site": "{{ result.data.site }}", "count": 3},
    }
    url, made = check(
        call_as_root,
        "/chains",
        given,
        (
            ({"name": "x" * 101}, {"name": ["Ensure this value has at most 100 characters."]}),
            ({"job": "x"}, {"job": ["Choose from: local/net/Next, local/plain/Plain."]}),
            ({"on": "never"}, {"on": ["Give one of 'completed', 'failed' or 'ended'."]}),
            (
                {"next_job": str(plain.id), "data": {}},
                {"next_job": ["That leads back to the first job, so it would never end."]},
            ),
            ({"data": {"a\nb": 1}}, {"data.a\nb": ["Next has no variable a\nb; it has: count, site."]}),
            ({"data": {"site": ["\x00"]}}, {"data": ["This holds a character that cannot be stored."]}),
        ),
    )
    wrong = call_as_root("POST", "/chains", json={**given, "data": {"site": "{{ result.secret }}"}})
    assert "There is no result.secret" in wrong.json["errors"]["data.site"][0]
    assert (made["on"], made["data"], made["next_job"]) == ("completed", given["data"], str(following.id))
    other = changed(call_as_root, url, on="ended", enabled=False)
    assert {**other, "on": "completed", "enabled": True} == made
    assert changed(call_as_root, url, data={"count": 4})["data"] == {"count": 4}
    lost = call_as_root("PATCH", url, json={"next_job": str(make_job("local/net/Other").id)})
    assert list(lost.json["errors"]) == ["data.count"], "what it hands on does not fit another job"
    second = call_as_root("POST", "/chains", json={**given, "name": "Again"}).json
    pages = follow(call_as_root, "/chains?limit=1&sort=-name&job=local/plain/Plain")
    assert [row["name"] for page in pages for row in page] == ["Then", "Again"]
    # Who may look at chains, and no more.
    db.add(Permission(name="Looks", kind="chain", actions=["view"], users=[carol]))
    db.commit()
    looks = calls_of(carol)
    assert looks("GET", url).status_code == 200
    for method, path in (("POST", "/chains"), ("PATCH", url), ("DELETE", url)):
        assert looks(method, path, json=given if method == "POST" else {}).status_code in (403, 415), path
    assert call("GET", url).status_code == 404
    for path in (url, f"/chains/{second['id']}"):
        assert call_as_root("DELETE", path).status_code == 204
    assert db.scalars(select(Chain)).all() == []
    db.commit()
    assert noted(db, "chain")[-1] == "chain.delete"


def test_buttons(call, call_as_root, make_job, db):
    inputs = [described("StringVar", name) for name in ("object_pk", "object_model_name")]
    make_job("local/net/Press", receives="button", variables=inputs)
    given = {
        "name": "Restart",
        "job": "local/net/Press",
        "object_types": ["inventory.site"],
        "text": "Restart {{ obj.name }}",
        "weight": 7,
    }
    url, made = check(
        call_as_root,
        "/buttons",
        given,
        (
            ({"text": ""}, {"text": ["This field is required."]}),
            ({"weight": -1}, {"weight": ["Give a whole number from 0 to 32,767."]}),
            ({"style": "loud"}, {"style": ["Give one of 'plain', 'go' or 'bad'."]}),
            (
                {"group_name": "x" * 101},
                {"group_name": ["Ensure this value has at most 100 characters."]},
            ),
        ),
    )
    broken = call_as_root("POST", "/buttons", json={**given, "text": "{{ obj."})
    assert list(broken.json["errors"]) == ["text"]
    assert (made["confirm"], made["style"], made["group_name"], made["weight"]) == (True, "plain", "", 7)
    assert changed(call_as_root, url, style="bad", confirm=False) == {
        **made,
        "style": "bad",
        "confirm": False,
    }
    assert call("PATCH", url, json={"name": "Mine"}).status_code == 404
    assert call_as_root("DELETE", url).status_code == 204
    assert db.scalars(select(Button)).all() == []
    db.commit()
    assert noted(db, "button") == ["button.create", "button.change", "button.delete"]
