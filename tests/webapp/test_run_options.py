"""What the form offers for one run alone, and what the result's page says of it."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from store.models import JobResult

from .conftest import Browser, running, signed_in, text

URL = "/jobs/local/greetings/Greet/"
SINGLETON = {"concurrency_limit": 1, "concurrency_policy": "singleton"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def debugging(settings) -> Iterator[Flask]:
    yield from running(replace(settings, debug=True))


@pytest.fixture
def debugger(debugging, db, cast) -> Browser:
    """Alice, while debug is on."""
    return signed_in(debugging, db, cast["alice"])


def stored(db) -> list[JobResult]:
    with db.begin():
        return list(db.scalars(select(JobResult).order_by(JobResult.created_at)))


def switches(page: str) -> dict[str, bool]:
    """Return the switches of options, and whether each is on."""
    found = re.findall(r'<input class="sw"[^>]* name="(_\w+)" value="true"( checked)?', page)
    return {name: bool(on) for name, on in found}


def test_a_form_offers_what_can_be_had(alice, root, debugger, make_job):
    make_job()
    assert switches(text(alice.get(URL))) == switches(text(root.get(URL))) == {}
    assert "How to run" in text(debugger.get(URL))
    assert switches(text(debugger.get(URL))) == {"_profile": False}


def test_a_singleton_offers_to_ignore_its_lock(alice, debugger, make_job):
    make_job(**SINGLETON)
    assert switches(text(alice.get(URL))) == {"_ignore_singleton_lock": False}
    assert switches(text(debugger.get(URL))) == {"_profile": False, "_ignore_singleton_lock": False}


def test_what_is_switched_on_is_asked_for(debugger, make_job, db):
    make_job(**SINGLETON)
    for sent in ({}, {"_profile": "true"}, {"_ignore_singleton_lock": "true"}):
        assert debugger.post(URL, sent).status_code == 303
    asked = [(result.profile, result.ignore_singleton_lock) for result in stored(db)]
    assert asked == [(False, False), (True, False), (False, True)]


def test_a_superuser_is_taken_at_their_word(root, make_job, db):
    make_job()
    assert root.post(URL, {"_profile": "true"}).status_code == 303
    assert stored(db)[0].profile


def test_what_cannot_be_had_is_refused_though_it_was_not_offered(alice, make_job, db):
    make_job()
    answer = alice.post(URL, {"_profile": "true", "_ignore_singleton_lock": "true"})
    assert answer.status_code == 422
    page = text(answer)
    assert "_profile: Only a superuser may have a run profiled, unless ERRAND_DEBUG is on." in page
    assert "_ignore_singleton_lock: This job is no singleton: there is no lock to ignore." in page
    assert "2 inputs need a change" in page
    assert stored(db) == []


def test_a_refused_form_keeps_its_switches(debugger, make_job):
    make_job(**SINGLETON)
    answer = debugger.post(URL, {"_profile": "true", "_queue": "nowhere"})
    assert answer.status_code == 422
    assert switches(text(answer)) == {"_profile": True, "_ignore_singleton_lock": False}
    answer = debugger.post(URL, {"_ignore_singleton_lock": "true", "_update": "x"})
    assert switches(text(answer)) == {"_profile": False, "_ignore_singleton_lock": True}


def test_run_again_carries_neither(root, make_job, make_result, db):
    earlier = make_result(make_job(**SINGLETON), profile=True, ignore_singleton_lock=True)
    assert root.post(f"/results/{earlier.id}/rerun").status_code == 303
    again = next(result for result in stored(db) if result.id != earlier.id)
    assert (again.profile, again.ignore_singleton_lock) == (False, False)
    assert switches(text(root.get(f"{URL}?_from_result={earlier.id}"))) == {"_ignore_singleton_lock": False}


def test_the_page_of_a_result_says_what_was_asked(alice, make_job, make_result):
    job = make_job()
    plain = text(alice.get(f"/results/{make_result(job).id}"))
    assert "Profile" not in plain
    assert "Singleton lock ignored" not in plain
    asked = make_result(job, profile=True, ignore_singleton_lock=True)
    page = text(alice.get(f"/results/{asked.id}"))
    assert "<span>Profiled</span><span>Singleton lock ignored</span>" in page


def test_the_hottest_functions_are_told_and_never_markup(alice, make_job, make_result):
    functions = [
        {
            "function": f"{HOSTILE} (greetings.py:7)",
            "calls": 4812,
            "own_seconds": 0.25,
            "cumulative_seconds": 1.5,
        },
    ]
    page = text(alice.get(f"/results/{make_result(make_job(), profile=True, hot_functions=functions).id}"))
    assert '<h2 id="h-prof">Profile</h2>' in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; (greetings.py:7)" in page
    assert HOSTILE not in page
    assert "0.250s" in page
    assert "1.500s" in page
