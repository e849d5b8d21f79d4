"""`./errand keys`: the key of the workers, made, listed and replaced."""

from dataclasses import replace

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


def test_prepare_puts_a_key_into_the_file_that_the_next_rotation_takes(errand, db, settings):
    errand("keys", "rotate")
    prepared = errand("keys", "prepare").stdout.split()[3]
    assert len(path_of(settings).read_text().split()) == 2
    with db.begin():
        assert prepared not in db.scalars(select(WorkerKey.fingerprint)).all()
    assert f"sealed for the worker key {prepared} from now on" in errand("keys", "rotate").stdout


def test_prepare_has_no_say_in_the_environment(errand, settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WORKER_KEY", errand("keys", "make").stdout.strip())
    refused = errand("keys", "prepare")
    assert (refused.exit_code, "The keys are in WORKER_KEY" in refused.stderr) == (1, True)
    assert not path_of(settings).exists()


@pytest.mark.parametrize("command", ["worker", "up"])
def test_a_key_that_is_none_is_told_before_anything_begins(errand, settings, command):
    path_of(settings).write_text("nonsense")
    refused = errand(command)
    assert refused.exit_code != 0
    assert "does not hold worker keys" in str(refused.output) + str(refused.exception)


def test_make_prints_a_key_and_keeps_none(errand, db, settings, monkeypatch: pytest.MonkeyPatch):
    key = errand("keys", "make").stdout.strip()
    assert len(key) == 44
    assert not path_of(settings).exists()
    monkeypatch.setenv("WORKER_KEY", key)
    assert errand("keys", "rotate").exit_code == 0
    assert errand("keys", "list").stdout.split("\t")[2:4] == ["in use", "here"]
    again = errand("keys", "rotate")
    assert (again.exit_code, "Put a new one before it" in again.stderr) == (1, True)


def test_a_key_is_made_before_there_is_an_instance(errand, fresh, tmp_path):
    """For the settings of a portal that is still to be set up."""
    outcome = errand("keys", "make", on=replace(fresh, instance=tmp_path / "none"))
    assert (outcome.exit_code, len(outcome.stdout.strip())) == (0, 44)
    assert not (tmp_path / "none").exists()
