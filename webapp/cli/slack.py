"""`./errand slack`: the bot, by socket mode: Slack need not reach the portal."""

import logging
import threading
from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import refuse_behind
from webapp.cli.processes import end_on_signals, hand_on

if TYPE_CHECKING:
    from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler

    from store.settings import Settings
    from webapp.slack.bot import Bot

#: A connection that is lost without a word is noticed within so many seconds, and made anew.
PING_SECONDS = 5.0

#: Between tries to reach Slack at first.
LONGEST_PAUSE_SECONDS = 30.0

#: What no waiting mends.
HOPELESS = (
    "invalid_auth",
    "not_authed",
    "not_allowed_token_type",
    "account_inactive",
    "token_revoked",
    "missing_scope",
)


@click.command()
@with_settings
def slack(settings: "Settings") -> None:
    """Listen to Slack by socket mode, and do what people there ask for.

    Needs SLACK_BOT_TOKEN and SLACK_APP_TOKEN (see docs/slack.md). Ends on Ctrl-C and SIGTERM.
    """
    if not settings.slack.bot_token or not settings.slack.app_token:
        raise click.ClickException("Set SLACK_BOT_TOKEN and SLACK_APP_TOKEN first: docs/slack.md says how.")
    refuse_behind(settings)
    hand_on(settings)
    end_on_signals()
    listen(settings)


def listen(settings: "Settings") -> None:
    """Listen until somebody ends it."""
    from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler

    from store.platform import Platform
    from webapp.slack.app import make_app, make_bot

    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    # What is asked for, and how the connection is.
    logging.getLogger("errand.slack").setLevel(logging.INFO)
    platform = Platform(settings.database_url)
    bot = make_bot(settings, platform)
    handler = SocketModeHandler(
        make_app(bot),
        settings.slack.app_token,
        web_client=bot.client,
        logger=logging.getLogger("errand.slack.socket"),
        ping_interval=PING_SECONDS,
    )
    try:
        connect(bot, handler)
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("Ending.", err=True)
    finally:
        handler.client.close()
        bot.close()
        platform.dispose()


def connect(bot: "Bot", handler: "SocketModeHandler") -> None:
    """Begin to listen, however long Slack cannot be reached; from then on the library keeps the connection."""
    from worker.slack.client import NotTaken, taken

    pause, stopped = 1.0, threading.Event()
    while True:
        try:
            with taken():
                about = bot.client.auth_test()
                handler.client.connect()
            break
        except NotTaken as error:
            if str(error) in HOPELESS:
                raise click.ClickException(
                    f"Slack refuses the token: {error}. Check SLACK_BOT_TOKEN and SLACK_APP_TOKEN."
                ) from error
            click.echo(f"{error}. Trying again in {pause:g} s.", err=True)
            stopped.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    click.echo(f"Listening in {about['team']} as @{about['user']}.", err=True)
