"""What the environment says of Slack."""

import pytest

from store.given import SettingsError
from store.slack_settings import slack_settings


def test_the_bot_hears_by_socket_mode_or_over_http():
    bot = {"SLACK_BOT_TOKEN": " xoxb-1 "}
    assert slack_settings(bot).bot_token == "xoxb-1"
    assert not slack_settings(bot).hears
    assert slack_settings({**bot, "SLACK_APP_TOKEN": "xapp-1"}).hears
    assert slack_settings({**bot, "SLACK_SIGNING_SECRET": "s"}).hears
    assert not slack_settings({"SLACK_APP_TOKEN": "xapp-1"}).hears
    assert slack_settings({"SLACK_APP_USERNAME": "@errand"}).bot_name == "errand"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SLACK_BOT_TOKEN", "xapp-1", "it begins with xoxb-"),
        ("SLACK_APP_TOKEN", "xoxb-1", "it begins with xapp-"),
        ("MAX_SLACK_NOTIFY_RETRIES", "-1", "write a whole number up to 20"),
        ("ERRAND_SLACK_API", "slack.com", "is no address"),
        ("ERRAND_SLACK_STRANGERS", "yes", "write account or refuse"),
        ("ERRAND_SLACK_SUPPORT_KEYWORD", "tech(", "is no regular expression"),
    ],
)
def test_what_cannot_work_is_said(name: str, value: str, sentence: str):
    with pytest.raises(SettingsError, match=sentence) as refusal:
        slack_settings({name: value})
    assert name in str(refusal.value)
    # A token that stands in the wrong place is still one.
    assert not name.endswith("TOKEN") or value not in str(refusal.value)
