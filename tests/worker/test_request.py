"""What a job knows of the request that asked for its run."""

import pytest

from tests.worker.conftest import Portal, Web

pytestmark = pytest.mark.in_turn


def test_a_job_sees_who_asked_and_from_where(portal: Portal, web: Web):
    answer = web.submit("TellsWhoAsked")
    result = portal.execute(web.submitted("TellsWhoAsked"))
    assert answer.status_code == 201
    asked = result.return_value["asked"]
    assert asked["user"] == "alice"
    assert asked["from"] == "127.0.0.1"
    assert asked["agent"].startswith("Werkzeug")
    assert asked["method"] == "POST"
    # What signs somebody in is nobody else's business.
    assert asked["cookie"] is None
    assert "errand_" not in str(result.request)
    assert asked["id"] is True


def test_without_a_request_there_is_none(portal: Portal):
    result = portal.run("TellsWhoAsked")
    assert result.return_value == {"asked": None, "user": "alice"}
