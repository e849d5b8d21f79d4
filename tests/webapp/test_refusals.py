"""Whoever tries doors that are closed to them is to be seen in the log."""

import pytest

from webapp.api.tokens import HERE

from .conftest import Browser, signed_in


@pytest.fixture
def told(caplog):
    def lines() -> list[str]:
        found = [each.getMessage() for each in caplog.records if each.name == "errand.refusals"]
        caplog.clear()
        return found

    caplog.set_level("WARNING", "errand.refusals")
    return lines


def test_what_is_refused_is_told_with_who_asked(alice: Browser, app, db, cast, told):
    carol = signed_in(app, db, cast["carol"])
    carol.get("/admin/users/")
    [line] = told()
    assert line.startswith("GET /admin/users/: 404 to carol from 127.0.0.1")
    alice.get("/results/00000000-0000-0000-0000-000000000001")
    [line] = told()
    assert line.startswith("GET /results/<uuid:result_id>: 404 to alice")
    app.test_client().post("/login", data={"username": "alice", "password": "y"})
    app.test_client().get("/api/v1/jobs", headers={"Authorization": "Token errand_guessed"})
    refused = told()
    assert [line.split(": ", 1)[1] for line in refused] == [
        "400 to nobody from 127.0.0.1",
        "401 to nobody from 127.0.0.1",
    ]
    assert "errand_guessed" not in " ".join(refused)


def test_what_goes_well_and_what_strangers_mistype_is_not(alice: Browser, app, cast, told):
    alice.get("/jobs/")
    app.test_client().get("/nothing/here")
    # A command of ours says itself what was refused.
    here = app.test_client().get("/api/v1/jobs/local/x/Y", environ_overrides={HERE: cast["alice"]})
    assert here.status_code == 404
    assert told() == []
