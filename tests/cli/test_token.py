from datetime import timedelta

import pytest
from sqlalchemy import select

from store.models import ApiToken, now
from store.secrets import hash_token


def test_create_prints_the_token_alone_and_keeps_only_its_hash(errand, db, alice):
    outcome = errand("token", "create", "--user", "alice", "--name", "nightly script")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    plain = outcome.stdout.removesuffix("\n")
    assert plain.startswith("errand_")
    assert plain.split() == [plain]
    row = db.scalars(select(ApiToken)).one()
    assert (row.user_id, row.name, row.token_hash) == (alice.id, "nightly script", hash_token(plain))
    assert plain.startswith(row.prefix)
    assert len(row.prefix) < 16
    assert row.expires_at is None


def test_create_never_gives_the_same_token_twice(errand, alice):
    tokens = {errand("token", "create", "--user", "alice").stdout for _ in range(3)}
    assert len(tokens) == 3


def test_create_lets_a_token_expire(errand, db, alice):
    assert errand("token", "create", "--user", "alice", "--days", "7").exit_code == 0
    expires_at = db.scalars(select(ApiToken.expires_at)).one()
    assert abs(expires_at - now() - timedelta(days=7)) < timedelta(minutes=1)


@pytest.mark.parametrize("days", ["0", "-1", "99999999999", "soon"])
def test_create_refuses_days_that_cannot_be_meant(errand, db, alice, days):
    assert errand("token", "create", "--user", "alice", "--days", days).exit_code == 2
    assert db.scalars(select(ApiToken)).all() == []


def test_create_refuses_an_unknown_user_and_prints_nothing_on_stdout(errand, alice):
    outcome = errand("token", "create", "--user", "Alice2")
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert "Did you mean alice?" in outcome.stderr


def test_create_refuses_a_disabled_user(errand, db, alice):
    alice.active = False
    db.commit()
    outcome = errand("token", "create", "--user", "alice")
    assert (outcome.exit_code, "disabled" in outcome.stderr) == (1, True)


@pytest.mark.parametrize("label", ["x" * 256, "a\nb", "\x1b[31m"])
def test_create_refuses_labels_that_cannot_be_shown(errand, alice, label):
    assert errand("token", "create", "--user", "alice", "--name", label).exit_code == 2


def test_a_token_may_be_for_some_jobs_and_for_reading_only(errand, db, alice):
    made = errand(
        "token", "create", "--user", "alice", "--read-only", "--job", "local/net/*", "--job", "local/a/A"
    )
    assert made.exit_code == 0
    token = db.scalars(select(ApiToken)).one()
    assert (token.read_only, token.class_paths) == (True, ["local/net/*", "local/a/A"])
    db.rollback()
    refused = errand("token", "create", "--user", "alice", *["--job", "x"] * 60)
    assert refused.exit_code == 2
    assert "--job" in refused.output
