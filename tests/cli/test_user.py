import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.models import SignInLink, User, UserSession, now
from store.secrets import hash_token, verify_password

GOOD = "correct horse battery"


def user_named(db: Session, name: str) -> User | None:
    db.rollback()
    db.expire_all()
    return db.scalars(select(User).where(User.username == name)).one_or_none()


def test_create_takes_the_password_from_standard_input(errand, db):
    outcome = errand("user", "create", "alice", "--password-stdin", input=f"{GOOD}\n")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    alice = user_named(db, "alice")
    assert verify_password(alice.password_hash, GOOD)
    assert alice.active
    assert not alice.superuser


def test_create_keeps_spaces_at_the_ends_of_a_password(errand, db):
    errand("user", "create", "alice", "--password-stdin", input=f"  {GOOD} \r\n")
    assert verify_password(user_named(db, "alice").password_hash, f"  {GOOD} ")


def test_create_makes_superusers_only_when_asked_to(errand, db):
    assert errand("user", "create", "root", "--superuser").exit_code == 0
    assert user_named(db, "root").superuser


def test_create_without_a_terminal_prints_a_link_that_signs_in_and_sets_no_password(errand, db):
    outcome = errand("user", "create", "alice")
    path = outcome.stdout.strip()
    assert path.startswith("/login/")
    link = db.scalars(select(SignInLink)).one()
    assert link.token_hash == hash_token(path.removeprefix("/login/"))
    assert link.user_id == user_named(db, "alice").id
    assert link.expires_at > now()
    assert user_named(db, "alice").password_hash is None


def test_create_asks_twice_at_a_terminal(errand, db, monkeypatch):
    monkeypatch.setattr("webapp.cli.user._at_a_terminal", lambda: True)
    outcome = errand("user", "create", "alice", input=f"{GOOD}\n{GOOD}\n")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert GOOD not in outcome.output
    assert verify_password(user_named(db, "alice").password_hash, GOOD)


@pytest.mark.parametrize(
    ("password", "part"),
    [("", "at least"), ("short", "at least"), ("x" * 129, "at most"), ("alicealice12", "name")],
)
def test_create_refuses_a_weak_password_and_stores_nothing(errand, db, password, part):
    outcome = errand("user", "create", "alice", "--password-stdin", input=password)
    assert outcome.exit_code == 1
    assert part in outcome.stderr
    assert user_named(db, "alice") is None


@pytest.mark.parametrize("given", ["two\nlines of password", "a\rb and much more text"])
def test_create_refuses_a_password_of_several_lines(errand, db, given):
    outcome = errand("user", "create", "alice", "--password-stdin", input=given)
    assert (outcome.exit_code, "one line" in outcome.stderr) == (1, True)
    assert user_named(db, "alice") is None


@pytest.mark.parametrize("name", ["", "two words", "a/b", "x" * 151, "line\nbreak", "nul\x00", "<b>"])
def test_create_refuses_names_that_no_user_can_have(errand, db, name):
    outcome = errand("user", "create", name)
    assert outcome.exit_code == 1
    assert "letters" in outcome.stderr
    assert db.scalar(select(func.count()).select_from(User)) == 0


@pytest.mark.parametrize("name", ["alice", "ALICE"])
def test_create_refuses_a_name_that_is_taken(errand, alice, name):
    outcome = errand("user", "create", name)
    assert (outcome.exit_code, "already" in outcome.stderr) == (1, True)


def test_list_shows_every_user_in_a_line(errand, db, alice):
    db.add(User(username="bob", superuser=True, active=False))
    db.commit()
    assert errand("user", "list").stdout == "alice\tuser\tactive\nbob\tsuperuser\tdisabled\n"


def test_disable_shuts_the_user_out_at_once(errand, db, alice):
    db.add(UserSession(token_hash="a", user_id=alice.id, last_seen_at=now(), expires_at=now()))
    db.add(SignInLink(token_hash="b", user_id=alice.id, expires_at=now()))
    db.commit()
    assert errand("user", "disable", "alice").exit_code == 0
    assert not user_named(db, "alice").active
    assert db.scalars(select(UserSession)).all() == []
    assert db.scalars(select(SignInLink)).all() == []


def test_disable_names_whom_one_may_have_meant(errand, alice):
    outcome = errand("user", "disable", "alise")
    assert outcome.exit_code == 1
    assert "There is no user 'alise'. Did you mean alice?" in outcome.stderr


def test_link_prints_a_path_that_signs_the_user_in(errand, db, alice):
    outcome = errand("user", "link", "alice")
    assert outcome.exit_code == 0
    token = outcome.stdout.strip().removeprefix("/login/")
    [link] = db.scalars(select(SignInLink)).all()
    assert (link.token_hash, link.user_id) == (hash_token(token), alice.id)


def test_a_disabled_user_gets_no_link_until_enabled_again(errand, db, alice):
    errand("user", "disable", "alice")
    assert errand("user", "link", "alice").exit_code == 1
    assert errand("user", "enable", "alice").exit_code == 0
    assert errand("user", "link", "alice").exit_code == 0


def test_password_sets_it_and_ends_the_sessions(errand, db, alice):
    db.add(UserSession(token_hash="a", user_id=alice.id, last_seen_at=now(), expires_at=now()))
    db.commit()
    assert errand("user", "password", "alice", "--password-stdin", input="weak").exit_code == 1
    assert (
        errand("user", "password", "alice", "--password-stdin", input="der Zug um halb sieben").exit_code == 0
    )
    assert verify_password(user_named(db, "alice").password_hash, "der Zug um halb sieben")
    assert db.scalars(select(UserSession)).all() == []


def test_what_is_done_to_accounts_is_written_down(errand, db):
    from store.models import AuditRecord

    for arguments in (["create", "dora"], ["disable", "dora"], ["enable", "dora"], ["link", "dora"]):
        assert errand("user", *arguments).exit_code == 0
    rows = [
        (row.via, row.action, row.subject) for row in db.scalars(select(AuditRecord).order_by(AuditRecord.id))
    ]
    assert rows == [
        ("command", action, "dora") for action in ("user.create", "user.change", "user.change", "user.link")
    ]
