"""What lies outside of the portal, as far as it is configured: files, mail, Slack, single sign-on, git."""

import io
import shutil
from collections.abc import Callable, Iterator

from sqlalchemy import func, select

from store.files import file_store
from store.models import GitSource
from store.platform import Platform
from store.settings import Settings
from store.slack_settings import SlackSettings
from store.urls import without_password
from worker import channels, mail
from worker.checkup.finding import BAD, OK, WARN, Finding
from worker.oidc_discovery import ProviderAway, discover
from worker.sending import Trouble, Undeliverable
from worker.slack.client import NotTaken, make_client, taken


def outside(settings: Settings, platform: Platform) -> Iterator[Finding]:
    yield files(settings, platform)
    if (server := settings.notices.mail) is not None:
        yield _told("mail", lambda: mail.greet(server), "See ERRAND_SMTP_URL.")
    if settings.notices.slack_token:
        yield _told("slack", lambda: channels.greet_slack(settings.notices), "See SLACK_BOT_TOKEN.")
    if settings.slack.bot_token:
        yield slack_commands(settings.slack)
    if settings.oidc:
        yield sign_on(settings.oidc.issuer)
    yield from git(platform)


def slack_commands(slack: SlackSettings) -> Finding:
    """Ask Slack whether the bot may listen, if it is to by socket mode; otherwise say where Slack is to post."""
    part = "slack commands"
    if not slack.hears:
        advice = "Set SLACK_APP_TOKEN, or SLACK_SIGNING_SECRET (docs/slack.md)."
        return Finding(part, WARN, "The bot speaks, and hears nobody.", advice)
    if not slack.app_token:
        return Finding(part, OK, "Slack is to post events to /slack/events")
    try:
        with taken():
            make_client(slack).apps_connections_open(app_token=slack.app_token)
    except NotTaken as error:
        return Finding(part, WARN, f"Socket mode is refused: {error}", "See SLACK_APP_TOKEN.")
    return Finding(part, OK, "socket mode, by ./errand slack")


def files(settings: Settings, platform: Platform) -> Finding:
    """Keep a small file, read it and remove it."""
    place = without_password(settings.files_url) if settings.files_url else "the database"
    try:
        store = file_store(settings, platform.engine)
        key = store.put(io.BytesIO(b"doctor"))
        try:
            with store.open(key) as kept:
                whole = kept.read() == b"doctor"
        finally:
            store.delete(key)
    except Exception as error:  # Whatever the library of that place raises.
        said = str(error).strip().partition("\n")[0]
        advice = "See ERRAND_FILES_URL, and the keys to that place."
        return Finding("files", BAD, f"{place} does not keep them: {said}", advice)
    if not whole:
        return Finding("files", BAD, f"{place} gives back something else than it was given.")
    return Finding("files", OK, f"kept in {place}")


def sign_on(issuer: str) -> Finding:
    try:
        discover(issuer)
    except ProviderAway as error:
        advice = "See ERRAND_OIDC_ISSUER (docs/people.md); meanwhile ./errand user link NAME lets people in."
        return Finding("single sign-on", WARN, str(error), advice)
    return Finding("single sign-on", OK, f"{issuer} answers")


def git(platform: Platform) -> Iterator[Finding]:
    with platform.reading() as db:
        count = db.scalar(select(func.count()).select_from(GitSource)) or 0
    if count and shutil.which("git") is None:
        yield Finding("git", BAD, "There is no git, but there are repositories to sync.", "Install git.")
    elif count:
        yield Finding("git", OK, f"{count} repositor{'y' if count == 1 else 'ies'}")


def _told(part: str, greet: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(part, OK, greet())
    except (Trouble, Undeliverable) as error:
        return Finding(part, WARN, str(error), advice)
