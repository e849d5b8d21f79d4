"""Who somebody in Slack is here: by a code from their account."""

import re
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store.models import AuditRecord, Identity, JobRecord, SlackCode, User, now
from tests.slack_stand_in import SlackStandIn
from tests.waiting import until
from tests.webapp.conftest import Browser, text

from .conftest import Talk
from .test_conversation import is_member, results


def code_for(browser: Browser) -> str:
    page = browser.post("/account/slack/")
    assert page.status_code == 200
    found = re.search(r"link ([A-Z2-9]{10})<", text(page))
    assert found is not None
    return found[1]


def whispered(talk: Talk, slack: SlackStandIn, said: str, **facts: str) -> str:
    before = len(slack.messages)
    talk.whisper(said, **facts)
    until(lambda: len(slack.messages) > before, "an answer")
    return str(slack.messages[-1]["text"])


def test_a_code_from_the_account_connects_both(
    talk: Talk, slack: SlackStandIn, db: Session, alice: Browser, say_hello: JobRecord
):
    talk.tell("test say hello Bob")
    assert is_member(db, "slack-alice")
    page = text(alice.get("/account/"))
    assert "Connect Slack" in page
    assert ">U1<" not in page
    answer = whispered(talk, slack, f"link {code_for(alice).lower()}.")
    assert answer == ":link: You are `alice` here from now on."
    talk.tell("test say hello Eve")
    assert [result.username for result in results(db)] == ["slack-alice", "alice"]
    # The account that only Slack opened is of no use any more; what it did stays.
    left = db.scalars(select(User).where(User.username == "slack-alice")).one()
    assert (left.active, is_member(db, "slack-alice"), is_member(db, "alice")) == (False, False, True)
    db.commit()
    page = text(alice.get("/account/"))
    assert "<code>U1</code>" in page
    assert "Single sign-on" not in page

    [identity] = db.scalars(select(Identity)).all()
    db.commit()
    assert alice.post(f"/account/slack/{identity.id}/end").status_code == 303
    assert "<code>U1</code>" not in text(alice.get("/account/"))
    assert not is_member(db, "alice")
    talk.tell("test say hello Dan")
    assert results(db)[-1].username == "slack-alice-u1"
    actions = set(db.scalars(select(AuditRecord.action)).all())
    assert {"user.slack-code", "user.slack-link", "user.slack-unlink", "user.slack-rights"} <= actions


def test_a_code_is_good_once_for_a_while_and_for_one_reader(
    talk: Talk, slack: SlackStandIn, db: Session, browser: Callable[[str], Browser], say_hello: JobRecord
):
    alice = browser("alice")
    first, second = code_for(alice), code_for(alice)
    assert "I do not know that code" in whispered(talk, slack, f"link {first}")
    # In a channel others read it: whoever else is faster gets nothing by it.
    assert "void now" in talk.answer(f"link {second}")
    assert "I do not know that code" in whispered(talk, slack, f"link {second}", user="U2")
    late = code_for(alice)
    db.execute(update(SlackCode).values(expires_at=now() - timedelta(seconds=1)))
    assert "I do not know that code" in whispered(talk, slack, f"link {late}")
    good = code_for(alice)
    assert "`alice`" in whispered(talk, slack, f"link {good}")
    assert "I do not know that code" in whispered(talk, slack, f"link {good}", user="U2")
    assert db.scalars(select(SlackCode)).all() == []
    # One account may be that of two people in Slack; one in Slack is one here.
    assert "`bob`" in whispered(talk, slack, f"link {code_for(browser('bob'))}")
    owners = select(User.username).join(Identity, Identity.user_id == User.id).where(Identity.subject == "U1")
    assert db.scalars(owners).all() == ["bob"]


def test_connections_are_ended_by_their_owner_or_a_superuser(
    talk: Talk, slack: SlackStandIn, db: Session, browser: Callable[[str], Browser], say_hello: JobRecord
):
    alice, root = browser("alice"), browser("root")
    whispered(talk, slack, f"link {code_for(alice)}")
    [identity] = db.scalars(select(Identity)).all()
    db.commit()
    assert browser("bob").post(f"/account/slack/{identity.id}/end").status_code == 404
    page = text(root.get(f"/admin/users/{identity.user_id}"))
    assert "Unlink<span" in page
    url = f"/admin/users/{identity.user_id}/identities/{identity.id}/unlink"
    assert root.post(url).status_code == 303
    assert db.scalars(select(Identity)).all() == []
    db.commit()
    # She is still signed in: nobody signs in by Slack.
    assert alice.get("/account/").status_code == 200
    assert not is_member(db, "alice")
