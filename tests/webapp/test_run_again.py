"""What running again means is said where one is about to: on the page of the run, and in the form it leads to."""

import re
from datetime import timedelta

from store.models import Gathering, now

from .conftest import NOON, described, text

URL = "/jobs/local/greetings/Greet/"
FILE, PIN = described("FileVar", "table", label="Table"), described("SecretVar", "pin", label="PIN")
NOTE = described("StringVar", "note", required=False)


def said(page: str) -> str:
    """Return the sentence on the page of a run."""
    found = re.search(r'<p class="sm again">([^<]*)</p>', page)
    return found[1] if found else ""


def in_form(page: str) -> str:
    """Return the sentence above the form."""
    found = re.search(r"<div>These are the inputs of .*?</div>", page, re.S)
    return re.sub(r"<[^>]+>", "", found[0]) if found else ""


def runs_at_once(page: str) -> bool:
    return 'id="rerun"' in page


def test_what_a_run_needs_again_is_said(alice, db, make_job, make_result):
    facts = {"pin": {"length": 4, "fingerprint": "abcdef"}}
    upload = {"table": {"name": "t.csv", "size": 3}, "note": "x"}
    cases = [
        # (variables, what the run was given, more of it), whether it runs at once, and what is said.
        ([NOTE], {"data": {"note": "x"}}, True, ""),
        ([FILE, NOTE], {"data": upload}, False, "Files are not kept: choose Table again."),
        # No file was given: none is missing.
        ([{**FILE, "required": False}, NOTE], {"data": {"table": None, "note": "x"}}, True, ""),
        (
            [PIN, NOTE],
            {"data": {"note": "x"}, "sealed_facts": facts},
            False,
            "What is sealed is not shown: type PIN again.",
        ),
        (
            [NOTE],
            {"data": {"note": "x", "city": "brn", "old": 1}},
            False,
            "The job has changed since then: it does not ask for city and old any more.",
        ),
        (
            [NOTE, described("IntegerVar", "count", label="Count", required=True, default=None)],
            {"data": {"note": "x"}},
            False,
            "The job has changed since then: it asks for Count, too.",
        ),
    ]
    job = make_job()
    for variables, given, at_once, words in cases:
        job.variables = variables
        result = make_result(job, **given)
        db.rollback()
        page = text(alice.get(f"/results/{result.id}"))
        assert said(page) == words
        assert runs_at_once(page) == at_once, words
        assert ("Run again…" in page) != at_once
        above = in_form(text(alice.get(f"{URL}?_from_result={result.id}")))
        assert f"the run #{result.short_id}" in above
        assert above.endswith(words or ".")
    assert in_form(text(alice.get(URL))) == ""


def test_a_sensitive_job_asks_for_everything_again(alice, db, make_job, make_result):
    job = make_job(variables=[NOTE], has_sensitive_variables=True)
    result = make_result(job, sensitive=True)
    db.rollback()
    words = "The inputs of this job may be sensitive and are not shown again: give them anew."
    assert said(text(alice.get(f"/results/{result.id}"))) == words
    assert words in in_form(text(alice.get(f"{URL}?_from_result={result.id}")))


def test_a_run_that_asked_for_others_asks_for_all_of_them_again(alice, db, make_job, make_result):
    job = make_job()
    parent = make_result(job, gathers=True, created_at=NOON - timedelta(minutes=1))
    db.add(Gathering(result_id=parent.id, method="gather", size=48, total=48, created_at=now()))
    db.commit()
    page = text(alice.get(f"/results/{parent.id}"))
    assert said(page) == "Run again asks for all 48 runs anew."
    assert runs_at_once(page)
