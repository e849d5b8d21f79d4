"""`./errand keys`: the key of the workers, made, listed and replaced."""

import pytest
from sqlalchemy import select

from store.models import AuditRecord, WorkerKey
from worker.keyring import path_of


def test_the_first_rotation_makes_the_key(errand, db, settings):
    outcome = errand("keys", "rotate")
    assert outcome.exit_code == 0, outcome.output
    with db.begin():
        [key] = db.scalars(select(WorkerKey)).all()
        assert db.scalars(select(AuditRecord.subject).where(AuditRecord.action == "key.new")).all() == [
            key.fingerprint
        ]
    assert f"sealed for the worker key {key.fingerprint} from now on" in outcome.stdout
    assert "the inputs of 0 runs" in outcome.stdout
    assert path_of(settings).read_text().strip() not in outcome.output


def test_the_list_says_which_key_is_in_use_and_which_are_here(errand, settings):
    assert errand("keys", "list").stdout == ""
    errand("keys", "rotate")
    errand("keys", "rotate")
    now, before = (line.split("\t") for line in errand("keys", "list").stdout.splitlines())
    assert (now[2:], before[2:]) == (["in use", "here", "0"], ["replaced", "here", "0"])
    path_of(settings).unlink()
    assert [line.split("\t")[3] for line in errand("keys", "list").stdout.splitlines()] == ["not here"] * 2


def test_a_key_that_is_elsewhere_is_not_replaced_by_accident(errand, db, settings):
    errand("keys", "rotate")
    path_of(settings).unlink()
    refused = errand("keys", "rotate")
    assert (refused.exit_code, "is not here" in refused.stderr) == (1, True)
    assert errand("keys", "rotate", "--lost").exit_code == 0
    with db.begin():
        assert [retired is None for retired in db.scalars(select(WorkerKey.retired_at))] == [False, True]


def test_make_prints_a_key_and_keeps_none(errand, db, settings, monkeypatch: pytest.MonkeyPatch):
    key = errand("keys", "make").stdout.strip()
    assert len(key) == 44
    assert not path_of(settings).exists()
    monkeypatch.setenv("WORKER_KEY", key)
    assert errand("keys", "rotate").exit_code == 0
    assert errand("keys", "list").stdout.split("\t")[2:4] == ["in use", "here"]
    again = errand("keys", "rotate")
    assert (again.exit_code, "Put a new one before it" in again.stderr) == (1, True)
