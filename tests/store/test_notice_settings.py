"""Mail, Slack and webhooks as the environment sets them, and boxes that only the portal opens."""

import pytest

from store.given import SettingsError
from store.lockbox import CannotUnlock, lock, unlock
from store.notice_settings import notice_settings

FROM = {"ERRAND_MAIL_FROM": "Errand <errand@example.com>"}


def test_a_mail_server_is_read_from_its_url():
    given = "smtp://errand:p%40ss@mail.example.com?starttls=1&ca=/etc/ca.pem"
    mail = notice_settings({"ERRAND_SMTP_URL": given, **FROM}).mail
    assert mail is not None
    assert (mail.host, mail.port, mail.security, mail.user, mail.password) == (
        "mail.example.com",
        587,
        "starttls",
        "errand",
        "p@ss",
    )
    assert "p@ss" not in repr(mail)
    tls = notice_settings({"ERRAND_SMTP_URL": "smtps://mail.example.com", **FROM}).mail
    assert tls is not None
    assert (tls.port, tls.security, str(mail.ca)) == (465, "tls", "/etc/ca.pem")
    assert notice_settings({}).mail is None


def test_a_bot_that_listens_can_offer_buttons():
    bot = {"SLACK_BOT_TOKEN": "xoxb-1", "ERRAND_SLACK_API": "https://slack.example/api"}
    listens = notice_settings({**bot, "SLACK_APP_TOKEN": "xapp-1"})
    assert (listens.slack_token, listens.slack_api) == ("xoxb-1", "https://slack.example/api/")
    assert listens.slack_buttons
    assert not notice_settings(bot).slack_buttons, "nobody would hear of a click"
    other = notice_settings({**bot, "SLACK_SIGNING_SECRET": "s", "ERRAND_SLACK_TOKEN": "xoxb-2"})
    assert (other.slack_token, other.slack_buttons) == ("xoxb-2", False)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"ERRAND_SMTP_URL": "mail.example.com"}, "ERRAND_SMTP_URL is not the URL"),
        (
            {"ERRAND_SMTP_URL": "smtp://u:hush/hush@mail.example.com", **FROM},
            "ERRAND_SMTP_URL is not the URL",
        ),
        ({"ERRAND_SMTP_URL": "smtp://u:12?hush=1@mail", **FROM}, "an option that there is not"),
        ({"ERRAND_SMTP_URL": "smtp://u:hush@mail", **FROM}, "for everybody to read"),
        ({"ERRAND_SMTP_URL": "smtp://mail"}, "ERRAND_MAIL_FROM is whom mail comes from"),
        ({"ERRAND_SMTP_URL": "smtp://mail", "ERRAND_MAIL_FROM": "a@b.c\nBcc: x@y.z"}, "ERRAND_MAIL_FROM"),
        ({"ERRAND_URL": "errand.example.com"}, "ERRAND_URL is not"),
        ({"ERRAND_WEBHOOK_HOSTS": "hook:8080"}, "ERRAND_WEBHOOK_HOSTS has 'hook:8080'"),
    ],
)
def test_what_cannot_work_is_refused_and_tells_no_password(given: dict[str, str], sentence: str):
    with pytest.raises(SettingsError, match=sentence) as refusal:
        notice_settings(given)
    assert "hush" not in str(refusal.value)


def test_a_box_opens_with_its_own_key_alone():
    box = lock("a secret key of the portal", {"url": "https://example.com"})
    assert b"example" not in box
    assert unlock("a secret key of the portal", box) == {"url": "https://example.com"}
    with pytest.raises(CannotUnlock):
        unlock("another secret key", box)
