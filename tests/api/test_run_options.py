"""What may be asked for one run alone: its profile, and to ignore the lock of a singleton."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from store.models import JobResult
from tests.api.conftest import close
from tests.multipart import multipart
from webapp.app import create_app

NO_DEBUG = {"_profile": ["Only a superuser may have a run profiled, unless ERRAND_DEBUG is on."]}
NO_SINGLETON = {"_ignore_singleton_lock": ["This job is no singleton: there is no lock to ignore."]}

FORMS: dict[str, Callable[..., dict[str, Any]]] = {
    "json": lambda **options: {"json": options},
    "parts": lambda **options: multipart(**{f"_{name}": str(on).lower() for name, on in options.items()}),
}


@pytest.fixture
def single(make_job):
    return make_job("local/single/Single", concurrency_limit=1, concurrency_policy="singleton")


@pytest.fixture(params=FORMS)
def body(request):
    return FORMS[request.param]


def stored(db) -> list[JobResult]:
    db.rollback()
    return list(db.scalars(select(JobResult)))


def chosen(answer) -> tuple[int, bool, bool]:
    return answer.status_code, answer.json["profile"], answer.json["ignore_singleton_lock"]


def test_a_superuser_has_a_run_profiled(call_as_root, plain, body):
    answer = call_as_root("POST", "/jobs/local/plain/Plain/run", **body(profile=True))
    assert chosen(answer) == (201, True, False)


def test_nobody_else_does_while_debug_is_off(call, db, plain, body):
    assert chosen(call("POST", "/jobs/local/plain/Plain/run", **body(profile=False))) == (201, False, False)
    answer = call("POST", "/jobs/local/plain/Plain/run", **body(profile=True))
    assert (answer.status_code, answer.json["errors"]) == (422, NO_DEBUG)
    assert len(stored(db)) == 1


def test_everybody_does_while_debug_is_on(settings, alice, make_token, plain, body):
    app = create_app(replace(settings, debug=True))
    try:
        headers = {"Authorization": f"Token {make_token(alice)}"}
        answer = app.test_client().post(
            "/api/v1/jobs/local/plain/Plain/run", headers=headers, **body(profile=True)
        )
        assert chosen(answer) == (201, True, False)
    finally:
        close(app)


def test_whoever_may_run_a_singleton_may_ignore_its_lock(call, single, body):
    answer = call("POST", "/jobs/local/single/Single/run", **body(ignore_singleton_lock=True))
    assert chosen(answer) == (201, False, True)
    assert call("GET", f"/results/{answer.json['id']}").json["ignore_singleton_lock"] is True


def test_other_jobs_have_no_lock(call, db, plain, body):
    answer = call("POST", "/jobs/local/plain/Plain/run", **body(ignore_singleton_lock=True))
    assert (answer.status_code, answer.json["errors"]) == (422, NO_SINGLETON)
    both = call("POST", "/jobs/local/plain/Plain/run", **body(ignore_singleton_lock=True, profile=True))
    assert both.json["errors"] == {**NO_DEBUG, **NO_SINGLETON}
    assert stored(db) == []


@pytest.mark.parametrize("name", ["profile", "ignore_singleton_lock"])
@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_each_is_true_or_false(call_as_root, db, single, name, value):
    answer = call_as_root("POST", "/jobs/local/single/Single/run", json={name: value})
    assert (answer.status_code, answer.json["errors"]) == (422, {f"_{name}": ["Give true or false."]})
    assert stored(db) == []


@pytest.mark.parametrize("name", ["profile", "ignore_singleton_lock"])
def test_null_stands_for_no(call, single, name):
    assert chosen(call("POST", "/jobs/local/single/Single/run", json={name: None})) == (201, False, False)


@pytest.mark.parametrize("given", [["yes"], [""], ["true", "true"]])
def test_a_part_is_true_or_false_once(call_as_root, db, plain, given):
    answer = call_as_root("POST", "/jobs/local/plain/Plain/run", **multipart(_profile=given))
    assert answer.json["errors"] == {"_profile": ["Give true or false, once."]}
    assert stored(db) == []


def test_a_key_that_is_unknown_names_those_there_are(call, plain):
    answer = call("POST", "/jobs/local/plain/Plain/run", json={"_profile": True})
    known = "data, commit, queue, profile and ignore_singleton_lock"
    assert answer.json["errors"] == {"_profile": [f"There is no such key; there are {known}."]}
