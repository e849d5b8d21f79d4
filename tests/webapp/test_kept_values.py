"""Kept values on pages: seen by those who see the job, deleted by those who may change it, after a question."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from store.models import JobValue
from webapp.kept_values import PAGE_SIZE

from .conftest import NOON, described, text

URL = "/jobs/local/greetings/Greet"
ODD = "a\n/b?key=c&<i>'\" ü%"


@pytest.fixture
def kept(db, make_job):
    job = make_job()

    def kept(**values):
        for key, value in values.items():
            db.add(JobValue(class_path=job.class_path, key=key, value=value, updated_at=NOON))
        db.commit()
        return job

    return kept


def keys(db) -> set[str]:
    with db.begin():
        return set(db.scalars(select(JobValue.key)))


def links(page: str, part: str) -> list[str]:
    return [unescape(link) for link in re.findall(r'(?:href|action)="([^"]+)"', page) if part in link]


def test_everybody_sees_them_and_only_who_may_change_the_job_may_delete(alice, root, kept, make_result):
    result = make_result(job := kept(last={"serial": 12}))
    assert job.class_path in URL
    for browser, may in ((alice, False), (root, True)):
        for path in ("/values", "/value?key=last"):
            page = text(browser.get(f"{URL}{path}"))
            assert "serial" in page
            assert ("Delete" in page) is may
        assert "1 value</a>" in text(browser.get(f"{URL}/"))
    assert f'href="/results/{result.id}"' not in text(root.get(f"{URL}/values")), "no run has written it"


def test_a_job_that_keeps_nothing_says_so(alice, root, kept):
    kept()
    assert "Kept values" not in text(alice.get(f"{URL}/"))
    assert "It keeps nothing" in text(alice.get(f"{URL}/values"))
    assert "keeps nothing" in text(root.get(f"{URL}/forget"))
    assert alice.get(f"{URL}/value?key=none").status_code == alice.get(f"{URL}/value").status_code == 404


def test_a_value_names_the_run_that_wrote_it(alice, kept, make_result, db):
    result = make_result(kept(last=1))
    with db.begin():
        db.scalars(select(JobValue)).one().result_id = result.id
    for path in ("/values", "/value?key=last"):
        assert f'<a href="/results/{result.id}">by a run</a>' in text(alice.get(f"{URL}{path}"))


@pytest.mark.parametrize("key", ["a", ODD, "/", "\n", "x" * 200])
def test_one_is_deleted_after_a_question(root, kept, db, key):
    kept(**{key: "<script>", "other": 2})
    (question,) = {link for link in links(text(root.get(f"{URL}/values")), "/forget?") if "other" not in link}
    assert links(text(root.get(f"{URL}/value?{urlencode({'key': key})}")), "/forget?") == [question]
    page = text(root.get(question))
    assert "Delete value</button>" in page
    assert keys(db) == {key, "other"}, "asking deletes nothing"
    (action,) = links(page, "/forget?")
    answer = root.post(action, {}, follow_redirects=True)
    assert answer.status_code == 200
    assert "Deleted " in text(answer)
    assert keys(db) == {"other"}
    assert "keeps no value of that key any more" in text(root.post(action, {}, follow_redirects=True))
    assert root.get(question).status_code == 404


def test_all_are_deleted_after_a_question(root, kept, db):
    kept(**{f"k{number}": number for number in range(3)})
    (question,) = {link for link in links(text(root.get(f"{URL}/values")), "/forget") if "?" not in link}
    page = text(root.get(question))
    assert "Delete 3 values?" in page
    assert '<input type="hidden" name="all" value="yes">' in page
    assert root.post(question, {}).status_code == 404, "not by mistake"
    assert keys(db) == {"k0", "k1", "k2"}
    assert "Deleted 3 values of Greet." in text(root.post(question, {"all": "yes"}, follow_redirects=True))
    assert keys(db) == set()


def test_who_may_not_change_the_job_deletes_nothing(alice, stranger, kept, db):
    kept(a=1)
    for path in ("/forget", "/forget?key=a"):
        assert alice.get(f"{URL}{path}").status_code == 403
        assert alice.post(f"{URL}{path}", {"all": "yes"}).status_code == 403
        assert stranger.get(f"{URL}{path}").status_code == 303
        assert stranger.client.post(f"{URL}{path}", data={"all": "yes"}).status_code in (303, 400)
    assert keys(db) == {"a"}


def test_a_form_without_its_token_deletes_nothing(root, kept, db):
    kept(a=1)
    assert root.client.post(f"{URL}/forget?key=a").status_code == 400
    assert root.client.post(f"{URL}/forget", data={"all": "yes"}).status_code == 400
    assert keys(db) == {"a"}


def test_of_a_job_that_is_not_enabled_others_know_nothing(alice, root, kept, db):
    kept(a=1).enabled = False
    db.commit()
    for path in ("/values", "/value?key=a", "/forget?key=a"):
        assert alice.get(f"{URL}{path}").status_code == 404
        assert root.get(f"{URL}{path}").status_code == 200
    assert alice.post(f"{URL}/forget?key=a", {}).status_code == 404
    assert keys(db) == {"a"}


@pytest.mark.parametrize(
    "values", [{"has_sensitive_variables": True}, {"variables": [described("SecretVar", "password")]}]
)
def test_of_a_job_with_sensitive_inputs_only_keys_are_shown(alice, root, kept, db, values):
    job = kept(last="geheim")
    for name, value in values.items():
        setattr(job, name, value)
    db.commit()
    for browser in (alice, root):
        for path in ("/values", "/value?key=last"):
            page = text(browser.get(f"{URL}{path}"))
            assert "last" in page
            assert "only the keys of what it keeps are shown" in page
            assert "geheim" not in page
            assert "8 bytes" not in page
    root.post(f"{URL}/forget?key=last", {})
    assert keys(db) == set()


def test_pages_hold_every_key_once(alice, kept):
    kept(**{f"k{number:03}": "x" * 60_000 for number in range(2 * PAGE_SIZE + 1)})
    seen, page = [], text(alice.get(f"{URL}/values"))
    while True:
        assert len(page) < 80_000
        seen += re.findall(r'class="name mono" href="[^"]+">(k\d+)<', page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        if more is None:
            break
        page = text(alice.get(unescape(more[1])))
        assert "First page" in page
    assert seen == [f"k{number:03}" for number in range(2 * PAGE_SIZE + 1)]
    assert "No more values" in text(alice.get(f"{URL}/values?after=zzz"))
    assert alice.get(f"{URL}/values?after=%00").status_code == 200


def test_a_key_and_a_value_are_never_markup(root, kept):
    hostile = "<img src=x onerror=alert(1)>"
    kept(**{hostile: [hostile, "\u202e"]})
    for path in (
        "/values",
        f"/value?{urlencode({'key': hostile})}",
        f"/forget?{urlencode({'key': hostile})}",
    ):
        page = text(root.get(f"{URL}{path}"))
        assert "<img" not in page
        assert "\u202e" not in page
    answer = text(root.post(f"{URL}/forget?{urlencode({'key': hostile})}", {}, follow_redirects=True))
    assert "<img" not in answer


def test_a_job_is_found_by_its_id_too(root, kept, db):
    job = kept(a=1)
    for path in ("values", "value?key=a", "forget?key=a"):
        assert root.get(f"/jobs/{job.id}/{path}").status_code == 200
    assert root.post(f"/jobs/{job.id}/forget?key=a", {}).status_code == 303
    assert keys(db) == set()
