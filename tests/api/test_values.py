"""`/jobs/<job>/values`: what a job keeps between its runs."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from store.models import JobValue
from tests.api.conftest import NOON, described, follow
from worker.kept_values import MOST_KEYS

PLAIN = "/jobs/local/plain/Plain/values"
ODD_KEYS = [
    *(
        "a",
        "a b",
        "a/b",
        "/a",
        "a//b",
        "a/",
        "//",
        "run",
        "values",
        "a/values/b",
        "ü",
        "日本",
        "\U0001f600",
        "\n",
    ),
    *("a\nb", "a\tb", "?", "#", "%", "%2F", "+", "&x=1", ";", "'\"<b>", "x" * 200),
]

NO_CHANGE = "There is no permission by which alice may enable and change jobs."


@pytest.fixture
def kept(db, plain):
    def kept(**values: Any) -> None:
        for key, value in values.items():
            row = {"class_path": plain.class_path, "key": key, "value": value, "updated_at": NOON}
            db.add(JobValue(**row))
        db.commit()

    return kept


def stored(db) -> dict[str, Any]:
    with db.begin():
        return {
            row.key: row.value
            for row in db.scalars(select(JobValue).execution_options(populate_existing=True))
        }


def test_a_value_is_shaped_as_the_documents_say(call, kept, make_result, db):
    result = make_result(status="completed")
    kept(last={"serial": 12, "ü": None})
    with db.begin():
        db.scalars(select(JobValue)).one().result_id = result.id
    shaped = {
        "key": "last",
        "hidden": False,
        "value": {"serial": 12, "ü": None},
        "size": len(json.dumps({"serial": 12, "ü": None})),
        "updated_at": "2026-01-31T12:00:00.000005Z",
        "result": str(result.id),
    }
    assert call("GET", PLAIN).json == {"results": [shaped], "next": None}
    assert call("GET", f"{PLAIN}/last").json == shaped


def test_each_job_has_its_own_by_id_too(call, plain, hello, kept):
    kept(a=1)
    assert call("GET", "/jobs/local/hello/Hello/values").json == {"results": [], "next": None}
    assert len(call("GET", f"/jobs/{plain.id}/values").json["results"]) == 1
    assert call("GET", f"/jobs/{plain.id}/values/a").json["value"] == 1
    assert call("GET", "/jobs/local/hello/Hello/values/a").status_code == 404


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_hold_every_value_once(call, db, kept, limit):
    keys = ["a", "a/b", "b", "c d", "ü", "z&after=a", "%"]
    kept(**dict.fromkeys(keys, 1))
    pages = follow(call, f"{PLAIN}?limit={limit}")
    assert sorted(row["key"] for page in pages for row in page) == sorted(keys)
    assert all(0 < len(page) <= limit for page in pages)


@pytest.mark.parametrize("key", ODD_KEYS)
def test_any_key_can_be_put_read_and_deleted(call, call_as_root, db, plain, key):
    for path in (
        f"{PLAIN}/{quote(key)}",
        f"{PLAIN}/{quote(key, safe='')}",
        f"/jobs/{plain.id}/values/{quote(key)}",
    ):
        answer = call_as_root("PUT", path, json={"value": [key]})
        assert answer.status_code == 201, answer.text
        assert (answer.json["key"], answer.json["value"], answer.json["result"]) == (key, [key], None)
        assert call("GET", answer.headers["Location"].removeprefix("/api/v1")).json == answer.json
        assert stored(db) == {key: [key]}
        assert call("GET", path).json["value"] == [key]
        assert call_as_root("PUT", path, json={"value": None}).status_code == 200
        assert stored(db) == {key: None}
        answer = call_as_root("DELETE", path)
        assert (answer.status_code, answer.data) == (204, b"")
        assert stored(db) == {}
        assert call_as_root("DELETE", path).status_code == call("GET", path).status_code == 404


@pytest.mark.parametrize("class_path", ["local/values/Job", "local/x/values", "values/values/values"])
def test_a_job_may_be_called_as_its_values_are(call, call_as_root, make_job, class_path):
    make_job(class_path)
    assert call("GET", f"/jobs/{class_path}").json["class_path"] == class_path
    assert call("GET", f"/jobs/{class_path}/values").json["results"] == []
    assert call_as_root("PUT", f"/jobs/{class_path}/values/values", json={"value": 1}).status_code == 201
    assert call("GET", f"/jobs/{class_path}/values/values").json["value"] == 1


@pytest.mark.parametrize("key", ["%00", "a%01", "x" * 201, "%E2%80%AEa", "%0D"])
def test_what_is_no_key_is_refused_and_not_found(call_as_root, plain, key):
    answer = call_as_root("PUT", f"{PLAIN}/{key}", json={"value": 1})
    assert answer.status_code == 422
    assert answer.json["errors"] == {"key": ["A key is text of 1 to 200 characters, all of them visible."]}
    assert call_as_root("GET", f"{PLAIN}/{key}").status_code == 404
    assert call_as_root("DELETE", f"{PLAIN}/{key}").status_code == 404


def test_a_value_has_the_limits_that_jobs_have(call_as_root, db, plain, kept):
    largest = "x" * (64 * 1024 - 2)
    assert call_as_root("PUT", f"{PLAIN}/a", json={"value": largest}).json["size"] == 64 * 1024
    answer = call_as_root("PUT", f"{PLAIN}/b", json={"value": f"{largest}x"})
    assert answer.status_code == 422
    assert answer.json["errors"] == {"value": ["b was not kept: a value has at most 64 KB as JSON."]}
    kept(**{f"k{number}": number for number in range(1, MOST_KEYS)})
    answer = call_as_root("PUT", f"{PLAIN}/b", json={"value": 1})
    assert answer.status_code == 422
    assert answer.json["errors"] == {"key": ["b was not kept: a job keeps at most 1,000 values."]}
    assert call_as_root("PUT", f"{PLAIN}/a", json={"value": 1}).status_code == 200, "what is there may change"
    assert len(stored(db)) == MOST_KEYS


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ('{"value": NaN}', "application/json", 400),
        ('{"value": 1, "value": 2}', "application/json", 400),
        ('{"value": ' + "[" * 100 + "]" * 100 + "}", "application/json", 400),
        ("", "application/json", 400),
        ("[1]", "application/json", 422),
        ("{}", "application/json", 422),
        ('{"value": 1, "key": "b"}', "application/json", 422),
        ('{"value": "' + "x" * 2_000_000 + '"}', "application/json", 413),
        ("value=1", "application/x-www-form-urlencoded", 415),
        ('{"value": 1}', None, 415),
    ],
)  # fmt: skip
def test_a_body_that_brings_no_value_is_refused(call_as_root, db, plain, body, kind, status):
    answer = call_as_root("PUT", f"{PLAIN}/a", data=body, content_type=kind)
    assert answer.status_code == status, answer.text
    assert stored(db) == {}


@pytest.mark.parametrize("text", ["\x00", "\ud800", "\u202e", "ü"])
def test_a_text_comes_back_as_it_was(call_as_root, plain, text):
    body = json.dumps({"value": {text: text}})
    assert call_as_root("PUT", f"{PLAIN}/a", data=body, content_type="application/json").status_code == 201
    assert json.loads(call_as_root("GET", f"{PLAIN}/a").text)["value"] == {text: text}


def test_who_may_not_change_the_job_only_reads(call, db, kept):
    kept(a=1)
    for method in ("PUT", "DELETE"):
        answer = call(method, f"{PLAIN}/a", **({"json": {"value": 2}} if method == "PUT" else {}))
        assert (answer.status_code, answer.json["detail"]) == (403, NO_CHANGE)
    assert stored(db) == {"a": 1}


def test_of_a_job_that_is_not_enabled_only_superusers_know(call, call_as_root, db, plain, kept):
    kept(a=1)
    plain.enabled = False
    db.commit()
    for method, path in (
        ("GET", PLAIN),
        ("GET", f"{PLAIN}/a"),
        ("PUT", f"{PLAIN}/a"),
        ("DELETE", f"{PLAIN}/a"),
    ):
        options = {"json": {"value": 2}} if method == "PUT" else {}
        assert call(method, path, **options).status_code == 404
        assert call_as_root(method, path, **options).status_code in (200, 204)


def test_strangers_are_refused(app, kept):
    kept(a=1)
    for method, path in (
        ("GET", PLAIN),
        ("GET", f"{PLAIN}/a"),
        ("PUT", f"{PLAIN}/a"),
        ("DELETE", f"{PLAIN}/a"),
    ):
        assert app.test_client().open(f"/api/v1{path}", method=method).status_code == 401


@pytest.mark.parametrize(
    "values", [{"has_sensitive_variables": True}, {"variables": [described("SecretVar", "password")]}]
)
def test_of_a_job_with_sensitive_inputs_only_keys_are_shown(call, call_as_root, db, plain, kept, values):
    kept(a="geheim")
    for name, value in values.items():
        setattr(plain, name, value)
    db.commit()
    for caller in (call, call_as_root):
        listed = caller("GET", PLAIN)
        [row] = listed.json["results"]
        assert (row["key"], row["hidden"], row["value"], row["size"]) == ("a", True, None, None)
        one = caller("GET", f"{PLAIN}/a")
        assert one.status_code == 403
        assert "geheim" not in listed.text + one.text
    answer = call_as_root("PUT", f"{PLAIN}/a", json={"value": "geheim2"})
    assert (answer.status_code, answer.json["value"]) == (200, None)
    assert stored(db) == {"a": "geheim2"}
    assert call_as_root("DELETE", f"{PLAIN}/a").status_code == 204


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "after=%00", "q=x", "after=a&after=b"])
def test_parameters_that_cannot_be_meant_are_refused(call, plain, query):
    assert call("GET", f"{PLAIN}?{query}").status_code == 422


@pytest.mark.parametrize(
    "path",
    ["/jobs/local/none/None/values", "/jobs/nothing/values", "/jobs/local/none/None/values/a", f"{PLAIN}/"],
)
def test_what_is_not_there_is_a_404(call, plain, path):
    answer = call("GET", path)
    assert answer.status_code == 404
    assert "detail" in answer.json


def test_all_at_once_are_not_deleted_by_an_address_that_lost_its_key(call_as_root, db, kept):
    kept(a=1)
    assert call_as_root("DELETE", PLAIN).status_code == 405
    assert call_as_root("DELETE", f"{PLAIN}/").status_code in (404, 405)
    assert stored(db) == {"a": 1}
