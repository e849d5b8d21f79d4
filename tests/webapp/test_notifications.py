"""What people want to be told, channels, deliveries, and what a browser says."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from store.lockbox import unlock
from store.models import (
    AuditRecord,
    Channel,
    Delivery,
    JobResult,
    NoticeRule,
    Permission,
    Schedule,
    SignInLink,
    User,
    now,
)
from store.notice_settings import SmtpSettings, notice_settings
from store.settings import Settings
from tests.post import mailbox
from worker.notices import note_ended
from worker.postman import Postman

from .conftest import Browser, running, text

PAGE = "/account/notifications/"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    outside = notice_settings(
        {"ERRAND_URL": "https://portal.example", "ERRAND_WEBHOOK_HOSTS": "hook.internal"}
    )
    mail = SmtpSettings("127.0.0.1", 1, "none", "errand@portal.example")
    return replace(settings, notices=replace(outside, mail=mail))


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    yield from running(settings)


def audited(db: Any) -> list[str]:
    with db.begin():
        return list(db.scalars(select(AuditRecord.action).order_by(AuditRecord.id)))


def fresh(db: Any, user: User) -> User:
    with db.begin():
        db.expire_all()
        return db.get_one(User, user.id)


def test_people_say_what_they_are_told_and_where(alice: Browser, db: Any, cast: Any):
    page = text(alice.get(PAGE))
    # What waits for them, unless they say otherwise.
    assert re.findall(r'name="mail" value="(\w+)"[^>]* checked', page) == ["asked", "decided", "missed"]
    sent = {"address": "alice@example.com", "mail": ["failed", "nonsense"], "browser": ["completed", "asked"]}
    assert alice.post(PAGE, sent).status_code == 303
    user = fresh(db, cast["alice"])
    assert (user.mail, user.notices) == (
        "alice@example.com",
        {"browser": ["completed", "asked"], "mail": ["failed"]},
    )
    assert {"user.mail", "user.notices"} <= set(audited(db))
    for wrong in ("alice", "a@b, c@d", "a@b\nBcc: x@y", "Alice <a@b.c>", "a" * 250 + "@b.c"):
        refused = alice.post(PAGE, {"address": wrong, "browser": ["failed"]})
        assert refused.status_code == 422
        # Nothing typed is lost.
        assert re.findall(r'name="browser" value="(\w+)"[^>]* checked', text(refused)) == ["failed"]
    assert fresh(db, cast["alice"]).mail == "alice@example.com"


def test_tell_me_about_a_run_a_job_and_a_schedule(
    alice: Browser, db: Any, cast: Any, make_job: Any, make_result: Any
):
    job = make_job("Greet")
    run = make_result(job, "running", username="bob")
    with db.begin():
        schedule = Schedule(
            id=uuid.uuid4(),
            name="Nightly",
            class_path=job.class_path,
            username="alice",
            user_id=cast["alice"].id,
            interval="daily",
            start_at=now(),
        )
        db.add(schedule)
    page = text(alice.get(f"/results/{run.id}"))
    assert "Tell me when it ends" in page
    assert "Enter your mail address" in page
    ask = {"about": "run", "subject": str(run.id), "ways": ["browser"]}
    answer = alice.post(f"{PAGE}tell", ask, headers={"HX-Request": "true"})
    assert re.findall(r'value="(\w+)" checked', text(answer)) == ["browser"]
    assert (
        alice.post(
            f"{PAGE}tell",
            {"about": "job", "subject": job.class_path, "ways": ["browser", "mail"], "on": "bad"},
        ).status_code
        == 303
    )
    assert (
        alice.post(
            f"{PAGE}tell", {"about": "schedule", "subject": str(schedule.id), "ways": ["browser"]}
        ).status_code
        == 303
    )
    with db.begin():
        rules = {rule.about: rule for rule in db.scalars(select(NoticeRule))}
    assert rules["run"].words == ["completed", "warnings", "failed", "errored", "canceled", "denied"]
    assert (rules["job"].ways, rules["job"].words) == (["browser", "mail"], ["failed", "errored", "missed"])
    assert 'value="bad" selected' in text(alice.get("/jobs/local/greetings/Greet/"))
    listed = text(alice.get(PAGE))
    assert "when one fails" in listed
    assert "Nightly" in listed
    # By no way: not at all.
    assert alice.post(f"{PAGE}tell", {**ask, "ways": []}).status_code == 303
    assert alice.post(f"{PAGE}rules/{rules['job'].id}/delete").status_code == 303
    with db.begin():
        assert db.scalars(select(NoticeRule.about)).all() == ["schedule"]
        db.execute(update(JobResult).values(status="completed", finished_at=now()))
    late = alice.post(f"{PAGE}tell", ask, headers={"HX-Request": "true"})
    assert "It has ended." in text(late)
    with db.begin():
        assert db.scalars(select(NoticeRule.about)).all() == ["schedule"]
    assert {"notice.tell", "notice.forget"} <= set(audited(db))


def test_nobody_wishes_for_what_they_may_not_see(
    browser: Any, db: Any, cast: Any, make_job: Any, make_result: Any
):
    job = make_job("Greet")
    run = make_result(job, "running", username="bob")
    with db.begin():
        schedule = Schedule(
            id=uuid.uuid4(),
            name="x",
            class_path=job.class_path,
            job_id=job.id,
            username="bob",
            user_id=cast["bob"].id,
            interval="daily",
            start_at=now(),
        )
        db.add(schedule)
        for permission in db.scalars(select(Permission)):
            permission.enabled = False
    carol = browser("carol")
    for about, subject in (
        ("run", run.id),
        ("job", job.class_path),
        ("schedule", schedule.id),
        ("run", "x"),
        ("run", str(run.id).upper()),
        ("nonsense", run.id),
    ):
        sent = {"about": about, "subject": str(subject), "ways": ["browser"]}
        assert carol.post(f"{PAGE}tell", sent).status_code == 404, about
    with db.begin():
        assert db.scalars(select(NoticeRule)).all() == []


def test_the_poll_says_once_what_was_asked_for(
    app: Flask,
    browser: Any,
    db: Any,
    cast: Any,
    make_job: Any,
    make_result: Any,
    platform: Any,
    settings: Settings,
):
    with db.begin():
        db.get_one(User, cast["alice"].id).notices = {"browser": ["failed"]}
    make_result(make_job("<b>Greet</b>"), "failed")
    alice, again, bob = browser("alice"), browser("alice"), browser("bob")
    before = text(alice.fragment("/now"))
    assert "data-notice" not in before
    shown = re.search(r"shown=(\w+)", before)[1]  # type: ignore[index]
    assert alice.fragment(f"/now?shown={shown}").status_code == 204
    assert note_ended(platform, settings) == 1
    now_said = text(alice.fragment(f"/now?shown={shown}"))
    [(number, look, path, title)] = re.findall(
        r'data-notice="(\d+)" data-seen="[^"]+" class="([\w-]+)" href="([^"]+)">(.*)</a>', now_said
    )
    assert (look, title) == ("is-bad", "Failed: &lt;b&gt;Greet&lt;/b&gt;")
    assert path.startswith("/results/")
    assert "data-notice" not in text(bob.fragment("/now"))
    assert json.loads(text(bob.post(f"{PAGE}seen", {"id": number}))) == {"shown": []}
    assert json.loads(text(alice.post(f"{PAGE}seen", {"id": [number, "x", "9" * 30]}))) == {
        "shown": [int(number)]
    }
    # Another window is late.
    assert json.loads(text(again.post(f"{PAGE}seen", {"id": number}))) == {"shown": []}
    assert "data-notice" not in text(alice.get("/jobs/"))
    assert "Failed: &lt;b&gt;Greet" in text(alice.get(PAGE))
    assert bob.post(f"{PAGE}deliveries/{number}/again").status_code == 404
    assert alice.post(f"{PAGE}deliveries/{number}/again").status_code == 303
    assert "data-notice" in text(alice.get("/jobs/"))


def test_a_channel_keeps_its_address_and_secret_to_itself(
    root: Browser, db: Any, settings: Settings, cast: Any
):
    address = "https://hooks.example.com/T0/secret-part"
    sent = {
        "name": "Ops",
        "kind": "webhook",
        "address": address,
        "enabled": "true",
        "words": ["failed", "x"],
        "class_paths": "local/*\nplugins/*",
    }
    made = root.post("/admin/notifications/new", sent)
    [secret] = re.findall(r"whsec_[\w-]+(?=</pre>)", text(made))
    with db.begin():
        channel = db.scalars(select(Channel)).one()
        box = unlock(settings.secret_key, channel.box)
    assert box == {"secret": secret, "url": address}
    assert (channel.words, channel.class_paths, channel.place) == (
        ["failed"],
        ["local/*", "plugins/*"],
        "hooks.example.com",
    )
    assert channel.user_id == cast["root"].id
    at = f"/admin/notifications/{channel.id}"
    # Changed without its address: that stays, and the secret with it.
    assert root.post(at, {**sent, "address": "", "enabled": ""}).status_code == 303
    renewed = re.findall(r"whsec_[\w-]+(?=</pre>)", text(root.post(f"{at}/secret")))
    assert root.post(at, {**sent, "address": "https://other.example.com/"}).status_code == 303
    with db.begin():
        db.expire_all()
        box = unlock(settings.secret_key, db.get_one(Channel, channel.id).box)
    assert box == {"secret": renewed[0], "url": "https://other.example.com/"}
    assert renewed != [secret]
    pages = [root.get(path) for path in (at, "/admin/notifications/", "/admin/audit/", PAGE)]
    assert not any(part in text(page) for page in pages for part in ("secret-part", secret, renewed[0]))
    assert root.post(f"{at}/try").status_code == 303
    assert "A message from Errand" in text(root.get("/admin/deliveries/?state=waiting&via=webhook"))
    assert root.post(f"{at}/delete").status_code == 303
    assert {"channel.create", "channel.change", "channel.secret", "channel.try", "channel.delete"} <= set(
        audited(db)
    )


def test_a_channel_mails_by_a_server_of_its_own(root: Browser, db: Any, settings: Settings, cast: Any):
    address = "smtps://me:s3cret@mail.example.com"
    sent = {
        "name": "Bots",
        "kind": "mail",
        "address": address,
        "sender": "Bots <bots@example.com>",
        "receivers": "a@example.com, b@example.com\na@example.com",
        "words": ["output"],
        "class_paths": "dialect:bots",
    }
    for wrong, where in (
        ({"address": "https://mail.example.com"}, "address"),
        ({"address": "smtp://me:x@mail.example.com"}, "address"),
        ({"address": "smtp://10.0.0.1"}, "address"),
        ({"address": "smtps://mail.example.com?ca=/etc/passwd"}, "address"),
        ({"sender": "nobody"}, "sender"),
        ({"receivers": ""}, "receivers"),
        ({"receivers": "a@example.com b"}, "receivers"),
    ):
        refused = root.post("/admin/notifications/new", sent | wrong)
        assert (refused.status_code, f'id="{where}-e"' in text(refused)) == (422, True), wrong
    assert root.post("/admin/notifications/new", sent).status_code == 303
    with db.begin():
        channel = db.scalars(select(Channel)).one()
        assert unlock(settings.secret_key, channel.box) == {"url": address}
    assert (channel.place, channel.sender) == ("mail.example.com", "Bots <bots@example.com>")
    assert channel.receivers == ["a@example.com", "b@example.com"]
    at = f"/admin/notifications/{channel.id}"
    assert root.post(at, {**sent, "address": "", "receivers": "c@example.com"}).status_code == 303
    page = text(root.get(at))
    assert "c@example.com</textarea>" in page
    assert not any("s3cret" in text(root.get(each)) for each in (at, "/admin/audit/"))
    with db.begin():
        db.expire_all()
        assert unlock(settings.secret_key, db.get_one(Channel, channel.id).box) == {"url": address}


REFUSED: list[tuple[dict[str, str], str, str]] = [
    ({"address": "https://10.0.0.1/x"}, "address", "not on the open internet"),
    (
        {"address": "http://example.com/x"},
        "address",
        "Plain http:// is only for hosts in ERRAND_WEBHOOK_HOSTS",
    ),
    ({"address": ""}, "address", "This field is required."),
    ({"kind": "slack", "address": "#ops"}, "address", "needs SLACK_BOT_TOKEN"),
    ({"kind": "pigeon"}, "kind", "Choose Slack, Webhook or Mail."),
    ({"name": ""}, "name", "This field is required."),
    ({"name": "taken"}, "name", "There is a channel of this name already."),
    ({"class_paths": "x" * 401}, "class_paths", "Name at most"),
]


def test_a_channel_that_cannot_be_is_refused_where_it_was_typed(root: Browser, db: Any):
    with db.begin():
        db.add(Channel(name="taken", kind="slack", box=b""))
    for wrong, where, sentence in REFUSED:
        sent = {"name": "Ops", "kind": "webhook", "address": "http://hook.internal/x", **wrong}
        refused = root.post("/admin/notifications/new", sent)
        assert refused.status_code == 422, wrong
        assert re.search(f'id="{where}-e">.*{sentence}', text(refused)), wrong


def test_deliveries_are_gone_through_by_key_and_sent_again(root: Browser, db: Any, cast: Any, browser: Any):
    with db.begin():
        for number in range(60):
            db.add(
                Delivery(
                    event="ended",
                    event_key=str(number),
                    target="mail:1",
                    via="mail" if number % 2 else "webhook",
                    receiver="x@example.com",
                    title=f"Failed: <i>{number}",
                    state="gave_up" if number < 59 else "sent",
                    last_answer="550 <no>",
                    answers=[{"at": now().isoformat(), "answer": "550 <no>"}],
                    user_id=cast["bob"].id,
                )
            )
    page = text(root.get("/admin/deliveries/"))
    assert page.count("Failed: &lt;i&gt;") == 50
    [more] = re.findall(r'href="([^"]*before=\d+[^"]*)">Earlier', page)
    assert text(root.get(more.replace("&amp;", "&"))).count("Failed: &lt;i&gt;") == 10
    assert text(root.get("/admin/deliveries/?via=mail&state=sent")).count("Failed: &lt;i&gt;") == 1
    with db.begin():
        number = db.scalars(select(Delivery.id).where(Delivery.event_key == "7")).one()
    assert "550 &lt;no&gt;" in text(root.get(f"/admin/deliveries/{number}"))
    assert root.post(f"/admin/deliveries/{number}/again").status_code == 303
    assert "is on its way already" in text(
        root.post(f"/admin/deliveries/{number}/again", follow_redirects=True)
    )
    with db.begin():
        db.expire_all()
        assert db.get_one(Delivery, number).state == "waiting"
    assert "delivery.again" in audited(db)
    assert root.get(f"/admin/deliveries/{10**30}").status_code == 404


def test_who_looks_after_channels_alone_finds_them(browser: Any, db: Any, cast: Any):
    carol = browser("carol")
    assert carol.get("/admin/notifications/").status_code == 404
    with db.begin():
        user = db.get_one(User, cast["carol"].id)
        db.add(Permission(name="x", kind="channel", actions=["view"], users=[user]))
    assert 'href="/admin/notifications/"' in text(carol.get("/jobs/"))
    assert carol.get("/admin/deliveries/").status_code == 200
    assert carol.get("/admin/notifications/new").status_code == 403
    explained = text(carol.get("/admin/permissions/explain?kind=channel&action=view"))
    assert "The permission x allows it." in explained


def test_an_invitation_goes_by_mail_and_its_link_is_kept_nowhere(
    root: Browser, stranger: Browser, db: Any, platform: Any, settings: Settings
):
    new = {"username": "dora", "active": "true", "invite": "true"}
    refused = root.post("/admin/users/new", new)
    assert "A link by mail needs an address." in text(refused)
    assert root.post("/admin/users/new", {**new, "mail": "dora@example.com"}).status_code == 303
    with db.begin():
        [delivery] = db.scalars(select(Delivery)).all()
        dora_id = db.scalars(select(User.id).where(User.username == "dora")).one()
    with mailbox() as box:
        mail = replace(settings.notices, mail=replace(settings.notices.mail, port=box.port))
        assert Postman(replace(settings, notices=mail), platform).send_once() == 1
        [sent] = box.got
    [link] = re.findall(r"https://portal\.example(/login/\S+)", sent.get_body(("plain",)).get_content())
    with db.begin():
        db.expire_all()
        kept = db.get_one(Delivery, delivery.id)
        assert (kept.state, kept.box) == ("sent", None)
        assert link.rpartition("_")[2] not in str(kept.content)
        assert len(db.scalars(select(SignInLink)).all()) == 1
    assert "wiped when it was sent" in text(
        root.post(f"/admin/deliveries/{kept.id}/again", follow_redirects=True)
    )
    # Programs that open links to look at them use up none.
    assert "This link signs you in once." in text(stranger.get(link))
    path = link.partition("?")[0]
    assert stranger.post(path).headers["Location"] == "/"
    assert stranger.post(path).status_code == 404
    # Or later, from their page; what is sent is not shown.
    answer = root.post(f"/admin/users/{dora_id}/link", {"send": "mail"}, follow_redirects=True)
    assert "is on its way to dora@example.com" in text(answer)
    assert "/login/" not in text(answer)
