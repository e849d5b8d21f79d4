"""Secrets among a run's inputs: encrypted while it waits and runs, gone after it, never in what is stored in the open."""

import pytest
from sqlalchemy import select, text

from store.models import JobRecord, RunFile
from tests.worker.conftest import Portal

pytestmark = pytest.mark.in_turn


PASSWORD = "correct horse; battery"


def in_the_open(portal: Portal, result_id: object) -> str:
    """Return all that the row of a run says, as the database has it."""
    with portal.platform.session() as db:
        rows = db.execute(text("SELECT * FROM job_results")).mappings().all()
    return " ".join(str(value) for row in rows for value in row.values())


def test_a_secret_reaches_the_job_and_nobody_else(portal: Portal):
    asked = portal.submit("KnowsASecret", raw={"password": PASSWORD, "pin": "", "host": "core-2"})
    assert asked.data == {"pin": "", "host": "core-2"}
    assert asked.sealed_data is not None
    assert PASSWORD not in in_the_open(portal, asked.id)
    result = portal.execute(asked)
    assert result.return_value == {"length": len(PASSWORD), "pin": ""}
    assert (result.status, result.sealed_data, result.data) == (
        "completed",
        None,
        {"pin": "", "host": "core-2"},
    )


def test_without_a_secret_nothing_is_sealed(portal: Portal):
    asked = portal.submit("ReadsAFile", raw={"note": "x"})
    assert (asked.sealed_data, asked.data["note"]) == (None, "x")


def test_what_a_job_says_of_its_secret_is_masked(portal: Portal):
    result = portal.run("KnowsASecret", raw={"password": PASSWORD, "pin": "1234", "host": "core-1"})
    [entry] = portal.entries(result)
    assert entry.message == "core-1: signing in with (redacted)"
    assert result.return_value == {"length": len(PASSWORD), "pin": "(redacted)"}
    assert PASSWORD not in in_the_open(portal, result.id)


def test_its_progress_and_the_names_of_its_files_are_masked(portal: Portal):
    result = portal.run("NamesItsSecret", raw={"password": PASSWORD})
    assert result.progress == {"done": 1, "total": 2, "text": "as (redacted)"}
    with portal.platform.session() as db:
        assert [row.name for row in db.scalars(select(RunFile))] == ["(redacted).txt"]


def test_in_a_sensitive_job_only_its_secrets_are_masked(portal: Portal):
    with portal.platform.session() as db:
        db.get_one(JobRecord, portal.jobs["KnowsASecret"].id).has_sensitive_variables = True
        db.commit()
    result = portal.run("KnowsASecret", raw={"password": PASSWORD, "host": "core-1"})
    [entry] = portal.entries(result)
    assert entry.message == "core-1: signing in with (redacted)"
    assert result.data == {}
