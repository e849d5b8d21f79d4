"""How the portal speaks with Slack, as the environment says: under the names that bennettbot has for the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from store.given import SettingsError

SLACK_VARIABLES = (
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "SLACK_LOGS_CHANNEL",
    "SLACK_TECH_SUPPORT_CHANNEL",
    "SLACK_APP_USERNAME",
    "MAX_SLACK_NOTIFY_RETRIES",
    "ERRAND_SLACK_API",
    "ERRAND_SLACK_STRANGERS",
    "ERRAND_SLACK_SUPPORT_KEYWORD",
    "GITHUB_WEBHOOK_SECRET",
    "ERRAND_PASS_TO_JOBS",
)

#: What commands may know that run as jobs: whoever has these can do nothing by them.
FOR_JOBS = (
    "SLACK_LOGS_CHANNEL",
    "SLACK_TECH_SUPPORT_CHANNEL",
    "SLACK_APP_USERNAME",
    "MAX_SLACK_NOTIFY_RETRIES",
)

#: What they get where ERRAND_PASS_TO_JOBS names it: with these they act as the bot, or as whoever calls it.
PASSABLE = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "GITHUB_WEBHOOK_SECRET")

SLACK_API = "https://slack.com/api/"

#: The most that anybody may want: what a message waits for is not worth more.
MOST_RETRIES = 20


@dataclass(frozen=True, slots=True)
class SlackSettings:
    #: The bot's token, `xoxb-…`: to read who people are, and to answer them. Empty: there is no bot.
    bot_token: str = field(default="", repr=False)
    #: The token of the app, `xapp-…`: to listen by socket mode. Empty: Slack sends events over HTTP, or none.
    app_token: str = field(default="", repr=False)
    #: What Slack signs the events with that it sends over HTTP.
    signing_secret: str = field(default="", repr=False)
    #: Channels that are told when a command begins and cannot be answered, and that are called when one fails; empty: none.
    logs_channel: str = ""
    support_channel: str = ""
    #: What people call the bot; empty: as Slack does.
    bot_name: str = ""
    #: How often a reply that fails is tried again.
    retries: int = 2
    #: Where Slack's Web API is.
    api_url: str = SLACK_API
    #: Whether people of Slack who have not connected an account of theirs get one that only Slack opens.
    strangers: bool = True
    #: A regular expression: messages that have it are for people who help, and no commands. Empty: there are none.
    support_keyword: str = ""
    #: What GitHub signs with whose webhooks go to /bennettbot/github/.
    github_secret: str = field(default="", repr=False)
    #: The variables of these that jobs find in their environment, too.
    passed_to_jobs: tuple[str, ...] = FOR_JOBS

    @property
    def hears(self) -> bool:
        """Whether people can talk to the bot, and not only be told something by it."""
        return bool(self.bot_token and (self.app_token or self.signing_secret))


def slack_settings(environ: Mapping[str, str]) -> SlackSettings:
    """Read them. Raises SettingsError."""

    def text(name: str) -> str:
        return environ.get(name, "").strip()

    return SlackSettings(
        bot_token=_token(environ, "SLACK_BOT_TOKEN", "xoxb-") or text("ERRAND_SLACK_TOKEN"),
        app_token=_token(environ, "SLACK_APP_TOKEN", "xapp-"),
        signing_secret=text("SLACK_SIGNING_SECRET"),
        logs_channel=text("SLACK_LOGS_CHANNEL"),
        support_channel=text("SLACK_TECH_SUPPORT_CHANNEL"),
        bot_name=text("SLACK_APP_USERNAME").lstrip("@"),
        retries=_retries(text("MAX_SLACK_NOTIFY_RETRIES")),
        api_url=_api(text("ERRAND_SLACK_API")),
        strangers=_strangers(text("ERRAND_SLACK_STRANGERS")),
        support_keyword=_expression(text("ERRAND_SLACK_SUPPORT_KEYWORD")),
        github_secret=text("GITHUB_WEBHOOK_SECRET"),
        passed_to_jobs=passed_to_jobs(environ),
    )


def passed_to_jobs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of the variables jobs find in their environment. Raises SettingsError."""
    asked = [name for name in re.split(r"[,\s]+", environ.get("ERRAND_PASS_TO_JOBS", "")) if name]
    for name in asked:
        if name not in (*PASSABLE, *FOR_JOBS):
            raise SettingsError(
                f"ERRAND_PASS_TO_JOBS names {name!r}; it may name, with commas between: {', '.join(PASSABLE)}."
            )
    return tuple(dict.fromkeys([*FOR_JOBS, *asked]))


def _token(environ: Mapping[str, str], name: str, begins: str) -> str:
    given = environ.get(name, "").strip()
    if given and not (given.startswith(begins) and given.isascii() and given.isprintable()):
        raise SettingsError(f"{name} is no such token of Slack: it begins with {begins}.")
    return given


def _retries(given: str) -> int:
    if not given:
        return 2
    if not (given.isascii() and given.isdecimal() and len(given) < 4 and int(given) <= MOST_RETRIES):
        raise SettingsError(
            f"MAX_SLACK_NOTIFY_RETRIES is {given!r}; write a whole number up to {MOST_RETRIES}, such as 2."
        )
    return int(given)


def _api(given: str) -> str:
    if not given:
        return SLACK_API
    try:
        parts = urlsplit(given)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"ERRAND_SLACK_API is no address. Write it like {SLACK_API}.")
    return given.rstrip("/") + "/"


def _expression(given: str) -> str:
    try:
        re.compile(given)
    except re.error as error:
        raise SettingsError(f"ERRAND_SLACK_SUPPORT_KEYWORD is no regular expression: {error}.") from error
    return given


def _strangers(given: str) -> bool:
    if given not in ("", "account", "refuse"):
        raise SettingsError(f"ERRAND_SLACK_STRANGERS is {given!r}; write account or refuse.")
    return given != "refuse"
