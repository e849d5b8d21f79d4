"""Addresses, moments, exact numbers and JSON in the form: each as an input of its kind, nothing typed is lost."""

import re

import pytest
from sqlalchemy import select

from store.models import JobResult

from .conftest import described, text

URL = "/jobs/local/greetings/Greet/"

VARIABLES = [
    described("IPNetworkVar", "net", min_prefix_length=8, max_prefix_length=24),
    described("DateVar", "day", default="2026-01-31", min_value="2026-01-01", max_value=None),
    described("DateTimeVar", "at", default="2026-01-31T14:30:00+00:00", min_value=None, max_value=None),
    described("DecimalVar", "price", min_value="0", max_value=None, decimal_places=2),
    described("JSONVar", "extra", required=False, default={"a": [1]}),
]
VALID = {
    "v-net": "10.0.0.0/8",
    "v-day": "2026-02-01",
    "v-at": "2026-02-01T08:15",
    "v-price": "1.50",
    "v-extra": '{"b": null}',
}
STORED = {
    "net": "10.0.0.0/8",
    "day": "2026-02-01",
    "at": "2026-02-01T08:15:00+00:00",
    "price": "1.50",
    "extra": {"b": None},
}


@pytest.fixture
def job(make_job):
    return make_job(variables=VARIABLES)


def results(db) -> list[JobResult]:
    with db.begin():
        return list(db.scalars(select(JobResult)))


def test_each_is_an_input_of_its_kind(alice, job):
    page = text(alice.get(URL))
    assert 'id="id_net" name="v-net" value=""' in page
    assert 'type="date" value="2026-01-31" min="2026-01-01" required' in page
    assert 'type="datetime-local" value="2026-01-31T14:30" required' in page
    assert "In UTC." in page
    assert 'name="v-price" inputmode="decimal"' in page
    assert '<textarea class="in mono" id="id_extra"' in page
    assert "&#34;a&#34;: [" in page


def test_what_is_sent_is_stored_as_json(alice, job, db):
    assert alice.post(URL, VALID).status_code == 303
    assert results(db)[0].data == STORED


def test_what_cannot_be_taken_stays_as_it_was_typed_with_a_sentence_beside_it(alice, job, db):
    wrong = {
        "v-net": "10.0.0.1/24",
        "v-day": "soon",
        "v-at": "at noon",
        "v-price": "1,5",
        "v-extra": "{nothing",
    }
    answer = alice.post(URL, wrong)
    page = text(answer)
    assert answer.status_code == 422
    for typed in wrong.values():
        assert typed in page
    assert "Did you mean 10.0.0.0/24?" in page
    assert 'type="date"' not in page
    assert not re.search(r'type="datetime-local"[^>]*name="v-at"|name="v-at"[^>]*type="datetime-local"', page)
    assert results(db) == []


def test_an_earlier_run_is_shown_and_taken_again(alice, job, db):
    alice.post(URL, VALID)
    result = results(db)[0]
    shown = text(alice.get(f"/results/{result.id}"))
    assert "{&#34;b&#34;: null}" in shown
    again = text(alice.get(f"{URL}?_from_result={result.id}"))
    assert 'value="2026-02-01T08:15"' in again
    assert 'value="1.50"' in again
    assert "&#34;b&#34;: null" in again
