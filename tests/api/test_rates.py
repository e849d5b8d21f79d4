"""How many requests a token may make."""

from dataclasses import replace

import pytest

from store.settings import Settings
from tests.api.conftest import close
from webapp.app import create_app


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, api_rate=3)


def test_a_token_has_a_limit_and_is_told_of_it(calls_of, alice, carol):
    """Without Redis, as here, each process counts for itself."""
    call = calls_of(alice)
    left = []
    for _ in range(3):
        answer = call("GET", "/jobs/none")
        assert answer.status_code == 404
        left.append(int(answer.headers["RateLimit-Remaining"]))
        assert answer.headers["RateLimit-Limit"] == "3"
        assert 0 < int(answer.headers["RateLimit-Reset"]) <= 60
    assert left == [2, 1, 0]
    over = call("GET", "/jobs")
    assert (over.status_code, over.json["status"]) == (429, 429)
    assert over.json["detail"].startswith("You have made 3 requests within a minute")
    assert 0 < int(over.headers["Retry-After"]) <= 60
    assert calls_of(alice)("GET", "/jobs").status_code == 429, "another token of hers gives her no more"
    assert calls_of(carol)("GET", "/jobs").status_code == 200, "others have their own"


def test_without_a_limit_nothing_is_counted(settings, db, make_token, alice):
    app = create_app(replace(settings, api_rate=0))
    headers = {"Authorization": f"Token {make_token(alice)}"}
    for _ in range(4):
        answer = app.test_client().get("/api/v1/jobs", headers=headers)
        assert answer.status_code == 200
    assert "RateLimit-Limit" not in answer.headers
    close(app)
