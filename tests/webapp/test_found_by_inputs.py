"""Results are found by their inputs and queues: on the list, as a file and by bulk acts."""

import re
from datetime import timedelta

import pytest

from store.models import SavedFilter
from webapp import bulk, result_list

from .conftest import NOON, described, text

CHOICES = [["zrh", "Zürich"], ["brn", "Bern"]]
HOSTILE = "<b>&\"'{{7*7}}"


def names(page: str) -> list[str]:
    return re.findall(r'<a class="name"[^>]*>([^<]+)<', page)


@pytest.fixture
def runs(db, make_job, make_result) -> list[str]:
    """Make 6 runs, a minute apart: the ids, the oldest first."""
    variables = [described("ChoiceVar", "city", choices=CHOICES), described("IntegerVar", "count")]
    variables += [described("BooleanVar", "dry"), described("SecretVar", "pin")]
    moves = make_job("Moves", variables=variables)
    other = make_job("Other")
    data = [
        (moves, {"city": "brn", "count": 1}),
        (moves, {"city": "zrh", "count": 5}),
        (other, {"city": "bern"}),
        (other, {"text": HOSTILE}),
        (moves, {"city": "brn", "count": 9}),
        (other, {}),
    ]
    return [
        str(
            make_result(
                job, data=given, created_at=NOON + timedelta(minutes=n), queue="slow" if n == 5 else "default"
            ).id
        )
        for n, (job, given) in enumerate(data)
    ]


def test_the_list_is_filtered_by_inputs_and_queue(alice, runs):
    def found(**filters) -> list[int]:
        page = text(alice.fragment("/results/", query_string=filters))
        return sorted(runs.index(key) for key in re.findall(r'<a class="name" href="/results/([^"]+)"', page))

    assert found(input="city:brn") == [0, 4]
    # What is called so is known of the job that is chosen.
    assert found(input="city:bern", job="local/greetings/Moves") == [0, 4]
    assert found(input="city:bern") == [2]
    assert found(input=["city:brn", "count>=5"]) == [4]
    assert found(input=f"text={HOSTILE}") == [3]
    assert found(queue="slow") == [5]
    assert found(queue="slow", input="city") == []
    assert found(input="city:") == [0, 1, 2, 3, 4, 5]


def test_what_is_asked_stands_in_chips_and_is_kept(alice, db, runs):
    job = "local/greetings/Moves"
    page = text(alice.get("/results/", query_string={"input": ["city:brn", "count>=5", "7:x"], "job": job}))
    assert '<input type="hidden" name="input" value="count&gt;=5">' in page
    assert f'href="/results/?job={job}&amp;input=count%3E%3D5">city:brn ' in page
    assert "“7:x” asks nothing of an input." in page
    offered = re.findall(r'<option value="([^"]*)">(?!<?[^<]*</option>)', page[page.index("<datalist") :])
    assert offered == ["city:Zürich", "city:Bern", "count:", "dry:yes", "dry:no"]
    filters = {"name": "Bern", "job": job, "input": ["city:brn", "count>=5"]}
    answer = alice.post("/results/filters", filters)
    assert answer.headers["Location"].endswith(f"?job={job}&input=city:brn&input=count%3E%3D5")
    db.rollback()
    assert db.query(SavedFilter).one().arguments == {"job": job, "input": ["city:brn", "count>=5"]}
    assert 'aria-current="page">Bern' in text(alice.get(answer.headers["Location"]))
    assert HOSTILE not in text(alice.get("/results/", query_string={"input": f"text={HOSTILE}"}))


@pytest.fixture
def tired(monkeypatch) -> None:
    """Have no more than 2 results looked through at once."""
    for module in (result_list, bulk):
        monkeypatch.setattr(module, "MOST_LOOKED_THROUGH", 2)


def test_old_results_are_looked_through_in_parts(alice, runs, tired):
    address, seen = "/results/?input=city:brn", []
    for _ in range(4):
        page = text(alice.fragment(address))
        seen.append(names(page))
        further = re.search(r'rel="next" href="([^"]+)">Look further back', page)
        if not further:
            break
        address = further[1].replace("&amp;", "&")
    assert seen == [["Moves"], [], ["Moves"]]
    lines = text(alice.get("/results/results.csv?input=city:brn")).splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [runs[4], runs[0]]
    assert text(alice.get("/results/bulk/count?input=city:brn")) == "All 1 that match among the newest 2"


def test_sealed_inputs_are_never_found(alice, make_job, make_result):
    job = make_job(variables=[described("SecretVar", "pin")])
    facts = {"pin": {"fingerprint": "f1a5", "length": 4}}
    make_result(job, data={"name": "x"}, sealed_data=b"pin 1234", sealed_facts=facts)
    for term, shown in (("name", 1), ("pin", 0), ("pin:1234", 0), ("pin:f1a5", 0), ("sealed_facts", 0)):
        page = text(alice.fragment("/results/", query_string={"input": term, "job": job.class_path}))
        assert len(names(page)) == shown, term
    page = text(alice.get("/results/", query_string={"job": job.class_path}))
    assert '<option value="pin' not in page
