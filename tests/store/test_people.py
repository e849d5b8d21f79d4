"""Passwords, tokens, and who may do what."""

from typing import Any

import pytest
from sqlalchemy import select

from store.decisions import KINDS, Asker, Grant
from store.models import JobRecord, JobResult, JobSource, User, WorkerProcess
from store.permissions import EVERYONE, Forbidden, NotVisible, allowed, give, require, visible
from store.secrets import (
    WeakPassword,
    check_password_rules,
    hash_password,
    hash_token,
    new_token,
    verify_password,
)
from tests.made_once import product_hasher


def test_passwords_are_kept_as_argon2_and_compared():
    kept = hash_password("correct horse battery")
    assert kept.startswith("$argon2id$")
    assert verify_password(kept, "correct horse battery")
    assert not verify_password(kept, "wrong horse battery")
    assert not verify_password(None, "anything")
    assert not verify_password("no hash", "anything")


def test_a_guess_costs_64_megabytes_and_three_passes_over_them():
    # The other tests' hasher is a cheap one (tests/conftest.py).
    kept = product_hasher().hash("correct horse battery")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert verify_password(kept, "correct horse battery")


@pytest.mark.parametrize(
    ("password", "username"),
    [("short", ""), ("x" * 129, ""), ("aaaaaaaaaaaaab", ""), ("alice.smith12", "alice.smith")],
)
def test_weak_passwords_are_refused(password: str, username: str):
    with pytest.raises(WeakPassword):
        check_password_rules(password, username)


def test_passwords_that_others_think_of_first_are_refused():
    for password in (
        "password1234",
        "P@ssw0rd2026!",
        "Passwort123456",
        "123456789012",
        "qwertyuiop123",
        "qwertzuiopasdf",
        "abcdefghijklmn",
        "letmeinletmein",
        "iloveyou-2026!",
        "Summer2026!Summer",
        "correcthorsecorrecthorse",
        "welcome.welcome",
        "Errand2026admin",
        "1qaz" * 3,
    ):
        with pytest.raises(WeakPassword, match="think of first"):
            check_password_rules(password)
    # It takes no longer for a long one.
    with pytest.raises(WeakPassword):
        check_password_rules("password1!" * 12 + "abc")


def test_a_long_sentence_is_a_good_password():
    for password in (
        "der Zug um halb sieben",
        "correct horse battery",
        "correcthorsebattery",
        "tr0ub4dor&3-x",
        "83920174992617",
        "summer rain on tin roofs",
        "aVq7-w2Lm_x9Kd",
        "пароль из сказки",
    ):
        check_password_rules(password, "alice")


def test_tokens_are_random_and_only_their_hash_is_kept():
    token, kept = new_token("errand")
    assert token != new_token("errand")[0]
    assert (hash_token(token), len(kept)) == (kept, 64)
    assert kept not in token


def first_day(user: User) -> Asker:
    """Return somebody whom no database knows, with what everybody may do from the first day on."""
    grants = [
        Grant(0, name, kind, frozenset(actions), tuple(where), "Everyone")
        for name, kind, actions, where in EVERYONE
    ]
    return Asker(user.username, user.active, user.superuser, tuple(grants))


ALICE = User(id=1, username="alice", active=True, superuser=False)
ROOT = User(id=2, username="root", active=True, superuser=True)
GONE = User(id=3, username="gone", active=False, superuser=True)
for _somebody in (ALICE, ROOT, GONE):
    give(_somebody, first_day(_somebody))
ENABLED = JobRecord(name="On", queues=[], enabled=True)
DISABLED = JobRecord(name="Off", queues=[], enabled=False)
HERS = JobResult(user_id=1, username="alice", class_path="local/a/A", data={})
OTHERS = JobResult(user_id=2, username="bob", class_path="local/a/A", data={})
NOBODYS = JobResult(user_id=None, username="alice", class_path="local/a/A", data={})

MAY = [
    (ALICE, "view", ENABLED),
    (ALICE, "run", ENABLED),
    (ALICE, "view", OTHERS),
    (ALICE, "change", HERS),
    (ROOT, "change", DISABLED),
    (ROOT, "change", HERS),
]
MAY_NOT = [
    (ALICE, "view", DISABLED),
    (ALICE, "run", DISABLED),
    (ALICE, "change", ENABLED),
    (ALICE, "change", OTHERS),
    # Somebody of that name is gone, and this is another one.
    (ALICE, "change", NOBODYS),
    (ALICE, "change", JobSource),
    (ALICE, "change", WorkerProcess),
    (ALICE, "view", User),
    (GONE, "view", ENABLED),
    (None, "view", ENABLED),
]


@pytest.mark.parametrize(("user", "action", "subject"), MAY)
def test_who_may(user: User, action: str, subject: Any):
    assert allowed(user, action, subject)


@pytest.mark.parametrize(("user", "action", "subject"), MAY_NOT)
def test_who_may_not(user: User | None, action: str, subject: Any):
    assert not allowed(user, action, subject)


@pytest.mark.parametrize("action", sorted(KINDS["job"].actions))
def test_nobody_may_do_anything(action: str):
    assert not allowed(None, action, ENABLED)


def test_an_unknown_action_is_a_mistake_in_the_code():
    for subject in (None, ENABLED, JobRecord):
        with pytest.raises(ValueError, match="no action"):
            allowed(ROOT, "fly", subject)


def test_unseen_and_not_allowed_are_different():
    with pytest.raises(NotVisible):
        require(ALICE, "run", DISABLED)
    with pytest.raises(Forbidden) as refusal:
        require(ALICE, "change", ENABLED)
    assert (
        refusal.value.decision.reason == "There is no permission by which alice may enable and change jobs."
    )


def test_lists_are_narrowed_by_the_query():
    assert "enabled" in str(visible(select(JobRecord), ALICE, JobRecord))
    assert "enabled = " not in str(visible(select(JobRecord), ROOT, JobRecord).whereclause)


def test_of_somebody_no_database_is_asked_about_nothing_is_known():
    assert not allowed(User(username="alice", active=True), "run", ENABLED)
