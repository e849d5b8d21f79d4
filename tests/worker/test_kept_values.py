"""What jobs keep between their runs, in the hands of people: while runs go on, and on both databases."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from store.models import JobRecord, JobValue
from tests.worker.conftest import Portal, Web
from tests.worker.engine import Engine, at_once
from worker import kept_values
from worker.job_values import remember
from worker.kept_values import (
    MOST_KEYS,
    are_hidden,
    count_kept,
    find_kept,
    forget,
    forget_all,
    keep,
    list_kept,
)
from worker.values import Values

pytestmark = pytest.mark.in_turn

PATH = "local/remembering/Remembers"


@pytest.fixture
def db(portal: Portal) -> Iterator[Session]:
    with portal.platform.session() as session:
        yield session


def test_what_a_run_has_kept_is_listed_found_and_deleted(portal: Portal, db: Session):
    result = portal.run(
        "Remembers", raw={"acts": [["set", "b", {"ü": [1, None]}], ["set", "a", None], ["odd", "c"]]}
    )
    assert result.status == "completed"
    rows, more = list_kept(db, PATH, limit=10)
    assert more is None
    assert [(row.key, row.value, row.result_id) for row in rows] == [
        ("a", None, result.id),
        ("b", {"ü": [1, None]}, result.id),
        ("c", "a\x00\ud800", result.id),
    ]
    assert [row.size_bytes for row in rows] == [len(json.dumps(row.value)) for row in rows]
    assert rows[1].shown == '{"ü": [1, null]}'
    assert find_kept(db, PATH, "b") == rows[1]
    assert (
        find_kept(db, PATH, "d") is find_kept(db, PATH, "\x00") is find_kept(db, "local/no/No", "b") is None
    )
    assert forget(db, PATH, "b") is True
    assert forget(db, PATH, "b") is forget(db, PATH, "\x00") is False
    assert count_kept(db, PATH) == 2
    db.rollback()
    portal.run("OnlyLooks")
    assert forget_all(db, PATH) == 2
    assert forget_all(db, PATH) == 0
    assert [row.key for row in db.scalars(select(JobValue))] == ["seen"], "others keep theirs"


def test_a_list_goes_on_after_a_key_and_shows_as_much_as_was_asked_for(db: Session):
    keys = [f"key {number:02}" for number in range(25)]
    for key in keys:
        keep(db, PATH, key, "x" * 100)
    found, after = [], ""
    while after is not None:
        rows, after = list_kept(db, PATH, after=after, limit=10, characters=5)
        found += rows
    assert [row.key for row in found] == keys
    assert {(row.text, row.size_bytes, row.shown) for row in found} == {('"xxxx', 102, '"xxxx…')}
    rows, after = list_kept(db, PATH, limit=25, characters=0)
    assert (len(rows), after, rows[0].text) == (25, None, "")


def test_what_a_person_gives_is_there_in_the_next_run(portal: Portal, db: Session):
    assert keep(db, PATH, "a", [1]) is True
    assert keep(db, PATH, "a", [2]) is False
    kept = find_kept(db, PATH, "a")
    assert kept is not None
    assert kept.result_id is None
    db.rollback()
    told = portal.run("Remembers", raw={"acts": [["get", "a"], ["set", "a", 3]]})
    assert told.return_value == [[2], None]
    kept = find_kept(db, PATH, "a")
    assert kept is not None
    assert (kept.value, kept.result_id) == (3, told.id)
    db.rollback()
    assert keep(db, PATH, "a", 4) is False
    kept = find_kept(db, PATH, "a")
    assert kept is not None
    assert kept.result_id is None, "no run has written this"


@pytest.mark.parametrize(
    ("key", "value", "errors"),
    [
        ("", 1, {"key": ["A key is text of 1 to 200 characters, all of them visible."]}),
        ("x" * 201, 1, {"key": ["A key is text of 1 to 200 characters, all of them visible."]}),
        ("a", "x" * 64 * 1024, {"value": ["a was not kept: a value has at most 64 KB as JSON."]}),
    ],
)
def test_what_is_not_kept_is_told(db: Session, key: str, value: Any, errors: dict[str, list[str]]):
    with pytest.raises(InvalidData) as refusal:
        keep(db, PATH, key, value)
    assert refusal.value.errors == errors
    assert count_kept(db, PATH) == 0


def test_no_more_is_kept_than_a_job_may(db: Session, monkeypatch: pytest.MonkeyPatch):
    assert MOST_KEYS == 1_000
    monkeypatch.setattr(kept_values, "MOST_KEYS", 2)
    keep(db, PATH, "a", 1)
    keep(db, PATH, "b", 1)
    with pytest.raises(InvalidData, match="a job keeps at most 2 values"):
        keep(db, PATH, "c", 1)
    keep(db, PATH, "b", 2)
    forget(db, PATH, "a")
    assert keep(db, PATH, "c", 1) is True


def test_people_and_runs_may_write_and_delete_the_same_key_at_once(portal: Portal, engine: Engine):
    taken = engine.start(portal.submit("Remembers", raw={"acts": []}))
    assert taken is not None

    def by_a_person(act: Any, *more: Any) -> Any:
        with portal.platform.session() as db:
            return act(db, PATH, *more)

    for turn in range(10):
        answers = at_once(
            lambda turn=turn: remember(portal.platform, taken, "a", turn),
            lambda: by_a_person(forget, "a"),
            lambda: by_a_person(keep, "a", "by hand"),
            lambda: by_a_person(forget_all),
        )
        assert not [answer for answer in answers if isinstance(answer, Exception)]
    remember(portal.platform, taken, "a", "last")
    with portal.platform.reading() as db:
        assert db.scalars(select(JobValue.value)).all() == ["last"]


@contextmanager
def deleting(portal: Portal, values: Values, *, before: str) -> Iterator[None]:
    """Have a person delete everything right before a run asks for a value."""
    ask = values._ask

    def asked(act: str, key: str = "", text: str = "") -> Any:
        if act == before:
            with portal.platform.session() as db:
                forget_all(db, PATH)
        return ask(act, key, text)

    values._ask = asked  # type: ignore[method-assign]
    yield


class Table:
    """Stands in for the line of a run: answers from the database, as its worker does."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    def ask(self, _kind: str, act: str, key: str, text: str) -> dict[str, Any]:
        with self.portal.platform.session() as db:
            match act:
                case "keys":
                    return {"keys": [row.key for row in list_kept(db, PATH, limit=MOST_KEYS)[0]]}
                case "get":
                    kept = find_kept(db, PATH, key)
                    return {"text": kept and kept.text}
                case "set":
                    keep(db, PATH, key, json.loads(text))
                    return {}
            return {"found": forget(db, PATH, key)}


@pytest.mark.parametrize(
    ("before", "act", "answer"),
    [
        ("get", lambda values: list(values.items()), []),
        ("get", lambda values: list(values.values()), []),
        ("get", lambda values: values.get("a", "none"), "none"),
        ("get", lambda values: values.pop("a", "none"), "none"),
        ("delete", lambda values: values.pop("a"), 1),
        ("delete", lambda values: values.clear(), None),
        ("get", lambda values: values.setdefault("a", 5), 5),
        ("set", lambda values: values.update(a=7), None),
    ],
)
def test_what_a_run_does_does_not_break_over_what_is_deleted_meanwhile(
    portal: Portal, before: str, act: Any, answer: Any
):
    values = Values(Table(portal), keeps=True)  # type: ignore[arg-type]
    values.update(a=1, b=2)
    assert sorted(values.items()) == [("a", 1), ("b", 2)]
    assert (sorted(values.values()), len(values.items()), ("a", 1) in values.items()) == ([1, 2], 2, True)
    with deleting(portal, values, before=before):
        assert act(values) == answer


def test_values_are_hidden_where_inputs_are_sensitive():
    assert not are_hidden(JobRecord(has_sensitive_variables=False, variables=[]))
    assert are_hidden(JobRecord(has_sensitive_variables=True, variables=[]))
    secret = [{"name": "token", "type": "SecretVar"}]
    assert are_hidden(JobRecord(has_sensitive_variables=False, variables=secret))


def test_they_are_on_pages_on_both_databases(portal: Portal, web: Web):
    portal.run("Remembers", raw={"acts": [["set", "last <serial>", {"ü": 12}], ["long", "long", 5_000]]})
    page = web.page(f"/jobs/{PATH}/values").text
    assert "last &lt;serial&gt;" in page
    assert "{&#34;ü&#34;: 12}" in page
    assert "x" * 199 + "…" in page
    assert "x" * 200 not in page
    assert 'href="/jobs/local/remembering/Remembers/values">2 values</a>' in web.page(f"/jobs/{PATH}/").text
    assert "x" * 5_000 in web.page(f"/jobs/{PATH}/value?key=long").text
