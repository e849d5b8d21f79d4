"""`./errand slack`: a process of its own that listens to Slack."""

import subprocess
from collections.abc import Callable
from unittest.mock import Mock

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from store.models import JobRecord, JobResult, now
from store.platform import Platform
from store.settings import Settings
from tests.slack_stand_in import SlackStandIn
from tests.waiting import until
from webapp.cli import main
from webapp.cli.slack import connect
from webapp.slack.app import make_bot
from worker.checkup.outside import slack_commands

from .conftest import command

Start = Callable[..., "subprocess.Popen[bytes]"]


def listen(start_worker: Start, slack: SlackStandIn, **more: str) -> "subprocess.Popen[bytes]":
    return start_worker(command="slack", **{**slack.environment(), **more})


@pytest.mark.in_turn
def test_it_hears_commands_until_it_is_ended(
    live: Settings, live_platform: Platform, slack: SlackStandIn, start_worker: Start
):
    with live_platform.session() as db:
        job = {
            "class_path": "local/a/test_hello",
            "source": "local",
            "module": "a",
            "class_name": "test_hello",
        }
        said = [command("test say hello")]
        db.add(
            JobRecord(
                **job,
                name="hello",
                grouping="Greetings",
                enabled=True,
                refreshed_at=now(),
                slack_commands=said,
            )
        )
        db.commit()
    process = listen(start_worker, slack)
    until(lambda: slack.sockets, "it listens")
    event = slack.mention("test say hello")
    # Acknowledged when it is stored, and then not again.
    slack.deliver(event)
    with live_platform.reading() as db:
        [result] = db.scalars(select(JobResult)).all()
        assert (result.origin, result.username) == ("slack", "slack-alice")
    slack.deliver(event, retry=1)
    # Slack ends connections now and then.
    slack.hang_up_sockets(politely=True)
    until(
        lambda: len(slack.called("apps.connections.open")) > 1 and len(slack.sockets) == 1, "it listens again"
    )
    slack.deliver(slack.mention("status", user="U2"))
    [answer] = until(lambda: slack.texts("C1"), "an answer")
    assert answer.startswith("There is 1 scheduled job:\n* [")
    process.terminate()
    assert process.wait(20) == 0
    with live_platform.reading() as db:
        assert len(db.scalars(select(JobResult)).all()) == 1


def test_it_waits_for_slack_and_gives_up_what_is_hopeless(
    slack_settings: Settings, platform: Platform, slack: SlackStandIn, capsys: pytest.CaptureFixture[str]
):
    bot = make_bot(slack_settings, platform)
    slack.fail("auth.test", "internal_error")
    slack.fail("auth.test", "invalid_auth")
    with pytest.raises(click.ClickException, match="Slack refuses the token: invalid_auth"):
        connect(bot, Mock())
    assert capsys.readouterr().err == "internal_error. Trying again in 1 s.\n"
    bot.close()


def test_it_says_what_it_needs(settings: Settings):
    outcome = CliRunner().invoke(main, ["slack", "--instance", str(settings.instance)])
    assert outcome.exit_code == 1
    assert "Set SLACK_BOT_TOKEN and SLACK_APP_TOKEN first" in outcome.stderr


def test_the_doctor_says_how_it_listens(slack: SlackStandIn):
    def said(**more: str) -> tuple[str, str]:
        found = slack_commands(slack.settings(**more))
        return found.state, found.says

    assert said() == ("ok", "socket mode, by ./errand slack")
    slack.fail("apps.connections.open", "invalid_auth")
    assert said() == ("warn", "Socket mode is refused: invalid_auth")
    assert said(app_token="")[1] == "Slack is to post events to /slack/events"
    assert said(app_token="", signing_secret="")[0] == "warn"
